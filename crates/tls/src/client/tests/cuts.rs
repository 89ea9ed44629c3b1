//! A transfer cut at every byte: only the whole of it counts as complete.

use std::io::Write;

use rustls::{ProtocolVersion, ServerConfig, ServerConnection, sign::SingleCertAndKey};

use super::{
    certificates::{good, self_signed},
    *,
};
use crate::data::tests::read_all;

/// How the connection ends after the cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Fin,
    Reset,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Read,
    Lend,
}

struct Server {
    config: Arc<ServerConfig>,
    client: ClientTls,
}

impl Server {
    fn new(version: Version) -> Self {
        let identity = self_signed(&good());
        let client = client("localhost", Trust::Pinned(identity.fingerprint()), version);
        let mut config = ServerConfig::builder_with_provider(crate::policy::provider())
            .with_protocol_versions(&[&TLS12, &TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity.certified_key()))));
        config.send_tls13_tickets = 1;
        Server { config: Arc::new(config), client }
    }

    /// A data connection to a server that sends `bytes` and close_notify, and all of that up to `cut`; says how much it
    /// would have been.
    async fn cut(&self, bytes: &[u8], cut: Option<(usize, Cut)>) -> (usize, DataStream) {
        let tls = self.client.control();
        let (near, far) = pair().await;
        let serving = async move {
            let mut session = ServerConnection::new(Arc::clone(&self.config)).unwrap();
            let mut buf = [0; 4096];
            while session.is_handshaking() {
                near.readable().await.unwrap();
                if let Ok(n) = near.try_read(&mut buf) {
                    assert!(n > 0);
                    session.read_tls(&mut &buf[..n]).unwrap();
                    session.process_new_packets().unwrap();
                }
                if session.is_handshaking() {
                    flush(&mut session, &near, usize::MAX).await;
                }
            }
            if session.protocol_version() == Some(ProtocolVersion::TLSv1_2) {
                // Its Finished is still to be sent.
                flush(&mut session, &near, usize::MAX).await;
            }
            session.writer().write_all(bytes).unwrap();
            session.send_close_notify();
            let (at, how) = cut.unwrap_or((usize::MAX, Cut::Fin));
            let size = flush(&mut session, &near, at).await;
            if let Cut::Reset = how {
                rustix::net::sockopt::set_socket_linger(&near, Some(std::time::Duration::ZERO)).unwrap();
            }
            size
        };
        let (size, far) = tokio::join!(serving, tls.connect_data(far));
        (size, far.unwrap())
    }
}

async fn flush(session: &mut ServerConnection, socket: &TcpStream, most: usize) -> usize {
    let mut flight = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut flight).unwrap();
    }
    let size = flight.len();
    flight.truncate(most);
    let mut rest = flight.as_slice();
    while !rest.is_empty() {
        socket.writable().await.unwrap();
        if let Ok(n) = socket.try_write(rest) {
            rest = &rest[n..];
        }
    }
    size
}

async fn received(stream: &mut DataStream, way: Way) -> (Vec<u8>, Received) {
    match way {
        Way::Read => match read_all(stream).await {
            Ok(all) => (all, Received::End),
            Err(all) => (all, Received::Truncated),
        },
        Way::Lend => {
            let (all, end) = lent_all(stream).await;
            match end.unwrap() {
                Received::Lost => (all, Received::Truncated),
                end => (all, end),
            }
        }
    }
}

#[tokio::test]
async fn a_transfer_cut_at_any_byte_is_never_complete() {
    let bytes = b"a small file";
    for version in BOTH {
        let server = Server::new(version);
        let (size, mut whole) = server.cut(bytes, None).await;
        assert_eq!(received(&mut whole, Way::Lend).await, (bytes.to_vec(), Received::End));
        for at in 0..size {
            for (how, way) in [
                (Cut::Fin, Way::Read),
                (Cut::Fin, Way::Lend),
                (Cut::Reset, Way::Read),
                (Cut::Reset, Way::Lend),
            ] {
                let (_, mut cut) = server.cut(bytes, Some((at, how))).await;
                let (all, end) = received(&mut cut, way).await;
                assert_eq!(end, Received::Truncated, "{version:?} {at} of {size} {how:?} {way:?}");
                assert!(all.is_empty() || all == bytes);
            }
        }
    }
}
