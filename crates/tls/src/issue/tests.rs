//! What is made can be read, what cannot be made is refused, and no bytes make a reader panic.

use std::{fs, path::Path};

use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::identity::{CertificateDescription, Identity, describe};

const BUNDLE: &[u8] = include_bytes!("fixtures/bundle.p12");
const REQUEST: &str = include_str!("fixtures/request.pem");
const ENCRYPTED_KEY: &str = include_str!("../identity/fixtures/encrypted.key.pem");
const SEC1_KEY: &str = include_str!("../identity/fixtures/sec1.key.pem");
const PKCS1_KEY: &str = include_str!("../identity/fixtures/pkcs1.key.pem");
const PKCS1_CERT: &str = include_str!("../identity/fixtures/pkcs1.cert.pem");

fn profile(names: &[&str], purpose: Purpose) -> Profile {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    Profile { subject: None, names, purpose, days: None }
}

fn first(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn about(pem: &str) -> CertificateDescription {
    describe(&first(pem)).unwrap()
}

fn authority(password: Option<&str>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let wanted = AuthorityProfile { name: "Example CA".into(), key_type: KeyType::EcdsaP256, days: 1000 };
    Authority::init(&dir.path().join("CA"), &wanted, password).unwrap();
    dir
}

fn open(dir: &TempDir) -> Authority {
    Authority::open(&dir.path().join("CA"), None).unwrap()
}

#[test]
fn every_kind_of_key_is_made_and_serves() {
    for (kind, called) in KeyType::ALL.into_iter().zip([
        "ECDSA P-256",
        "ECDSA P-384",
        "Ed25519",
        "RSA 2048",
        "RSA 3072",
        "RSA 4096",
    ]) {
        assert_eq!(kind.word().parse(), Ok(kind));
        let key = PrivateKey::generate(kind).unwrap();
        let pem = key.to_pem(None).unwrap();
        let certificate = profile(&["ftp.example"], Purpose::Server).self_signed(&key).unwrap();
        assert_eq!(about(&certificate).key, called);
        assert!(Identity::from_pem(certificate.as_bytes(), pem.as_bytes()).is_ok(), "{called}");
        let der = first(&certificate);
        let usage = *X509Certificate::from_der(&der).unwrap().1.key_usage().unwrap().unwrap().value;
        assert!(usage.digital_signature() && !usage.key_cert_sign());
        assert_eq!(usage.key_encipherment(), called.starts_with("RSA"), "{called}");
    }
    assert!("rsa-1024".parse::<KeyType>().unwrap_err().contains("rsa-2048"));
}

#[test]
fn keys_are_read_in_every_form_and_rest_encrypted() {
    let plain = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let sealed = plain.to_pem(Some("correct horse")).unwrap();
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{}", sealed.as_str());
    let read = |pem: &str, password| PrivateKey::from_pem(pem.as_bytes(), password);
    let opened = read(&sealed, Some("correct horse")).unwrap();
    assert_eq!(opened.spki_fingerprint(), plain.spki_fingerprint());
    assert!(matches!(read(&sealed, None), Err(KeyError::PasswordNeeded)));
    assert!(matches!(read(&sealed, Some("wrong")), Err(KeyError::Encryption(_) | KeyError::Unusable)));
    for form in [SEC1_KEY, PKCS1_KEY] {
        let clear = read(form, None).unwrap().to_pem(None).unwrap();
        assert!(clear.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(read(&clear, None).is_ok());
    }
    assert_eq!(
        read(PKCS1_KEY, None).unwrap().spki_fingerprint(),
        about(PKCS1_CERT).spki_fingerprint,
        "the key of that certificate"
    );
    assert!(matches!(read(PKCS1_CERT, None), Err(KeyError::Absent)));
    assert!(matches!(read("-----BEGIN PRIVATE KEY-----\nAAAA", None), Err(KeyError::Pem(_))));
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(read(junk, None), Err(KeyError::Unusable)));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(read(old, None), Err(KeyError::OldEncryption)));
    assert!(!format!("{plain:?}").contains("PRIVATE"));
}

#[test]
fn an_authority_issues_revokes_and_lists() {
    let dir = authority(None);
    let mut own = open(&dir);
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let public = key.public_key().unwrap();
    let issued = own.issue(&public, &profile(&["ftp.example", "a@b.example"], Purpose::Both)).unwrap();
    assert_eq!(issued.description.issuer, "CN=Example CA");
    assert_eq!(issued.description.names, ["ftp.example"]);
    assert_eq!(issued.description.emails, ["a@b.example"]);
    assert_eq!(issued.description.purposes, ["servers", "clients"]);
    assert!(!issued.description.is_authority && own.description().is_authority);
    assert_eq!(issued.chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
    drop(own);

    let mut own = open(&dir);
    let certificate = first(&issued.chain_pem);
    let again = own.profile_of(&certificate, Some(10)).unwrap();
    let renewed = own.issue(&PublicKey::of_certificate(&certificate).unwrap(), &again).unwrap();
    assert_eq!(renewed.description.spki_fingerprint, issued.description.spki_fingerprint);
    assert_ne!(renewed.description.serial, issued.description.serial);
    assert_eq!(renewed.description.emails, issued.description.emails);
    assert_eq!(renewed.description.subject, issued.description.subject);
    assert_eq!(own.counts(), (2, 0));
    own.revoke(&certificate, Reason::Superseded).unwrap();
    assert!(matches!(own.revoke(&certificate, Reason::Superseded), Err(AuthorityError::AlreadyRevoked(_))));
    assert!(matches!(own.profile_of(&certificate, None), Err(AuthorityError::AlreadyRevoked(_))));
    let stranger = first(&profile(&["x.example"], Purpose::Server).self_signed(&key).unwrap());
    assert!(matches!(own.revoke(&stranger, Reason::Unspecified), Err(AuthorityError::NotOurs)));
    assert!(matches!(own.profile_of(&stranger, None), Err(AuthorityError::NotOurs)));
    let list = own.crl(7).unwrap();
    assert!(list.contains("BEGIN X509 CRL"));
    drop(own);
    assert_eq!(open(&dir).counts(), (2, 1));
    let index = fs::read_to_string(dir.path().join("CA/index.txt")).unwrap();
    assert!(index.contains(" ftp.example a@b.example\n") && index.contains("crl-number 1\n"), "{index}");
    assert_eq!(fs::read_dir(dir.path().join("CA/issued")).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_issued_is_refused_before_anything_is_written() {
    let dir = authority(None);
    let mut own = open(&dir);
    let public = PrivateKey::generate(KeyType::EcdsaP256).unwrap().public_key().unwrap();
    let good = profile(&["ftp.example"], Purpose::Server);
    let with =
        |days, subject: Option<&str>| Profile { days, subject: subject.map(Subject::from), ..good.clone() };
    for (wanted, words) in [
        (profile(&[], Purpose::Server), "no name"),
        (with(None, Some("")), "no name"),
        (with(None, Some(&"x".repeat(65))), "64 characters"),
        (with(None, Some("a\0b")), "control characters"),
        (with(Some(0), None), "0 days"),
        (with(Some(1001), None), "own certificate ends at"),
        (with(Some(u32::MAX), None), "own certificate ends at"),
    ] {
        let error = own.issue(&public, &wanted).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(own.crl(0).unwrap_err().to_string().contains("0 days"));
    assert_eq!(own.counts(), (0, 0));
    assert_eq!(fs::read_dir(dir.path().join("CA/issued")).unwrap().count(), 0);
    // Nothing said: no longer than the authority.
    let end = own.description().not_after;
    assert!(own.issue(&public, &good).unwrap().description.not_after < end);
}

#[test]
fn an_authority_that_cannot_be_opened_says_which_file_and_why() {
    let dir = authority(Some("correct horse"));
    let folder = dir.path().join("CA");
    let why = |password: Option<&str>| Authority::open(&folder, password).unwrap_err().to_string();
    assert!(why(None).contains("ca-key.pem: holds an encrypted private key"), "{}", why(None));
    assert!(why(Some("wrong")).contains("ca-key.pem: holds"), "{}", why(Some("wrong")));
    assert!(Authority::open(&folder, Some("correct horse")).is_ok());
    let wanted = AuthorityProfile { name: "Another".into(), key_type: KeyType::EcdsaP256, days: 10 };
    assert!(matches!(Authority::init(&folder, &wanted, None), Err(AuthorityError::Exists(_))));
    assert!(matches!(Authority::open(Path::new("/nowhere"), None), Err(AuthorityError::Absent(_))));

    fs::write(folder.join("index.txt"), "carrack-authority 1\nissued\n").unwrap();
    assert!(why(Some("correct horse")).contains("index.txt, line 2: a serial number was expected"));
    fs::remove_file(folder.join("index.txt")).unwrap();
    assert!(why(Some("correct horse")).contains("index.txt cannot be read"));
    let other = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    fs::write(folder.join("ca-key.pem"), other.to_pem(None).unwrap().as_bytes()).unwrap();
    assert!(why(None).contains("not the certificate of the key"), "{}", why(None));
    let leaf = profile(&["ftp.example"], Purpose::Server).self_signed(&other).unwrap();
    fs::write(folder.join("ca.pem"), leaf).unwrap();
    assert!(why(None).contains("not an authority's"), "{}", why(None));
    fs::write(folder.join("ca.pem"), "nothing").unwrap();
    assert!(why(None).contains("ca.pem: "), "{}", why(None));
}

#[test]
fn requests_prove_their_key_and_ask_for_what_can_be_granted() {
    let key = PrivateKey::generate(KeyType::EcdsaP384).unwrap();
    let wanted = profile(&["r.example", "2001:db8::1", "a@b.example"], Purpose::Client);
    let text = wanted.request(&key).unwrap();
    let request = Request::from_pem(text.as_bytes()).unwrap();
    assert_eq!((request.subject(), request.names()), (Some("r.example"), wanted.names.as_slice()));
    assert_eq!(request.purpose(), Some(Purpose::Client));
    let granted = Profile::of_request(&request, Some(Purpose::Server), None);
    assert_eq!(granted.purpose, Purpose::Server, "the authority's word wins");
    let dir = authority(None);
    let issued = open(&dir).issue(request.key(), &Profile::of_request(&request, None, None)).unwrap();
    assert_eq!(issued.description.spki_fingerprint, key.spki_fingerprint());
    assert_eq!(issued.description.purposes, ["clients"]);

    let request = Request::from_pem(REQUEST.as_bytes()).unwrap();
    assert_eq!((request.subject(), request.purpose()), (Some("asked.example"), None));
    for (text, words) in
        [("", "there is none"), (SEC1_KEY, "there is none"), (&REQUEST[..200], "does not end")]
    {
        let error = Request::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // A name is changed, and the signature is not.
    let mut section = crate::armour::sections(REQUEST.as_ref()).unwrap().remove(0).into_contents();
    let at = section.windows(5).position(|window| window == b"asked").unwrap();
    section[at] = b'm';
    let forged = key::encoded(&pem::Pem::new("CERTIFICATE REQUEST", section));
    assert!(matches!(Request::from_pem(forged.as_bytes()), Err(IssueError::UnprovedRequest)));
}

#[test]
fn bundles_go_out_and_come_back() {
    let dir = authority(None);
    let key = PrivateKey::generate(KeyType::Ed25519).unwrap();
    let public = key.public_key().unwrap();
    let issued = open(&dir).issue(&public, &profile(&["ftp.example"], Purpose::Server)).unwrap();
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).map(Result::unwrap).collect();
    let bundle = Bundle { chain, key };
    let bytes = bundle.to_pkcs12("grüße 🚢", "pässword").unwrap();
    let back = Bundle::from_pkcs12(&bytes, "pässword").unwrap();
    assert_eq!(back.chain, bundle.chain);
    assert_eq!(back.chain_pem(), issued.chain_pem);
    assert_eq!(back.key.spki_fingerprint(), bundle.key.spki_fingerprint());
    assert!(matches!(Bundle::from_pkcs12(&bytes, "wrong"), Err(BundleError::WrongPassword)));
    assert!(matches!(Bundle::from_pkcs12(&bytes[..100], "pässword"), Err(BundleError::Damaged)));
    assert!(matches!(Bundle::from_pkcs12(b"", ""), Err(BundleError::Damaged)));
    assert!(!format!("{bundle:?}").contains("PRIVATE"));
    let empty = Bundle { chain: Vec::new(), key: bundle.key };
    assert!(matches!(empty.to_pkcs12("", ""), Err(BundleError::NoCertificate)));
    assert_eq!(Bundle::from_pkcs12(BUNDLE, "secret").unwrap().chain.len(), 1);
}

/// One of these byte strings with some bytes changed, cut or doubled.
fn mutated(from: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = from.len();
    let change = prop_oneof![
        (0..length, any::<u8>()).prop_map(|(at, to)| (at, Some(to))),
        (0..length).prop_map(|at| (at, None)),
    ];
    prop::collection::vec(change, 1..6).prop_map(move |changes| {
        let mut bytes = from.clone();
        for (at, to) in changes {
            match to {
                Some(to) if at < bytes.len() => bytes[at] = to,
                Some(_) => {}
                None => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}

fn der(pem: &str) -> Vec<u8> {
    crate::armour::sections(pem.as_ref()).unwrap().remove(0).into_contents()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bundle_makes_a_reader_panic(bytes in mutated(BUNDLE.to_vec())) {
        let _ = Bundle::from_pkcs12(&bytes, "secret");
        // Behind the code that protects the whole, which hardly anything gets past.
        if let Ok((safe, _)) = yasna::parse_der(&bytes, pkcs12::pfx) {
            let _ = Bundle::of_safe(&safe, "secret");
        }
    }

    #[test]
    fn no_request_makes_a_reader_panic(bytes in mutated(der(REQUEST)), text in mutated(REQUEST.into())) {
        let armoured = key::encoded(&pem::Pem::new("CERTIFICATE REQUEST", bytes));
        let _ = Request::from_pem(armoured.as_bytes());
        let _ = Request::from_pem(&text);
    }

    #[test]
    fn no_key_makes_a_reader_panic(bytes in mutated(der(ENCRYPTED_KEY)), text in mutated(SEC1_KEY.into())) {
        let armoured = key::encoded(&pem::Pem::new("ENCRYPTED PRIVATE KEY", bytes));
        let _ = PrivateKey::from_pem(armoured.as_bytes(), Some("secret"));
        let _ = PrivateKey::from_pem(&text, None);
    }

    #[test]
    fn no_certificate_makes_a_reader_panic(bytes in mutated(der(PKCS1_CERT))) {
        let bytes = CertificateDer::from(bytes);
        let _ = describe(&bytes);
        let _ = Profile::of_certificate(&bytes, None);
        let _ = PublicKey::of_certificate(&bytes);
    }
}

#[test]
fn what_stands_behind_the_end_of_der_is_refused() {
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let long = [&der(&key.to_pem(None).unwrap())[..], b"more"].concat();
    assert!(PrivateKey::from_pkcs8(&long[..long.len() - 4]).is_ok());
    assert!(matches!(PrivateKey::from_pkcs8(&long), Err(KeyError::Unusable)));
    let profile = profile(&["ftp.example"], Purpose::Server);
    let certificate = der(&profile.self_signed(&key).unwrap());
    assert!(describe(&certificate).is_ok());
    let told = describe(&[&certificate[..], b"more"].concat()).unwrap_err().to_string();
    assert!(told.contains("behind its end"), "{told}");
    let told = describe(&certificate[..certificate.len() - 1]).unwrap_err().to_string();
    assert!(told.contains("cut off"), "{told}");
}
