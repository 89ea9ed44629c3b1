//! Certificates of clients that are accepted, and those that are not.

mod revoked;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::pki_types::UnixTime;

use super::*;
use crate::{CertificateDer, Sha256Fingerprint};

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = named("Example CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn trust(authorities: Vec<CertificateDer<'static>>, key: Option<Sha256Fingerprint>) -> ClientTrust {
    let keys = key.into_iter().collect();
    ClientTrust::new(ClientTrustSettings { authorities, keys, ..ClientTrustSettings::default() }).unwrap()
}

fn judged(trust: &ClientTrust, leaf: &CertificateDer<'_>) -> Result<ClientIdentity, ClientDistrust> {
    trust.judge(leaf, &[], UnixTime::now()).map_err(|refusal| refusal.why)
}

#[test]
fn names_are_read_where_an_authority_vouches_for_them() {
    let authority = authority();
    let text = |name: &str| Ia5String::try_from(name).unwrap();
    let mut params = named("Alice, O=Other");
    params.subject_alt_names = vec![
        SanType::Rfc822Name(text("alice@example.com")),
        SanType::DnsName(text("alice.example")),
        SanType::URI(text("spiffe://example/alice")),
        SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "alice@corp".into())),
        SanType::OtherName((vec![1, 2, 3], "not one".into())),
    ];
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap().der().clone();
    let accepted = judged(&trust(vec![authority.der().clone()], None), &leaf).unwrap();
    assert_eq!(accepted.description.issuer, "CN=Example CA");
    let names = accepted.names.unwrap();
    assert_eq!(names.subject, "CN=Alice\\, O=Other", "one part does not pass for two");
    assert_eq!(names.emails, ["alice@example.com"]);
    assert_eq!(names.dns, ["alice.example"]);
    assert_eq!(names.uris, ["spiffe://example/alice"]);
    assert_eq!(names.upns, ["alice@corp"]);
}

#[test]
fn a_known_key_needs_no_authority_and_has_no_names() {
    let key = KeyPair::generate().unwrap();
    let leaf = named("alice").self_signed(&key).unwrap().der().clone();
    let spki = crate::describe(&leaf).unwrap().spki_fingerprint;
    let others = authority().der().clone();
    for authorities in [vec![], vec![others]] {
        assert_eq!(judged(&trust(authorities.clone(), Some(spki)), &leaf).unwrap().names, None);
        assert_eq!(judged(&trust(authorities, None), &leaf).unwrap_err(), ClientDistrust::SelfSigned);
    }
    // OpenSSL marks what `req -x509` makes as an authority's.
    let mut params = named("alice");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let leaf = params.self_signed(&key).unwrap().der().clone();
    assert_eq!(judged(&trust(vec![authority().der().clone()], Some(spki)), &leaf).unwrap().names, None);
    let mut params = named("alice");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = params.self_signed(&key).unwrap().der().clone();
    let why = judged(&trust(Vec::new(), Some(spki)), &leaf).unwrap_err();
    assert_eq!(why, ClientDistrust::WrongPurpose { purposes: vec!["servers".to_owned()] });
}

#[test]
fn a_known_key_counts_only_as_the_reader_has_it_that_checks_signatures() {
    let key = KeyPair::generate().unwrap();
    let mut params = named("alice");
    let mut strange = CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
    strange.set_criticality(true);
    params.custom_extensions = vec![strange];
    let leaf = params.self_signed(&key).unwrap().der().clone();
    let spki = crate::describe(&leaf).unwrap().spki_fingerprint;
    assert!(matches!(judged(&trust(Vec::new(), Some(spki)), &leaf), Err(ClientDistrust::Unreadable(_))));
}

#[test]
fn what_is_no_certificate_is_unreadable() {
    let garbage = CertificateDer::from(vec![0x30, 3, 1, 1, 1]);
    assert!(matches!(judged(&trust(Vec::new(), None), &garbage), Err(ClientDistrust::Unreadable(_))));
}

#[test]
fn lists_that_are_of_no_use_are_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in [
        ("empty", b"".as_slice(), "holds no revocation list"),
        ("text", b"hello", "holds no revocation list"),
        ("der", &[0x30, 3, 1, 1, 1], "cannot be used"),
        ("pem", b"-----BEGIN X509 CRL-----\nMAMBAQE=\n-----END X509 CRL-----\n", "cannot be used"),
        ("cut", b"-----BEGIN X509 CRL-----\nMAMB", "not valid PEM"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = load_revocations(&path).unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains(name), "{said}");
    }
    let said = load_revocations(&dir.path().join("absent")).unwrap_err().to_string();
    assert!(said.contains("cannot be read"), "{said}");
}
