//! A record layer of TLS 1.3 with AES-256-GCM on a handshake's secrets, for whole records only (RFC 8446 §5.2).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

/// Plaintext of one record (RFC 8446 §5.1).
pub(crate) const PLAIN: usize = 16 * 1024;
const HEADER: [u8; 5] = [23, 3, 3, 0x40, 17];
const TAG: usize = 16;
/// With what TLS 1.3 puts around it: header in front; type and tag behind.
pub(crate) const RECORD: usize = HEADER.len() + PLAIN + 1 + TAG;

/// One direction of a connection.
pub(crate) struct Records {
    key: LessSafeKey,
    iv: [u8; 12],
    number: u64,
}

impl Records {
    pub(crate) fn new((number, secrets): (u64, ConnectionTrafficSecrets)) -> Records {
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else {
            panic!("AES-256-GCM was agreed");
        };
        Records { number, ..Records::of(key.as_ref(), iv.as_ref().try_into().unwrap()) }
    }

    pub(crate) fn of(key: &[u8], iv: [u8; 12]) -> Records {
        Records { key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap()), iv, number: 0 }
    }

    /// Where the plaintext of a record lies.
    pub(crate) fn plain(record: &mut [u8]) -> &mut [u8] {
        &mut record[HEADER.len()..HEADER.len() + PLAIN]
    }

    /// Seals what lies in the middle of a record.
    pub(crate) fn seal(&mut self, record: &mut [u8]) {
        let nonce = self.nonce();
        record[..HEADER.len()].copy_from_slice(&HEADER);
        let (sealed, tag) = record[HEADER.len()..].split_at_mut(PLAIN + 1);
        sealed[PLAIN] = 23;
        let made = self.key.seal_in_place_separate_tag(nonce, Aad::from(HEADER), sealed).unwrap();
        tag.copy_from_slice(made.as_ref());
    }

    /// Opens a record where it lies.
    pub(crate) fn open(&mut self, record: &mut [u8]) {
        assert_eq!(record[..HEADER.len()], HEADER, "a whole record");
        let nonce = self.nonce();
        self.key.open_in_place(nonce, Aad::from(HEADER), &mut record[HEADER.len()..]).unwrap();
    }

    /// RFC 8446 §5.3.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, mask) in nonce[4..].iter_mut().zip(self.number.to_be_bytes()) {
            *byte ^= mask;
        }
        self.number += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}
