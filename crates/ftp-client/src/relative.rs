//! Where does something lie beneath a source, and so beneath its target? A path that cannot lead anywhere else.

use std::fmt;

use carrack_ftp_proto::client::{BadName, EntryName, RemotePath, escaped};

/// How many folders lie within one another at most. Real trees end before 30; a hostile server's never do.
pub(crate) const DEPTH: usize = 128;
/// Bytes of a relative path. Linux takes no path above 4,096 (PATH_MAX), and what waits to be moved is kept as such paths.
pub(crate) const LENGTH: usize = 4_096;

/// The names that lead from a folder to something beneath it; none for the folder itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Relative {
    /// The names, joined by `/`.
    joined: Vec<u8>,
}

/// A path that nobody goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooDeep {
    /// More than 128 folders within one another.
    #[error("more than {DEPTH} folders lie within one another")]
    Levels,
    /// More than 4,096 bytes.
    #[error("the path within the source has more than {LENGTH} bytes")]
    Bytes,
}

impl Relative {
    /// Of something in the folder itself.
    pub(crate) fn of(name: &EntryName) -> Relative {
        Relative { joined: name.as_bytes().to_vec() }
    }

    /// One level further down.
    pub(crate) fn child(&self, name: &EntryName) -> Result<Relative, TooDeep> {
        if self.joined.is_empty() {
            return Ok(Relative::of(name));
        }
        if self.depth() >= DEPTH {
            return Err(TooDeep::Levels);
        }
        let joined = [self.joined.as_slice(), b"/", name.as_bytes()].concat();
        if joined.len() > LENGTH { Err(TooDeep::Bytes) } else { Ok(Relative { joined }) }
    }

    /// Takes back what [`as_bytes`](Relative::as_bytes) gave.
    pub(crate) fn parse(joined: &[u8]) -> Result<Relative, BadName> {
        if !joined.is_empty() {
            joined.split(|byte| *byte == b'/').try_for_each(|name| EntryName::parse(name).map(drop))?;
        }
        Ok(Relative { joined: joined.to_vec() })
    }

    /// The names, joined by `/`.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.joined
    }

    /// The same beneath a folder that is itself beneath another. Names on both sides stay single names, so no limit is asked.
    pub(crate) fn within(&self, folder: &Relative) -> Relative {
        match (folder.joined.is_empty(), self.joined.is_empty()) {
            (true, _) => self.clone(),
            (_, true) => folder.clone(),
            _ => Relative { joined: [folder.joined.as_slice(), b"/", &self.joined].concat() },
        }
    }

    /// The same beneath a folder of the server.
    pub(crate) fn within_remote(&self, folder: &RemotePath) -> RemotePath {
        let names = self.names().filter_map(|name| EntryName::parse(name).ok());
        names.fold(folder.clone(), |folder, name| folder.child(&name))
    }

    /// Whether it is the folder itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    /// How many names they are.
    pub(crate) fn depth(&self) -> usize {
        self.names().count()
    }

    /// The names from the outermost folder on.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.joined.split(|byte| *byte == b'/').filter(|name| !name.is_empty())
    }

    /// The folder it lies in, and its name there. `None` for the folder itself.
    pub(crate) fn split_last(&self) -> Option<(Relative, EntryName)> {
        let (parent, name) = match self.joined.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (self.joined.get(..slash)?, self.joined.get(slash + 1..)?),
            None => (&[][..], self.joined.as_slice()),
        };
        Some((Relative { joined: parent.to_vec() }, EntryName::parse(name).ok()?))
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(&self.joined).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> EntryName {
        EntryName::parse(name.as_bytes()).unwrap()
    }

    #[test]
    fn a_path_grows_and_comes_apart_by_names() {
        let path = Relative::of(&name("a")).child(&name("b c")).unwrap();
        assert_eq!(path.as_bytes(), b"a/b c");
        assert_eq!(path.depth(), 2);
        let (folder, last) = path.split_last().unwrap();
        assert_eq!((folder.as_bytes(), last.as_bytes()), (&b"a"[..], &b"b c"[..]));
        assert_eq!(folder.split_last().unwrap().0, Relative::default());
        assert_eq!(Relative::default().split_last(), None);
        let outer = Relative::of(&name("o"));
        assert_eq!(path.within(&outer).as_bytes(), b"o/a/b c");
        assert_eq!(path.within(&Relative::default()), path);
        assert_eq!(Relative::default().within(&outer), outer);
        let remote = RemotePath::parse(b"/srv").unwrap();
        assert_eq!(path.within_remote(&remote).as_bytes(), b"/srv/a/b c");
        assert_eq!(Relative::default().within_remote(&remote), remote);
        assert_eq!(Relative::parse(path.as_bytes()), Ok(path));
        assert_eq!(Relative::parse(b""), Ok(Relative::default()));
        for bad in [&b"a/../b"[..], b"/a", b"a//b", b"a/"] {
            assert!(Relative::parse(bad).is_err());
        }
    }

    #[test]
    fn nothing_goes_down_for_ever() {
        let mut path = Relative::default();
        let mut levels = 0;
        let end = loop {
            match path.child(&name("d")) {
                Ok(deeper) => path = deeper,
                Err(end) => break end,
            }
            levels += 1;
        };
        assert_eq!((levels, end), (DEPTH, TooDeep::Levels));

        let long = name(&"x".repeat(200));
        let mut path = Relative::default();
        let end = loop {
            match path.child(&long) {
                Ok(deeper) => path = deeper,
                Err(end) => break end,
            }
        };
        assert_eq!(end, TooDeep::Bytes);
        assert!(path.as_bytes().len() <= LENGTH);
    }
}
