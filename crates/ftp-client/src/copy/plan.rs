//! What is to be copied, where to, and how?

use std::fmt;
use std::fs::File;
use std::num::NonZeroU64;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Retries;
use crate::filter::Filter;
use crate::url::UrlPath;

/// How many control connections a copy uses at most, whatever is asked for: the most that common servers grant one
/// address, and far more than any line needs.
pub const JOBS_MOST: usize = 64;
/// How many control connections a copy uses where nobody says otherwise.
pub const JOBS: usize = 4;

/// A copy. One side of it is this machine (or a stream), the other is one server.
///
/// Where things go is what `cp` does: one file becomes the target, or goes into it if that is a folder; several go into
/// the target, which must be a folder then; a folder becomes the target, or goes into it if there is one of that name. A
/// `/` at the end of a source means the contents of that folder. What stands at the target is replaced.
#[derive(Debug)]
pub struct Plan {
    /// What is copied, at least one. Either all are on this machine, or all are on the server, or there is one stream.
    ///
    /// `*`, `?` and `[a-z]` mean what they mean to a shell, in any component of a path, unless there is something of that
    /// very name.
    pub sources: Vec<Source>,
    /// Where to.
    pub target: Target,
    /// Whether folders are copied.
    pub recursion: Recursion,
    /// What happens to a file that is there.
    pub existing: Existing,
    /// What happens to what an earlier copy left unfinished.
    pub resume: Resume,
    /// What is asked of the server after each file.
    pub verify: Verify,
    /// Whether files keep their time of modification.
    pub times: Times,
    /// What is left out.
    pub filter: Filter,
    /// Control connections at once, from 1 to [`JOBS_MOST`]. No more are opened than there are files, and fewer where
    /// the server wants fewer.
    pub jobs: usize,
    /// Bytes a second, of all transfers together.
    pub rate: Option<NonZeroU64>,
    /// What is done about a lost connection, and about what the server says will pass.
    pub retries: Retries,
    /// The folder where interrupted transfers are written down. Without one nothing can be gone on with later.
    pub state: Option<PathBuf>,
}

impl Plan {
    /// A copy as it is by default: files only, existing ones replaced, interrupted ones gone on with where that is
    /// certain, each verified as well as the server can, over up to [`JOBS`] connections.
    #[must_use]
    pub fn new(sources: Vec<Source>, target: Target) -> Plan {
        Plan {
            sources,
            target,
            recursion: Recursion::FilesOnly,
            existing: Existing::Replace,
            resume: Resume::Journal,
            verify: Verify::Auto,
            times: Times::New,
            filter: Filter::default(),
            jobs: JOBS,
            rate: None,
            retries: Retries::default(),
            state: None,
        }
    }
}

/// Something that is copied.
pub enum Source {
    /// On this machine.
    Local(PathBuf),
    /// On the server.
    Remote(UrlPath),
    /// Whatever comes, to its end: standard input, for example.
    Stream(Box<dyn AsyncRead + Send + Unpin>),
}

/// Where it goes.
pub enum Target {
    /// To this machine.
    Local(PathBuf),
    /// To the server.
    Remote(UrlPath),
    /// One file behind the other, to whoever takes bytes.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
    /// One file behind the other, to where this file stands: standard output, for example. Faster than a stream.
    File(File),
}

/// Whether folders are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursion {
    /// No: a folder among the sources is a failure.
    FilesOnly,
    /// With everything in them, up to 128 levels deep.
    Folders,
}

/// What happens to a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced, on this machine at once when the new one is complete.
    Replace,
    /// The bytes go behind its own. Never tried again once bytes have moved.
    Append,
}

/// What happens to what an earlier copy left unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It is gone on with where the journal knows that it is the same source, and the target is ours; else begun anew.
    Journal,
    /// Whatever stands at the target is taken for the beginning of the source, by its size alone.
    BySize,
    /// Everything begins anew.
    Never,
}

/// What is asked of the server after each file. The size of what was received is compared in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// A hash where the server makes one (HASH, XSHA256, XSHA512, XSHA1, XCRC), else the size.
    Auto,
    /// The size.
    Size,
    /// Nothing.
    Off,
}

/// Whether files keep their time of modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Yes, as exactly as the server tells or takes it. Of files, not of folders.
    Keep,
    /// They have been modified when they were copied.
    New,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Local(path) => f.debug_tuple("Local").field(path).finish(),
            Source::Remote(path) => f.debug_tuple("Remote").field(path).finish(),
            Source::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Local(path) => f.debug_tuple("Local").field(path).finish(),
            Target::Remote(path) => f.debug_tuple("Remote").field(path).finish(),
            Target::Stream(_) => f.write_str("Stream"),
            Target::File(file) => f.debug_tuple("File").field(file).finish(),
        }
    }
}
