//! How does a file come in? Bytes one after the other, then [`commit`](Upload::commit), or it never happened.

use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::backend::{Version, WriteFile};
use crate::digest::{Algorithm, Hasher};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, Incomplete, Origin, Outcome, Protection, TransferFinished};
use crate::limits::{Allowance, Limit, Pace};
use crate::path::VirtualPath;
use crate::session::Core;
use crate::takeover::WriteClaim;

/// An upload that is under way. Dropped, it is aborted.
pub struct Upload {
    /// The open file; `None` once the upload is over.
    file: Option<Box<dyn WriteFile>>,
    /// Set by the first write that failed: such an upload cannot be committed any more.
    failed: Option<ErrorKind>,
    /// Whether there was a data connection, or a byte. Without, the upload never began and leaves no trace.
    began: bool,
    if_cut: IfCut,
    /// Given back before the claim is: whoever waits for that takes its place.
    allowance: Allowance,
    /// Let go after the file is closed.
    claim: WriteClaim,
    core: Arc<Core>,
    origin: Origin,
    user: String,
    path: VirtualPath,
    started: Instant,
    received: u64,
    /// The digest of all bytes that came, where one is wanted.
    digest: Option<Hasher>,
    /// The length that the file must have in the end, where that was said.
    ends_at: Option<u64>,
    text: bool,
    protection: Protection,
    partner: Option<IpAddr>,
}

/// What an upload that ended before its time has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing to go on with.
    Nothing,
    /// An unfinished upload that goes on at this byte.
    Bytes(u64),
}

/// What becomes of an upload that does not commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfCut {
    /// What can be resumed is kept.
    Keep,
    /// Nothing can be resumed, and its owner is to notice.
    GiveUp,
    /// Nothing is left.
    Discard,
}

/// What an upload needs to know of its session.
pub(crate) struct Uploader {
    pub(crate) core: Arc<Core>,
    pub(crate) origin: Origin,
    pub(crate) user: String,
    /// What is computed over the bytes as they pass. They must be all bytes of the file.
    pub(crate) digest: Option<Algorithm>,
    pub(crate) ends_at: Option<u64>,
    /// What it holds of the limits.
    pub(crate) allowance: Allowance,
}

impl Upload {
    pub(crate) fn new(
        file: Box<dyn WriteFile>,
        claim: WriteClaim,
        uploader: Uploader,
        path: VirtualPath,
        if_cut: IfCut,
    ) -> Upload {
        let Uploader { core, origin, user, digest, ends_at, allowance } = uploader;
        Upload {
            file: Some(file),
            failed: None,
            began: false,
            if_cut,
            claim,
            core,
            origin,
            user,
            path,
            started: Instant::now(),
            received: 0,
            digest: digest.map(Hasher::new),
            ends_at,
            allowance,
            text: false,
            protection: Protection::Clear,
            partner: None,
        }
    }

    /// Keeps nothing to be resumed if this upload does not commit: for conversions after which an offset in the file
    /// means nothing to the client.
    pub fn discard_if_cut(&mut self) {
        if self.if_cut == IfCut::Keep {
            self.if_cut = IfCut::GiveUp;
        }
    }

    /// Does a piece of what is due before the first byte, such as copying what `REST` left in front of it; whether
    /// nothing more is due. [`write`](Upload::write) and [`commit`](Upload::commit) do all that is left of it:
    /// whoever wants to be able to stop meanwhile calls this first, until it says `true`.
    pub fn prepare(&mut self) -> Result<bool> {
        let outcome = self.check_claim().and_then(|()| self.prepare_piece());
        self.outcome(outcome)
    }

    /// Takes the next bytes of the file. After an error the upload can only be aborted.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_pieces(&[IoSlice::new(bytes)])
    }

    /// The same of bytes that lie in several places: they go to the disk together.
    pub fn write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        let outcome = self.append(pieces);
        self.outcome(outcome)
    }

    fn prepare_piece(&mut self) -> Result<bool> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        self.began = true;
        file.prepare()
    }

    fn append(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        self.check_claim()?;
        while !self.prepare_piece()? {
            self.check_claim()?;
        }
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        let count: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        if let Some(end) = self.ends_at.filter(|end| file.position() + count > *end) {
            return Err(ErrorKind::RangeMismatch { end }.into());
        }
        self.allowance.take(count).map_err(ErrorKind::Limit)?;
        file.write(pieces)?;
        if let Some(digest) = &mut self.digest {
            pieces.iter().for_each(|piece| digest.update(piece));
        }
        self.received += count;
        Ok(())
    }

    /// Remembers the first failure and tells the subscribers of it.
    fn outcome<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.tell_trouble();
        outcome.map_err(|error| {
            let error = error.at(&self.path);
            if self.failed.is_none() {
                self.failed = Some(error.kind());
                // What does not fit would only hold, unseen, the room that others need.
                if matches!(error.kind(), ErrorKind::Limit(Limit::Quota { .. })) {
                    self.discard_if_cut();
                }
                match error.kind() {
                    ErrorKind::Limit(limit) => self.core.limit_reached(&self.origin, &self.user, limit),
                    _ => self.tell("write", &error),
                }
            }
            error
        })
    }

    fn tell_trouble(&mut self) {
        if let Some(error) = self.file.as_mut().and_then(|file| file.trouble()) {
            self.tell("note the upload of", &error);
        }
    }

    fn tell(&self, what: &'static str, error: &Error) {
        self.core.failed(&self.origin, &self.user, what, &self.path, error);
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

    /// How fast it may go; `None` where nothing can limit that. Asked for once, by whoever moves the bytes.
    pub fn take_pace(&mut self) -> Option<Pace> {
        self.allowance.take_pace()
    }

    /// Says that the client was told to send. An upload that ends before that, and without a byte, was refused: it leaves
    /// everything as it was. One that ends later was cut, even before its first byte: where there is a complete file, the
    /// client must not be told of that when it asks how far it got, or it would append its rest to it.
    pub fn announced(&mut self) {
        self.began = true;
    }

    /// Says that the data connection stands, and what protects it.
    pub fn protected_by(&mut self, protection: Protection) {
        self.announced();
        self.protection = protection;
    }

    /// Says that line ends are converted on the way, for the log.
    pub fn as_text(&mut self) {
        self.text = true;
    }

    /// Says that the other end of the data connection is another server, for the log.
    pub fn exchanged_with(&mut self, partner: IpAddr) {
        self.partner = Some(partner);
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
        let outcome = self.publish();
        self.committed(outcome)
    }

    /// The same of an upload of which nothing was written yet, and whose file these bytes are, all of it.
    pub fn commit_whole(mut self, bytes: &[u8]) -> Result<()> {
        let outcome = self.publish_whole(bytes);
        let outcome = self.outcome(outcome);
        self.committed(outcome)
    }

    fn committed(&mut self, outcome: Result<()>) -> Result<()> {
        if outcome.is_ok() {
            self.tell_trouble();
            self.file = None;
        } else {
            self.leave();
        }
        self.report(match &outcome {
            Ok(()) => Outcome::Complete,
            Err(error) => Outcome::Incomplete(Incomplete::Storage(error.kind())),
        });
        outcome
    }

    fn publish(&mut self) -> Result<()> {
        let outcome = self.publish_file();
        self.outcome(outcome)
    }

    fn publish_file(&mut self) -> Result<()> {
        while !self.prepare_piece()? {
            self.check_claim()?;
        }
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        if let Some(end) = self.ends_at.filter(|end| file.position() != *end) {
            return Err(ErrorKind::RangeMismatch { end }.into());
        }
        let version = file.publish()?;
        self.note_digest(version);
        Ok(())
    }

    fn publish_whole(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_claim()?;
        let Some(file) = &mut self.file else { return Err(ErrorKind::Interrupted.into()) };
        self.began = true;
        let length = bytes.len() as u64;
        if let Some(end) = self.ends_at.filter(|end| file.position() + length != *end) {
            return Err(ErrorKind::RangeMismatch { end }.into());
        }
        self.allowance.take(length).map_err(ErrorKind::Limit)?;
        let version = file.publish_whole(&[IoSlice::new(bytes)])?;
        self.received += length;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.note_digest(version);
        Ok(())
    }

    fn note_digest(&mut self, version: Option<Version>) {
        if let Some(version) = version {
            let digest = self.digest.take().map(|hasher| (hasher.algorithm(), hasher.finish()));
            self.core.digests.published(version, digest);
        }
    }

    fn check_claim(&self) -> Result<()> {
        if self.claim.is_taken_over() { Err(ErrorKind::TakenOver.into()) } else { Ok(()) }
    }

    /// Ends an upload that is not whole. What arrived is kept to be resumed, invisible under the file's name; says how
    /// much of it.
    pub fn abort(mut self, why: Incomplete) -> Kept {
        self.end(why)
    }

    fn end(&mut self, why: Incomplete) -> Kept {
        if self.file.is_none() {
            return Kept::Nothing;
        }
        let kept = self.leave();
        let why = match self.failed {
            Some(ErrorKind::TakenOver) => Incomplete::TakenOver,
            Some(kind) => Incomplete::Storage(kind),
            None if self.claim.is_taken_over() => Incomplete::TakenOver,
            None => why,
        };
        self.report(Outcome::Incomplete(why));
        kept
    }

    /// Closes the file, whose upload did not end well.
    fn leave(&mut self) -> Kept {
        self.tell_trouble();
        let Some(file) = self.file.take() else { return Kept::Nothing };
        let left = match self.if_cut {
            _ if !self.began => file.discard().map(|()| Kept::Nothing),
            IfCut::Keep => file.keep(),
            IfCut::GiveUp => file.give_up().map(|()| Kept::Nothing),
            IfCut::Discard => file.discard().map(|()| Kept::Nothing),
        };
        // What the client is told is why the transfer ended; that the rest could not even be kept is for the log.
        left.unwrap_or_else(|error| {
            self.tell("keep what came of", &error);
            Kept::Nothing
        })
    }

    fn report(&self, outcome: Outcome) {
        self.core.events.emit(&Event::TransferFinished(TransferFinished {
            origin: self.origin.clone(),
            user: self.user.clone(),
            direction: Direction::Upload,
            path: self.path.clone(),
            bytes: self.received,
            lasted: self.started.elapsed(),
            text: self.text,
            protection: self.protection,
            partner: self.partner,
            outcome,
        }));
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.end(Incomplete::Aborted);
    }
}
