//! What can go wrong, on what, whose fault is it, and may one try again?

mod kind;
#[cfg(test)]
mod tests;

use std::{fmt, io};

use carrack_ftp_proto::client::Reply;

pub use kind::{ErrorKind, Stage};

/// Something that did not work: what was tried, on what, and why. Its text is one sentence that names the side at fault and,
/// where there is one, the mend.
pub struct Error(Box<Inner>);

struct Inner {
    operation: Operation,
    subject: String,
    kind: ErrorKind,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A control connection: TCP, TLS, login and what belongs to it.
    Connect,
    /// The contents of a folder.
    List,
    /// What a path is: kind, size, time.
    Stat,
    /// A hash.
    Hash,
    /// A file from the server.
    Download,
    /// A file to the server.
    Upload,
    /// A new name.
    Rename,
    /// A file's end.
    RemoveFile,
    /// A folder's end.
    RemoveFolder,
    /// A new folder.
    MakeFolder,
    /// A file's time of modification.
    SetModified,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Connect => "connect to",
            Operation::List => "list",
            Operation::Stat => "look at",
            Operation::Hash => "hash",
            Operation::Download => "download",
            Operation::Upload => "upload",
            Operation::Rename => "rename",
            Operation::RemoveFile => "remove",
            Operation::RemoveFolder => "remove the folder",
            Operation::MakeFolder => "make the folder",
            Operation::SetModified => "set the time of",
        })
    }
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// This machine: its disk, its files.
    Client,
    /// The server.
    Server,
    /// What lies between.
    Network,
    /// Whoever asked: a wrong name, password or path.
    User,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: it would end the same way.
    Never,
    /// After a while.
    Later,
    /// Yes, on a new control connection, which the next operation opens by itself.
    OnNewConnection,
}

impl Error {
    /// An error of this kind.
    #[must_use]
    pub fn new(operation: Operation, subject: impl fmt::Display, kind: ErrorKind) -> Error {
        Error(Box::new(Inner { operation, subject: subject.to_string(), kind }))
    }

    /// What was tried.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// On what: a path, or the server.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why it did not work.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Why it did not work, taken out.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        self.0.kind
    }

    /// The error of the local file, where it is one, taken out; else all of it again.
    ///
    /// # Errors
    /// Itself, where it is of another kind.
    pub fn local(self) -> Result<io::Error, Error> {
        match *self.0 {
            Inner { kind: ErrorKind::Local(error), .. } => Ok(error),
            inner => Err(Error(Box::new(inner))),
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.kind.fault()
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.kind.retry()
    }

    /// What the server said, where it said something.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        self.0.kind.reply()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, subject, kind } = &*self.0;
        write!(f, "cannot {operation} {subject}: {kind}")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.kind.source()
    }
}
