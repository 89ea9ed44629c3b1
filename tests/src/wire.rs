//! One TCP connection of the raw client, clear or under TLS, that can end well or in every bad way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, HandshakeKind};
use socket2::{Domain, SockRef, Socket, Type};

use crate::tls_client::TlsClient;
use crate::wait::PATIENCE;

/// How the other side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By TLS's own word (close_notify), or on a clear connection by FIN.
    Clean,
    /// By a bare FIN under TLS: what was said may be cut short.
    Cut,
    /// By a reset.
    Reset,
    /// By an alert: it refused the handshake after the client was through with it (RFC 8446 §4.4.4).
    Alert,
}

/// A connection to the server.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Wire {
    /// Connects from the address the system picks.
    pub fn connect(to: SocketAddr) -> Wire {
        Wire::over(TcpStream::connect(to).unwrap_or_else(|why| panic!("{to}: {why}")))
    }

    /// Connects from one of this machine's own addresses, or says why that did not work.
    pub fn connect_from(from: IpAddr, to: SocketAddr) -> io::Result<Wire> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect(&to.into())?;
        Ok(Wire::over(socket.into()))
    }

    /// Takes over a connected socket.
    pub fn over(socket: TcpStream) -> Wire {
        // A server that says nothing fails the test at last instead of hanging it.
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Wire { socket, tls: None }
    }

    /// Runs the TLS handshake as the client.
    pub fn secure(&mut self, client: &TlsClient) -> io::Result<HandshakeKind> {
        self.tls = Some(Box::new(client.begin()));
        self.shake_hands()
    }

    /// Makes the ClientHello and does not send it; whoever has it may do so.
    pub fn client_hello(&mut self, client: &TlsClient) -> Vec<u8> {
        let (mut tls, mut hello) = (client.begin(), Vec::new());
        while tls.wants_write() {
            tls.write_tls(&mut hello).unwrap();
        }
        self.tls = Some(Box::new(tls));
        hello
    }

    /// Sends the ClientHello that was made, and all that comes after it.
    pub fn secure_with(&mut self, hello: &[u8]) -> io::Result<HandshakeKind> {
        self.socket.write_all(hello)?;
        self.shake_hands()
    }

    fn shake_hands(&mut self) -> io::Result<HandshakeKind> {
        let tls = self.tls.as_mut().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        Ok(tls.handshake_kind().unwrap())
    }

    /// Was the TLS session resumed?
    pub fn resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// The server's certificate, DER.
    pub fn certificate(&self) -> Vec<u8> {
        self.tls.as_ref().unwrap().peer_certificates().unwrap()[0].to_vec()
    }

    /// The raw socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends everything.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.socket.write_all(bytes) };
        let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.socket);
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Sends all of these bytes but the last half of the last TLS record, and leaves the connection open.
    pub fn send_half_a_record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let tls = self.tls.as_mut().unwrap();
        let mut records = Vec::new();
        for piece in bytes.chunks(8192) {
            records.clear();
            tls.writer().write_all(piece)?;
            while tls.wants_write() {
                tls.write_tls(&mut records)?;
            }
            let is_last = piece.as_ptr_range().end == bytes.as_ptr_range().end;
            let upto = if is_last { records.len() / 2 } else { records.len() };
            self.socket.write_all(&records[..upto])?;
        }
        Ok(())
    }

    /// Ends TLS on this connection as RFC 4217 §5 has it behind CCC: `last` goes under TLS, then close_notify, then `behind` in
    /// clear, all in one write. Reads the other side's TLS to its close_notify, a record at a time, and gives back what it said;
    /// from then on the connection is clear.
    pub fn end_tls(&mut self, last: &[u8], behind: &[u8]) -> io::Result<Vec<u8>> {
        let mut tls = self.tls.take().unwrap();
        let mut segment = Vec::new();
        tls.writer().write_all(last)?;
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut segment)?;
        }
        segment.extend_from_slice(behind);
        self.socket.write_all(&segment)?;
        let mut said = Vec::new();
        loop {
            let mut record = vec![0; 5];
            self.socket.read_exact(&mut record)?;
            let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
            record.resize(5 + length, 0);
            self.socket.read_exact(&mut record[5..])?;
            tls.read_tls(&mut record.as_slice())?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut plain)?;
            said.extend_from_slice(&plain);
            if state.peer_has_closed() {
                return Ok(said);
            }
        }
    }

    /// Reads some bytes, or how the connection ended.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, End> {
        let result = match &mut self.tls {
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).read(buffer),
            None => self.socket.read(buffer),
        };
        match result {
            Ok(0) => Err(End::Clean),
            Ok(count) => Ok(count),
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => Err(End::Cut),
            Err(why) if matches!(why.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Err(End::Reset)
            }
            Err(why) if is_alert(&why) => Err(End::Alert),
            Err(why) => panic!("reading: {why}"),
        }
    }

    /// Reads until the other side ends.
    pub fn read_to_end(&mut self) -> (Vec<u8>, End) {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
        loop {
            match self.read(&mut buffer) {
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(end) => return (all, end),
            }
        }
    }

    /// Ends as one should: close_notify, FIN, then reads to the other side's end.
    pub fn finish(mut self) -> io::Result<End> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        self.socket.shutdown(Shutdown::Write)?;
        Ok(self.read_to_end().1)
    }

    /// Ends by a bare FIN, without close_notify, and waits for the other side's end.
    pub fn fin(mut self) {
        // A server that reset already has what the test wanted.
        let _ = self.socket.shutdown(Shutdown::Write);
        self.read_to_end();
    }

    /// Ends by a reset.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn is_alert(why: &io::Error) -> bool {
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(_)))
}
