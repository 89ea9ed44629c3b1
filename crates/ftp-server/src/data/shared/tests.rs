//! What a shared port holds at most, and whom it never lets in.

use std::net::{Ipv4Addr, SocketAddr};

use carrack_tls::{Identity, ServerTls, Settings};

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Another process, which takes what it is offered or does not, and counts.
struct Other {
    takes: bool,
    offered: AtomicUsize,
}

impl Elsewhere for Other {
    fn offer(&self, stray: Stray) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        assert_eq!(stray.peer, HOME);
        self.offered.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(self.takes))
    }
}

fn beside(port: &SharedPort, takes: bool) -> Arc<Other> {
    let other = Arc::new(Other { takes, offered: AtomicUsize::new(0) });
    port.set_elsewhere(Some(Arc::<Other>::clone(&other) as _));
    other
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn clear_data_goes_to_the_only_session_unless_one_of_another_process_waits_for_it() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let other = beside(&port, false);
    let (_early, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    until(|| other.offered.load(Ordering::Relaxed) == 1).await;
    let mut only = port.sit(HOME, Expects::Clear);
    let (_client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    assert!(matches!(only.next().await, Candidate::Clear(_)));
    assert_eq!((unread(&port), other.offered.load(Ordering::Relaxed)), (0, 2));

    let other = beside(&port, true);
    let (_client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    until(|| only.missed().is_some()).await;
    assert!(matches!(only.missed(), Some(Missed::Clear)) && only.candidates.try_recv().is_err());
    assert_eq!((unread(&port), other.offered.load(Ordering::Relaxed)), (0, 1));
    // It has ended.
    port.set_elsewhere(None);
    let (_client, accepted) = silent(&mut listener).await;
    port.admit(accepted);
    assert!(matches!(only.next().await, Candidate::Clear(_)));
}

#[tokio::test]
async fn what_another_process_offers_is_taken_where_somebody_waits_for_it() {
    let port = port();
    let mut listener = Listener::bind(SocketAddr::new(HOME, 0)).unwrap();
    let (_client, accepted) = silent(&mut listener).await;
    let stray = |is_contested| Stray {
        socket: std::os::fd::AsFd::as_fd(&accepted.stream).try_clone_to_owned().unwrap(),
        peer: HOME,
        received: b"\x16".to_vec(),
        is_contested,
    };
    assert!(!port.receive(stray(false)));
    let mut only = port.sit(HOME, Expects::Clear);
    assert!(port.receive(stray(false)));
    assert!(matches!(only.next().await, Candidate::Clear(_)));
    // Where one waits in the other process as well, it would have to be named.
    assert!(port.receive(stray(true)));
    assert!(only.candidates.try_recv().is_err());
    assert_eq!(unread(&port), 1);
}
