//! Which digests are known already, and who may compute one now?

use std::collections::{HashMap, VecDeque};
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Algorithm, Digest, WhileUploading};
use crate::backend::Version;

/// Digests that are remembered: those of the uploads of some minutes. With their keys they stay under 1 MiB.
const REMEMBERED: usize = 4096;

/// What all sessions share about digests.
#[derive(Clone, Debug)]
pub(crate) struct Digests {
    pub(crate) while_uploading: WhileUploading,
    known: Arc<Mutex<Known>>,
    /// Digests that are computed at once: half of the processors, so that whoever asks for many leaves the other half to
    /// those who move files.
    turns: Arc<Semaphore>,
}

/// A version of a file, and what was computed over all of it.
type Key = (Version, Algorithm);

#[derive(Debug, Default)]
struct Known {
    digests: HashMap<Key, Digest>,
    /// The oldest first.
    order: VecDeque<Key>,
}

/// The right to compute for a while. Those who wait for one get it in the order in which they came.
#[derive(Debug)]
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Digests {
    pub(crate) fn new(while_uploading: WhileUploading) -> Digests {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let turns = Arc::new(Semaphore::new((processors / 2).max(1)));
        Digests { while_uploading, known: Arc::default(), turns }
    }

    /// The same, under another rule.
    pub(crate) fn under(&self, while_uploading: WhileUploading) -> Digests {
        Digests { while_uploading, ..self.clone() }
    }

    pub(crate) async fn turn(&self) -> Turn {
        // The semaphore is never closed.
        Turn { _permit: Arc::clone(&self.turns).acquire_owned().await.ok() }
    }

    pub(crate) fn find(&self, version: Version, algorithm: Algorithm) -> Option<Digest> {
        self.lock().digests.get(&(version, algorithm)).cloned()
    }

    /// Takes note of an upload that is this version now. Whatever was known of it was of another file, whose inode was used
    /// again within one tick of the clock.
    pub(crate) fn published(&self, version: Version, digest: Option<(Algorithm, Digest)>) {
        let mut known = self.lock();
        let was_known = Algorithm::ALL.map(|algorithm| known.digests.remove(&(version, algorithm)).is_some());
        if was_known.contains(&true) {
            known.order.retain(|(remembered, _)| *remembered != version);
        }
        drop(known);
        if let Some((algorithm, digest)) = digest {
            self.remember(version, algorithm, digest);
        }
    }

    pub(crate) fn remember(&self, version: Version, algorithm: Algorithm, digest: Digest) {
        let mut known = self.lock();
        let key = (version, algorithm);
        if known.digests.insert(key, digest).is_none() {
            known.order.push_back(key);
        }
        while known.order.len() > REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.digests.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;

    fn version(size: u64) -> Version {
        Version { file: (1, 2), size, modified: (3, 4), changed: (5, 6) }
    }

    #[test]
    fn only_the_very_version_is_known_and_the_oldest_is_forgotten() {
        let digests = Digests::new(WhileUploading::Asked);
        let digest = Hasher::new(Algorithm::Crc32).finish();
        for size in 0..=REMEMBERED as u64 {
            digests.remember(version(size), Algorithm::Crc32, digest.clone());
        }
        assert_eq!(digests.find(version(0), Algorithm::Crc32), None);
        assert_eq!(digests.find(version(1), Algorithm::Crc32), Some(digest));
        assert_eq!(digests.find(version(1), Algorithm::Md5), None);
        assert_eq!(digests.find(Version { changed: (5, 7), ..version(1) }, Algorithm::Crc32), None);
        assert_eq!(digests.lock().digests.len(), REMEMBERED);
        digests.published(version(1), None);
        assert_eq!(digests.find(version(1), Algorithm::Crc32), None);
        let of_upload = Hasher::new(Algorithm::Md5).finish();
        digests.published(version(2), Some((Algorithm::Md5, of_upload.clone())));
        assert_eq!(digests.find(version(2), Algorithm::Crc32), None);
        assert_eq!(digests.find(version(2), Algorithm::Md5), Some(of_upload));
        let known = digests.lock();
        assert_eq!(known.order.len(), known.digests.len());
    }

    #[tokio::test]
    async fn turns_are_few_and_come_back() {
        let digests = Digests::new(WhileUploading::Never);
        let mut taken = Vec::new();
        for _ in 0..digests.turns.available_permits() {
            taken.push(digests.turn().await);
        }
        assert_eq!(digests.turns.available_permits(), 0);
        taken.pop();
        assert!(digests.turn().await._permit.is_some());
    }
}
