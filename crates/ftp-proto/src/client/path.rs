//! Which bytes may name something on the server?
//!
//! The one way from bytes to the argument of a command: what is not a [`RemotePath`] never stands behind a verb.

use std::fmt;

use super::{EntryName, escaped};

/// A path on the server: absolute and normalised, so that no working directory changes what it means.
///
/// It begins with `/`, holds no empty component, no `.` and no `..`, and no CR, LF or NUL. Its bytes are the server's; they are
/// expected to be UTF-8 (RFC 2640 §3.1) and not checked for it.
///
/// Where a server does not tell its login folder (PWD is refused, or answered with something that is no such path), paths
/// beneath the login folder are written without the leading slash, and the login folder itself is `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath(Box<[u8]>);

/// Why bytes are no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a slash.
    Relative,
    /// It holds CR, LF or NUL, which no command can carry.
    ForbiddenByte,
}

/// The login folder of a server that does not tell its name.
const UNNAMED: &[u8] = b".";

impl RemotePath {
    /// The server's root, `/`.
    #[must_use]
    pub fn root() -> RemotePath {
        RemotePath(Box::from(*b"/"))
    }

    /// The login folder of a server that does not tell its name.
    #[must_use]
    pub fn unnamed_login_folder() -> RemotePath {
        RemotePath(UNNAMED.into())
    }

    /// Reads an absolute path. `.`, `..` and doubled slashes are resolved on the text alone; `..` at the root stays there.
    ///
    /// # Errors
    /// [`BadPath`].
    pub fn parse(bytes: &[u8]) -> Result<RemotePath, BadPath> {
        match bytes.first() {
            Some(b'/') => RemotePath::root().join(bytes),
            _ => Err(BadPath::Relative),
        }
    }

    /// Resolves a path that is relative to this one, or absolute.
    ///
    /// # Errors
    /// [`BadPath::ForbiddenByte`].
    pub fn join(&self, path: &[u8]) -> Result<RemotePath, BadPath> {
        // SECURITY: CR or LF would end the command and begin another of the path's own making; NUL means something else to
        // every server.
        if path.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(BadPath::ForbiddenByte);
        }
        let absolute = path.starts_with(b"/");
        let mut names: Vec<&[u8]> = if absolute { Vec::new() } else { self.components().collect() };
        for component in path.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => {
                    names.pop();
                }
                name => names.push(name),
            }
        }
        Ok(RemotePath::from_names(absolute || self.is_absolute(), &names))
    }

    /// An entry of this folder.
    #[must_use]
    pub fn child(&self, name: &EntryName) -> RemotePath {
        let mut names: Vec<&[u8]> = self.components().collect();
        names.push(name.as_bytes());
        RemotePath::from_names(self.is_absolute(), &names)
    }

    /// The folder that holds this; `None` for the root and for a login folder without a name.
    #[must_use]
    pub fn parent(&self) -> Option<RemotePath> {
        let mut names: Vec<&[u8]> = self.components().collect();
        names.pop()?;
        Some(RemotePath::from_names(self.is_absolute(), &names))
    }

    /// The last component; `None` for the root and for a login folder without a name.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// The components from the root (or the login folder) down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != UNNAMED)
    }

    /// Whether this is `folder` or lies beneath it.
    #[must_use]
    pub fn is_within(&self, folder: &RemotePath) -> bool {
        let mut mine = self.components();
        self.is_absolute() == folder.is_absolute()
            && folder.components().all(|name| mine.next() == Some(name))
    }

    /// Whether this is the server's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        *self.0 == *b"/"
    }

    /// The bytes as they stand behind a verb (before Telnet's doubling of byte 255).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For people: UTF-8 as it is, control characters escaped, any other byte as `\xNN`.
    pub fn escaped(&self) -> impl fmt::Display + '_ {
        escaped(&self.0)
    }

    fn is_absolute(&self) -> bool {
        self.0.starts_with(b"/")
    }

    fn from_names(absolute: bool, names: &[&[u8]]) -> RemotePath {
        let mut bytes = Vec::with_capacity(names.iter().map(|name| name.len() + 1).sum::<usize>() + 1);
        for name in names {
            if absolute || !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(name);
        }
        match (bytes.is_empty(), absolute) {
            (true, true) => RemotePath::root(),
            (true, false) => RemotePath::unnamed_login_folder(),
            (false, _) => RemotePath(bytes.into()),
        }
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.escaped().fmt(f)
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemotePath({self})")
    }
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPath::Relative => "a path on the server begins with a slash",
            BadPath::ForbiddenByte => {
                "a path on the server may not hold CR, LF or NUL: FTP has no way to say it"
            }
        })
    }
}

impl std::error::Error for BadPath {}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn paths_are_normalised_on_their_text() {
        for (written, meant) in [
            ("/", "/"),
            ("//a//b/", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../..", "/"),
            ("/ a /b ", "/ a /b "),
        ] {
            assert_eq!(path(written).as_bytes(), meant.as_bytes(), "{written}");
        }
        assert_eq!(RemotePath::parse(b"a/b"), Err(BadPath::Relative));
        assert_eq!(RemotePath::parse(b""), Err(BadPath::Relative));
    }

    #[test]
    fn what_would_end_a_command_is_no_path() {
        for bytes in [&b"/a\r\nDELE b"[..], b"/a\nb", b"/a\0b", b"/\r"] {
            assert_eq!(RemotePath::parse(bytes), Err(BadPath::ForbiddenByte));
            assert_eq!(path("/x").join(bytes), Err(BadPath::ForbiddenByte));
        }
    }

    #[test]
    fn parents_children_and_names() {
        let name = EntryName::parse(b"c d").unwrap();
        assert_eq!(path("/a").child(&name), path("/a/c d"));
        assert_eq!(RemotePath::root().child(&name), path("/c d"));
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(RemotePath::root()));
        assert_eq!(RemotePath::root().parent(), None);
        assert_eq!(path("/a/b").name(), Some(&b"b"[..]));
        assert_eq!(RemotePath::root().name(), None);
        assert!(path("/a/b").is_within(&path("/a")) && path("/a").is_within(&path("/a")));
        assert!(!path("/ab").is_within(&path("/a")));
    }

    #[test]
    fn a_login_folder_without_a_name_is_a_dot() {
        let login = RemotePath::unnamed_login_folder();
        assert_eq!(login.as_bytes(), b".");
        let file = login.join(b"a/../b/c").unwrap();
        assert_eq!(file.as_bytes(), b"b/c");
        assert_eq!(file.parent().unwrap().as_bytes(), b"b");
        assert_eq!(file.parent().unwrap().parent(), Some(login.clone()));
        assert_eq!(login.join(b"/etc").unwrap().as_bytes(), b"/etc");
        assert_eq!(login.join(b"..").unwrap(), login);
    }

    #[test]
    fn people_see_what_the_bytes_are() {
        let path = RemotePath::parse(b"/\xc3\xbc\x1b[1m\xff").unwrap();
        assert_eq!(path.to_string(), "/ü\\u{1b}[1m\\xff");
    }
}
