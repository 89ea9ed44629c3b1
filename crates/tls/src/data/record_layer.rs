//! The record layer of a connection that moves much, with the keys that its handshake has agreed on: records are opened where
//! they lie, and sealed where they are sent from.
//!
//! rustls copies each record that it opens into a block of its own, and that block is copied once more into the reader's
//! buffer; and the same way back. A connection that moves many is taken over from it instead: here the records are walked,
//! and what is in them is lent. How records are opened, padding, new keys and tickets stay rustls's; what is ours is the
//! order of the records, the few messages that may stand between the data, and the [`Sealer`].

use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ContentType, Error, ExtractedSecrets, HandshakeType,
    InvalidMessage, ProtocolVersion, SupportedCipherSuite,
    client::ClientConnectionData,
    crypto::cipher::{
        InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundPlainMessage,
    },
    kernel::KernelConnection,
    server::ServerConnectionData,
};

use super::{
    buffer::{Inbox, Outbox, copy},
    connection::{Connection, Outgoing, RECORD, Sinks, Step},
    sealer::Sealer,
};

/// Content type, version and length of a record (RFC 8446 §5.1).
pub(super) const HEADER: usize = 5;
/// The longest protected record: TLS 1.2 allows 2,048 bytes beside the data (RFC 5246 §6.2.3), TLS 1.3 only 256, which the
/// cipher checks.
const LONGEST: usize = 16 * 1024 + 2048;
/// Message type and length of a handshake message (RFC 8446 §4).
const MESSAGE_HEADER: usize = 4;
/// The longest handshake message that is put together: a ticket of the greatest length with its extensions.
const LONGEST_MESSAGE: usize = 128 * 1024;
/// Records without data that may follow one another: KeyUpdates, tickets, warnings, empty ones. A peer that sends only
/// those makes us work for nothing; BoringSSL and rustls have the same bound.
const NOISE: u32 = 32;

/// A TLS connection that rustls has handed over.
pub(super) struct RecordLayer {
    kernel: Kernel,
    suite: SupportedCipherSuite,
    opening: Box<dyn MessageDecrypter>,
    /// The number of the next record under the present key.
    next_opened: u64,
    has_received_close_notify: bool,
    sealing: Sealing,
    has_sent_close_notify: bool,
    /// The start of a handshake message whose rest comes in the next records.
    message: Vec<u8>,
    noise: u32,
}

/// Who seals.
enum Sealing {
    Here(Sealer),
    /// The module of FIPS 140, which approves of rustls's way only.
    ///
    /// SECURITY: no data is sealed so, and a key never comes near its limit. AWS-LC, which refuses numbers that go back, counts
    /// aright only from a key's first record on, and otherwise for two: close_notify and one alert, no more is needed, and
    /// what follows a KeyUpdate has a new key.
    Module {
        encrypter: Box<dyn MessageEncrypter>,
        next: u64,
    },
}

impl Sealing {
    fn new(suite: SupportedCipherSuite, secrets: ConnectionTrafficSecrets, next: u64) -> Result<Self, Error> {
        Ok(match suite.fips() {
            false => Self::Here(Sealer::new(suite, secrets, next)?),
            true => Self::Module { encrypter: encrypter(suite, secrets)?, next },
        })
    }

    fn seal(&mut self, content: ContentType, payload: &[u8], outbox: &mut Outbox) -> Result<(), Error> {
        match self {
            Self::Here(sealer) => sealer.seal(content, payload, outbox),
            Self::Module { encrypter, next } => {
                let number = *next;
                *next = number.checked_add(1).ok_or(Error::EncryptError)?;
                let message = OutboundPlainMessage {
                    typ: content,
                    version: ProtocolVersion::TLSv1_2,
                    payload: OutboundChunks::Single(payload),
                };
                outbox.push(&encrypter.encrypt(message, number)?.encode());
                Ok(())
            }
        }
    }
}

/// What is left of rustls's connection.
enum Kernel {
    Server(KernelConnection<ServerConnectionData>),
    Client(KernelConnection<ClientConnectionData>),
}

/// What stood at the front.
pub(super) enum Opened<'i> {
    /// Data, never empty.
    Data(&'i [u8]),
    /// A record without data.
    Nothing,
    /// A part of a record, or no byte at all.
    Incomplete,
    /// close_notify.
    Closed,
}

impl RecordLayer {
    /// Whether `received` can be where the next record begins, all earlier ones having been read: it is empty, or a part of
    /// a data record.
    pub(super) fn may_begin_at(received: &[u8]) -> bool {
        let Some(&content) = received.first() else { return true };
        let is_cut = match Header::read(received) {
            Ok(Some(header)) => received.len() - HEADER < header.length,
            Ok(None) => true,
            Err(_) => false,
        };
        is_cut && ContentType::from(content) == ContentType::ApplicationData
    }

    /// Whether data can be sealed here under this suite.
    pub(super) fn can_send(suite: SupportedCipherSuite) -> bool {
        !suite.fips()
    }

    /// Takes over a connection whose handshake is complete, which has nothing to send, and whose next byte to be received
    /// is the first of a record.
    pub(super) fn take_over(connection: Connection) -> Result<Self, Error> {
        let (secrets, kernel) = match connection {
            Connection::Server(connection) => {
                let (secrets, kernel) = connection.dangerous_into_kernel_connection()?;
                (secrets, Kernel::Server(kernel))
            }
            Connection::Client(connection) => {
                let (secrets, kernel) = connection.dangerous_into_kernel_connection()?;
                (secrets, Kernel::Client(kernel))
            }
        };
        let suite = match &kernel {
            Kernel::Server(kernel) => kernel.negotiated_cipher_suite(),
            Kernel::Client(kernel) => kernel.negotiated_cipher_suite(),
        };
        let ExtractedSecrets { tx: (next_sealed, sealing), rx: (next_opened, opening) } = secrets;
        Ok(Self {
            kernel,
            suite,
            opening: decrypter(suite, opening)?,
            next_opened,
            has_received_close_notify: false,
            sealing: Sealing::new(suite, sealing, next_sealed)?,
            has_sent_close_notify: false,
            message: Vec::new(),
            noise: 0,
        })
    }

    /// Opens the record at the front of `received` and takes it from there. What there is to answer goes into `outbox`; an
    /// error has its alert there.
    pub(super) fn open<'i>(
        &mut self,
        received: &mut &'i mut [u8],
        outbox: &mut Outbox,
    ) -> Result<Opened<'i>, Error> {
        self.open_record(received, outbox).inspect_err(|error| {
            if let Some(alert) = alert_for(error) {
                // Without its alert the connection ends all the same.
                let _ = self.sealing.seal(ContentType::Alert, &[FATAL, alert.into()], outbox);
            }
        })
    }

    /// As [`Connection::step`].
    pub(super) fn step(
        &mut self,
        inbox: &mut Inbox,
        sinks: Sinks<'_>,
        outgoing: Option<Outgoing<'_>>,
    ) -> Result<Step, Error> {
        let Sinks { into, leftover, outbox } = sinks;
        let mut received = inbox.received();
        let all = received.len();
        let step = match self.open(&mut received, outbox)? {
            Opened::Data(data) => {
                let n = copy(data, into);
                leftover.push(data.get(n..).unwrap_or_default());
                Step::Opened(n)
            }
            Opened::Nothing => Step::Queued,
            Opened::Closed => Step::PeerClosed,
            Opened::Incomplete => Step::Idle,
        };
        let consumed = all - received.len();
        inbox.consume(consumed);
        match outgoing {
            Some(outgoing) if step == Step::Idle => self.send(outgoing, outbox),
            _ => Ok(step),
        }
    }

    /// Seals all of it, or nothing.
    fn send(&mut self, outgoing: Outgoing<'_>, outbox: &mut Outbox) -> Result<Step, Error> {
        let Outgoing { plaintext, last } = outgoing;
        if !plaintext.is_empty() && !Self::can_send(self.suite) {
            return Err(Error::General("the module does not seal data here".to_owned()));
        }
        // close_notify is a record too, and nothing follows it.
        let records = plaintext.len().div_ceil(RECORD) as u64 + 1;
        if !plaintext.is_empty() && !self.is_tls13() && self.left() < records {
            return Ok(Step::WornOut);
        }
        for piece in plaintext.chunks(RECORD) {
            // The last that a key of TLS 1.3 seals is the news of the next.
            if self.is_tls13() && self.left() <= 1 {
                self.renew_sealing(outbox)?;
            }
            self.sealing.seal(ContentType::ApplicationData, piece, outbox)?;
        }
        if last {
            self.close(outbox)?;
        }
        Ok(Step::Idle)
    }

    /// How many records the present key may still seal; none where no data may be sealed here.
    fn left(&self) -> u64 {
        match &self.sealing {
            Sealing::Here(sealer) => sealer.left(),
            Sealing::Module { .. } => 0,
        }
    }

    /// Says close_notify, once.
    fn close(&mut self, outbox: &mut Outbox) -> Result<(), Error> {
        if !self.has_sent_close_notify {
            self.sealing.seal(
                ContentType::Alert,
                &[WARNING, AlertDescription::CloseNotify.into()],
                outbox,
            )?;
            self.has_sent_close_notify = true;
        }
        Ok(())
    }

    fn open_record<'i>(
        &mut self,
        received: &mut &'i mut [u8],
        outbox: &mut Outbox,
    ) -> Result<Opened<'i>, Error> {
        // What stands behind close_notify counts for nothing (RFC 8446 §6.1).
        if self.has_received_close_notify {
            return Ok(Opened::Incomplete);
        }
        let Some(header) = Header::read(received)?.filter(|header| header.length <= received.len() - HEADER)
        else {
            return Ok(Opened::Incomplete);
        };
        let (record, rest) = std::mem::take(received).split_at_mut(HEADER + header.length);
        *received = rest;
        let sealed = record.get_mut(HEADER..).unwrap_or_default();
        if self.is_tls13() && header.content != ContentType::ApplicationData {
            return Err(unexpected(header.content));
        }
        let record = InboundOpaqueMessage::new(header.content, header.version, sealed);
        let opened = self.opening.decrypt(record, self.next_opened)?;
        self.next_opened = self.next_opened.checked_add(1).ok_or(Error::DecryptError)?;
        // SECURITY: the parts of a message stand together (RFC 8446 §5.1): nothing may come between them.
        if !self.message.is_empty() && opened.typ != ContentType::Handshake {
            return Err(unexpected(opened.typ));
        }
        match opened.typ {
            ContentType::ApplicationData if !opened.payload.is_empty() => {
                self.noise = 0;
                return Ok(Opened::Data(opened.payload));
            }
            ContentType::ApplicationData => {}
            ContentType::Alert => match self.read_alert(opened.payload)? {
                Ending::Closed => {
                    self.has_received_close_notify = true;
                    return Ok(Opened::Closed);
                }
                Ending::None => {}
            },
            ContentType::Handshake => self.read_messages(opened.payload, outbox)?,
            other => return Err(unexpected(other)),
        }
        self.noise += 1;
        if self.noise > NOISE {
            return Err(Error::General("the peer sends record after record without data".to_owned()));
        }
        Ok(Opened::Nothing)
    }

    fn read_alert(&self, payload: &[u8]) -> Result<Ending, Error> {
        let [level, description] = *payload else {
            return Err(InvalidMessage::TrailingData("alert").into());
        };
        match AlertDescription::from(description) {
            AlertDescription::CloseNotify => Ok(Ending::Closed),
            // The level says nothing in TLS 1.3, where all others are fatal (RFC 8446 §6).
            AlertDescription::UserCanceled => Ok(Ending::None),
            _ if level == WARNING && !self.is_tls13() => Ok(Ending::None),
            other => Err(Error::AlertReceived(other)),
        }
    }

    /// Reads the handshake messages that may stand between the data.
    fn read_messages(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), Error> {
        if payload.is_empty() || self.message.len() + payload.len() > LONGEST_MESSAGE {
            return Err(unexpected(ContentType::Handshake));
        }
        let mut messages = std::mem::take(&mut self.message);
        messages.extend_from_slice(payload);
        let mut rest = messages.as_slice();
        while let Some((kind, body, behind)) = split_message(rest) {
            self.read_message(kind, body, behind.is_empty(), outbox)?;
            rest = behind;
        }
        self.message = rest.to_vec();
        Ok(())
    }

    fn read_message(
        &mut self,
        kind: HandshakeType,
        body: &[u8],
        is_last: bool,
        outbox: &mut Outbox,
    ) -> Result<(), Error> {
        let is_tls13 = self.is_tls13();
        match (kind, &mut self.kernel) {
            (HandshakeType::NewSessionTicket, Kernel::Client(kernel)) if is_tls13 => {
                kernel.handle_new_session_ticket(body)
            }
            // What follows is under the new key, so nothing may follow in the same record (RFC 8446 §5.1).
            (HandshakeType::KeyUpdate, _) if is_tls13 && is_last => match *body {
                [UPDATE_NOT_REQUESTED] => self.renew_opening(),
                [UPDATE_REQUESTED] => {
                    self.renew_opening()?;
                    self.renew_sealing(outbox)
                }
                _ => Err(InvalidMessage::InvalidKeyUpdate.into()),
            },
            // A TLS 1.2 server asks to begin anew, which a client may pass over (RFC 5246 §7.4.1.1).
            (HandshakeType::HelloRequest, Kernel::Client(_)) if !is_tls13 && body.is_empty() => Ok(()),
            _ => Err(unexpected(ContentType::Handshake)),
        }
    }

    fn renew_opening(&mut self) -> Result<(), Error> {
        let (number, secrets) = match &mut self.kernel {
            Kernel::Server(kernel) => kernel.update_rx_secret()?,
            Kernel::Client(kernel) => kernel.update_rx_secret()?,
        };
        (self.opening, self.next_opened) = (decrypter(self.suite, secrets)?, number);
        Ok(())
    }

    /// Takes a new key for sending, because the old one is worn out or the peer asked for it: the message under the old key,
    /// all after it under the new.
    fn renew_sealing(&mut self, outbox: &mut Outbox) -> Result<(), Error> {
        if self.has_sent_close_notify {
            return Ok(());
        }
        const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, UPDATE_NOT_REQUESTED];
        self.sealing.seal(ContentType::Handshake, &KEY_UPDATE, outbox)?;
        let (number, secrets) = match &mut self.kernel {
            Kernel::Server(kernel) => kernel.update_tx_secret()?,
            Kernel::Client(kernel) => kernel.update_tx_secret()?,
        };
        self.sealing = Sealing::new(self.suite, secrets, number)?;
        Ok(())
    }

    fn is_tls13(&self) -> bool {
        self.suite.tls13().is_some()
    }
}

const WARNING: u8 = 1;
const FATAL: u8 = 2;
const UPDATE_NOT_REQUESTED: u8 = 0;
const UPDATE_REQUESTED: u8 = 1;

enum Ending {
    Closed,
    None,
}

/// The front of a record.
struct Header {
    content: ContentType,
    version: ProtocolVersion,
    /// Of what follows.
    length: usize,
}

impl Header {
    /// `None` where it is not complete yet.
    fn read(received: &[u8]) -> Result<Option<Header>, Error> {
        let Some(&[content, major, minor, high, low]) = received.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 {
            return Err(InvalidMessage::UnknownProtocolVersion.into());
        }
        if length > LONGEST {
            return Err(InvalidMessage::MessageTooLarge.into());
        }
        let version = ProtocolVersion::from(u16::from_be_bytes([major, minor]));
        Ok(Some(Header { content: content.into(), version, length }))
    }
}

/// The first whole message, and what is behind it.
fn split_message(messages: &[u8]) -> Option<(HandshakeType, &[u8], &[u8])> {
    let (&[kind, high, middle, low], rest) = messages.split_first_chunk::<MESSAGE_HEADER>()?;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
    let (body, behind) = rest.split_at_checked(length)?;
    Some((kind.into(), body, behind))
}

pub(crate) fn decrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Result<Box<dyn MessageDecrypter>, Error> {
    let (key, iv) = key_and_iv(secrets)?;
    Ok(match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let shape = suite.aead_alg.key_block_shape();
            let (fixed, _) = iv.as_ref().split_at_checked(shape.fixed_iv_len).unwrap_or_default();
            suite.aead_alg.decrypter(key, fixed)
        }
    })
}

pub(crate) fn encrypter(
    suite: SupportedCipherSuite,
    secrets: ConnectionTrafficSecrets,
) -> Result<Box<dyn MessageEncrypter>, Error> {
    let (key, iv) = key_and_iv(secrets)?;
    Ok(match suite {
        SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
        SupportedCipherSuite::Tls12(suite) => {
            let shape = suite.aead_alg.key_block_shape();
            let (fixed, explicit) = iv.as_ref().split_at_checked(shape.fixed_iv_len).unwrap_or_default();
            suite.aead_alg.encrypter(key, fixed, explicit)
        }
    })
}

pub(super) fn key_and_iv(
    secrets: ConnectionTrafficSecrets,
) -> Result<(rustls::crypto::cipher::AeadKey, Iv), Error> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => Ok((key, iv)),
        _ => Err(unknown_cipher()),
    }
}

/// A cipher that rustls has learned since.
pub(super) fn unknown_cipher() -> Error {
    Error::General("a cipher of which nothing is known here".to_owned())
}

fn unexpected(content: ContentType) -> Error {
    Error::InappropriateMessage { expect_types: vec![ContentType::ApplicationData], got_type: content }
}

/// The alert that tells the peer what it did (RFC 8446 §6.2); none in answer to its own.
fn alert_for(error: &Error) -> Option<AlertDescription> {
    match error {
        Error::AlertReceived(_) => None,
        Error::DecryptError => Some(AlertDescription::BadRecordMac),
        Error::PeerSentOversizedRecord | Error::InvalidMessage(InvalidMessage::MessageTooLarge) => {
            Some(AlertDescription::RecordOverflow)
        }
        Error::InvalidMessage(_) => Some(AlertDescription::DecodeError),
        _ => Some(AlertDescription::UnexpectedMessage),
    }
}
