//! Answers are believed from those who may give them, about the certificate that is asked about, while they are in date.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, SerialNumber, SigningKey,
};
use yasna::{DERWriter, Tag, construct_der, models::ObjectIdentifier};

use super::*;

const BASIC: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 1];
const SHA1: &[u64] = &[1, 3, 14, 3, 2, 26];
const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const HOUR: i64 = 3600;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(
    by: &Authority,
    serial: &[u8],
    change: impl FnOnce(&mut CertificateParams),
) -> (CertificateDer<'static>, KeyPair) {
    let mut params = CertificateParams::new(vec!["ftp.example".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(serial));
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, by).unwrap().der().clone(), key)
}

fn for_ocsp(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
}

/// An answer to be signed.
#[derive(Clone, Copy)]
struct Said<'s> {
    issuer: &'s CertificateDer<'s>,
    serial: &'s [u8],
    status: &'s dyn Fn(DERWriter<'_>),
    this_update_s: i64,
    next_update_s: Option<i64>,
}

fn good(writer: DERWriter<'_>) {
    writer.write_tagged_implicit(Tag::context(0), |writer| writer.write_null());
}

fn unknown(writer: DERWriter<'_>) {
    writer.write_tagged_implicit(Tag::context(2), |writer| writer.write_null());
}

fn revoked(writer: DERWriter<'_>) {
    writer.write_tagged_implicit(Tag::context(1), |writer| {
        writer.write_sequence(|writer| {
            time(writer.next(), now_s() - 48 * HOUR);
            writer.next().write_tagged(Tag::context(0), |writer| writer.write_enum(1));
        });
    });
}

fn about<'s>(issuer: &'s CertificateDer<'s>, serial: &'s [u8]) -> Said<'s> {
    let now = now_s();
    Said { issuer, serial, status: &good, this_update_s: now - HOUR, next_update_s: Some(now + HOUR) }
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn time(writer: DERWriter<'_>, unix_s: i64) {
    let shown = Timestamp::from_unix_s(unix_s).unwrap().to_string();
    let digits = shown.replace(['-', ':', 'T'], "");
    writer.write_tagged_implicit(yasna::tags::TAG_GENERALIZEDTIME, |writer| {
        writer.write_bytes(digits.as_bytes())
    });
}

fn oid(components: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(components)
}

impl Said<'_> {
    fn data(&self) -> Vec<u8> {
        let (_, issuer) = X509Certificate::from_der(self.issuer).unwrap();
        let sha1 = |bytes: &[u8]| digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes);
        let key = sha1(&issuer.public_key().subject_public_key.data);
        construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_tagged(Tag::context(2), |writer| writer.write_bytes(key.as_ref()));
                time(writer.next(), self.this_update_s);
                writer.next().write_sequence_of(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_sequence(|writer| {
                            writer.next().write_sequence(|writer| {
                                writer.next().write_oid(&oid(SHA1));
                                writer.next().write_null();
                            });
                            writer.next().write_bytes(sha1(issuer.subject().as_raw()).as_ref());
                            writer.next().write_bytes(key.as_ref());
                            writer.next().write_bigint_bytes(self.serial, true);
                        });
                        (self.status)(writer.next());
                        time(writer.next(), self.this_update_s);
                        if let Some(next) = self.next_update_s {
                            writer.next().write_tagged(Tag::context(0), |writer| time(writer, next));
                        }
                    });
                });
            });
        })
    }

    fn signed_by(&self, key: &KeyPair, certificates: &[&CertificateDer<'_>]) -> Vec<u8> {
        let data = self.data();
        let signature = key.sign(&data).unwrap();
        let basic = construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&data);
                writer.next().write_sequence(|writer| writer.next().write_oid(&oid(ECDSA_SHA256)));
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
                if !certificates.is_empty() {
                    writer.next().write_tagged(Tag::context(0), |writer| {
                        writer.write_sequence_of(|writer| {
                            certificates.iter().for_each(|der| writer.next().write_der(der));
                        });
                    });
                }
            });
        });
        construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_enum(0);
                writer.next().write_tagged(Tag::context(0), |writer| {
                    writer.write_sequence(|writer| {
                        writer.next().write_oid(&oid(BASIC));
                        writer.next().write_bytes(&basic);
                    });
                });
            });
        })
    }
}

const SERIAL: &[u8] = &[0x4a, 1, 2, 3];

#[test]
fn the_authority_and_whom_it_has_certified_are_believed() {
    let root = authority("Root");
    let (leaf, _) = issued(&root, SERIAL, |_| ());
    let (delegate, delegate_key) = issued(&root, &[9], for_ocsp);
    let now = SystemTime::now();
    let said = about(root.der(), SERIAL);
    for answer in [said.signed_by(root.key(), &[]), said.signed_by(&delegate_key, &[&delegate])] {
        let answer = check(&answer, &leaf, root.der(), now).unwrap();
        assert_eq!(answer.status, Status::Good);
        assert!(answer.next_update > Some(answer.this_update));
    }
    let unknown = Said { status: &unknown, ..said }.signed_by(root.key(), &[]);
    assert_eq!(check(&unknown, &leaf, root.der(), now).unwrap().status, Status::Unknown);
}

#[test]
fn nobody_else_is_believed() {
    let (root, other) = (authority("Root"), authority("Root"));
    let (leaf, leaf_key) = issued(&root, SERIAL, |_| ());
    let (stranger, stranger_key) = issued(&other, &[9], for_ocsp);
    let (expired, expired_key) = issued(&root, &[9], |params| {
        for_ocsp(params);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let said = about(root.der(), SERIAL);
    for (who, answer) in [
        ("another authority of the same name", said.signed_by(other.key(), &[other.der()])),
        ("its delegate", said.signed_by(&stranger_key, &[&stranger])),
        ("the server itself", said.signed_by(&leaf_key, &[&leaf])),
        ("a delegate whose time is over", said.signed_by(&expired_key, &[&expired])),
        ("a delegate that is not shown", said.signed_by(&expired_key, &[])),
    ] {
        assert_eq!(check(&answer, &leaf, root.der(), SystemTime::now()), Err(OcspError::Untrusted), "{who}");
    }
}

#[test]
fn an_answer_about_another_certificate_says_nothing() {
    let (root, other) = (authority("Root"), authority("Other"));
    let (leaf, _) = issued(&root, SERIAL, |_| ());
    for said in [about(root.der(), &[0x4a, 1, 2, 4]), about(other.der(), SERIAL)] {
        let answer = said.signed_by(root.key(), &[]);
        let checked = check(&answer, &leaf, root.der(), SystemTime::now());
        assert_eq!(checked, Err(OcspError::OtherCertificate));
    }
}

#[test]
fn an_answer_is_good_in_its_time_and_a_revocation_for_ever() {
    let root = authority("Root");
    let (leaf, _) = issued(&root, SERIAL, |_| ());
    let now = now_s();
    let asked =
        |said: Said<'_>| check(&said.signed_by(root.key(), &[]), &leaf, root.der(), SystemTime::now());
    let said = about(root.der(), SERIAL);
    let old = Said { this_update_s: now - 3 * HOUR, next_update_s: Some(now - HOUR), ..said };
    assert!(matches!(asked(old), Err(OcspError::Stale { .. })));
    let early = Said { this_update_s: now + HOUR, next_update_s: Some(now + 2 * HOUR), ..said };
    assert!(matches!(asked(early), Err(OcspError::NotYetValid { .. })));
    let ahead = Said { this_update_s: now + 60, ..said };
    assert_eq!(asked(ahead).map(|answer| answer.status), Ok(Status::Good), "clocks differ a little");
    let endless = |this_update_s| Said { this_update_s, next_update_s: None, ..said };
    assert_eq!(asked(endless(now - 23 * HOUR)).map(|answer| answer.status), Ok(Status::Good));
    assert!(matches!(asked(endless(now - 25 * HOUR)), Err(OcspError::Stale { .. })));
    for said in [said, old] {
        match asked(Said { status: &revoked, ..said }).unwrap().status {
            Status::Revoked { at, reason } => {
                assert_eq!(Timestamp::from_unix_s(now_s() - 48 * HOUR).map(|then| at <= then), Some(true));
                assert_eq!(reason, Some(RevocationReason::KeyCompromise));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn refusals_of_a_responder_are_told() {
    let root = authority("Root");
    let (leaf, _) = issued(&root, SERIAL, |_| ());
    let refused = |code| {
        let answer = construct_der(|writer| writer.write_sequence(|writer| writer.next().write_enum(code)));
        check(&answer, &leaf, root.der(), SystemTime::now())
    };
    assert_eq!(refused(3), Err(OcspError::NoAnswer("tryLater")));
    assert_eq!(refused(6), Err(OcspError::NoAnswer("unauthorized")));
    assert_eq!(refused(0), Err(OcspError::Malformed), "success without an answer");
    assert_eq!(refused(77), Err(OcspError::Malformed));
    let checked = |bytes: &[u8]| check(bytes, &leaf, root.der(), SystemTime::now());
    assert_eq!(checked(b""), Err(OcspError::Malformed));
    assert_eq!(checked(&vec![0x30; LONGEST + 1]), Err(OcspError::TooLong));
}

#[test]
fn who_must_staple_is_known() {
    let root = authority("Root");
    let with = |features: &'static [u8]| {
        issued(&root, SERIAL, |params| {
            let oid = [1, 3, 6, 1, 5, 5, 7, 1, 24];
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, features.to_vec()));
        })
    };
    assert!(is_demanded_by(&with(&[0x30, 3, 2, 1, 5]).0));
    assert!(is_demanded_by(&with(&[0x30, 6, 2, 1, 17, 2, 1, 5]).0));
    assert!(!is_demanded_by(&with(&[0x30, 3, 2, 1, 17]).0), "status_request_v2 alone");
    assert!(!is_demanded_by(&with(&[0x30, 9]).0));
    assert!(!is_demanded_by(&issued(&root, SERIAL, |_| ()).0));
    assert!(!is_demanded_by(&CertificateDer::from_slice(b"none")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_answer_is_taken_for_good(at in 0_usize..400, bit in 0_u8..8) {
        let root = authority("Root");
        let (leaf, _) = issued(&root, SERIAL, |_| ());
        let mut answer = Said { status: &revoked, ..about(root.der(), SERIAL) }.signed_by(root.key(), &[]);
        let at = at % answer.len();
        answer[at] ^= 1 << bit;
        if let Ok(answer) = check(&answer, &leaf, root.der(), SystemTime::now()) {
            let is_revoked = matches!(answer.status, Status::Revoked { .. });
            prop_assert!(is_revoked);
        }
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let leaf = CertificateDer::from_slice(&bytes);
        prop_assert!(check(&bytes, &leaf, &leaf, SystemTime::now()).is_err());
    }
}
