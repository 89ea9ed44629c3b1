//! One socket of the hostile server, clear or under TLS, that can end in every bad way.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use super::misbehaviour::Fault;
use crate::certificates::Identity;

/// TLS with that identity, both versions, and sessions that data connections can resume.
pub(super) fn tls(identity: &Identity) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert_with_ocsp(vec![identity.certificate()], identity.key(), identity.staple.clone())
        .unwrap();
    config.send_tls13_tickets = 4;
    config.max_tls13_tickets = 64;
    Arc::new(config)
}

/// A connection.
pub(super) enum Connection {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Connection {
        socket.set_nodelay(true).unwrap();
        Connection::Clear(socket)
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Connection::Clear(socket) => socket,
            Connection::Tls(stream) => &stream.sock,
        }
    }

    pub(super) fn is_protected(&self) -> bool {
        matches!(self, Connection::Tls(_))
    }

    /// The server's side of the handshake.
    pub(super) fn secure(self, config: &Arc<ServerConfig>) -> io::Result<Connection> {
        let Connection::Clear(mut socket) = self else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Connection::Tls(Box::new(StreamOwned::new(tls, socket))))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Connection::Clear(socket) => socket.write_all(bytes),
            Connection::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// One line without its end, or `None` where the client has ended.
    pub(super) fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            match self.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) => line.push(byte[0]),
                Err(why) => return Err(why),
            }
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()))
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Clear(socket) => socket.read(buffer),
            Connection::Tls(stream) => stream.read(buffer),
        }
    }

    /// Ends well: close_notify, FIN, then the client's end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Connection::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut stream.sock)?;
            }
        }
        self.cut()
    }

    /// Ends by a bare FIN, then waits for the client's end.
    pub(super) fn cut(self) -> io::Result<()> {
        self.socket().shutdown(Shutdown::Write)?;
        self.wait_for_end();
        Ok(())
    }

    /// Breaks the connection in that way.
    pub(super) fn break_by(self, fault: Fault) {
        match fault {
            Fault::Stall => self.wait_for_end(),
            Fault::Reset => {
                let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
            }
            // Bytes that were not read would make a reset of the close.
            Fault::Close => drop(self.cut()),
        }
    }

    /// Reads what comes, and throws it away, until the client has gone.
    fn wait_for_end(&self) {
        let mut buffer = [0; 4096];
        let mut socket = self.socket();
        while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
}
