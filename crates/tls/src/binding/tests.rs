//! Proofs and policies: what each kind of client can and cannot show, in TLS 1.2 and 1.3.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};

use super::*;
use crate::{
    AcceptedClients, ClientCertificates, ClientTrust, ClientTrustSettings, Direction, HandshakeError,
    Identity, ServerTls, Sessions, Settings,
    data::tests::read_all,
    testkit::{Client, HOME, VERSIONS, control_from, data, identity, login, proof, server},
};

#[test]
fn every_policy_judges_every_proof() {
    use DataReuse::*;
    use Refusal::*;
    let sole = Circumstances { alone: true, unmistakable: true };
    let contested = Circumstances { alone: false, unmistakable: true };
    let shared = Circumstances { alone: true, unmistakable: false };
    let both = Circumstances { alone: false, unmistakable: false };
    let same = |verdict| [verdict; 4];
    let full = [Ok(()), Err(Contested), Err(SharedPort), Err(SharedPort)];
    let table = [
        (RequireOwn, Proof::Own, same(Ok(()))),
        (RequireOwn, Proof::Sibling, same(Err(NotOwn))),
        (RequireOwn, Proof::Stranger, same(Err(Stranger))),
        (RequireOwn, Proof::RecordedButFull, same(Err(FullHandshake))),
        (RequireOwn, Proof::None, same(Err(NotResumed))),
        (Require, Proof::Own, same(Ok(()))),
        (Require, Proof::Sibling, same(Ok(()))),
        (Require, Proof::Stranger, same(Err(Stranger))),
        (Require, Proof::RecordedButFull, same(Err(FullHandshake))),
        (Require, Proof::None, same(Err(NotResumed))),
        (Prefer, Proof::Own, same(Ok(()))),
        (Prefer, Proof::Sibling, same(Ok(()))),
        (Prefer, Proof::Stranger, same(Err(Stranger))),
        (Prefer, Proof::RecordedButFull, full),
        (Prefer, Proof::None, full),
        (Off, Proof::Own, same(Ok(()))),
        (Off, Proof::Sibling, same(Ok(()))),
        (Off, Proof::Stranger, same(Ok(()))),
        (Off, Proof::RecordedButFull, same(Ok(()))),
        (Off, Proof::None, same(Ok(()))),
        (RequireOwn, Proof::NoCertificate, same(Err(NoCertificate))),
        (Require, Proof::NoCertificate, same(Err(NoCertificate))),
        (Prefer, Proof::NoCertificate, same(Err(NoCertificate))),
        (Off, Proof::NoCertificate, same(Err(NoCertificate))),
        (RequireOwn, Proof::StrangerWithoutCertificate, same(Err(Stranger))),
        (Require, Proof::StrangerWithoutCertificate, same(Err(Stranger))),
        (Prefer, Proof::StrangerWithoutCertificate, same(Err(Stranger))),
        (Off, Proof::StrangerWithoutCertificate, same(Err(NoCertificate))),
    ];
    for (policy, proof, verdicts) in table {
        for (circumstances, verdict) in [sole, contested, shared, both].into_iter().zip(verdicts) {
            assert_eq!(
                judge(policy, proof, circumstances),
                verdict,
                "{policy:?} {proof:?} {circumstances:?}"
            );
        }
    }
    for refusal in [Stranger, NotOwn, NotResumed, FullHandshake, Contested, SharedPort, SharedCache] {
        let text = refusal.to_string();
        assert!(text.ends_with('.') && text.is_ascii() && text.len() < 200, "{text}");
    }
}

#[tokio::test]
async fn its_own_session_is_own_and_the_owner_gone_means_none() {
    for version in VERSIONS {
        let server = server();
        let client = Client::new(version);
        let control = login(&server, &client, "alice").await;
        assert_eq!(proof(&control, &client, Direction::ToClient).await, Proof::Own);
        assert_eq!(proof(&control, &client, Direction::FromClient).await, Proof::Own);

        let other = Client::new(version);
        let next = login(&server, &other, "alice").await;
        drop(control);
        assert_eq!(proof(&next, &client, Direction::ToClient).await, Proof::None);
    }
}

#[tokio::test]
async fn nothing_is_remembered_of_a_control_connection_that_has_ended() {
    let server = server();
    let client = Client::new(&TLS12);
    let control = login(&server, &client, "alice").await;
    assert_eq!(server.sessions().counts().0, 1);
    drop(control);
    assert_eq!(server.sessions().counts(), (0, 0));
}

#[tokio::test]
async fn a_live_session_of_another_user_is_a_strangers() {
    for version in VERSIONS {
        let server = server();
        let (alice, bob) = (Client::new(version), Client::new(version));
        let control = login(&server, &alice, "alice").await;
        let _other = login(&server, &bob, "bob").await;
        assert_eq!(proof(&control, &bob, Direction::ToClient).await, Proof::Stranger, "{version:?}");
    }
}

#[tokio::test]
async fn siblings_are_the_same_named_user_at_the_same_address() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
    let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    for version in VERSIONS {
        let server = server();
        let client = Client::new(version);
        let control = login(&server, &client, "alice").await;
        for (peer, user, shared, expected) in [
            (HOME, Some("alice"), false, Proof::Sibling),
            (mapped, Some("alice"), false, Proof::Sibling),
            (HOME, Some("alice"), true, Proof::Stranger),
            (HOME, Some("bob"), false, Proof::Stranger),
            (HOME, None, false, Proof::Stranger),
            (elsewhere, Some("alice"), false, Proof::Stranger),
        ] {
            let cousin = Client::new(version);
            let other = control_from(&server, &cousin, peer).await;
            if let Some(user) = user {
                other.tls.logged_in(user, shared);
            }
            let shown = proof(&control, &cousin, Direction::ToClient).await;
            assert_eq!(shown, expected, "{peer} {user:?} {shared}");
            if expected == Proof::Sibling {
                // The ticket given on that data connection still names the sibling.
                assert_eq!(proof(&control, &cousin, Direction::ToClient).await, Proof::Sibling);
                other.tls.logged_out();
                assert_eq!(proof(&control, &cousin, Direction::ToClient).await, Proof::Stranger);
            }
        }
        control.tls.logged_in("alice", true);
        let cousin = Client::new(version);
        let _other = login(&server, &cousin, "alice").await;
        assert_eq!(proof(&control, &cousin, Direction::ToClient).await, Proof::Stranger);
    }
}

#[tokio::test]
async fn another_server_name_is_recorded_but_full_and_earns_no_session() {
    for version in VERSIONS {
        let server = server();
        let client = Client::new(version);
        let control = login(&server, &client, "alice").await;
        let nameless = Client { server_name: "127.0.0.1", ..client.clone() };
        assert_eq!(
            proof(&control, &nameless, Direction::ToClient).await,
            Proof::RecordedButFull,
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn a_full_data_handshake_earns_no_proof_for_later() {
    for version in VERSIONS {
        let server = server();
        let client = Client::new(version);
        let control = login(&server, &client, "alice").await;
        let mut thief = Client::new(version);
        thief.config.send_ticket_request =
            Some(rustls::client::TicketRequest { new_session_count: 4, resumption_count: 4 });
        for _ in 0..2 {
            assert_eq!(proof(&control, &thief, Direction::ToClient).await, Proof::None);
            assert!(thief.store.is_empty(), "{version:?}");
        }
        // The same with a stolen ticket under another name.
        let nameless = Client { server_name: "127.0.0.1", ..client.clone() };
        assert_eq!(proof(&control, &nameless, Direction::ToClient).await, Proof::RecordedButFull);
        if version == &TLS13 {
            client.store.clear();
            assert_eq!(proof(&control, &nameless, Direction::ToClient).await, Proof::None);
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_by_a_ticket_and_has_a_session_of_its_own() {
    for version in VERSIONS {
        let server = server();
        let client = Client::new(version);
        let first = login(&server, &client, "alice").await;
        assert!(!first.info.resumed);
        assert!(first.info.cipher.contains("AES_256_GCM"), "{}", first.info.cipher);
        let beside = login(&server, &client, "bob").await;
        assert!(beside.info.resumed && beside.tls.shares_cache(), "{version:?}");
        // What it was given last names the second connection, and that alone.
        client.store.keep_newest(4);
        assert_eq!(proof(&beside, &client, Direction::ToClient).await, Proof::Own, "{version:?}");
        assert_eq!(proof(&first, &client, Direction::ToClient).await, Proof::Stranger, "{version:?}");
        drop((first, beside));
        let back = login(&server, &client, "alice").await;
        assert!(back.info.resumed && !back.tls.shares_cache(), "{version:?}");
        for direction in [Direction::ToClient, Direction::FromClient] {
            assert_eq!(proof(&back, &client, direction).await, Proof::Own, "{version:?}");
        }
    }
}

#[tokio::test]
async fn nobody_comes_back_who_had_not_logged_in_or_is_asked_for_a_certificate_or_to_another_policy() {
    for version in VERSIONS {
        let sessions = Sessions::default();
        let settings = || Settings { sessions: sessions.clone(), ..Settings::new(identity()) };
        let (server, other) = (ServerTls::new(settings()).unwrap(), ServerTls::new(settings()).unwrap());
        let (server, other) = (Arc::new(server), Arc::new(other));

        let client = Client::new(version);
        drop(control_from(&server, &client, HOME).await);
        assert!(!control_from(&server, &client, HOME).await.info.resumed, "{version:?}");

        let client = Client::new(version);
        drop(login(&server, &client, "alice").await);
        assert!(!login(&other, &client, "alice").await.info.resumed, "{version:?}");

        let trust = ClientTrust::new(ClientTrustSettings::default()).unwrap();
        let clients = ClientCertificates::Optional(Arc::new(AcceptedClients::new(trust)));
        let asking = Arc::new(ServerTls::new(Settings { clients, ..settings() }).unwrap());
        let client = Client::new(version);
        drop(login(&asking, &client, "alice").await);
        assert!(!login(&asking, &client, "alice").await.info.resumed, "{version:?}");
    }
}

#[tokio::test]
async fn tickets_are_four_then_one_for_downloads_none_for_uploads_and_more_on_request() {
    let server = server();
    let mut client = Client::new(&TLS13);
    let control = login(&server, &client, "alice").await;
    assert_eq!(client.store.tickets(), 4);
    assert_eq!(proof(&control, &client, Direction::ToClient).await, Proof::Own);
    assert_eq!(client.store.tickets(), 4);
    assert_eq!(proof(&control, &client, Direction::FromClient).await, Proof::Own);
    assert_eq!(client.store.tickets(), 3);
    client.config.send_ticket_request =
        Some(rustls::client::TicketRequest { new_session_count: 100, resumption_count: 2 });
    assert_eq!(proof(&control, &client, Direction::FromClient).await, Proof::Own);
    assert_eq!(client.store.tickets(), 4);
    client.store.clear();
    let _greedy = login(&server, &client, "alice").await;
    assert_eq!(client.store.tickets(), 64);
}

#[tokio::test]
async fn two_hundred_uploads_of_a_client_that_uses_each_ticket_once_and_asks() {
    let server = server();
    let mut client = Client::new(&TLS13);
    client.config.send_ticket_request =
        Some(rustls::client::TicketRequest { new_session_count: 4, resumption_count: 1 });
    let control = login(&server, &client, "alice").await;
    for _ in 0..200 {
        assert_eq!(proof(&control, &client, Direction::FromClient).await, Proof::Own);
    }
}

#[tokio::test]
async fn application_protocols_are_agreed_per_client() {
    let server = server();
    for (offered, control_alpn, data_alpn) in [
        (&[][..], None, None),
        (&["ftp"], Some("ftp"), Some("ftp")),
        (&["http/1.1", "ftp", "ftp-data"], Some("ftp"), Some("ftp-data")),
        (&["x-filezilla-ftp"], None, None),
    ] {
        let mut client = Client::new(&TLS13);
        client.config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let control = login(&server, &client, "alice").await;
        assert_eq!(control.info.alpn, control_alpn);
        let (accepted, _connected) = data(&control, &client, Direction::ToClient).await;
        let (stream, proof) = accepted.unwrap();
        assert_eq!((stream.info().unwrap().alpn, proof), (data_alpn, Proof::Own));
    }
}

#[tokio::test]
async fn clients_of_other_protocols_are_sent_away() {
    let server = server();
    for version in VERSIONS {
        let control = login(&server, &Client::new(version), "alice").await;
        let mut client = Client::new(version);
        client.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (accepted, connected) = data(&control, &client, Direction::ToClient).await;
        assert!(matches!(accepted, Err(HandshakeError::ForeignProtocol)), "{accepted:?}");
        let refusal = connected.unwrap_err().to_string();
        assert!(refusal.contains("NoApplicationProtocol"), "{refusal}");

        let (near, far) = crate::testkit::pair().await;
        let fresh = server.control(HOME);
        let (accepted, connected) = tokio::join!(fresh.accept(near), client.connect(far));
        assert!(matches!(accepted, Err(HandshakeError::ForeignProtocol)), "{accepted:?}");
        assert!(connected.is_err());
    }
}

#[tokio::test]
async fn a_client_without_tls_is_told_so() {
    use tokio::io::AsyncWriteExt;
    let server = server();
    let control = server.control(HOME);
    for data in [false, true] {
        let (near, mut far) = crate::testkit::pair().await;
        far.write_all(b"USER alice\r\n").await.unwrap();
        let error = match data {
            false => control.accept(near).await.unwrap_err(),
            true => control.accept_data(near, Direction::ToClient).await.unwrap_err(),
        };
        assert!(matches!(error, HandshakeError::NotTls), "{error:?}");
        let (near, far) = crate::testkit::pair().await;
        drop(far);
        let error = match data {
            false => control.accept(near).await.unwrap_err(),
            true => control.accept_data(near, Direction::ToClient).await.unwrap_err(),
        };
        assert!(matches!(error, HandshakeError::Closed), "{error:?}");
    }
}

#[tokio::test]
async fn a_new_identity_is_shown_to_new_connections_only() {
    let server = server();
    let client = Client::new(&TLS13);
    let before: Identity = server.identities().current();
    let control = login(&server, &client, "alice").await;
    server.identities().replace(identity());
    let shown = |control: &crate::testkit::Control| {
        let chain = control.client.get_ref().1.peer_certificates().unwrap();
        crate::Sha256Fingerprint::of(&chain[0])
    };
    assert_eq!(proof(&control, &client, Direction::ToClient).await, Proof::Own);
    assert_eq!(shown(&control), before.fingerprint());
    let later = login(&server, &Client::new(&TLS13), "alice").await;
    assert_eq!(shown(&later), server.identities().current().fingerprint());
    assert_ne!(shown(&later), before.fingerprint());
}

/// How Python's clients begin. By what a session is resumed: a ticket of either version, or a TLS 1.2 id.
const OPENSSL: &str = r#"
import socket, ssl, sys
mode, port = sys.argv[1], int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
version = ssl.TLSVersion.TLSv1_3 if mode == "1.3" else ssl.TLSVersion.TLSv1_2
context.minimum_version = context.maximum_version = version
if mode == "1.2-id": context.options |= ssl.OP_NO_TICKET
def connect(session=None):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost", session=session)
"#;
const OPENSSL_MODES: [&str; 3] = ["1.3", "1.2", "1.2-id"];

/// A Python client that does what `script` says, and where it will connect; `None` where there is no Python.
async fn openssl(script: &str, mode: &str) -> Option<(tokio::net::TcpListener, tokio::process::Child)> {
    let listener = tokio::net::TcpListener::bind((HOME, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut python = tokio::process::Command::new("python3");
    let client = python.args(["-c", &[OPENSSL, script].concat(), mode, &port]).kill_on_drop(true).spawn();
    if client.is_err() {
        eprintln!("skipped: python3 is not installed");
    }
    Some((listener, client.ok()?))
}

/// OpenSSL keeps one session and presents it again and again: a TLS 1.3 ticket, a TLS 1.2 ticket, a TLS 1.2 session id.
const OPENSSL_CLIENT: &str = r#"
control = connect()
assert control.recv(3) == b"220"
session = control.session
for number in range(200):
    data = connect(session)
    assert data.session_reused, number
    data.sendall(b"upload %d" % number)
    data.unwrap().close()
print("done", flush=True)
control.recv(1)
"#;

#[tokio::test]
async fn two_hundred_uploads_of_openssl_with_one_session() {
    use tokio::io::AsyncWriteExt;
    for mode in OPENSSL_MODES {
        let Some((listener, mut client)) = openssl(OPENSSL_CLIENT, mode).await else { return };
        let server = server();
        let control = server.control(HOME);
        let (mut stream, _) = control.accept(listener.accept().await.unwrap().0).await.unwrap();
        stream.write_all(b"220").await.unwrap();
        stream.flush().await.unwrap();
        for number in 0..200 {
            let socket = listener.accept().await.unwrap().0;
            let (mut data, proof) = control.accept_data(socket, Direction::FromClient).await.unwrap();
            assert_eq!(proof, Proof::Own, "{mode} {number}");
            assert_eq!(read_all(&mut data).await.unwrap(), format!("upload {number}").as_bytes());
            data.finish().unwrap();
        }
        drop(stream);
        assert!(client.wait().await.unwrap().success(), "{mode}");
    }
}

/// Of the new ticket with which a TLS 1.2 session comes back, OpenSSL does not tell a program that keeps sessions as curl
/// does: it goes on with the one it has, on the control connection and then on the data connection. A session id would be
/// that of two control connections, so with one there is no coming back.
const OPENSSL_COMES_BACK: &str = r#"
kept = None
for number in range(4):
    control = connect(kept)
    assert control.recv(3) == b"220"
    comes_back = kept is not None and mode != "1.2-id"
    assert control.session_reused == comes_back, number
    if not comes_back: kept = control.session
    data = connect(kept)
    assert data.session_reused, number
    data.unwrap().close()
    control.close()
"#;

#[tokio::test]
async fn openssl_comes_back_with_the_session_it_has_kept() {
    use tokio::io::AsyncWriteExt;
    for mode in OPENSSL_MODES {
        let Some((listener, mut client)) = openssl(OPENSSL_COMES_BACK, mode).await else { return };
        let server = server();
        for number in 0..4 {
            let control = server.control(HOME);
            let (mut stream, _) = control.accept(listener.accept().await.unwrap().0).await.unwrap();
            control.logged_in("alice", false);
            stream.write_all(b"220").await.unwrap();
            stream.flush().await.unwrap();
            let socket = listener.accept().await.unwrap().0;
            let (mut data, proof) = control.accept_data(socket, Direction::FromClient).await.unwrap();
            assert_eq!(proof, Proof::Own, "{mode} {number}");
            assert_eq!(read_all(&mut data).await.unwrap(), b"");
            data.finish().unwrap();
        }
        assert!(client.wait().await.unwrap().success(), "{mode}");
    }
}

#[test]
fn a_damaged_ticket_opens_nothing() {
    let registry = Registry::default();
    let session = std::sync::Arc::new(ControlSession::new(HOME, PolicyId::new()));
    registry.enter(&session);
    let ticket = session.seal(b"state").unwrap();
    assert_eq!(registry.open_ticket(&ticket).unwrap().1, b"state");
    for position in 0..ticket.len() {
        let mut damaged = ticket.clone();
        damaged[position] ^= 1;
        assert!(registry.open_ticket(&damaged).is_none(), "byte {position}");
        assert!(registry.open_ticket(&ticket[..position]).is_none(), "length {position}");
    }
    assert_ne!(session.seal(b"state"), Some(ticket));
}

#[test]
fn tls12_sessions_are_bounded_per_control_connection() {
    let registry = Registry::default();
    let session = std::sync::Arc::new(ControlSession::new(HOME, PolicyId::new()));
    registry.enter(&session);
    let kept = (0..10u8).filter(|id| registry.remember_tls12(&session, vec![*id], vec![0])).count();
    assert_eq!((kept, registry.counts()), (4, (1, 4)));
    registry.forget(&session);
    assert_eq!(registry.counts(), (0, 0));
}
