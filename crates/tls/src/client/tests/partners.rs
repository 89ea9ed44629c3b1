//! Which servers does a server believe whose TLS client it is?

use super::{
    certificates::{Authority, expired, for_clients, good, self_signed},
    *,
};
use crate::PartnerTls;
use crate::testkit::pair;
use crate::{Direction, HandshakeError};

/// What comes of a data connection between a TLS server that shows `identity` and a partner that believes `believed`.
async fn meet(
    identity: Identity,
    believed: &Authorities,
    minimum: Version,
) -> (Result<crate::DataStream, ConnectError>, Result<crate::DataStream, HandshakeError>) {
    let (near, far) = pair().await;
    let control = server(identity).control(far.local_addr().unwrap().ip());
    let partner = PartnerTls::new(believed.clone(), minimum).unwrap();
    let own = self_signed(&good());
    let (connected, accepted) =
        tokio::join!(partner.connect_data(far, &own), control.accept_data(near, Direction::FromClient));
    (connected, accepted.map(|(stream, _)| stream))
}

#[tokio::test]
async fn a_partner_is_believed_by_its_authority_whatever_its_name() {
    let authority = Authority::new("partners");
    let below = authority.below(super::certificates::authority("below"));
    let Trust::Authorities(believed) = authority.trusted() else { panic!("no authorities") };
    for identity in [authority.issue(good()), below.issue(good())] {
        for minimum in [Version::Tls12, Version::Tls13] {
            let (connected, accepted) = meet(identity.clone(), &believed, minimum).await;
            let info = connected.unwrap().info().unwrap();
            assert_eq!((info.version, info.resumed), (Version::Tls13, false));
            assert_eq!(accepted.unwrap().info().unwrap().alpn, info.alpn);
        }
    }
    // Its own certificate may stand among the authorities.
    let alone = self_signed(&good());
    let believed = Authorities::These(alone.certified_key().cert.clone());
    meet(alone, &believed, Version::Tls12).await.0.unwrap();
}

#[tokio::test]
async fn everybody_else_is_refused_and_told_so() {
    let authority = Authority::new("partners");
    let Trust::Authorities(believed) = authority.trusted() else { panic!("no authorities") };
    let other = Authority::new("others");
    for (identity, why) in [
        (other.issue(good()), "none of the authorities"),
        (self_signed(&good()), "self-signed"),
        (authority.issue(expired()), "expired"),
        (authority.issue(for_clients()), "not issued for servers"),
    ] {
        let (connected, accepted) = meet(identity, &believed, Version::Tls12).await;
        let refusal = connected.unwrap_err().to_string();
        assert!(refusal.contains(why), "{refusal}");
        assert!(matches!(accepted.unwrap_err(), HandshakeError::Refused(_)));
    }
    assert!(PartnerTls::new(Authorities::These(Vec::new()), Version::Tls12).is_err());
}
