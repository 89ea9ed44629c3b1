//! What a client is sent before its Finished, and who is sent nothing so early.

use std::{io::Read, sync::Arc};

use rustls::{client::TicketRequest, version::TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{Caller, FirstData, HandshakeError};

const FILE: &[u8] = b"a small file";

fn first(is_all: bool) -> FirstData {
    FirstData { bytes: Arc::new(FILE.to_vec()), is_all }
}

/// What a client has before it says that it is finished.
struct Early {
    /// The server's side, once the client has.
    near: DataStream,
    session: rustls::ClientConnection,
    far: TcpStream,
}

/// A download that goes no further with the handshake than to the server's first flight, until the file is there; and its end, where
/// that is to come too.
async fn download(control: &Control, client: &Client, file: &FirstData, has_end: bool) -> Early {
    let (near, mut far) = pair().await;
    let mut session = client.connection();
    let receiving = async {
        let mut flight = Vec::new();
        session.write_tls(&mut flight).unwrap();
        far.write_all(&flight).await.unwrap();
        let mut received = Vec::new();
        let mut ended = false;
        while received.len() < FILE.len() || ended != has_end {
            let mut records = vec![0; 16 * 1024];
            let n = far.read(&mut records).await.unwrap();
            assert_ne!(n, 0);
            session.read_tls(&mut &records[..n]).unwrap();
            let state = session.process_new_packets().unwrap();
            let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
            session.reader().read_exact(&mut plaintext).unwrap();
            received.append(&mut plaintext);
            ended = state.peer_has_closed();
        }
        assert_eq!(received, FILE);
        assert_eq!(ended, has_end);
        // Now it is finished.
        let mut flight = Vec::new();
        session.write_tls(&mut flight).unwrap();
        far.write_all(&flight).await.unwrap();
    };
    let accepting = control.tls.accept_caller(Caller::unread(near), Direction::ToClient, Some(file));
    let (accepted, ()) = tokio::join!(accepting, receiving);
    let (near, proof) = accepted.unwrap();
    assert_eq!(proof, Proof::Own);
    assert!(near.has_sent_first());
    Early { near, session, far }
}

/// A client that asks for so many tickets on each data connection (RFC 9149).
fn asking(resumption_count: u8) -> Client {
    let mut client = Client::new(&TLS13);
    client.config.send_ticket_request = Some(TicketRequest { new_session_count: 8, resumption_count });
    client
}

#[tokio::test]
async fn a_client_that_needs_no_ticket_has_all_of_a_file_and_its_end_before_its_finished() {
    let (server, client) = (server(), asking(0));
    let control = login(&server, &client, "alice").await;
    let Early { mut near, mut far, .. } = download(&control, &client, &first(true), true).await;
    near.finish().unwrap();
    far.shutdown().await.unwrap();
    assert_eq!(read_all(&mut near).await, Err(Vec::new()), "the client said no close_notify");
}

#[tokio::test]
async fn tickets_and_what_is_left_of_a_file_come_behind_its_first_bytes() {
    for (client, is_all, tickets) in [
        (asking(3), true, 3),
        (asking(0), false, 0),
        (Client::new(&TLS13), true, 1),
        (Client::new(&TLS13), false, 1),
    ] {
        let server = server();
        let control = login(&server, &client, "alice").await;
        let before = client.store.tickets();
        let Early { mut near, mut session, mut far } =
            download(&control, &client, &first(is_all), false).await;
        let rest = if is_all { &[][..] } else { b" and more" };
        assert_eq!(near.write_last(rest).unwrap(), rest.len());
        near.finish().unwrap();
        let mut records = Vec::new();
        far.read_to_end(&mut records).await.unwrap();
        let mut records = &records[..];
        while !records.is_empty() {
            session.read_tls(&mut records).unwrap();
            session.process_new_packets().unwrap();
        }
        let mut read = Vec::new();
        session.reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, rest);
        assert_eq!(client.store.tickets(), before - 1 + tickets);
    }
}

#[tokio::test]
async fn a_big_beginning_waits_for_a_client_that_reads_slowly() {
    let (server, client) = (server(), asking(0));
    let control = login(&server, &client, "alice").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
    let file = FirstData { bytes: Arc::new(bytes.clone()), is_all: true };
    let (near, far) = pair().await;
    rustix::net::sockopt::set_socket_send_buffer_size(&near, 4096).unwrap();
    let accepting = control.tls.accept_caller(Caller::unread(near), Direction::ToClient, Some(&file));
    let (accepted, received) = tokio::join!(accepting, async {
        let mut far = client.connect(far).await.unwrap();
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        received
    });
    assert!(accepted.unwrap().0.has_sent_first());
    assert!(received == bytes);
}

#[tokio::test]
async fn nobody_else_is_sent_anything_before_the_finished() {
    let (server, older) = (server(), Client::new(&TLS12));
    let (hers, his) = (Client::new(&TLS13), Client::new(&TLS13));
    let mine = login(&server, &hers, "alice").await;
    let _sibling = login(&server, &his, "alice").await;
    let old = login(&server, &older, "alice").await;
    for (control, client, expected) in [
        (&mine, Client::new(&TLS13), Proof::None),
        (&mine, his, Proof::Sibling),
        (&mine, Client { server_name: "127.0.0.1", ..hers.clone() }, Proof::RecordedButFull),
        (&old, older, Proof::Own),
    ] {
        let (near, far) = pair().await;
        let file = first(true);
        let accepting = control.tls.accept_caller(Caller::unread(near), Direction::ToClient, Some(&file));
        let (accepted, far) = tokio::join!(
            async {
                let (mut near, proof) = accepting.await.unwrap();
                assert!(!near.has_sent_first(), "{expected:?}");
                near.write_last(FILE).unwrap();
                near.finish().unwrap();
                (near, proof)
            },
            client.connect(far)
        );
        assert_eq!(accepted.1, expected);
        let mut received = Vec::new();
        far.unwrap().read_to_end(&mut received).await.unwrap();
        assert_eq!(received, FILE);
    }
}

#[tokio::test]
async fn a_client_hello_that_is_sent_again_reads_nothing_and_carries_no_transfer() {
    let (server, client) = (server(), asking(0));
    let control = login(&server, &client, "alice").await;
    let mut hello = Vec::new();
    client.connection().write_tls(&mut hello).unwrap();
    let (near, mut far) = pair().await;
    far.write_all(&hello).await.unwrap();
    let file = first(true);
    let accepting = control.tls.accept_caller(Caller::unread(near), Direction::ToClient, Some(&file));
    let (accepted, seen) = tokio::join!(accepting, async {
        let mut seen = vec![0; 16 * 1024];
        let n = far.read(&mut seen).await.unwrap();
        far.shutdown().await.unwrap();
        assert!(n > FILE.len());
        seen
    });
    assert!(matches!(accepted.unwrap_err(), HandshakeError::Closed));
    assert!(!seen.windows(FILE.len()).any(|bytes| bytes == FILE));
}
