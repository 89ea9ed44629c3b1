//! Certificates, keys, requests, revocation lists and bundles, as files and peers bring them.

use std::time::{Duration, UNIX_EPOCH};

use carrack_tls::identity::{Identity, describe};
use carrack_tls::issue::{Bundle, PrivateKey, Profile, PublicKey, Request};
use carrack_tls::verify::{Question, verify};
use carrack_tls::{CertificateDer, Sha256Fingerprint, fuzzing};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;

use crate::Target;

/// What is read of X.509.
pub const TARGETS: &[Target] = &[
    Target { name: "certificate", run: certificate },
    Target { name: "identity", run: identity },
    Target { name: "private_key", run: private_key },
    Target { name: "request", run: request },
    Target { name: "chain", run: chain },
    Target { name: "revocations", run: revocations },
    Target { name: "pkcs12", run: pkcs12 },
    Target { name: "pkcs12_safe", run: pkcs12_safe },
];

/// The password of the seeds that are encrypted.
const PASSWORD: &str = "sesame";

/// The certificate of an authority, which is believed.
const AUTHORITY: &[u8] = include_bytes!("../data/authority.der");
/// A certificate that it issued.
const LEAF: &[u8] = include_bytes!("../data/leaf.der");

/// A certificate in DER.
fn certificate(der: &[u8]) {
    let Ok(about) = describe(der) else { return };
    assert_eq!(about.fingerprint, Sha256Fingerprint::of(der));
    let der = CertificateDer::from(der);
    let _ = (PublicKey::of_certificate(&der), Profile::of_certificate(&der, None));
}

/// A chain and its key, in one PEM text.
fn identity(pem: &[u8]) {
    if let Ok(identity) = Identity::from_pem(pem, pem) {
        let _ = (identity.names(), identity.not_after(), identity.is_renewal_due(UNIX_EPOCH));
    }
}

/// A private key in PEM, in clear or encrypted.
fn private_key(pem: &[u8]) {
    match PrivateKey::from_pem(pem, Some(PASSWORD)) {
        Ok(key) => {
            let Ok(written) = key.to_pem(None) else { panic!("a key can be written") };
            let Ok(again) = PrivateKey::from_pem(written.as_bytes(), None) else { panic!("and read again") };
            assert_eq!(again.spki_fingerprint(), key.spki_fingerprint());
            assert!(!format!("{key:?}").contains("PRIVATE"));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A certificate request in PEM.
fn request(pem: &[u8]) {
    if let Ok(request) = Request::from_pem(pem) {
        let _ = Profile::of_request(&request, None, None);
    }
}

/// A chain in PEM or one certificate in DER, judged against an authority.
fn chain(bytes: &[u8]) {
    let sections: Vec<_> = CertificateDer::pem_slice_iter(bytes).flatten().collect();
    let whole = [CertificateDer::from(bytes)];
    let chain = if sections.is_empty() { &whole[..] } else { &sections };
    let authorities = [CertificateDer::from(AUTHORITY)];
    for name in [None, Some("ftp.example"), Some("192.0.2.1")] {
        judge(chain, &authorities, name, &[]);
    }
    // And as one who is believed.
    judge(&[CertificateDer::from(LEAF)], chain, None, &[]);
}

/// A revocation list in DER, of the authority that issued the certificate in question.
fn revocations(der: &[u8]) {
    let authorities = [CertificateDer::from(AUTHORITY)];
    judge(&[CertificateDer::from(LEAF)], &authorities, Some("ftp.example"), &[der.into()]);
}

fn judge(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    name: Option<&str>,
    revoked: &[CertificateRevocationListDer<'_>],
) {
    // Early in the validity of the seeds, 2026-11-23.
    let at = UNIX_EPOCH + Duration::from_secs(1_795_392_000);
    match verify(&Question { chain, authorities, name, purpose: None, revoked, at }) {
        Ok(faults) => faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A PKCS#12 file.
fn pkcs12(der: &[u8]) {
    if let Ok(bundle) = Bundle::from_pkcs12(der, PASSWORD) {
        assert!(!bundle.chain.is_empty());
    }
}

/// What is inside one, behind the code that needs the password.
fn pkcs12_safe(safe: &[u8]) {
    if let Ok(bundle) = fuzzing::pkcs12_safe(safe, PASSWORD) {
        assert!(!bundle.chain.is_empty() && !bundle.chain_pem().is_empty());
    }
}
