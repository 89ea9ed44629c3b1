//! What does an errno mean to the domain?

use carrack_core::error::{Error, ErrorKind};
use rustix::io::Errno;

/// An errno of any operation but those below.
pub(super) fn failed(errno: Errno) -> Error {
    Error::from_io(kind(errno), errno.into())
}

/// An errno of resolving a path beneath the root.
pub(super) fn unresolved(errno: Errno) -> Error {
    match errno {
        // SECURITY: `EXDEV` is the kernel's word for "leads out of the root".
        Errno::XDEV | Errno::LOOP => Error::from_io(ErrorKind::Forbidden, errno.into()),
        errno => failed(errno),
    }
}

/// An errno of renaming or linking.
pub(super) fn not_renamed(errno: Errno) -> Error {
    match errno {
        Errno::XDEV => Error::from_io(ErrorKind::CrossesStorage, errno.into()),
        // A folder stands where the new name is to be, or a file where a folder is to be.
        Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY => Error::from_io(ErrorKind::Exists, errno.into()),
        // A folder into itself.
        Errno::INVAL => Error::from_io(ErrorKind::InvalidName, errno.into()),
        errno => failed(errno),
    }
}

/// What the standard library reports.
pub(super) fn io(error: std::io::Error) -> Error {
    let kind = Errno::from_io_error(&error).map_or(ErrorKind::Io, kind);
    Error::from_io(kind, error)
}

fn kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::Exists,
        Errno::NOTDIR => ErrorKind::NotADirectory,
        Errno::ISDIR => ErrorKind::IsADirectory,
        Errno::NOTEMPTY => ErrorKind::NotEmpty,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Forbidden,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => ErrorKind::NoSpace,
        Errno::NAMETOOLONG | Errno::ILSEQ => ErrorKind::InvalidName,
        Errno::WOULDBLOCK | Errno::BUSY | Errno::TXTBSY => ErrorKind::Busy,
        Errno::NOTSUP => ErrorKind::Unsupported,
        _ => ErrorKind::Io,
    }
}
