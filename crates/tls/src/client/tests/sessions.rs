//! Data connections that resume their control connection's session, and what becomes of its tickets.

use super::{
    certificates::{good, self_signed},
    *,
};
use crate::{Circumstances, DataReuse, judge};

async fn pinned(version: Version) -> (Arc<ServerTls>, Control) {
    let identity = self_signed(&good());
    let trust = Trust::Pinned(identity.fingerprint());
    let server = server(identity);
    let control = control(&server, &client("localhost", trust, version)).await.unwrap();
    (server, control)
}

#[tokio::test]
async fn a_hundred_downloads_and_uploads_resume_where_it_is_required() {
    for version in BOTH {
        let (_server, control) = pinned(version).await;
        for number in 0..100 {
            match (version, control.far.supply()) {
                (Version::Tls12, Supply::Endless) => {}
                (Version::Tls13, Supply::Tickets(FEW_TICKETS..=ENOUGH_TICKETS)) => {}
                (version, supply) => panic!("{supply:?} in {version:?} before {number}"),
            }
            let direction = if number % 2 == 0 { Direction::ToClient } else { Direction::FromClient };
            let (mut near, proof, mut far) = data(&control.near, &control.far, direction).await.unwrap();
            let circumstances = Circumstances { alone: false, unmistakable: false };
            assert_eq!(judge(DataReuse::RequireOwn, proof, circumstances), Ok(()));
            let info = far.info().unwrap();
            assert_eq!((info.resumed, info.alpn), (true, Some("ftp-data")));
            let bytes = format!("file {number}");
            let (sender, receiver) = match direction {
                Direction::ToClient => (&mut near, &mut far),
                Direction::FromClient => (&mut far, &mut near),
            };
            let receiving = async {
                let (all, end) = lent_all(receiver).await;
                receiver.finish().unwrap();
                (all, end.unwrap())
            };
            let ((), (all, end)) = tokio::join!(send_all(sender, bytes.as_bytes()), receiving);
            assert_eq!((all, end), (bytes.into_bytes(), Received::End));
        }
        let received = match control.far.supply() {
            Supply::Endless => 0,
            Supply::Tickets(left) => left + 100,
        };
        assert_eq!(control.far.tickets_received(), received);
    }
}

#[tokio::test]
async fn without_tickets_a_data_connection_is_a_full_handshake() {
    let (_server, control) = pinned(Version::Tls13).await;
    for left in (0..usize::from(TICKETS_ON_CONTROL)).rev() {
        // Dropped before its new ticket is read.
        let (_near, proof, _far) = data(&control.near, &control.far, Direction::ToClient).await.unwrap();
        assert_eq!((proof, control.far.supply()), (Proof::Own, Supply::Tickets(left)));
    }
    let (_near, proof, far) = data(&control.near, &control.far, Direction::ToClient).await.unwrap();
    assert_eq!((proof, far.info().unwrap().resumed), (Proof::None, false));
}

#[tokio::test]
async fn sessions_of_two_control_connections_never_mix() {
    for version in BOTH {
        let identity = self_signed(&good());
        let server = server(identity.clone());
        let client = client("localhost", Trust::Pinned(identity.fingerprint()), version);
        let (one, two) = (control(&server, &client).await.unwrap(), control(&server, &client).await.unwrap());
        for _ in 0..3 {
            for control in [&one, &two] {
                let (_near, proof, _far) =
                    data(&control.near, &control.far, Direction::ToClient).await.unwrap();
                assert_eq!(proof, Proof::Own);
            }
        }
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_on_both_kinds_of_connection() {
    use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
    let own = self_signed(&super::certificates::for_clients());
    let identity = self_signed(&good());
    let provider = crate::policy::provider();
    let mut roots = RootCertStore::empty();
    roots.add(super::certificates::der(&own)).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12, &TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(
            identity.certified_key(),
        ))));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    for version in BOTH {
        let settings = |identity_of_client| ClientSettings {
            trust: Trust::Pinned(identity.fingerprint()),
            versions: Versions::Only(version),
            identity: identity_of_client,
        };
        let tls = ClientTls::new("localhost", settings(Some(own.clone()))).unwrap().control();
        for _ in 0..2 {
            let (near, far) = pair().await;
            let (accepted, connected) = tokio::join!(acceptor.accept(near), tls.connect_data(far));
            assert!(connected.is_ok());
            let certificates = accepted.unwrap().get_ref().1.peer_certificates().map(<[_]>::to_vec);
            assert_eq!(certificates, Some(vec![super::certificates::der(&own)]));
        }

        let tls = ClientTls::new("localhost", settings(None)).unwrap().control();
        let (near, far) = pair().await;
        let (accepted, connected) = tokio::join!(acceptor.accept(near), tls.connect(far));
        assert!(accepted.is_err());
        let error = match connected {
            // In TLS 1.3 the client is done before the server has seen that there is no certificate.
            Ok(mut stream) => {
                assert_eq!(version, Version::Tls13);
                ConnectError::from(stream.read(&mut [0; 9]).await.unwrap_err())
            }
            Err(error) => error,
        };
        assert!(matches!(error, ConnectError::CertificateRequired), "{error}");
    }
}

#[tokio::test]
async fn peers_that_are_no_tls_servers_are_named() {
    let trust = Trust::Pinned(crate::Sha256Fingerprint::of(b""));
    let tls = client("localhost", trust, Version::Tls13).control();
    let greeting: &[u8] = b"220 Welcome to a server that speaks no TLS here\r\n";
    for (bytes, wanted) in
        [(greeting, "NotTls"), (&[], "Closed"), (b"\x15\x03\x03\x00\x02\x02\x46", "NoCommonVersion")]
    {
        for control in [true, false] {
            let (mut near, far) = pair().await;
            let speaking = async move {
                near.write_all(bytes).await.unwrap();
                near.shutdown().await.unwrap();
                near.read_to_end(&mut Vec::new()).await.unwrap();
            };
            let connecting = async {
                match control {
                    true => tls.connect(far).await.map(drop),
                    false => tls.connect_data(far).await.map(drop),
                }
            };
            let ((), outcome) = tokio::join!(speaking, connecting);
            let error = outcome.unwrap_err();
            assert!(format!("{error:?}").starts_with(wanted), "{error:?}");
            assert!(error.to_string().contains("server"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_lasting_session_is_resumed_by_the_next_login_and_no_other_is() {
    use rustls::ServerConfig;
    let identity = self_signed(&good());
    let config = ServerConfig::builder_with_provider(crate::policy::provider())
        .with_protocol_versions(&[&TLS12, &TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(
            identity.certified_key(),
        ))));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    for version in BOTH {
        let forgetful = client("localhost", Trust::Pinned(identity.fingerprint()), version);
        let lasting = forgetful.with_lasting_session();
        for (client, resumed) in [(&lasting, [false, true, true]), (&forgetful, [false, false, false])] {
            for (login, resumed) in resumed.into_iter().enumerate() {
                let (near, far) = pair().await;
                let tls = client.control();
                let (accepted, connected) = tokio::join!(acceptor.accept(near), tls.connect(far));
                let (mut near, mut far) = (accepted.unwrap(), connected.unwrap());
                // Tickets come along with the first bytes.
                near.write_all(b"220 ready\r\n").await.unwrap();
                far.read_exact(&mut [0; 11]).await.unwrap();
                assert_eq!(tls.info().unwrap().resumed, resumed, "{version:?} {login}");
                assert!(tls.certificate().is_some());
            }
        }
    }
}

#[tokio::test]
async fn only_what_a_policy_has_is_offered() {
    use crate::{Group, Suite, TlsPolicy};
    let identity = self_signed(&good());
    let trust = Trust::Pinned(identity.fingerprint());
    let server = server(identity);
    let suites = Suite::all().iter().filter(|suite| suite.name.contains("AES_128_GCM")).collect();
    let groups = vec![Group::named("P-384").unwrap()];
    let policy = TlsPolicy::new(Version::Tls12, Some(suites), Some(groups)).unwrap();
    for version in BOTH {
        let settings =
            ClientSettings { trust: trust.clone(), versions: Versions::Only(version), identity: None };
        let client = ClientTls::within("localhost", settings, &policy).unwrap();
        let info = control(&server, &client).await.unwrap().far.info().unwrap();
        assert!(info.cipher.contains("AES_128_GCM"), "{info:?}");
        assert_eq!((info.version, info.group), (version, Some("secp384r1")));
    }
}
