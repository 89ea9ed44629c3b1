//! Does a chain stand in order, each certificate signed by the next, and which of them ends first?

use rustls_pki_types::CertificateDer;
use x509_parser::{
    error::X509Error,
    prelude::{FromDer, X509Certificate},
};

use super::{CertificateDescription, Problem, describe};
use crate::certificate::distinguished_name;

/// Describes every certificate of a chain that stands in order, the server's own first (RFC 8446 §4.4.2).
///
/// # Errors
/// A certificate that cannot be read, or that the next one has not signed.
pub(super) fn in_order(chain: &[CertificateDer<'_>]) -> Result<Vec<CertificateDescription>, Problem> {
    let parsed = chain.iter().map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate));
    let parsed: Vec<_> = parsed
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::BadCertificate(format!("not an X.509 certificate: {error}")))?;
    for (position, (certificate, next)) in (2..).zip(parsed.iter().zip(parsed.iter().skip(1))) {
        if !is_signed_by(certificate, next) {
            return Err(Problem::Disorder {
                position,
                stands: distinguished_name(next.subject()),
                issuer: distinguished_name(certificate.issuer()),
            });
        }
    }
    chain
        .iter()
        .map(|der| describe(der).map_err(|error| Problem::BadCertificate(error.to_string())))
        .collect()
}

/// Whether `issuer` has signed `certificate`. Where the kind of signature is unknown here, its name has to do.
pub(super) fn is_signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    match certificate.verify_signature(Some(issuer.public_key())) {
        Ok(()) => true,
        Err(X509Error::SignatureUnsupportedAlgorithm) => {
            certificate.issuer().as_raw() == issuer.subject().as_raw()
        }
        Err(_) => false,
    }
}
