//! How does a file go out? From an offset to the length that it had when it was opened, or to the end of a range, and not a byte less.

use std::fs::File;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use crate::backend::ReadFile;
use crate::error::{ErrorKind, Result};
use crate::event::{Direction, Event, Incomplete, Origin, Outcome, Protection, TransferFinished};
use crate::limits::{Allowance, Pace};
use crate::path::VirtualPath;
use crate::session::Core;

/// Bytes of a file whose space a file system takes back in microseconds.
const QUICKLY_FREED: u64 = 1024 * 1024;

/// A download that is under way. Dropped, it has failed.
pub struct Download {
    file: Box<dyn ReadFile>,
    core: Arc<Core>,
    origin: Origin,
    user: String,
    path: VirtualPath,
    started: Instant,
    range: Range<u64>,
    position: u64,
    text: bool,
    protection: Protection,
    partner: Option<IpAddr>,
    allowance: Allowance,
    /// Whether the outcome was told already.
    reported: bool,
}

impl Download {
    pub(crate) fn new(
        file: Box<dyn ReadFile>,
        core: &Arc<Core>,
        origin: &Origin,
        user: &str,
        path: &VirtualPath,
        range: Range<u64>,
        allowance: Allowance,
    ) -> Download {
        Download {
            file,
            core: Arc::clone(core),
            origin: origin.clone(),
            user: user.to_owned(),
            path: path.clone(),
            started: Instant::now(),
            position: range.start,
            range,
            text: false,
            protection: Protection::Clear,
            partner: None,
            allowance,
            reported: false,
        }
    }

    /// The whole file's length. Bytes that are appended after it was opened are not sent.
    pub fn length(&self) -> u64 {
        self.file.length()
    }

    /// Where in the file this download begins.
    pub fn offset(&self) -> u64 {
        self.range.start
    }

    /// Where in the file the next read begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes are still to be read.
    pub fn remaining(&self) -> u64 {
        self.range.end.saturating_sub(self.position)
    }

    /// Reads the next bytes; 0 only at the end. A file that became shorter meanwhile is
    /// [`ErrorKind::Interrupted`], so that no client takes the rest for the whole.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let wanted = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let count = self.file.read_at(self.position, buffer).map_err(|error| {
            let error = error.at(&self.path);
            self.core.failed(&self.origin, &self.user, "read", &self.path, &error);
            error
        })?;
        if count == 0 {
            return Err(crate::error::Error::new(ErrorKind::Interrupted).at(&self.path));
        }
        self.advance(count as u64);
        Ok(count)
    }

    /// The open file and the position to send from, where the store has one. Send no more than
    /// [`remaining`](Download::remaining), and [`advance`](Download::advance) by what was sent.
    pub fn as_file(&self) -> Option<(&File, u64)> {
        self.file.as_file().map(|file| (file, self.position))
    }

    /// Counts bytes that were sent without [`read`](Download::read).
    pub fn advance(&mut self, count: u64) {
        self.position += count;
    }

    /// How fast it may go; `None` where nothing can limit that. Asked for once, by whoever moves the bytes.
    pub fn take_pace(&mut self) -> Option<Pace> {
        self.allowance.take_pace()
    }

    /// Says what protects the data connection, for the log.
    pub fn protected_by(&mut self, protection: Protection) {
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

    /// Whether ending it takes no time worth mentioning: a file that was deleted meanwhile gives its space back when it is
    /// closed, which takes long if it is large.
    pub fn ends_at_once(&self) -> bool {
        self.length() <= QUICKLY_FREED
    }

    /// Ends a download that the peer has received. One that was not read to its end has failed nevertheless.
    pub fn finish(mut self) {
        let complete = self.remaining() == 0;
        self.report(if complete {
            Outcome::Complete
        } else {
            Outcome::Incomplete(Incomplete::Storage(ErrorKind::Interrupted))
        });
    }

    /// Ends a download that the peer has not received.
    pub fn fail(mut self, why: Incomplete) {
        self.report(Outcome::Incomplete(why));
    }

    fn report(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.reported, true) {
            return;
        }
        self.allowance.give_back(self.remaining());
        self.core.events.emit(&Event::TransferFinished(TransferFinished {
            origin: self.origin.clone(),
            user: self.user.clone(),
            direction: Direction::Download,
            path: self.path.clone(),
            bytes: self.position.saturating_sub(self.range.start),
            lasted: self.started.elapsed(),
            text: self.text,
            protection: self.protection,
            partner: self.partner,
            outcome,
        }));
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.report(Outcome::Incomplete(Incomplete::Aborted));
    }
}
