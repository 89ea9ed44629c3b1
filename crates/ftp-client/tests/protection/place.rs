//! A server under TLS that says what the test says, and the bytes of its data connections.

use std::net::Ipv4Addr;
use std::sync::Arc;

use carrack_ftp_client::{Security, Settings};
use carrack_tls::{
    ClientSettings, ClientTls, ControlTls, DataStream, Identity, Interest, Received, ServerTls, Trust,
    Versions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::scripted::{Door, Visitor};

/// A server with a certificate, and how a client is to know it.
pub(crate) struct Place {
    pub(crate) door: Door,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) trust: Trust,
}

impl Place {
    pub(crate) async fn new() -> Place {
        let identity = identity();
        let trust = Trust::Pinned(identity.fingerprint());
        let settings = carrack_tls::Settings::new(identity);
        Place { door: Door::open().await, tls: Arc::new(ServerTls::new(settings).unwrap()), trust }
    }

    pub(crate) fn client_tls(&self) -> ClientTls {
        let settings = ClientSettings { trust: self.trust.clone(), versions: Versions::Any, identity: None };
        ClientTls::new("127.0.0.1", settings).unwrap()
    }

    pub(crate) fn explicit(&self) -> Settings {
        Settings { security: Security::Explicit(self.client_tls()), ..self.door.settings() }
    }

    pub(crate) fn implicit(&self) -> Settings {
        Settings { security: Security::Implicit(self.client_tls()), ..self.door.settings() }
    }

    pub(crate) fn control(&self) -> ControlTls {
        self.tls.control(Ipv4Addr::LOCALHOST.into())
    }

    /// The next client, up to the end of the handshake.
    pub(crate) async fn secure(&self, control: &ControlTls) -> Visitor {
        let mut socket = self.door.meet_socket().await;
        socket.write_all(b"220 hi\r\n").await.unwrap();
        let mut auth = [0; 10];
        socket.read_exact(&mut auth).await.unwrap();
        assert_eq!(&auth, b"AUTH TLS\r\n");
        socket.write_all(b"234 go\r\n").await.unwrap();
        Visitor::over(control.accept(socket).await.unwrap().0)
    }

    /// The next client, up to its login.
    pub(crate) async fn log_in(&self, control: &ControlTls) -> Visitor {
        let mut visitor = self.secure(control).await;
        visitor.answers("USER alice", "331 password?").await;
        visitor.answers("PASS sesame", "230 in").await;
        visitor.answers("PBSZ 0", "200 ok").await;
        visitor.answers("PROT P", "200 ok").await;
        visitor.answer_setup(&["SIZE"]).await;
        visitor
    }
}

pub(crate) fn identity() -> Identity {
    let made = Identity::self_signed(&["127.0.0.1".into()]).unwrap();
    Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
}

pub(crate) async fn accepted(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

pub(crate) async fn send_all(stream: &mut DataStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(_) => stream.ready(Interest::Writable).await.unwrap(),
        }
    }
    while stream.flush().is_err() {
        stream.ready(Interest::Writable).await.unwrap();
    }
}

pub(crate) async fn end(stream: &mut DataStream) {
    while stream.finish().is_err() {
        stream.ready(Interest::Writable).await.unwrap();
    }
    while stream.drain().is_err() {
        stream.ready(Interest::Readable).await.unwrap();
    }
}

pub(crate) async fn receive_all(stream: &mut DataStream) -> (Vec<u8>, Received) {
    let (mut all, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(Received::Bytes(n)) => all.extend_from_slice(&piece[..n]),
            Ok(end) => return (all, end),
            Err(_) => stream.ready(Interest::Readable).await.unwrap(),
        }
    }
}
