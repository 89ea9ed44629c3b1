//! What went wrong on this machine, and with which path?

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use carrack_ftp_proto::client::escaped;

/// Why something could not be read or written on this machine. The server has no part in any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalFailure {
    /// The operating system refused.
    #[error("this machine could not {what} {}: {error}", shown(path))]
    Io {
        /// What was tried: "open", "create the folder" and so on.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A folder stands where a file is to be written.
    #[error("{} is a folder here, and a file is to be written there: move one of them out of the way", shown(.0))]
    FolderInTheWay(PathBuf),
    /// A file stands where a folder is needed.
    #[error("{} is a file here, and a folder is needed there: move one of them out of the way", shown(.0))]
    FileInTheWay(PathBuf),
    /// A symbolic link stands where a folder is needed. It is not followed: nothing is written outside the target.
    #[error(
        "{} is a symbolic link here, and nothing is written through links within the target: name the folder it leads \
         to as the target",
        shown(.0)
    )]
    LinkInTheWay(PathBuf),
    /// A device, FIFO or socket stands where a file is to be written or read.
    #[error("{} is a device, FIFO or socket here: use - with a redirection for it", shown(.0))]
    NotAFile(PathBuf),
    /// Another process is writing the same file.
    #[error("another carrack is writing {}: wait for it, or stop it", shown(.0))]
    Busy(PathBuf),
}

impl LocalFailure {
    pub(crate) fn io(what: &'static str, path: &Path, error: impl Into<io::Error>) -> LocalFailure {
        LocalFailure::Io { what, path: path.to_owned(), error: error.into() }
    }
}

/// A path of this machine for people to read.
pub(crate) fn shown(path: &Path) -> impl fmt::Display {
    use std::os::unix::ffi::OsStrExt as _;
    escaped(path.as_os_str().as_bytes())
}
