//! A peer that seals any record at all, once its handshake is complete.

use rustls::{
    ContentType, ProtocolVersion,
    crypto::cipher::{
        InboundOpaqueMessage, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
    },
};
use tokio::net::TcpStream;

use crate::data::{decrypter, encrypter};

/// The header of a record.
const HEADER: usize = 5;

pub(crate) struct Forger {
    pub(crate) socket: TcpStream,
    sealing: Box<dyn MessageEncrypter>,
    next_sealed: u64,
    opening: Box<dyn MessageDecrypter>,
    next_opened: u64,
    received: Vec<u8>,
}

impl Forger {
    /// Completes the handshake of `session`, whose configuration allows its secrets to be taken.
    pub(crate) async fn new(mut session: rustls::Connection, socket: TcpStream) -> Forger {
        let mut buf = [0; 16 * 1024];
        loop {
            let mut flight = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut flight).unwrap();
            }
            write(&socket, &flight).await;
            if !session.is_handshaking() {
                break;
            }
            let n = read(&socket, &mut buf).await;
            assert!(n > 0, "the peer closed");
            session.read_tls(&mut &buf[..n]).unwrap();
            session.process_new_packets().unwrap();
        }
        let suite = session.negotiated_cipher_suite().unwrap();
        let secrets = session.dangerous_extract_secrets().unwrap();
        Forger {
            socket,
            next_sealed: secrets.tx.0,
            sealing: encrypter(suite, secrets.tx.1).unwrap(),
            next_opened: secrets.rx.0,
            opening: decrypter(suite, secrets.rx.1).unwrap(),
            received: Vec::new(),
        }
    }

    pub(crate) fn seal(&mut self, content: ContentType, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: content,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        self.next_sealed += 1;
        self.sealing.encrypt(message, self.next_sealed - 1).unwrap().encode()
    }

    pub(crate) fn data(&mut self, payload: &[u8]) -> Vec<u8> {
        self.seal(ContentType::ApplicationData, payload)
    }

    pub(crate) fn close_notify(&mut self) -> Vec<u8> {
        self.seal(ContentType::Alert, &[1, 0])
    }

    pub(crate) async fn send(&self, bytes: &[u8]) {
        write(&self.socket, bytes).await;
    }

    /// The next record of the peer, opened; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<(ContentType, Vec<u8>)> {
        let mut buf = [0; 16 * 1024];
        loop {
            let whole = match self.received.first_chunk::<HEADER>() {
                Some(&[_, _, _, high, low]) => HEADER + usize::from(u16::from_be_bytes([high, low])),
                None => HEADER,
            };
            if whole > HEADER && self.received.len() >= whole {
                let mut record: Vec<u8> = self.received.drain(..whole).collect();
                let content = ContentType::from(record[0]);
                let sealed =
                    InboundOpaqueMessage::new(content, ProtocolVersion::TLSv1_2, &mut record[HEADER..]);
                let opened = self.opening.decrypt(sealed, self.next_opened).unwrap();
                self.next_opened += 1;
                return Some((opened.typ, opened.payload.to_vec()));
            }
            match read(&self.socket, &mut buf).await {
                0 => return None,
                n => self.received.extend_from_slice(&buf[..n]),
            }
        }
    }
}

async fn write(socket: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        socket.writable().await.unwrap();
        if let Ok(n) = socket.try_write(bytes) {
            bytes = &bytes[n..];
        }
    }
}

async fn read(socket: &TcpStream, buf: &mut [u8]) -> usize {
    loop {
        socket.readable().await.unwrap();
        match socket.try_read(buf) {
            Ok(n) => return n,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}
