//! What is the hash of bytes that pass by?

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use carrack_ftp_proto::client::HashAlgorithm;

/// A hash under way. MD5 has none: a server that has only that is not asked for a proof of anything.
///
/// ```
/// use carrack_ftp_client::{HashAlgorithm, Hasher};
///
/// let mut hasher = Hasher::new(HashAlgorithm::Crc32).ok_or("not computed here")?;
/// hasher.update(b"12345");
/// hasher.update(b"6789");
/// assert_eq!(hasher.finish(), [0xcb, 0xf4, 0x39, 0x26]);
/// # Ok::<(), &str>(())
/// ```
pub struct Hasher(Kind);

enum Kind {
    Crc32(crc32fast::Hasher),
    Sha(Context),
}

impl Hasher {
    /// A hash of nothing yet; `None` for an algorithm that is not computed here.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Option<Hasher> {
        Some(Hasher(match algorithm {
            HashAlgorithm::Crc32 => Kind::Crc32(crc32fast::Hasher::new()),
            HashAlgorithm::Md5 => return None,
            HashAlgorithm::Sha1 => Kind::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            HashAlgorithm::Sha256 => Kind::Sha(Context::new(&SHA256)),
            HashAlgorithm::Sha512 => Kind::Sha(Context::new(&SHA512)),
        }))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Kind::Crc32(crc) => crc.update(bytes),
            Kind::Sha(sha) => sha.update(bytes),
        }
    }

    /// The hash, most significant byte first.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Kind::Crc32(crc) => crc.finalize().to_be_bytes().to_vec(),
            Kind::Sha(sha) => sha.finish().as_ref().to_vec(),
        }
    }
}
