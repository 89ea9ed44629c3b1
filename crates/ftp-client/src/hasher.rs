//! What is the hash of bytes that pass by?

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use carrack_ftp_proto::client::HashAlgorithm;

use crate::hash::Digest;

/// A hash under way. MD5 has none: a server that has only that is not asked for a proof of anything.
///
/// ```
/// use carrack_ftp_client::{HashAlgorithm, Hasher};
///
/// let mut hasher = Hasher::new(HashAlgorithm::Crc32).ok_or("not computed here")?;
/// hasher.update(b"12345");
/// hasher.update(b"6789");
/// assert_eq!(hasher.finish().to_string(), "cbf43926");
/// # Ok::<(), &str>(())
/// ```
pub struct Hasher {
    algorithm: HashAlgorithm,
    kind: Kind,
}

enum Kind {
    Crc32(crc32fast::Hasher),
    Sha(Context),
}

impl Hasher {
    /// A hash of nothing yet; `None` for an algorithm that is not computed here.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Option<Hasher> {
        let kind = match algorithm {
            HashAlgorithm::Crc32 => Kind::Crc32(crc32fast::Hasher::new()),
            HashAlgorithm::Md5 => return None,
            HashAlgorithm::Sha1 => Kind::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            HashAlgorithm::Sha256 => Kind::Sha(Context::new(&SHA256)),
            HashAlgorithm::Sha512 => Kind::Sha(Context::new(&SHA512)),
        };
        Some(Hasher { algorithm, kind })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.kind {
            Kind::Crc32(crc) => crc.update(bytes),
            Kind::Sha(sha) => sha.update(bytes),
        }
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> Digest {
        let bytes = match self.kind {
            Kind::Crc32(crc) => crc.finalize().to_be_bytes().to_vec(),
            Kind::Sha(sha) => sha.finish().as_ref().to_vec(),
        };
        Digest::made(self.algorithm, bytes)
    }
}
