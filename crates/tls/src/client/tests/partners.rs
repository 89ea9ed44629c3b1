//! Which servers does a server believe whose TLS client it is?

use super::{
    certificates::{Authority, expired, for_clients, good, self_signed},
    *,
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};

use crate::client::{authorities::Judge, trust::Rule};
use crate::testkit::pair;
use crate::{Believed, Direction, HandshakeError, PartnerTls, TlsPolicy};
use crate::{describe, verify::unix_time};

/// What comes of a data connection between a TLS server that shows `identity` and a partner that believes those.
async fn meet(
    identity: Identity,
    believed: Believed,
    minimum: Version,
) -> (Result<crate::DataStream, ConnectError>, Result<crate::DataStream, HandshakeError>) {
    let (near, far) = pair().await;
    let control = server(identity).control(far.local_addr().unwrap().ip());
    let policy = TlsPolicy::new(minimum, None, None).unwrap();
    let partner = PartnerTls::new(believed, &policy).unwrap();
    let own = self_signed(&good());
    let (connected, accepted) =
        tokio::join!(partner.connect_data(far, &own), control.accept_data(near, Direction::FromClient));
    (connected, accepted.map(|(stream, _)| stream))
}

fn authorities(authority: &Authority) -> Authorities {
    let Trust::Authorities(authorities) = authority.trusted() else { panic!("no authorities") };
    authorities
}

#[tokio::test]
async fn a_partner_is_believed_by_its_authority_whatever_its_name() {
    let authority = Authority::new("partners");
    let below = authority.below(super::certificates::authority("below"));
    let believed = Believed::Authorities(authorities(&authority));
    for identity in [authority.issue(good()), below.issue(good())] {
        for minimum in [Version::Tls12, Version::Tls13] {
            let (connected, accepted) = meet(identity.clone(), believed.clone(), minimum).await;
            let info = connected.unwrap().info().unwrap();
            assert_eq!((info.version, info.resumed), (Version::Tls13, false));
            assert_eq!(accepted.unwrap().info().unwrap().alpn, info.alpn);
        }
    }
    // Its own certificate may stand among the authorities.
    let alone = self_signed(&good());
    let believed = Believed::Authorities(Authorities::These(alone.certified_key().cert.clone()));
    meet(alone, believed, Version::Tls12).await.0.unwrap();
}

#[tokio::test]
async fn everybody_else_is_refused_and_told_so() {
    let authority = Authority::new("partners");
    let believed = Believed::Authorities(authorities(&authority));
    let other = Authority::new("others");
    for (identity, why) in [
        (other.issue(good()), "none of the authorities"),
        (self_signed(&good()), "self-signed"),
        (authority.issue(expired()), "expired"),
        (authority.issue(for_clients()), "not issued for servers"),
    ] {
        let (connected, accepted) = meet(identity, believed.clone(), Version::Tls12).await;
        let refusal = connected.unwrap_err().to_string();
        assert!(refusal.contains(why), "{refusal}");
        assert!(matches!(accepted.unwrap_err(), HandshakeError::Refused(_)));
    }
    let nobody = Believed::Authorities(Authorities::These(Vec::new()));
    assert!(PartnerTls::new(nobody, &TlsPolicy::default()).is_err());
}

#[tokio::test]
async fn a_pinned_key_needs_no_authority_and_no_other_key_will_do() {
    let authority = Authority::new("partners");
    let (right, other) = (authority.issue(good()), authority.issue(good()));
    let alone = self_signed(&expired());
    let keys = vec![right.spki_fingerprint(), alone.spki_fingerprint()];
    // The keys alone: who vouches for them, and until when, is not asked.
    let pinned = Believed::Keys(keys.clone());
    for identity in [&right, &alone] {
        meet(identity.clone(), pinned.clone(), Version::Tls12).await.0.unwrap();
    }
    // Under an authority it is, and both have to be right.
    let both = Believed::KeysUnder(authorities(&authority), keys.clone());
    meet(right.clone(), both.clone(), Version::Tls12).await.0.unwrap();
    let foreign = Believed::KeysUnder(authorities(&Authority::new("others")), keys);
    for (identity, believed, why) in [
        (&other, pinned.clone(), other.spki_fingerprint().to_string()),
        (&other, both.clone(), "none of those that are pinned".to_owned()),
        (&alone, both, "expired".to_owned()),
        (&right, foreign, "none of the authorities".to_owned()),
    ] {
        let (connected, accepted) = meet(identity.clone(), believed, Version::Tls12).await;
        let refusal = connected.unwrap_err().to_string();
        assert!(refusal.contains(&why), "{refusal}");
        assert!(matches!(accepted.unwrap_err(), HandshakeError::Refused(_)));
    }
}

#[test]
fn what_a_partner_staples_counts_where_an_authority_vouches() {
    let chain = include_bytes!("../../identity/fixtures/staple/chain.pem");
    let revoked = include_bytes!("../../identity/fixtures/staple/revoked.der");
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).map(Result::unwrap).collect();
    let (leaf, above) = chain.split_first().unwrap();
    let judge = || Judge::new(Authorities::These(above.to_vec()), &crate::policy::provider()).unwrap();
    let key = describe(leaf).unwrap().spki_fingerprint;
    let address = ServerName::try_from("192.0.2.1").unwrap();
    let now = unix_time(describe(leaf).unwrap().not_before.into());
    for rule in [Rule::Partner(judge()), Rule::PartnerKeys(vec![key], Some(judge()))] {
        assert_eq!(rule.judge(leaf, &[], &address, &[], now).verdict, Ok(None));
        let verdict = rule.judge(leaf, &[], &address, revoked, now).verdict;
        assert!(matches!(verdict, Err(Distrust::Revoked { .. })), "{verdict:?}");
    }
    // The key alone is what was agreed on: nobody can take that back.
    let alone = Rule::PartnerKeys(vec![key], None);
    assert_eq!(alone.judge(leaf, &[], &address, revoked, now).verdict, Ok(None));
}
