//! The client against our own server, against bare rustls and against OpenSSL.

mod certificates;
mod cuts;
mod openssl;
mod partners;
mod sessions;
mod trust;

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{
    ControlStream, ControlTls, DataStream, Direction, Interest, Proof, Received, ServerTls, Settings,
    testkit::{HOME, pair},
};

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

fn client(host: &str, trust: Trust, version: Version) -> ClientTls {
    let settings = ClientSettings { trust, versions: Versions::Only(version), identity: None };
    ClientTls::new(host, settings).unwrap()
}

fn server(identity: Identity) -> Arc<ServerTls> {
    Arc::new(ServerTls::new(Settings::new(identity)).unwrap())
}

/// Both ends of a control connection whose greeting, and with it the tickets, has been read.
struct Control {
    near: ControlTls,
    far: ClientControlTls,
    _streams: (ControlStream, ClientControlStream),
}

async fn control(server: &Arc<ServerTls>, client: &ClientTls) -> Result<Control, ConnectError> {
    let (near_socket, far_socket) = pair().await;
    let (near, far) = (server.control(HOME), client.control());
    let (accepted, connected) = tokio::join!(near.accept(near_socket), far.connect(far_socket));
    let mut connected = connected?;
    let (mut accepted, _) = accepted.unwrap();
    accepted.write_all(b"220 ready\r\n").await.unwrap();
    connected.read_exact(&mut [0; 11]).await.unwrap();
    near.logged_in("alice", false);
    Ok(Control { near, far, _streams: (accepted, connected) })
}

async fn data(
    near: &ControlTls,
    far: &ClientControlTls,
    direction: Direction,
) -> Result<(DataStream, Proof, DataStream), ConnectError> {
    let (near_socket, far_socket) = pair().await;
    let accepting = async {
        let accepted = near.accept_data(near_socket, direction).await;
        accepted.map(|(mut stream, proof)| {
            stream.flush().unwrap();
            (stream, proof)
        })
    };
    let (accepted, connected) = tokio::join!(accepting, far.connect_data(far_socket));
    let connected = connected?;
    let (stream, proof) = accepted.unwrap();
    Ok((stream, proof, connected))
}

/// Sends `bytes` and ends, then reads to the peer's end.
async fn send_all(stream: &mut DataStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.ready(Interest::Writable).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    loop {
        match stream.finish() {
            Ok(()) => break,
            Err(_) => stream.ready(Interest::Writable).await.unwrap(),
        }
    }
    while let Err(error) = stream.drain() {
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        stream.ready(Interest::Readable).await.unwrap();
    }
}

/// Reads to the end with `read_to`: what came, and how it ended.
async fn lent_all(stream: &mut DataStream) -> (Vec<u8>, std::io::Result<Received>) {
    let mut all = Vec::new();
    loop {
        let before = all.len();
        let mut sink = |slices: &[std::io::IoSlice<'_>]| {
            slices.iter().for_each(|slice| all.extend_from_slice(slice));
            Ok(())
        };
        match stream.read_to(&mut sink) {
            Ok(Received::Bytes(n)) => assert_eq!(all.len() - before, n),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.ready(Interest::Readable).await.unwrap();
            }
            end => return (all, end),
        }
    }
}

#[tokio::test]
async fn connections_may_move_between_threads_and_clients_be_shared() {
    fn movable<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let client = client("localhost", Trust::Authorities(Authorities::Platform), Version::Tls13);
    let tls = client.control();
    shared(&client);
    shared(&tls);
    let (_near, far) = pair().await;
    movable(&tls.connect(far));
    let (_near, far) = pair().await;
    movable(&tls.connect_data(far));
}

#[test]
fn a_version_that_was_asked_for_is_never_widened() {
    let any = ClientTls::new(
        "localhost",
        ClientSettings {
            trust: Trust::Authorities(Authorities::Platform),
            versions: Versions::Any,
            identity: None,
        },
    )
    .unwrap();
    assert_eq!(any.limited_to(Version::Tls12).versions(), Versions::Only(Version::Tls12));
    assert_eq!(
        any.limited_to(Version::Tls13).limited_to(Version::Tls12).versions(),
        Versions::Only(Version::Tls13)
    );
    assert_eq!(any.versions(), Versions::Any);
}

#[test]
fn hosts_that_no_server_can_have_are_refused() {
    for host in ["", "two words", "-", "a..b", "[::1]", "host:21", "naïve.example"] {
        let settings = ClientSettings {
            trust: Trust::Pinned(crate::Sha256Fingerprint::of(b"")),
            versions: Versions::Any,
            identity: None,
        };
        let error = ClientTls::new(host, settings).unwrap_err();
        assert!(matches!(error, ClientTlsError::BadName { .. }), "{host}: {error}");
    }
    for host in ["localhost", "ftp.example", "192.0.2.1", "2001:db8::1", "under_score.example"] {
        let trust = Trust::Pinned(crate::Sha256Fingerprint::of(b""));
        assert_eq!(client(host, trust, Version::Tls13).host(), host);
    }
}

#[test]
fn aes_is_offered_before_chacha() {
    let suites = crate::policy::provider().cipher_suites.clone();
    for version in [&TLS12, &TLS13] {
        let of_version = suites.iter().filter(|suite| suite.version() == version);
        let names: Vec<String> = of_version.map(|suite| format!("{:?}", suite.suite())).collect();
        let first_chacha = names.iter().position(|name| name.contains("CHACHA20")).unwrap();
        // In TLS 1.2 the suites for RSA follow those for ECDSA; a server has one kind of key.
        for kind in ["ECDSA", "RSA", "TLS13"] {
            let own: Vec<&String> = names.iter().filter(|name| name.contains(kind)).collect();
            let chacha = own.iter().position(|name| name.contains("CHACHA20"));
            assert!(chacha.is_none_or(|at| at + 1 == own.len()), "{own:?}");
        }
        assert!(first_chacha > 0);
    }
}
