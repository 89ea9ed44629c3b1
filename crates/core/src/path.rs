//! What may a client name? `VirtualPath` and `Name`: parsed once, and safe to hand on ever after.

use std::fmt;

/// Longest path accepted, in bytes with its leading slash: what Linux takes in one call (`PATH_MAX`).
pub const MAX_PATH: usize = 4096;
/// Longest single name, in bytes (`NAME_MAX` of every common file system).
pub const MAX_NAME: usize = 255;
/// Deepest nesting; bounds the work that one path can cause.
pub const MAX_DEPTH: usize = 256;
/// Names that begin so belong to the server: unfinished uploads rest under them.
pub const RESERVED_PREFIX: &[u8] = b".carrack-";

/// Why bytes are not a path or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes at all.
    #[error("the path is empty")]
    Empty,
    /// Not beginning with a slash where an absolute path is needed.
    #[error("the path is not absolute")]
    Relative,
    /// More than [`MAX_PATH`] bytes, or a name of more than [`MAX_NAME`].
    #[error("the path is too long")]
    TooLong,
    /// More than [`MAX_DEPTH`] names.
    #[error("the path is nested too deeply")]
    TooDeep,
    /// NUL, CR or LF in a path; a slash, too, in a name.
    #[error("the path contains a byte that no name may have")]
    ForbiddenByte,
    /// `.`, `..`, or a name that begins with [`RESERVED_PREFIX`].
    #[error("the name is reserved")]
    Reserved,
}

/// One component of a path: 1 to 255 bytes, without `/`, NUL, CR and LF, not `.` or `..`, not reserved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Parses one name.
    pub fn parse(bytes: &[u8]) -> Result<Name, PathError> {
        check_name(bytes)?;
        Ok(Name(bytes.into()))
    }

    /// The name as it stands on the wire and on the disk.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the name has no control bytes, so that a line of a listing can carry it.
    pub fn is_presentable(&self) -> bool {
        !self.0.iter().any(u8::is_ascii_control)
    }

    /// The name escaped for logs.
    pub fn display(&self) -> impl fmt::Display + '_ {
        Escaped(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.display())
    }
}

/// An absolute, normalised path as the user sees it: `/`, or `/` and names joined by `/`, never with `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath {
    /// Always begins with a slash; ends with one only when it is the root.
    bytes: Box<[u8]>,
}

impl VirtualPath {
    /// The user's home, `/`.
    pub fn root() -> VirtualPath {
        VirtualPath { bytes: Box::from(*b"/") }
    }

    /// Parses an absolute path.
    pub fn parse(bytes: &[u8]) -> Result<VirtualPath, PathError> {
        match bytes.first() {
            None => Err(PathError::Empty),
            Some(b'/') => VirtualPath::root().join(bytes),
            Some(_) => Err(PathError::Relative),
        }
    }

    /// Resolves what a client sent, relative to this path or absolute.
    ///
    /// `.` and `..` are resolved on the text alone, and `..` at the root stays there (as POSIX has it for `/..`).
    pub fn join(&self, argument: &[u8]) -> Result<VirtualPath, PathError> {
        if argument.is_empty() {
            return Err(PathError::Empty);
        }
        // SECURITY: bounds the work below, whatever the front end let through.
        if argument.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        let mut names: Vec<&[u8]> =
            if argument.starts_with(b"/") { Vec::new() } else { self.components().collect() };
        for component in argument.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name => {
                    check_name(name)?;
                    names.push(name);
                }
            }
        }
        VirtualPath::from_names(&names)
    }

    /// The path of an entry of this folder.
    pub fn child(&self, name: &Name) -> Result<VirtualPath, PathError> {
        let mut names: Vec<&[u8]> = self.components().collect();
        names.push(name.as_bytes());
        VirtualPath::from_names(&names)
    }

    fn from_names(names: &[&[u8]]) -> Result<VirtualPath, PathError> {
        if names.is_empty() {
            return Ok(VirtualPath::root());
        }
        if names.len() > MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        let mut bytes = Vec::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names {
            bytes.push(b'/');
            bytes.extend_from_slice(name);
        }
        if bytes.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        Ok(VirtualPath { bytes: bytes.into() })
    }

    /// The names from the root down; none for the root itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The folder that holds this entry; `None` for the root.
    pub fn parent(&self) -> Option<VirtualPath> {
        let (head, _) = self.split_last()?;
        Some(match head {
            b"" => VirtualPath::root(),
            head => VirtualPath { bytes: head.into() },
        })
    }

    /// The last name; `None` for the root.
    pub fn name(&self) -> Option<Name> {
        self.split_last().map(|(_, name)| Name(name.into()))
    }

    fn split_last(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        let slash = self.bytes.iter().rposition(|&byte| byte == b'/')?;
        let (head, tail) = self.bytes.split_at_checked(slash)?;
        Some((head, tail.strip_prefix(b"/")?))
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.bytes == b"/"
    }

    /// The path as one string of bytes, beginning with a slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether this path is `folder` or lies beneath it. Whole names are compared: `/tmpx` is not beneath `/tmp`.
    pub fn starts_with(&self, folder: &VirtualPath) -> bool {
        folder.is_root()
            || self
                .bytes
                .strip_prefix(&*folder.bytes)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// The path escaped for logs: no control bytes, no invisible characters, invalid UTF-8 as `\xNN`.
    pub fn display(&self) -> impl fmt::Display + '_ {
        Escaped(&self.bytes)
    }
}

impl fmt::Debug for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualPath({})", self.display())
    }
}

fn check_name(name: &[u8]) -> Result<(), PathError> {
    if name.is_empty() {
        return Err(PathError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(PathError::TooLong);
    }
    // SECURITY: CR and LF would forge lines of replies and listings, NUL would cut the name short below us.
    if name.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n' | b'/')) {
        return Err(PathError::ForbiddenByte);
    }
    // SECURITY: no client reads, writes or removes an unfinished upload by the name it rests under.
    if name == b"." || name == b".." || name.starts_with(RESERVED_PREFIX) {
        return Err(PathError::Reserved);
    }
    Ok(())
}

/// Bytes as one printable piece of text.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\'' => write!(f, "{character}")?,
                    other => write!(f, "{}", other.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
