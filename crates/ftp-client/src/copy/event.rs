//! What is told of a copy while it runs, and at its end?

use std::fmt;
use std::time::Duration;

use carrack_ftp_proto::client::HashAlgorithm;

use super::{Failure, Place};
use crate::{Error, LocalFailure};

/// Who is told: progress lines, logs, totals. Called from several tasks at once and in the middle of the work: it must be
/// quick and must not block.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}
}

/// One transfer of a copy: counted from 1 in the order they begin.
pub type TransferId = u64;

/// What happened.
///
/// Of each transfer: one `Started`; then `Restarted`, `Moved` and `Retrying` in any order; then one of `Done`, `Left`,
/// `Failed` and `Stopped`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// More files were found that will be copied.
    Found {
        /// How many more.
        files: u64,
        /// Their bytes, as far as they are known.
        bytes: u64,
    },
    /// A file begins.
    Started {
        /// Its number.
        id: TransferId,
        /// From where.
        source: Place,
        /// To where.
        target: Place,
        /// Bytes, where somebody knows.
        size: Option<u64>,
    },
    /// The transfer begins, or goes on, at this byte. Comes before the first `Moved` of every attempt.
    Restarted {
        /// Which.
        id: TransferId,
        /// The first byte that moves now: what lies before it is there already.
        from: u64,
    },
    /// Bytes moved.
    Moved {
        /// Of which transfer.
        id: TransferId,
        /// How many more.
        bytes: u64,
    },
    /// An attempt failed, and there will be another one.
    Retrying {
        /// Which transfer; `None` for the listing of a folder.
        id: Option<TransferId>,
        /// Why it failed.
        error: Error,
        /// When it is tried again.
        wait: Duration,
    },
    /// A file is complete.
    Done {
        /// Which.
        id: TransferId,
        /// The first byte that moved in the last attempt: what lay before it was there, and was not moved again.
        from: u64,
        /// Bytes that moved, in all attempts together.
        bytes: u64,
        /// Since it began.
        elapsed: Duration,
        /// How it was verified.
        verified: Verified,
    },
    /// The target was complete before, by its size, and was left alone.
    Left {
        /// Which.
        id: TransferId,
        /// Its bytes.
        size: u64,
    },
    /// Something was not copied. The copy goes on with the rest.
    Failed {
        /// The transfer, where it had begun.
        id: Option<TransferId>,
        /// What was to be copied.
        what: Place,
        /// Why not.
        error: Failure,
    },
    /// A transfer ended because the copy was stopped, or because its connection is given up and another takes it over.
    Stopped {
        /// Which.
        id: TransferId,
        /// Whether the same copy will go on where it stopped.
        resumable: Resumable,
    },
    /// Something was left out that never is copied.
    Skipped {
        /// What.
        what: Place,
        /// Why.
        why: Omission,
    },
    /// A folder was made, or was there.
    Folder {
        /// Where.
        target: Place,
    },
    /// Something worth knowing that is no failure. Each is told once.
    Note(Note),
}

/// How a file was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The server's hash of it is that of the local file.
    Hash(HashAlgorithm),
    /// Both sides name the same size.
    Size,
    /// The server's word that it is complete, and TLS's, is all there is.
    Nothing,
}

/// Whether something can be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumable {
    /// The journal knows how.
    Yes,
    /// It begins anew: too small, or nobody tells enough to be certain.
    No,
}

/// Why something was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// A symbolic link within a folder: links are neither followed nor made.
    Link,
    /// A device, FIFO or socket.
    Special,
    /// A file that a Carrack is still receiving, or was interrupted in.
    Unfinished,
    /// A filter's rule, for a file that was named itself.
    Filtered,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Omission::Link => "a symbolic link; name it as a source to copy what it leads to",
            Omission::Special => "a device, FIFO or socket",
            Omission::Unfinished => "the unfinished file of an interrupted download",
            Omission::Filtered => "left out by --include and --exclude",
        })
    }
}

/// Something worth knowing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Note {
    /// The server, or the way to it, takes no more connections than these.
    Connections {
        /// How many there are.
        kept: usize,
        /// What became of the next.
        why: Error,
    },
    /// The server has no way to set times: neither MFMT nor SITE UTIME.
    TimesNotSet,
    /// The server tells no times to the second, so downloaded files keep none.
    TimesNotTold,
    /// Interrupted transfers cannot be gone on with, because the journal cannot be written.
    NoJournal(LocalFailure),
    /// The server offers hashes and could not make one for this file.
    NoHash(Place),
    /// The servers do not exchange files directly, in words; they pass through this machine.
    Relayed(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Connections { kept, why } => {
                write!(f, "going on with {kept} connections, because one more did not work: {why}")
            }
            Note::TimesNotSet => {
                f.write_str("the server cannot set times (no MFMT): files keep those it gave them")
            }
            Note::TimesNotTold => {
                f.write_str("the server does not tell times to the second: files get today's")
            }
            Note::NoJournal(why) => {
                write!(f, "if this is interrupted it cannot be gone on with later: {why}")
            }
            Note::Relayed(why) => {
                write!(
                    f,
                    "files pass through this machine, because the servers do not exchange them directly ({why})"
                )
            }
            Note::NoHash(place) => write!(f, "the server made no hash of {place}: verified by size"),
        }
    }
}

/// What a copy came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that are complete.
    pub files: u64,
    /// Folders that were made or were there.
    pub folders: u64,
    /// Bytes that moved.
    pub bytes: u64,
    /// What was not copied and should have been.
    pub failed: u64,
    /// What is never copied and was left out.
    pub skipped: u64,
    /// Files that were complete before, by their size.
    pub left: u64,
    /// Complete files that were gone on with instead of begun anew.
    pub resumed: u64,
    /// Complete files whose hash the server confirmed.
    pub verified_by_hash: u64,
    /// Complete files whose size the server confirmed.
    pub verified_by_size: u64,
    /// Transfers that ended unfinished and that the same copy will go on with.
    pub resumable: u64,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a copy ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// Everything was tried.
    #[default]
    Complete,
    /// Somebody threw the [`Stop`](super::Stop).
    Stopped,
    /// Whoever read the target stream wanted no more, as `head` does.
    ReaderGone,
}
