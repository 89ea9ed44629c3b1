//! Each fault is found and told, beside others and alone; what is good is accepted.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, RevokedCertParams,
    SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;

use super::*;
use crate::issue::{Authority, AuthorityProfile, KeyType, PrivateKey, Profile, Reason};

const DAY: Duration = Duration::from_secs(86_400);

struct World {
    _dir: TempDir,
    authority: Authority,
    root: CertificateDer<'static>,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let wanted = AuthorityProfile { name: "Root".into(), key_type: KeyType::EcdsaP256, days: 1000 };
        Authority::init(dir.path(), &wanted, None).unwrap();
        let root = CertificateDer::from_pem_file(dir.path().join("ca.pem")).unwrap();
        World { authority: Authority::open(dir.path(), None).unwrap(), root, _dir: dir }
    }

    fn issue(&mut self, purpose: Purpose) -> Vec<CertificateDer<'static>> {
        let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap().public_key().unwrap();
        let names = ["ftp.example", "*.wild.example", "192.0.2.7", "a@b.example"];
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        let profile = Profile { subject: None, names, purpose, days: Some(100) };
        chain(&self.authority.issue(&key, &profile).unwrap().chain_pem)
    }

    fn crl(&mut self) -> CertificateRevocationListDer<'static> {
        CertificateRevocationListDer::from_pem_slice(self.authority.crl(10).unwrap().as_bytes()).unwrap()
    }
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

fn ask<'q>(chain: &'q [CertificateDer<'q>], authorities: &'q [CertificateDer<'q>]) -> Question<'q> {
    Question { chain, authorities, name: None, purpose: None, revoked: &[], at: SystemTime::now() }
}

fn words(faults: &[Fault]) -> Vec<&'static str> {
    faults.iter().map(|fault| fault.subject().word()).collect()
}

#[test]
fn what_is_good_is_accepted_by_name_and_purpose() {
    let mut world = World::new();
    let (leaf, roots) = (world.issue(Purpose::Both), [world.root.clone()]);
    for name in ["ftp.example", "FTP.example", "x.wild.example", "192.0.2.7", "a@b.example", "a@B.EXAMPLE"] {
        for purpose in [None, Some(Purpose::Server), Some(Purpose::Client), Some(Purpose::Both)] {
            let question = Question { name: Some(name), purpose, ..ask(&leaf, &roots) };
            assert_eq!(verify(&question), Ok(vec![]), "{name} {purpose:?}");
        }
    }
    for name in ["example", "x.y.wild.example", "192.0.2.8", "A@b.example", "b.example", "not a name", ""] {
        let faults = verify(&Question { name: Some(name), ..ask(&leaf, &roots) }).unwrap();
        assert_eq!(words(&faults), ["name"], "{name}");
        assert!(faults[0].to_string().contains("ftp.example"), "{}", faults[0]);
    }
}

#[test]
fn a_wrong_purpose_is_told() {
    let mut world = World::new();
    let roots = [world.root.clone()];
    let (server, client) = (world.issue(Purpose::Server), world.issue(Purpose::Client));
    for (leaf, wanted, faults) in [
        (&server, None, &[][..]),
        (&client, None, &[]),
        (&server, Some(Purpose::Client), &["purpose"]),
        (&client, Some(Purpose::Server), &["purpose"]),
        (&client, Some(Purpose::Both), &["purpose"]),
        (&client, Some(Purpose::Client), &[]),
    ] {
        let found = verify(&Question { purpose: wanted, ..ask(leaf, &roots) }).unwrap();
        assert_eq!(words(&found), faults, "{wanted:?}: {found:?}");
    }
    let found = verify(&Question { purpose: Some(Purpose::Client), ..ask(&server, &roots) }).unwrap();
    assert!(found[0].to_string().ends_with("issue one with --client"), "{}", found[0]);
}

#[test]
fn time_is_told_apart_from_the_chain() {
    let mut world = World::new();
    let (leaf, roots) = (world.issue(Purpose::Server), [world.root.clone()]);
    let now = SystemTime::now();
    let at = |at| verify(&Question { at, ..ask(&leaf, &roots) }).unwrap();
    assert!(matches!(at(now + 101 * DAY)[..], [Fault::Expired { .. }]));
    assert!(matches!(at(now - 2 * DAY)[..], [Fault::NotYetValid { .. }]));
    let strangers = [World::new().root];
    let question = Question { at: now + 101 * DAY, name: Some("x"), ..ask(&leaf, &strangers) };
    assert_eq!(words(&verify(&question).unwrap()), ["time", "name", "chain"]);
}

#[test]
fn nobody_vouches_for_it() {
    let mut world = World::new();
    let leaf = world.issue(Purpose::Server);
    let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap();
    let own = Profile {
        subject: None,
        names: vec!["ftp.example".parse().unwrap()],
        purpose: Purpose::Server,
        days: None,
    };
    let own = chain(&own.self_signed(&key).unwrap());
    let roots = [world.root.clone()];
    assert_eq!(verify(&ask(&own, &roots)), Ok(vec![Fault::SelfSigned]));
    assert_eq!(verify(&ask(&own, &own)), Ok(vec![]), "given as an authority, it is believed");
    let faults = verify(&Question { name: Some("x"), purpose: Some(Purpose::Client), ..ask(&own, &own) });
    assert_eq!(words(&faults.unwrap()), ["name", "purpose"]);
    // Another authority of the same name.
    let faults = verify(&ask(&leaf[..1], &[World::new().root])).unwrap();
    assert!(matches!(faults[..], [Fault::BadSignature]), "{faults:?}");
    let faults = verify(&ask(&leaf[..1], &own)).unwrap();
    assert!(matches!(faults[..], [Fault::UnknownIssuer { .. }]), "{faults:?}");
    assert_eq!(verify(&ask(&leaf[..1], &[])).unwrap(), [Fault::UnknownIssuer { issuer: "CN=Root".into() }]);
}

/// A root, an authority beneath it (or what only says so), and a certificate beneath that one.
struct Ladder {
    chain: [CertificateDer<'static>; 2],
    root: [CertificateDer<'static>; 1],
    /// The middle's list, which is empty, and the root's, which has the middle.
    lists: [CertificateRevocationListDer<'static>; 2],
}

impl Ladder {
    fn new(middle: impl Fn(&mut CertificateParams)) -> Ladder {
        Ladder::with(middle, |_| {})
    }

    fn with(middle: impl Fn(&mut CertificateParams), leaf: impl Fn(&mut CertificateParams)) -> Ladder {
        let named = |name: &str, serial: u8| {
            let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.serial_number = Some(SerialNumber::from_slice(&[serial]));
            params
        };
        let keys: Vec<KeyPair> = (0..3).map(|_| KeyPair::generate().unwrap()).collect();
        let mut root = named("root", 1);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let mut between = named("middle", 2);
        between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        middle(&mut between);
        let mut last = named("leaf", 3);
        leaf(&mut last);
        let root_issuer = Issuer::from_params(&root, &keys[0]);
        let middle_issuer = Issuer::from_params(&between, &keys[1]);
        let now = rcgen::date_time_ymd(1970, 1, 1) + SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let list = |issuer: &Issuer<'_, &KeyPair>, revoked: &[u8]| {
            let params = CertificateRevocationListParams {
                this_update: now,
                next_update: now + DAY,
                crl_number: SerialNumber::from_slice(&[1]),
                issuing_distribution_point: None,
                revoked_certs: revoked
                    .iter()
                    .map(|&serial| RevokedCertParams {
                        serial_number: SerialNumber::from_slice(&[serial]),
                        revocation_time: now,
                        reason_code: None,
                        invalidity_date: None,
                    })
                    .collect(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            params.signed_by(issuer).unwrap().der().clone()
        };
        Ladder {
            chain: [
                last.signed_by(&keys[2], &middle_issuer).unwrap().der().clone(),
                between.signed_by(&keys[1], &root_issuer).unwrap().der().clone(),
            ],
            root: [root.self_signed(&keys[0]).unwrap().der().clone()],
            lists: [list(&middle_issuer, &[]), list(&root_issuer, &[2])],
        }
    }

    fn judged(&self) -> Vec<Fault> {
        verify(&ask(&self.chain, &self.root)).unwrap()
    }
}

#[test]
fn what_stands_between_must_be_an_authority_in_its_time_for_these_names() {
    let good = Ladder::new(|_| {});
    assert_eq!(good.judged(), []);
    let alone = verify(&ask(&good.chain[..1], &good.root)).unwrap();
    assert_eq!(alone, [Fault::UnknownIssuer { issuer: "CN=middle".into() }]);
    assert_eq!(verify(&ask(&good.chain[1..], &good.root)).unwrap(), [Fault::IsAuthority]);

    let none = Ladder::new(|params| params.is_ca = IsCa::ExplicitNoCa);
    assert_eq!(none.judged(), [Fault::NotByAnAuthority]);
    let over = Ladder::new(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    assert_eq!(over.judged(), [Fault::ChainOutOfTime]);
    let elsewhere = |params: &mut CertificateParams| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("elsewhere.example".into())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
    };
    assert_eq!(Ladder::new(elsewhere).judged(), [Fault::NameConstraints]);
    let for_clients = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    assert_eq!(Ladder::new(for_clients).judged(), [Fault::PurposeOfChain]);
    let odd = Ladder::with(
        |_| {},
        |params| {
            let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            unknown.set_criticality(true);
            params.custom_extensions.push(unknown);
        },
    );
    assert!(matches!(odd.judged()[..], [Fault::Other(_)]), "{:?}", odd.judged());
}

#[test]
fn revocation_is_found_or_its_list_is_told_to_be_missing_stale_or_forged() {
    let mut world = World::new();
    let (leaf, other) = (world.issue(Purpose::Server), world.issue(Purpose::Server));
    let roots = [world.root.clone()];
    let before = [world.crl()];
    world.authority.revoke(&leaf[0], Reason::KeyCompromise).unwrap();
    let after = [world.crl()];
    let judged = |leaf, lists| verify(&Question { revoked: lists, ..ask(leaf, &roots) }).unwrap();
    assert_eq!(judged(&leaf, &before), []);
    assert_eq!(judged(&leaf, &after), [Fault::Revoked { whose: "it" }]);
    assert_eq!(judged(&other, &after), []);
    let first = [before[0].clone(), after[0].clone()];
    let last = [after[0].clone(), before[0].clone()];
    for both in [&first, &last] {
        assert_eq!(judged(&leaf, both), [Fault::Revoked { whose: "it" }], "the newest counts");
    }
    let late = Question { revoked: &after, at: SystemTime::now() + 11 * DAY, ..ask(&other, &roots) };
    assert!(matches!(verify(&late).unwrap()[..], [Fault::RevocationsStale { .. }]));
    // An authority of the same name with another key, and one of another name.
    let forged = [World::new().crl()];
    assert_eq!(judged(&other, &forged), [Fault::RevocationsForged]);
    let ladder = Ladder::new(|_| {});
    let judged = |revoked| verify(&Question { revoked, ..ask(&ladder.chain, &ladder.root) }).unwrap();
    assert_eq!(judged(&after), [Fault::RevocationsMissing { issuer: "CN=middle".into() }]);
    assert_eq!(judged(&ladder.lists[..1]), []);
    assert_eq!(judged(&ladder.lists), [Fault::Revoked { whose: "an authority above it" }]);
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let mut world = World::new();
    let (leaf, roots) = (world.issue(Purpose::Server), [world.root.clone()]);
    let junk = [CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])];
    assert_eq!(verify(&ask(&[], &roots)), Err(Unanswerable::Nothing));
    assert!(matches!(verify(&ask(&junk, &roots)), Err(Unanswerable::Certificate(_))));
    assert!(matches!(verify(&ask(&leaf, &junk)), Err(Unanswerable::Authority { position: 1, .. })));
    let lists = [world.crl(), CertificateRevocationListDer::from(vec![0x30, 0])];
    let answer = verify(&Question { revoked: &lists, ..ask(&leaf, &roots) });
    assert!(matches!(answer, Err(Unanswerable::Revocations { position: 2, .. })));
}

#[test]
fn no_certificate_and_no_list_makes_the_judge_panic() {
    let mut world = World::new();
    let (leaf, list) = (world.issue(Purpose::Server), world.crl());
    let roots = [world.root.clone()];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let outcome = runner.run(&(changes, any::<bool>()), |(changes, of_list)| {
        let mut bytes = if of_list { list.to_vec() } else { leaf[0].to_vec() };
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if of_list {
            let lists = [CertificateRevocationListDer::from(bytes)];
            let _ = verify(&Question { revoked: &lists, ..ask(&leaf, &roots) });
        } else {
            let changed = [CertificateDer::from(bytes)];
            let _ = verify(&ask(&changed, &roots));
            let _ = verify(&ask(&leaf, &changed));
        }
        Ok(())
    });
    outcome.unwrap();
}
