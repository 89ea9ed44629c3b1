//! What tells one file's bytes from another's? Digests, computed as the bytes pass or read once, and remembered while
//! they hold.

mod known;

use std::fmt;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use md5::Digest as _;

pub(crate) use known::Digests;
pub use known::Turn;

/// How a digest is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 of IEEE 802.3: finds accidents, not attacks.
    Crc32,
    /// MD5: finds accidents, not attacks.
    Md5,
    /// SHA-1: finds accidents, not attacks.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Of which uploads a digest is computed while their bytes pass.
///
/// It costs an upload more processor time than TLS does, so that only those pay who look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileUploading {
    /// Of a session's that has asked for a digest before: the algorithm it asked for last.
    #[default]
    Asked,
    /// Of every upload.
    Always(Algorithm),
    /// Of none: whoever asks has the file read again.
    Never,
}

/// A digest under way.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc32(crc32fast::Hasher),
    Md5(md5::Md5),
    Sha(Context),
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
}

impl Hasher {
    /// Of nothing yet.
    pub fn new(algorithm: Algorithm) -> Hasher {
        let state = match algorithm {
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
            Algorithm::Sha1 => State::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Sha256 => State::Sha(Context::new(&SHA256)),
            Algorithm::Sha512 => State::Sha(Context::new(&SHA512)),
        };
        Hasher { algorithm, state }
    }

    /// What is computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc32(crc) => crc.update(bytes),
            State::Md5(md5) => md5.update(bytes),
            State::Sha(sha) => sha.update(bytes),
        }
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        Digest(match self.state {
            State::Crc32(crc) => crc.finalize().to_be_bytes().into(),
            State::Md5(md5) => md5.finalize().as_slice().into(),
            State::Sha(sha) => sha.finish().as_ref().into(),
        })
    }
}

/// A digest. Displayed in hexadecimal digits, small letters; a CRC-32 with its highest byte first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(Box<[u8]>);

impl Digest {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_their_standards() {
        let digests = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ];
        for (algorithm, expected) in digests {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"1234");
            hasher.update(b"56789");
            assert_eq!(hasher.finish().to_string(), expected);
        }
        assert_eq!(Hasher::new(Algorithm::Sha512).finish().as_bytes().len(), 64);
    }
}
