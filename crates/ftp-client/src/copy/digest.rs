//! What is the hash of a file of this machine?

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use carrack_ftp_proto::client::{Features, HashAlgorithm};

use crate::hash::is_offered;
use crate::{Digest, Hasher};

/// Bytes that are read at a time: fits in the cache of a core.
const PIECE: usize = 256 * 1024;
/// Up to this size a file is hashed at once: it takes less than to hand it to another thread.
const INLINE_BYTES: u64 = 64 * 1024;

/// The algorithms that are used, the first that the server has. MD5 is not: no server has only that.
const WANTED: [HashAlgorithm; 4] =
    [HashAlgorithm::Sha256, HashAlgorithm::Sha512, HashAlgorithm::Sha1, HashAlgorithm::Crc32];

/// The hash that a server is asked for, if it offers one.
pub(super) fn offered(features: &Features) -> Option<HashAlgorithm> {
    WANTED.into_iter().find(|&algorithm| is_offered(features, algorithm))
}

/// The hash that two servers are asked for, if both offer the same.
pub(super) fn offered_by_both(one: &Features, other: &Features) -> Option<HashAlgorithm> {
    WANTED.into_iter().find(|&algorithm| is_offered(one, algorithm) && is_offered(other, algorithm))
}

/// The hash of the first `length` bytes, `None` for an algorithm that is not used. Fails where there are fewer.
pub(super) async fn of_file(
    file: &File,
    length: u64,
    algorithm: HashAlgorithm,
) -> io::Result<Option<Digest>> {
    if length <= INLINE_BYTES {
        return hash(file, length, algorithm);
    }
    let file = file.try_clone()?;
    tokio::task::spawn_blocking(move || hash(&file, length, algorithm)).await.map_err(io::Error::other)?
}

fn hash(file: &File, length: u64, algorithm: HashAlgorithm) -> io::Result<Option<Digest>> {
    let Some(mut hasher) = Hasher::new(algorithm) else { return Ok(None) };
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let piece = buffer.get_mut(..left).unwrap_or_default();
        // At its place, because the file's own position may be somebody's.
        file.read_exact_at(piece, at)?;
        hasher.update(piece);
        at += left as u64;
    }
    Ok(Some(hasher.finish()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn hashes_are_those_that_everybody_has() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"123456789 and more").unwrap();
        for (algorithm, expected) in [
            (HashAlgorithm::Crc32, "cbf43926"),
            (HashAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (HashAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            assert_eq!(of_file(&file, 9, algorithm).await.unwrap().unwrap().to_string(), expected);
        }
        assert_eq!(of_file(&file, 9, HashAlgorithm::Sha512).await.unwrap().unwrap().as_bytes().len(), 64);
        assert_eq!(of_file(&file, 9, HashAlgorithm::Md5).await.unwrap(), None);
    }

    #[tokio::test]
    async fn large_files_are_hashed_piece_by_piece_and_short_ones_are_errors() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![0; 3 * PIECE + 7]).unwrap();
        let whole = of_file(&file, 3 * PIECE as u64 + 7, HashAlgorithm::Crc32).await.unwrap().unwrap();
        assert_eq!(whole.as_bytes(), crc32fast::hash(&vec![0; 3 * PIECE + 7]).to_be_bytes());
        assert!(of_file(&file, 4 * PIECE as u64, HashAlgorithm::Crc32).await.is_err());
    }

    #[test]
    fn the_best_of_what_is_offered_is_asked_for() {
        let mut features = Features { xmd5: true, ..Features::default() };
        assert_eq!(offered(&features), None);
        features.xcrc = true;
        assert_eq!(offered(&features), Some(HashAlgorithm::Crc32));
        features.hash = vec![HashAlgorithm::Sha1, HashAlgorithm::Sha512];
        assert_eq!(offered(&features), Some(HashAlgorithm::Sha512));
        features.xsha256 = true;
        assert_eq!(offered(&features), Some(HashAlgorithm::Sha256));
    }
}
