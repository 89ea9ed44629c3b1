//! What is the digest of a file?

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use crate::backend::{ReadFile, Version};
use crate::digest::{Algorithm, Digest, Hasher, Turn};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Origin;
use crate::path::VirtualPath;

use super::{Core, Session};

/// Bytes read and computed at a time: half a millisecond of SHA-256, so that it is soon stopped.
const PIECE: usize = 256 * 1024;

/// A digest that is computed piece by piece, or was known before.
pub struct Digesting {
    file: Box<dyn ReadFile>,
    core: Arc<Core>,
    origin: Origin,
    user: String,
    path: VirtualPath,
    range: Range<u64>,
    position: u64,
    /// What the file was when it was opened; `None` where the store cannot tell.
    version: Option<Version>,
    /// Whether it may be remembered: what changed a moment ago may change again with the same time.
    settled: bool,
    algorithm: Algorithm,
    progress: Progress,
}

enum Progress {
    Computing { hasher: Hasher, buffer: Vec<u8> },
    Done(Digest),
}

impl Session {
    /// Opens a complete file, under the rules of [`open_read`](Session::open_read), to compute the digest of its bytes
    /// from `first` to before `end` (its end, where that is earlier or `None`).
    ///
    /// # Errors
    /// [`ErrorKind::BeyondEnd`] where `first` lies behind the file's end, and whatever reading may meet.
    pub fn open_digest(
        &self,
        path: &VirtualPath,
        algorithm: Algorithm,
        first: u64,
        end: Option<u64>,
    ) -> Result<Digesting> {
        self.asks_for(algorithm);
        let file = self.open_complete(path)?;
        let length = file.length();
        if first > length {
            return Err(Error::new(ErrorKind::BeyondEnd { length }).at(path));
        }
        let range = first..end.unwrap_or(length).clamp(first, length);
        let version = self.outcome("look at", path, file.version())?;
        let whole = range == (0..length);
        let known = version.filter(|_| whole).and_then(|version| self.core.digests.find(version, algorithm));
        let progress = match known {
            Some(digest) => Progress::Done(digest),
            None => Progress::Computing { hasher: Hasher::new(algorithm), buffer: Vec::new() },
        };
        Ok(Digesting {
            file,
            core: Arc::clone(&self.core),
            origin: self.origin.clone(),
            user: self.account.name.clone(),
            path: path.clone(),
            position: range.start,
            range,
            settled: version.is_some_and(|version| version.is_settled(SystemTime::now())),
            version,
            algorithm,
            progress,
        })
    }

    /// Waits until this session may compute for a while. What it computes in one go should be short: others wait.
    pub async fn digest_turn(&self) -> Turn {
        self.core.digests.turn().await
    }
}

impl Digesting {
    /// The digest, once it is known.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.progress {
            Progress::Done(digest) => Some(digest),
            Progress::Computing { .. } => None,
        }
    }

    /// The octets that it is computed over.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The whole file's length.
    pub fn length(&self) -> u64 {
        self.file.length()
    }

    /// How many bytes have been read.
    pub fn done(&self) -> u64 {
        self.position.saturating_sub(self.range.start)
    }

    /// Computes one piece more, on a [`Turn`]; whether it was the last.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] where the file changed meanwhile: such a digest would be that of no file.
    pub fn step(&mut self, _turn: &Turn) -> Result<bool> {
        let outcome = self.compute();
        outcome.map_err(|error| {
            let error = error.at(&self.path);
            self.core.failed(&self.origin, &self.user, "compute the digest of", &self.path, &error);
            error
        })
    }

    fn compute(&mut self) -> Result<bool> {
        let Progress::Computing { hasher, buffer } = &mut self.progress else { return Ok(true) };
        buffer.resize(PIECE, 0);
        let left = self.range.end.saturating_sub(self.position);
        let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        if wanted > 0 {
            let room = buffer.get_mut(..wanted).unwrap_or_default();
            let count = self.file.read_at(self.position, room)?;
            if count == 0 {
                return Err(ErrorKind::Interrupted.into());
            }
            hasher.update(room.get(..count).unwrap_or_default());
            self.position += count as u64;
        }
        if self.position < self.range.end {
            return Ok(false);
        }
        if self.file.version()? != self.version {
            return Err(ErrorKind::Interrupted.into());
        }
        let unused = Progress::Computing { hasher: Hasher::new(self.algorithm), buffer: Vec::new() };
        let Progress::Computing { hasher, .. } = std::mem::replace(&mut self.progress, unused) else {
            return Ok(true);
        };
        let digest = hasher.finish();
        if let Some(version) = self.version.filter(|_| self.settled && self.range == (0..self.file.length()))
        {
            self.core.digests.remember(version, self.algorithm, digest.clone());
        }
        self.progress = Progress::Done(digest);
        Ok(true)
    }
}
