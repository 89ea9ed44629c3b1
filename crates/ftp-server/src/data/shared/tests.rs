//! What a shared port holds at most, and whom it never lets in.

use std::net::{Ipv4Addr, SocketAddr};

use carrack_tls::{Identity, ServerTls, Settings};

use super::*;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn port() -> Arc<SharedPort> {
    SharedPort::new(1, Sessions::default())
}

fn tls(port: &SharedPort) -> Expects {
    let made = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap();
    let settings = Settings { sessions: port.sessions.clone(), ..Settings::new(identity) };
    Expects::Tls(Arc::new(Arc::new(ServerTls::new(settings).unwrap()).control(HOME)))
}

fn unread(port: &SharedPort) -> usize {
    port.lock().sources.values().map(|source| source.unread.len()).sum()
}

/// A connection to the port that says nothing.
async fn silent(listener: &mut Listener) -> (TcpStream, Accepted) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap())
}

#[tokio::test]
async fn silent_connections_are_bounded_and_end_with_the_last_seat() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let seats = [port.sit(HOME, tls(&port)), port.sit(HOME, tls(&port))];
    let bound = HELLOS_PER_SEAT * seats.len() + HELLOS_BESIDE;
    let mut clients = Vec::new();
    for _ in 0..bound + 5 {
        let (client, accepted) = silent(&mut listener).await;
        port.admit(accepted);
        clients.push(client);
        assert!(unread(&port) <= bound);
    }
    // The oldest were let go, and their clients see it.
    for client in &mut clients[..5] {
        assert_eq!(client.peek(&mut [0]).await.unwrap_or(0), 0);
    }
    assert_eq!(unread(&port), bound);
    drop(seats);
    assert!(port.lock().sources.is_empty());
    for client in &mut clients {
        assert_eq!(client.peek(&mut [0]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn where_nobody_of_the_address_waits_no_byte_is_read() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let _elsewhere = port.sit(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), Expects::Clear);
    let (client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    assert_eq!(client.peek(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(unread(&port), 0);
}

#[tokio::test]
async fn clear_data_goes_to_the_only_one_and_to_none_of_two() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let mut only = port.sit(HOME, Expects::Clear);
    let (_client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    assert!(matches!(only.next().await, Candidate::Clear(_)));
    let two = port.sit(HOME, Expects::Clear);
    let (client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    client.try_write(b"no TLS at all, and more than a record's head").unwrap();
    while unread(&port) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!((only.missed(), two.missed()), (Some(Missed::Clear), Some(Missed::Clear))));
}

#[tokio::test]
async fn a_connection_from_before_the_seat_is_not_its_own() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let first = port.sit(HOME, tls(&port));
    let (_client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    let serial = port.lock().sources[&HOME].unread[0].0;
    let mut second = port.sit(HOME, tls(&port));
    drop(first);
    // Its ClientHello comes to nothing only now, when another seat is the only one.
    port.hand_over(HOME, Met { serial, only: Some(serial - 1), hello: Err(HandshakeError::Closed) });
    assert!(second.candidates.try_recv().is_err());
    let later = port.lock().next_serial();
    port.hand_over(
        HOME,
        Met { serial: later, only: Some(second.serial), hello: Err(HandshakeError::Closed) },
    );
    assert!(matches!(second.next().await, Candidate::Broken(HandshakeError::Closed)));
}
