//! What revocation lists say of clients: several of one authority, old ones, and those of authorities above.

use std::time::Duration;

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::CertificateRevocationListDer;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;
type List = CertificateRevocationListDer<'static>;

fn signing(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn root() -> Authority {
    CertifiedIssuer::self_signed(signing("Example CA"), KeyPair::generate().unwrap()).unwrap()
}

fn numbered(mut params: CertificateParams, serial: u8) -> CertificateParams {
    params.serial_number = Some(SerialNumber::from(vec![serial]));
    params.use_authority_key_identifier_extension = true;
    params
}

fn client(authority: &Authority, serial: u8) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    numbered(named("alice"), serial).signed_by(&key, authority).unwrap().der().clone()
}

/// A list of the year `made`, in date until 2120.
fn list(authority: &Authority, made: i32, number: u8, revoked: &[u8]) -> List {
    list_until(authority, made, 2120, number, revoked)
}

fn list_until(authority: &Authority, made: i32, until: i32, number: u8, revoked: &[u8]) -> List {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(vec![*serial]),
        revocation_time: date_time_ymd(made, 1, 1),
        reason_code: None,
        invalidity_date: None,
    });
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(made, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(vec![number]),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(authority).unwrap().der().clone()
}

fn trusting(authorities: &[&Authority], revoked: Vec<List>, unknown: UnknownRevocation) -> ClientTrust {
    let authorities = authorities.iter().map(|authority| authority.der().clone()).collect();
    ClientTrust::new(ClientTrustSettings { authorities, revoked, unknown, ..ClientTrustSettings::default() })
        .unwrap()
}

fn verdict(trust: &ClientTrust, leaf: &CertificateDer<'_>) -> Result<(), ClientDistrust> {
    judged(trust, leaf).map(drop)
}

#[test]
fn of_several_lists_of_one_authority_the_newest_counts_wherever_it_stands() {
    let root = root();
    let leaf = client(&root, 7);
    let (old, new) = (list(&root, 2020, 9, &[]), list(&root, 2021, 2, &[7]));
    for lists in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
        let trust = trusting(&[&root], lists.into(), UnknownRevocation::Refuse);
        assert_eq!(verdict(&trust, &leaf), Err(ClientDistrust::Revoked));
        assert_eq!(verdict(&trust, &client(&root, 8)), Ok(()));
    }
}

#[test]
fn of_two_lists_of_one_moment_the_one_with_the_higher_number_counts_and_else_the_last() {
    let root = root();
    let leaf = client(&root, 7);
    for (numbers, outcome) in
        [([1, 2], Err(ClientDistrust::Revoked)), ([2, 1], Ok(())), ([1, 1], Err(ClientDistrust::Revoked))]
    {
        let lists = vec![list(&root, 2020, numbers[0], &[]), list(&root, 2020, numbers[1], &[7])];
        let trust = trusting(&[&root], lists, UnknownRevocation::Refuse);
        assert_eq!(verdict(&trust, &leaf), outcome, "{numbers:?}");
    }
}

#[test]
fn two_authorities_of_one_name_have_a_list_each() {
    let (one, other) = (root(), root());
    let lists = [list(&one, 2020, 1, &[7]), list(&other, 2021, 1, &[8])];
    for order in [[0, 1], [1, 0]] {
        let given = order.map(|at: usize| lists[at].clone()).into();
        let trust = trusting(&[&one, &other], given, UnknownRevocation::Refuse);
        for (authority, serial, outcome) in [
            (&one, 7, Err(ClientDistrust::Revoked)),
            (&one, 8, Ok(())),
            (&other, 7, Ok(())),
            (&other, 8, Err(ClientDistrust::Revoked)),
        ] {
            assert_eq!(verdict(&trust, &client(authority, serial)), outcome, "{order:?} {serial}");
        }
    }
    // The list of the one says nothing about the certificates of the other.
    let trust = trusting(&[&one, &other], vec![lists[0].clone()], UnknownRevocation::Accept);
    assert!(verdict(&trust, &client(&other, 7)).is_err());
}

#[test]
fn what_is_sure_is_not_hidden_by_what_is_unknown() {
    let root = root();
    let below =
        CertifiedIssuer::signed_by(numbered(signing("Below"), 9), KeyPair::generate().unwrap(), &root)
            .unwrap();
    for unknown in [UnknownRevocation::Refuse, UnknownRevocation::Accept] {
        // A list that has grown old and names it.
        let trust = trusting(&[&root], vec![list_until(&root, 2020, 2021, 1, &[7])], unknown);
        assert_eq!(verdict(&trust, &client(&root, 7)), Err(ClientDistrust::Revoked), "{unknown:?}");
        // One that names the authority in between, which has given none.
        let trust = trusting(&[&root], vec![list(&root, 2020, 1, &[9])], unknown);
        let leaf = client(&below, 1);
        let found = trust.judge(&leaf, &[below.der().clone()], UnixTime::now()).map(drop);
        assert_eq!(found.map_err(|refusal| refusal.why), Err(ClientDistrust::Revoked), "{unknown:?}");
    }
    let stale = || vec![list_until(&root, 2020, 2021, 1, &[7])];
    let refused = verdict(&trusting(&[&root], stale(), UnknownRevocation::Refuse), &client(&root, 8));
    assert!(matches!(refused, Err(ClientDistrust::RevocationsStale { .. })), "{refused:?}");
    let trust = trusting(&[&root], stale(), UnknownRevocation::Accept);
    assert!(judged(&trust, &client(&root, 8)).unwrap().unknown_revocation.is_some());
}

#[test]
fn the_name_of_a_list_reads_as_the_name_of_its_authority() {
    let name = signing("Example, O=Other");
    let authority = CertifiedIssuer::self_signed(name, KeyPair::generate().unwrap()).unwrap();
    let described = crate::revocation::RevocationList::describe(&list(&authority, 2020, 1, &[])).unwrap();
    assert_eq!(described.issuer, crate::describe(authority.der()).unwrap().subject);
    assert_eq!(described.issuer, "CN=Example\\, O=Other");
}

#[test]
fn a_verdict_is_kept_until_a_date_or_other_lists_decide_otherwise() {
    let root = root();
    let leaf = client(&root, 7);
    let at = |year| UnixTime::since_unix_epoch(Duration::from_secs(unix_s(year)));
    let trust =
        Arc::new(trusting(&[&root], vec![list_until(&root, 2020, 2030, 1, &[])], UnknownRevocation::Refuse));
    let kept = Kept::default();
    let said = |trust: &Arc<ClientTrust>, now| kept.judge(Arc::clone(trust), &leaf, &[], now);
    let first = said(&trust, at(2025)).unwrap();
    assert!(Arc::ptr_eq(&first, &said(&trust, at(2029)).unwrap()), "nothing has changed");
    let stale = said(&trust, at(2030)).unwrap_err();
    assert!(matches!(stale.why, ClientDistrust::RevocationsStale { .. }), "{stale}");
    assert!(Arc::ptr_eq(&stale, &said(&trust, at(2031)).unwrap_err()));
    assert!(said(&trust, at(2025)).is_ok(), "the clock was set back");
    let newer = vec![list(&root, 2021, 2, &[7])];
    let newer = Arc::new(trusting(&[&root], newer, UnknownRevocation::Refuse));
    assert_eq!(said(&newer, at(2025)).unwrap_err().why, ClientDistrust::Revoked);
    let mut short = numbered(named("alice"), 8);
    short.not_after = date_time_ymd(2026, 1, 1);
    let leaf = short.signed_by(&KeyPair::generate().unwrap(), &root).unwrap().der().clone();
    let kept = Kept::default();
    let said = |now| kept.judge(Arc::clone(&trust), &leaf, &[], now);
    assert!(said(at(2026)).is_ok(), "its last second");
    assert!(matches!(said(at(2027)).unwrap_err().why, ClientDistrust::Expired { .. }));
}

/// The first second of a year.
fn unix_s(year: i32) -> u64 {
    u64::try_from(date_time_ymd(year, 1, 1).unix_timestamp()).unwrap()
}
