//! OCSP answers that OpenSSL made: which of them may be stapled, and what is said of the others.
//!
//! All are of one authority and about the first certificate of `chain.pem`, unless their name says otherwise.

use std::{fs, time::Duration};

use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::*;
use crate::Identity;

const CHAIN: &[u8] = include_bytes!("../fixtures/staple/chain.pem");
const KEY: &[u8] = include_bytes!("../fixtures/staple/leaf.key.pem");
const GOOD: &[u8] = include_bytes!("../fixtures/staple/good.der");

fn chain() -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(CHAIN).map(Result::unwrap).collect()
}

fn read(der: &[u8]) -> Result<Staple, StapleProblem> {
    Staple::read(der, &chain())
}

#[test]
fn an_answer_by_the_issuer_or_by_one_it_appointed_is_taken_as_der_and_as_pem() {
    let pem = pem::encode(&pem::Pem::new(PEM_LABEL, GOOD));
    for answer in [
        GOOD,
        include_bytes!("../fixtures/staple/delegated.der"),
        include_bytes!("../fixtures/staple/sha256.der"),
        include_bytes!("../fixtures/staple/bare.der"),
        pem.as_bytes(),
    ] {
        let staple = read(answer).unwrap();
        assert!(staple.is_in_date(staple.from().into()));
        let (from, until) = (SystemTime::from(staple.from()), SystemTime::from(staple.until()));
        assert!(!staple.is_in_date(from - Duration::from_secs(1)));
        assert!(staple.is_in_date(until - Duration::from_secs(1)) && !staple.is_in_date(until));
    }
    // The issuer that an answer brings along is the issuer by what it has signed; a bare one has to find it in the chain.
    let alone = &chain()[..1];
    assert!(Staple::read(GOOD, alone).is_ok());
    let bare = include_bytes!("../fixtures/staple/bare.der");
    assert!(matches!(Staple::read(bare, alone), Err(StapleProblem::NoIssuer { .. })));
}

#[test]
fn any_other_answer_is_refused_with_the_mend() {
    let revoked = include_bytes!("../fixtures/staple/revoked.der");
    assert_eq!(read(revoked), Err(StapleProblem::Revoked));
    assert_eq!(read(include_bytes!("../fixtures/staple/unknown.der")), Err(StapleProblem::Unknown));
    assert_eq!(read(include_bytes!("../fixtures/staple/endless.der")), Err(StapleProblem::Endless));
    let other = read(include_bytes!("../fixtures/staple/other.der"));
    assert_eq!(other, Err(StapleProblem::OtherCertificate { serial: "10:01".to_owned() }));
    // By an authority of the same name, and by a certificate of the right authority that may not answer for it.
    for forged in [
        &include_bytes!("../fixtures/staple/forged.der")[..],
        include_bytes!("../fixtures/staple/unappointed.der"),
    ] {
        assert_eq!(read(forged), Err(StapleProblem::Forged));
    }
    // `tryLater` (RFC 6960 §4.2.1).
    assert_eq!(read(&[0x30, 3, 0x0a, 1, 3]), Err(StapleProblem::Failure("tryLater")));
    for malformed in [&b""[..], b"good", CHAIN, &[0x30, 3, 0x0a, 1, 0], &vec![0; LONGEST + 1]] {
        assert!(matches!(read(malformed), Err(StapleProblem::Malformed(_))));
    }
}

#[test]
fn no_byte_of_an_answer_can_be_left_out() {
    for cut in 0..GOOD.len() {
        assert!(read(&GOOD[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn an_identity_names_the_file_of_an_answer_that_is_not_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("staple.der");
    let identity = Identity::from_pem(CHAIN, KEY).unwrap();
    fs::write(&file, GOOD).unwrap();
    let stapled = identity.with_staple(&file).unwrap();
    assert!(stapled.staple().is_some() && identity.staple().is_none());
    assert_eq!(stapled.shown_now().ocsp.as_deref(), Some(GOOD));
    assert_eq!(stapled.certified_key().ocsp, None);
    fs::write(&file, include_bytes!("../fixtures/staple/revoked.der")).unwrap();
    let text = identity.with_staple(&file).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}: says that the certificate is revoked", file.display())), "{text}");
}
