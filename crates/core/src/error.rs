//! What can go wrong with a file operation? Closed kinds; each front end maps them to its own answers once.

use std::{fmt, io};

use crate::limits::Limit;
use crate::path::{PathError, VirtualPath};

/// The result of a file operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A file operation that failed: what kind, on which path, and what the operating system said.
///
/// Its text is for the log. What a peer may see follows from [`Error::kind`] alone.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<VirtualPath>,
    source: Option<io::Error>,
}

/// Why an operation failed. The list is closed: a front end's table of answers is complete or does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such file or folder.
    NotFound,
    /// The policy does not let this user do it.
    Denied,
    /// The operating system or the back end refuses, or the path leads out of the root.
    Forbidden,
    /// The name is taken.
    Exists,
    /// A folder is needed here.
    NotADirectory,
    /// This is a folder and no file.
    IsADirectory,
    /// The folder is not empty.
    NotEmpty,
    /// A FIFO, device or socket.
    NotAFile,
    /// The bytes are no name that this store can have.
    InvalidName,
    /// The disk or the operating system's quota is full.
    NoSpace,
    /// The upload cannot go on at this offset.
    OffsetMismatch {
        /// Where it can go on.
        length: u64,
    },
    /// What is asked for begins behind the end of the file.
    BeyondEnd {
        /// Where it ends.
        length: u64,
    },
    /// The upload brought another number of bytes than its range has.
    RangeMismatch {
        /// Where the range ends.
        end: u64,
    },
    /// Somebody is writing this file now. Retry later.
    Busy,
    /// The user has an unfinished upload of this name, and may well take the complete file for it.
    Unfinished,
    /// A newer upload of the same user took the file over.
    TakenOver,
    /// What was read or extended changed underneath. Retry.
    Interrupted,
    /// This store cannot do that.
    Unsupported,
    /// A limit of this user or session is met.
    Limit(Limit),
    /// Source and target do not rest in the same store.
    CrossesStorage,
    /// Anything else that the operating system reports; the source says what.
    Io,
}

impl ErrorKind {
    /// A word for it, for measurements.
    pub fn word(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::Denied => "denied",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::Exists => "exists",
            ErrorKind::NotADirectory => "not_a_directory",
            ErrorKind::IsADirectory => "is_a_directory",
            ErrorKind::NotEmpty => "not_empty",
            ErrorKind::NotAFile => "not_a_file",
            ErrorKind::InvalidName => "invalid_name",
            ErrorKind::NoSpace => "no_space",
            ErrorKind::OffsetMismatch { .. } => "offset_mismatch",
            ErrorKind::BeyondEnd { .. } => "beyond_end",
            ErrorKind::RangeMismatch { .. } => "range_mismatch",
            ErrorKind::Busy => "busy",
            ErrorKind::Unfinished => "unfinished",
            ErrorKind::TakenOver => "taken_over",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Limit(_) => "limit",
            ErrorKind::CrossesStorage => "crosses_storage",
            ErrorKind::Io => "io",
        }
    }

    /// Whether somebody decided that it may not be: the policy, or who set the rights of a file.
    pub fn is_policy(self) -> bool {
        matches!(self, ErrorKind::Denied | ErrorKind::Forbidden)
    }
}

impl Error {
    /// An error of this kind, nothing else known.
    pub fn new(kind: ErrorKind) -> Error {
        Error { kind, path: None, source: None }
    }

    /// An error that the operating system reported.
    pub fn from_io(kind: ErrorKind, source: io::Error) -> Error {
        Error { kind, path: None, source: Some(source) }
    }

    /// The same error, with the path that it happened on unless one is known already.
    #[must_use]
    pub fn at(mut self, path: &VirtualPath) -> Error {
        self.path.get_or_insert_with(|| path.clone());
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The path it happened on.
    pub fn path(&self) -> Option<&VirtualPath> {
        self.path.as_ref()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error::new(kind)
    }
}

impl From<PathError> for Error {
    fn from(_: PathError) -> Error {
        Error::new(ErrorKind::InvalidName)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        write!(f, "{}", self.kind)?;
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::NotFound => "no such file or folder",
            ErrorKind::Denied => "not permitted to this user",
            ErrorKind::Forbidden => "refused by the operating system",
            ErrorKind::Exists => "the name is taken",
            ErrorKind::NotADirectory => "not a folder",
            ErrorKind::IsADirectory => "is a folder",
            ErrorKind::NotEmpty => "the folder is not empty",
            ErrorKind::NotAFile => "not a regular file",
            ErrorKind::InvalidName => "not a valid name",
            ErrorKind::NoSpace => "no space left",
            ErrorKind::OffsetMismatch { length } => {
                return write!(f, "the upload goes on at byte {length}");
            }
            ErrorKind::BeyondEnd { length } => {
                return write!(f, "the file ends at byte {length}");
            }
            ErrorKind::RangeMismatch { end } => {
                return write!(f, "the upload does not end with its range, before byte {end}");
            }
            ErrorKind::Busy => "being written by somebody",
            ErrorKind::Unfinished => "there is an unfinished upload of this name",
            ErrorKind::TakenOver => "taken over by a newer upload",
            ErrorKind::Interrupted => "changed underneath",
            ErrorKind::Unsupported => "not supported here",
            ErrorKind::Limit(limit) => {
                return write!(f, "{limit} are all ({})", limit.most().option);
            }
            ErrorKind::CrossesStorage => "source and target are in different stores",
            ErrorKind::Io => "input/output error",
        })
    }
}
