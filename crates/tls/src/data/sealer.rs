//! Seals records where they will be sent from, with the keys that the handshake has agreed on.
//!
//! ```text
//! TLS 1.3            header(5)                  ciphertext of plaintext and its type   tag(16)   RFC 8446 §5.2
//! TLS 1.2 AES-GCM    header(5)  explicit nonce(8)  ciphertext                          tag(16)   RFC 5288 §3
//! TLS 1.2 ChaCha20   header(5)                  ciphertext                             tag(16)   RFC 7905 §2
//! ```

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, SupportedCipherSuite, crypto::cipher::NONCE_LEN as IV,
};

use super::{
    buffer::{Outbox, copy},
    record_layer::{HEADER, key_and_iv, unknown_cipher},
};

const EXPLICIT_NONCE: usize = 8;
const TAG: usize = 16;
/// What the longest field of any form adds to a record's plaintext.
const OVERHEAD: usize = HEADER + EXPLICIT_NONCE + 1 + TAG;
/// Both bytes of a record's version (RFC 8446 §5.1).
const VERSION: [u8; 2] = [3, 3];
/// Bytes that are copied at once. Longer copies may become one `rep movsb` (in glibc from 2112 bytes on), which takes fifteen
/// times as long on processors of the kind Zen 3 where the two ends are not aligned alike, and behind a header they never are.
const PIECE: usize = 2048;

/// A key for sending, with its numbers.
///
/// SECURITY: a number that seals twice under one key gives the key's secrets away, so nobody but this type knows the numbers: they
/// begin where the handshake's ended, each is used once, and a new key comes with a new value of this type.
pub(super) struct Sealer {
    key: LessSafeKey,
    iv: [u8; IV],
    form: Form,
    /// The number of the next record.
    next: u64,
    /// How many records the key may seal (RFC 8446 §5.5).
    limit: u64,
}

/// How nonce and content type stand in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Tls13,
    Tls12,
    Tls12ExplicitNonce,
}

impl Sealer {
    /// Seals with these secrets from record `next` on.
    ///
    /// # Errors
    /// For a cipher of which nothing is known here.
    pub(super) fn new(
        suite: SupportedCipherSuite,
        secrets: ConnectionTrafficSecrets,
        next: u64,
    ) -> Result<Self, Error> {
        let (algorithm, has_explicit_nonce) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { .. } => (&AES_128_GCM, true),
            ConnectionTrafficSecrets::Aes256Gcm { .. } => (&AES_256_GCM, true),
            ConnectionTrafficSecrets::Chacha20Poly1305 { .. } => (&CHACHA20_POLY1305, false),
            _ => return Err(unknown_cipher()),
        };
        let (key, iv) = key_and_iv(secrets)?;
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| unknown_cipher())?;
        let (form, limit) = match suite {
            SupportedCipherSuite::Tls13(suite) => (Form::Tls13, suite.common.confidentiality_limit),
            SupportedCipherSuite::Tls12(suite) if has_explicit_nonce => {
                (Form::Tls12ExplicitNonce, suite.common.confidentiality_limit)
            }
            SupportedCipherSuite::Tls12(suite) => (Form::Tls12, suite.common.confidentiality_limit),
        };
        let iv = iv.as_ref().try_into().map_err(|_| unknown_cipher())?;
        Ok(Self { key: LessSafeKey::new(key), iv, form, next, limit })
    }

    /// How many records the key may still seal.
    pub(super) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.next)
    }

    /// Seals one record behind what waits in `outbox`.
    ///
    /// # Errors
    /// When the key may seal no more, or `payload` is longer than a record.
    pub(super) fn seal(
        &mut self,
        content: ContentType,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), Error> {
        if self.left() == 0 {
            return Err(Error::EncryptError);
        }
        let number = self.next;
        self.next = number.checked_add(1).ok_or(Error::EncryptError)?;
        let sealed = self.seal_into(number, content, payload, outbox.room(payload.len() + OVERHEAD));
        outbox.filled(sealed.ok_or(Error::EncryptError)?);
        Ok(())
    }

    /// Puts the record at the front of `room`; says how long it is.
    fn seal_into(&self, number: u64, content: ContentType, payload: &[u8], room: &mut [u8]) -> Option<usize> {
        let content = u8::from(content);
        let nonce = self.nonce(number);
        let (shown, explicit, hidden) = match self.form {
            // The true type is inside (RFC 8446 §5.2).
            Form::Tls13 => (u8::from(ContentType::ApplicationData), 0, 1),
            Form::Tls12 => (content, 0, 0),
            Form::Tls12ExplicitNonce => (content, EXPLICIT_NONCE, 0),
        };
        let length = explicit + payload.len() + hidden + TAG;
        let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
        let header = [shown, VERSION[0], VERSION[1], high, low];

        let (head, rest) = room.split_at_mut_checked(HEADER)?;
        copy(&header, head);
        let (nonce_shown, rest) = rest.split_at_mut_checked(explicit)?;
        copy(nonce.get(NONCE_LEN - EXPLICIT_NONCE..)?, nonce_shown);
        let (inner, rest) = rest.split_at_mut_checked(payload.len() + hidden)?;
        for (from, into) in payload.chunks(PIECE).zip(inner.chunks_mut(PIECE)) {
            copy(from, into);
        }
        if let (1, Some(last)) = (hidden, inner.last_mut()) {
            *last = content;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = match self.form {
            Form::Tls13 => self.key.seal_in_place_separate_tag(nonce, Aad::from(header), inner),
            _ => {
                let aad = Aad::from(additional_data(number, content, payload.len())?);
                self.key.seal_in_place_separate_tag(nonce, aad, inner)
            }
        };
        copy(tag.ok()?.as_ref(), rest.get_mut(..TAG)?);
        Some(HEADER + length)
    }

    /// The record's number over the key's own value (RFC 8446 §5.3, RFC 7905 §2). In TLS 1.2 rustls counts the explicit part of
    /// AES-GCM's nonce in the same way, and numbers go on where its own ended.
    fn nonce(&self, number: u64) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_be_bytes().iter().rev()) {
            *byte ^= number;
        }
        nonce
    }
}

/// What TLS 1.2 authenticates beside the data (RFC 5246 §6.2.3.3).
fn additional_data(number: u64, content: u8, length: usize) -> Option<[u8; 13]> {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    Some([a, b, c, d, e, f, g, h, content, VERSION[0], VERSION[1], high, low])
}

#[cfg(test)]
mod tests {
    use rustls::{
        ProtocolVersion,
        crypto::{
            aws_lc_rs::default_provider,
            cipher::{AeadKey, OutboundChunks, OutboundPlainMessage},
        },
    };

    use super::*;
    use crate::data::encrypter;

    const IV_OF_ALL: [u8; IV] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];

    /// Secrets that a handshake with this suite could have made; those with shorter keys cannot be made by hand.
    fn secrets(suite: SupportedCipherSuite) -> Option<ConnectionTrafficSecrets> {
        let (key, iv) = (AeadKey::from(std::array::from_fn(|n| 7 * n as u8)), IV_OF_ALL.into());
        let name = format!("{:?}", suite.suite());
        match name {
            _ if name.contains("CHACHA20") => Some(ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }),
            _ if name.contains("AES_256") => Some(ConnectionTrafficSecrets::Aes256Gcm { key, iv }),
            _ => None,
        }
    }

    #[test]
    fn every_record_is_the_one_that_rustls_makes() {
        let payload: Vec<u8> = (0..16 * 1024u32).map(|n| ((n * n) >> 3) as u8).collect();
        let contents = [ContentType::ApplicationData, ContentType::Alert, ContentType::Handshake];
        for suite in default_provider().cipher_suites {
            let Some(theirs) = secrets(suite) else { continue };
            let mut theirs = encrypter(suite, theirs).unwrap();
            let mut ours = Sealer::new(suite, secrets(suite).unwrap(), 0).unwrap();
            for (number, length) in [0, 1, 2047, 2048, 2049, 7000, 16 * 1024].into_iter().enumerate() {
                let (content, payload) = (contents[number % 3], &payload[..length]);
                let message = OutboundPlainMessage {
                    typ: content,
                    version: ProtocolVersion::TLSv1_2,
                    payload: OutboundChunks::Single(payload),
                };
                let expected = theirs.encrypt(message, number as u64).unwrap().encode();
                let mut outbox = Outbox::default();
                outbox.push(b"what waits");
                ours.seal(content, payload, &mut outbox).unwrap();
                assert_eq!(&outbox.waiting()[..10], b"what waits");
                assert!(outbox.waiting()[10..] == expected, "{:?} {length}", suite.suite());
            }
        }
    }

    /// RFC 8448 §3: the client's application data.
    #[test]
    fn the_record_of_the_published_trace() {
        let hex = |text: &str| -> Vec<u8> {
            text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
        };
        let key = hex("17 42 2d da 59 6e d5 d9 ac d8 90 e3 c6 3f 50 51");
        let mut sealer = Sealer {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()),
            iv: hex("5b 78 92 3d ee 08 57 90 33 e5 23 d9").try_into().unwrap(),
            form: Form::Tls13,
            next: 0,
            limit: 2,
        };
        let payload: Vec<u8> = (0..50).collect();
        let mut outbox = Outbox::default();
        sealer.seal(ContentType::ApplicationData, &payload, &mut outbox).unwrap();
        let record = hex(
            "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 \
             6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4",
        );
        assert_eq!(outbox.waiting(), record);
        // And its key's end.
        assert_eq!(sealer.left(), 1);
        sealer.seal(ContentType::Alert, &[1, 0], &mut outbox).unwrap();
        let sealed = outbox.waiting().len();
        assert_eq!(sealer.seal(ContentType::Alert, &[1, 0], &mut outbox), Err(Error::EncryptError));
        assert_eq!(outbox.waiting().len(), sealed);
    }

    #[test]
    fn what_is_longer_than_a_record_is_not_sealed() {
        let suite =
            default_provider().cipher_suites.into_iter().find(|suite| secrets(*suite).is_some()).unwrap();
        let mut sealer = Sealer::new(suite, secrets(suite).unwrap(), 0).unwrap();
        let mut outbox = Outbox::default();
        let sealed = sealer.seal(ContentType::ApplicationData, &[0; 1 << 16], &mut outbox);
        assert_eq!(sealed, Err(Error::EncryptError));
        assert!(outbox.is_empty());
    }
}
