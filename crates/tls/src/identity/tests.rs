//! Keys and certificates as they come in files, and the words for those that cannot be used.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::*;

const SEC1_CERT: &str = include_str!("fixtures/sec1.cert.pem");
const SEC1_KEY: &str = include_str!("fixtures/sec1.key.pem");
const PKCS1_CERT: &str = include_str!("fixtures/pkcs1.cert.pem");
const PKCS1_KEY: &str = include_str!("fixtures/pkcs1.key.pem");
const ENCRYPTED_KEY: &str = include_str!("fixtures/encrypted.key.pem");

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn parse(certificate: &str, key: &str) -> Result<Identity, IdentityError> {
    Identity::from_pem(certificate.as_bytes(), key.as_bytes())
}

#[test]
fn keys_load_from_pkcs8_sec1_and_pkcs1() {
    let made = Identity::self_signed(&names(&["ftp.example", "192.0.2.7", "2001:db8::7"])).unwrap();
    let own = parse(&made.certificate_pem, &made.key_pem).unwrap();
    assert_eq!(own.names(), ["ftp.example", "192.0.2.7", "2001:db8::7"]);
    assert_eq!(own.description().key, "ECDSA P-256");
    assert_eq!(own.description().subject, "CN=ftp.example");
    assert_eq!(own.description().issuer, own.description().subject);
    assert_eq!(parse(SEC1_CERT, SEC1_KEY).unwrap().names(), ["sec1.example"]);
    let rsa = parse(PKCS1_CERT, PKCS1_KEY).unwrap();
    assert_eq!(rsa.description().key, "RSA 2048");
    assert!(rsa.names().is_empty());
}

#[test]
fn a_self_signed_identity_is_valid_now_and_due_before_its_end() {
    let made = Identity::self_signed(&names(&["localhost"])).unwrap();
    let own = parse(&made.certificate_pem, &made.key_pem).unwrap();
    let now = SystemTime::now();
    assert!(SystemTime::from(own.description().not_before) < now);
    assert!(!own.is_renewal_due(now));
    assert!(own.is_renewal_due(now + Duration::from_secs(300 * 86_400)));
    assert!(own.is_renewal_due(own.not_after() + Duration::from_secs(1)));
    assert!(!format!("{made:?}").contains("PRIVATE"));
}

#[test]
fn a_renewed_certificate_keeps_the_key_and_nothing_else() {
    let made = Identity::self_signed(&names(&["localhost"])).unwrap();
    let old = parse(&made.certificate_pem, &made.key_pem).unwrap();
    let renewed = Identity::renew_self_signed(&names(&["localhost", "::1"]), &made.key_pem).unwrap();
    let new = parse(&renewed, &made.key_pem).unwrap();
    assert_eq!(new.spki_fingerprint(), old.spki_fingerprint());
    assert_ne!(new.fingerprint(), old.fingerprint());
    assert_ne!(new.description().serial, old.description().serial);
    assert_eq!(new.names(), ["localhost", "::1"]);
}

#[test]
fn errors_name_the_file_the_fault_and_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let certificate = write("cert.pem", SEC1_CERT);
    let key = write("key.pem", SEC1_KEY);
    let other_key = write("other.pem", PKCS1_KEY);
    let encrypted = write("encrypted.pem", ENCRYPTED_KEY);
    let empty = write("empty.pem", "");
    let torn = write("torn.pem", &SEC1_CERT[..SEC1_CERT.len() / 2]);
    let junk = write("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = folder.path().join("missing.pem");
    assert!(Identity::load(&certificate, &key).is_ok());

    let cases = [
        (&certificate, &other_key, &other_key, "is not the key of the certificate in"),
        (&certificate, &encrypted, &encrypted, "openssl pkey"),
        (&certificate, &certificate, &certificate, "holds no private key"),
        (&key, &key, &key, "holds no certificate"),
        (&empty, &key, &empty, "holds no certificate"),
        (&torn, &key, &torn, "not valid PEM"),
        (&junk, &key, &junk, "not an X.509 certificate"),
        (&missing, &key, &missing, "check that it is there"),
        (&certificate, &missing, &missing, "check that it is there"),
    ];
    for (certificate, key, at_fault, words) in cases {
        let error = Identity::load(certificate, key).unwrap_err();
        assert_eq!(error.location(), &Source::File(at_fault.clone()));
        let text = error.to_string();
        assert!(text.starts_with(&at_fault.display().to_string()), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn names_that_no_certificate_can_carry_are_refused() {
    for bad in [&[][..], &[""], &["grüße.example"]] {
        let error = Identity::self_signed(&names(bad)).unwrap_err();
        assert!(matches!(error.problem(), Problem::BadName { .. }), "{error}");
    }
}

#[test]
fn what_is_described_reads_as_openssl_has_it() {
    let der = CertificateDer::from_pem_slice(SEC1_CERT.as_bytes()).unwrap();
    let description = describe(&der).unwrap();
    assert_eq!(description.fingerprint, Sha256Fingerprint::of(&der));
    let text = description.fingerprint.to_string();
    assert_eq!(text.len(), 95);
    assert!(text.split(':').all(|pair| pair.len() == 2 && pair == pair.to_uppercase()));
    let moment = description.not_before.to_string();
    assert_eq!(moment.len(), "2026-11-22T12:00:00Z".len());
    assert!(description.not_before < description.not_after);
    assert!(describe(b"no certificate").is_err());
}

#[test]
fn a_chain_in_the_wrong_order_is_refused_with_the_names() {
    let chain = include_str!("fixtures/staple/chain.pem");
    let key = include_str!("fixtures/staple/leaf.key.pem");
    let end = chain.find("-----BEGIN CERTIFICATE-----\n").unwrap();
    let second = chain[end + 1..].find("-----BEGIN").unwrap() + end + 1;
    let (own, issuer) = (&chain[..second], &chain[second..]);
    let identity = parse(chain, key).unwrap();
    assert_eq!(identity.first_to_end().fingerprint, identity.fingerprint());
    assert!(parse(own, key).is_ok());
    let behind = format!("{own}{SEC1_CERT}{issuer}");
    let twice = format!("{own}{own}");
    for wrong in [&behind, &twice] {
        let error = parse(wrong, key).unwrap_err();
        assert!(matches!(error.problem(), Problem::Disorder { position: 2, .. }), "{error}");
        assert!(error.to_string().contains("CN=Example CA"), "{error}");
    }
    // The issuer first: nothing behind it is its issuer, and the key is not its own.
    let error = parse(&format!("{issuer}{own}"), key).unwrap_err();
    assert!(matches!(error.problem(), Problem::Disorder { .. }), "{error}");
}
