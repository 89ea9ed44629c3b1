//! Certificates, keys, requests, revocation lists and bundles, as files and peers bring them.

use std::time::{Duration, UNIX_EPOCH};

use carrack_tls::client_certificate::{ClientTrust, ClientTrustSettings};
use carrack_tls::identity::{Identity, describe};
use carrack_tls::issue::{Bundle, PrivateKey, Profile, PublicKey, Request};
use carrack_tls::revocation::RevocationList;
use carrack_tls::verify::{Question, verify};
use carrack_tls::{CertificateDer, Sha256Fingerprint, fuzzing, ocsp};
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
    Target { name: "revocation_list", run: revocation_list },
    Target { name: "ocsp", run: ocsp },
    Target { name: "client_certificate", run: client_certificate },
    Target { name: "pkcs12", run: pkcs12 },
    Target { name: "pkcs12_safe", run: pkcs12_safe },
];

/// The password of the seeds that are encrypted.
const PASSWORD: &str = "sesame";

/// The certificate of an authority, which is believed.
const AUTHORITY: &[u8] = include_bytes!("../data/authority.der");
/// A certificate that it issued.
const LEAF: &[u8] = include_bytes!("../data/leaf.der");

/// Early in the validity of the seeds, 2026-11-23, in seconds since 1970.
const EARLY_S: u64 = 1_795_392_000;
/// A certificate and its issuer, PEM, about which the OCSP answers are.
const STAPLED_CHAIN: &[u8] = include_bytes!("../../crates/tls/src/identity/fixtures/staple/chain.pem");

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
    let at = UNIX_EPOCH + Duration::from_secs(EARLY_S);
    match verify(&Question { chain, authorities, name, purpose: None, revoked, at }) {
        Ok(faults) => faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A revocation list in DER, described for people.
fn revocation_list(der: &[u8]) {
    if let Ok(list) = RevocationList::describe(der) {
        assert!(!list.issuer.contains(char::is_control));
    }
}

/// An OCSP answer in DER, as a server staples it.
fn ocsp(der: &[u8]) {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(STAPLED_CHAIN).flatten().collect();
    let [leaf, issuer] = chain.as_slice() else { panic!("the chain is of two") };
    let at = UNIX_EPOCH + Duration::from_secs(EARLY_S);
    match ocsp::check(der, leaf, issuer, at) {
        Ok(answer) => assert!(answer.next_update.is_none_or(|next| next >= answer.this_update)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = ocsp::is_demanded_by(&CertificateDer::from(der));
}

/// A client's certificate in DER, judged by an authority and by a key that is registered.
fn client_certificate(der: &[u8]) {
    let keys = [Sha256Fingerprint::of(der)].into();
    let authorities = vec![CertificateDer::from(AUTHORITY)];
    let settings = ClientTrustSettings { authorities, keys, ..ClientTrustSettings::default() };
    let Ok(trust) = ClientTrust::new(settings) else { panic!("the authority is good") };
    if let Err(why) = fuzzing::judge_client(&trust, der, EARLY_S) {
        assert!(!why.is_empty() && !why.contains(char::is_control));
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
