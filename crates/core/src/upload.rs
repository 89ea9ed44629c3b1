//! How does a file come in? Bytes one after the other, then [`commit`](Upload::commit), or it never happened.

use std::sync::Arc;
use std::time::Instant;

use crate::backend::WriteFile;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, Incomplete, Origin, Outcome, Protection, TransferFinished};
use crate::path::VirtualPath;
use crate::session::Core;
use crate::takeover::Claim;

/// An upload that is under way. Dropped, it is aborted.
pub struct Upload {
    /// The open file; `None` once the upload is over.
    file: Option<Box<dyn WriteFile>>,
    /// Set by the first write that failed: such an upload cannot be committed any more.
    failed: Option<ErrorKind>,
    /// Whether there was a data connection, or a byte. Without, the upload never began and leaves no trace.
    began: bool,
    /// Let go after the file is closed.
    claim: Claim,
    core: Arc<Core>,
    origin: Origin,
    user: String,
    path: VirtualPath,
    started: Instant,
    received: u64,
    protection: Protection,
}

/// What an upload needs to know of its session.
pub(crate) struct Uploader {
    pub(crate) core: Arc<Core>,
    pub(crate) origin: Origin,
    pub(crate) user: String,
}

impl Upload {
    pub(crate) fn new(
        file: Box<dyn WriteFile>,
        claim: Claim,
        uploader: Uploader,
        path: VirtualPath,
    ) -> Upload {
        let Uploader { core, origin, user } = uploader;
        Upload {
            file: Some(file),
            failed: None,
            began: false,
            claim,
            core,
            origin,
            user,
            path,
            started: Instant::now(),
            received: 0,
            protection: Protection::Clear,
        }
    }

    /// Takes the next bytes of the file. After an error the upload can only be aborted.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let outcome = self.write_bytes(bytes).map_err(|error| error.at(&self.path));
        if let Err(error) = &outcome {
            self.failed.get_or_insert(error.kind());
        }
        outcome
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.claim.is_taken_over() {
            return Err(ErrorKind::TakenOver.into());
        }
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        self.began = true;
        file.write(bytes)?;
        self.received += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes the file has, with those that a resume found there.
    pub fn position(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.position())
    }

    /// How many bytes came in by this upload.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The name that the file gets; invented by the server for [`WriteMode::Unique`](crate::session::WriteMode).
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// Says that the data connection stands, and what protects it. An upload that ends before that, and without a
    /// byte, was refused: it leaves everything as it was.
    pub fn protected_by(&mut self, protection: Protection) {
        self.began = true;
        self.protection = protection;
    }

    /// Calls `callback` when a newer upload of this user wants the file, at once if one does already. It must see
    /// to it that this upload is soon dropped, and must not wait for that itself.
    pub fn on_takeover(&self, callback: Box<dyn Fn() + Send + Sync>) {
        self.claim.on_takeover(callback);
    }

    /// Ends an upload of which every byte has arrived: publishes the file, as durably as the store is configured.
    ///
    /// `Ok` is the promise that nothing short of losing the disk takes the file away again.
    pub fn commit(mut self) -> Result<()> {
        let outcome = match (self.failed, self.file.take()) {
            (None, Some(file)) => file.publish().map(drop),
            (failed, file) => {
                let kept = file.map_or(Ok(()), |file| file.keep());
                Err(failed.map_or_else(|| kept.err().unwrap_or(ErrorKind::Interrupted.into()), Error::new))
            }
        };
        let outcome = outcome.map_err(|error| error.at(&self.path));
        self.report(match &outcome {
            Ok(()) => Outcome::Complete,
            Err(error) => Outcome::Incomplete(Incomplete::Storage(error.kind())),
        });
        outcome
    }

    /// Ends an upload that is not whole. What arrived is kept to be resumed, invisible under the file's name.
    pub fn abort(mut self, why: Incomplete) {
        self.end(why);
    }

    fn end(&mut self, why: Incomplete) {
        let Some(file) = self.file.take() else { return };
        // What the client is told is why the transfer ended; that the rest could not even be kept is no news to it.
        let _ = if self.began { file.keep() } else { file.discard() };
        let why = match self.failed {
            Some(ErrorKind::TakenOver) => Incomplete::TakenOver,
            Some(kind) => Incomplete::Storage(kind),
            None if self.claim.is_taken_over() => Incomplete::TakenOver,
            None => why,
        };
        self.report(Outcome::Incomplete(why));
    }

    fn report(&self, outcome: Outcome) {
        self.core.events.emit(&Event::TransferFinished(TransferFinished {
            origin: self.origin.clone(),
            user: self.user.clone(),
            direction: Direction::Upload,
            path: self.path.clone(),
            bytes: self.received,
            lasted: self.started.elapsed(),
            protection: self.protection,
            outcome,
        }));
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.end(Incomplete::Aborted);
    }
}
