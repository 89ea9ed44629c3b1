//! Which certificate a client gets, by the name in its handshake, by HOST before it, and on its data connections.

use rustls::AlertDescription;

use super::*;
use crate::{
    ControlTls, Direction, HandshakeError, ServerTls, Settings, Sha256Fingerprint,
    testkit::{Client, HOME, VERSIONS, pair},
};

fn made(name: &str) -> Identity {
    let made = Identity::self_signed(&[name.to_owned()]).unwrap();
    Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
}

fn server(names: &[&str]) -> (Arc<ServerTls>, Set) {
    let mut all = names.iter().map(|name| made(name));
    let set = Set { default: all.next().unwrap(), further: all.collect() };
    let identities = Arc::new(Identities::several(set.clone()));
    let settings = Settings { identities, ..Settings::new(set.default.clone()) };
    (Arc::new(ServerTls::new(settings).unwrap()), set)
}

/// The certificate that a client got on a control connection, or how it was refused.
async fn shown(control: &ControlTls, client: &Client) -> Result<Sha256Fingerprint, HandshakeError> {
    let (near, far) = pair().await;
    let (accepted, connected) = tokio::join!(control.accept(near), client.connect(far));
    accepted?;
    Ok(certificate(connected.unwrap().get_ref().1))
}

fn certificate(connection: &rustls::ClientConnection) -> Sha256Fingerprint {
    Sha256Fingerprint::of(&connection.peer_certificates().unwrap()[0])
}

#[tokio::test]
async fn the_name_in_the_handshake_chooses_and_an_unknown_one_is_refused_in_the_words_of_tls() {
    for version in VERSIONS {
        let (server, set) = server(&["a.example", "b.example"]);
        let mut client = Client::new(version);
        for (name, identity) in [("a.example", &set.default), ("b.example", &set.further[0])] {
            client.server_name = name;
            let control = server.control(HOME);
            assert_eq!(shown(&control, &client).await.unwrap(), identity.fingerprint());
        }
        client.server_name = "www.example";
        let (near, far) = pair().await;
        let control = server.control(HOME);
        let (accepted, connected) = tokio::join!(control.accept(near), client.connect(far));
        assert!(matches!(accepted, Err(HandshakeError::UnknownName(name)) if name == "www.example"));
        let error = connected.unwrap_err().into_inner().unwrap().downcast::<rustls::Error>().unwrap();
        assert_eq!(*error, rustls::Error::AlertReceived(AlertDescription::UnrecognisedName));
        // An address is no name for a handshake (RFC 6066 §3): the default.
        client.server_name = "192.0.2.1";
        assert_eq!(shown(&server.control(HOME), &client).await.unwrap(), set.default.fingerprint());
    }
}

#[tokio::test]
async fn with_one_certificate_every_name_is_answered() {
    let (server, set) = server(&["a.example"]);
    let mut client = Client::new(VERSIONS[1]);
    client.server_name = "elsewhere.example";
    assert_eq!(shown(&server.control(HOME), &client).await.unwrap(), set.default.fingerprint());
}

#[tokio::test]
async fn a_host_named_before_the_handshake_chooses_where_the_handshake_names_nobody() {
    let (server, set) = server(&["a.example", "b.example", "c.example"]);
    let mut client = Client::new(VERSIONS[1]);
    let control = || server.control_of_host(HOME, Some("b.example".to_owned()));
    client.server_name = "192.0.2.1";
    assert_eq!(shown(&control(), &client).await.unwrap(), set.further[0].fingerprint());
    // Anybody can have put the HOST in clear there.
    client.server_name = "c.example";
    assert_eq!(shown(&control(), &client).await.unwrap(), set.further[1].fingerprint());
}

#[tokio::test]
async fn data_connections_show_what_their_control_connection_showed_also_after_a_reload() {
    for version in VERSIONS {
        let (server, set) = server(&["a.example", "b.example"]);
        let mut client = Client::new(version);
        client.server_name = "b.example";
        let control = server.control(HOME);
        shown(&control, &client).await.unwrap();
        server.identities().replace(Set { default: made("a.example"), further: vec![made("c.example")] });
        // Without a session to resume, so that a certificate is shown.
        let fresh = |name| Client { server_name: name, ..Client::new(version) };
        for name in ["b.example", "192.0.2.1"] {
            let (near, far) = pair().await;
            let client = fresh(name);
            let upload = control.accept_data(near, Direction::FromClient);
            let (accepted, connected) = tokio::join!(upload, client.connect(far));
            accepted.unwrap();
            assert_eq!(certificate(connected.unwrap().get_ref().1), set.further[0].fingerprint());
        }
        for strange in ["www.example", "d.example"] {
            let (near, far) = pair().await;
            let client = fresh(strange);
            let upload = control.accept_data(near, Direction::FromClient);
            let (accepted, connected) = tokio::join!(upload, client.connect(far));
            assert!(matches!(accepted, Err(HandshakeError::UnknownName(_))));
            let error = connected.unwrap_err().into_inner().unwrap().downcast::<rustls::Error>().unwrap();
            assert_eq!(*error, rustls::Error::AlertReceived(AlertDescription::UnrecognisedName));
        }
        // New connections go by what is there now.
        assert!(shown(&server.control(HOME), &fresh("c.example")).await.is_ok());
    }
}
