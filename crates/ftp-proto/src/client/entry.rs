//! What is one entry of a remote folder, and which names may it have?

use std::fmt;

use super::Modified;
use crate::limits;

/// What a server says about one name in a folder. Every field but the name and the kind may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: EntryName,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes, as the server tells them. Only of a [`EntryKind::File`] are they what a download brings (for text in
    /// TYPE A, about: RFC 3659 §7.5.7); of a folder or a link they are what the server's file system spends on it.
    pub size: Option<u64>,
    /// When it was last modified.
    pub modified: Option<Modified>,
    /// The permission bits of Unix, set-id and sticky bits among them: at most `0o7777`.
    pub mode: Option<u32>,
    /// Who owns it: a name where the server tells one, else a number.
    pub owner: Option<String>,
    /// Its group: a name where the server tells one, else a number.
    pub group: Option<String>,
    /// What the logged-in user may do with it, in the letters of RFC 3659 §7.5.5; a server may add
    /// its own. Empty: nothing at all.
    pub perm: Option<String>,
    /// The same for two names of one file, on this server (RFC 3659 §7.5.2).
    pub unique: Option<Vec<u8>>,
}

/// What an entry is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EntryKind {
    /// Bytes that can be retrieved.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// Where it leads, where the server says so: text of the server for people, never a path to be followed.
        target: Option<Vec<u8>>,
    },
    /// A device, socket, FIFO, door or what else is neither file nor folder nor link. Never transferred.
    Other,
    /// The server did not say: a line of NLST, or an MLSx line whose facts leave it open.
    #[default]
    Unknown,
}

/// A name in a folder: exactly one component of a path, of at most [`limits::NAME`] bytes. UTF-8 as a rule, but any bytes
/// other than `/`, NUL, CR and LF.
///
/// SECURITY: the only way to a name is [`EntryName::parse`], so what a hostile server lists cannot leave the folder it is
/// written to, and cannot end a command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Vec<u8>);

impl EntryName {
    /// Takes a name as it is.
    ///
    /// # Errors
    /// A [`BadName`] for what is not one safe component.
    pub fn parse(name: &[u8]) -> Result<EntryName, BadName> {
        match name {
            b"" => Err(BadName::Empty),
            b"." | b".." => Err(BadName::Dots),
            _ if name.contains(&b'/') => Err(BadName::Separator),
            _ if name.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) => Err(BadName::ForbiddenByte),
            _ if name.len() > limits::NAME => Err(BadName::TooLong),
            _ => Ok(EntryName(name.to_vec())),
        }
    }

    /// The bytes of the name, as the server has them and as commands send them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name for people to read: see [`escaped`].
    #[must_use]
    pub fn escaped(&self) -> Escaped<'_> {
        escaped(&self.0)
    }
}

/// Why a server's name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// It has no bytes.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It has a `/`, or in a listing of DOS a `\`.
    Separator,
    /// It has a NUL, CR or LF, which no command can carry (RFC 3659 §2.2).
    ForbiddenByte,
    /// It is longer than [`limits::NAME`].
    TooLong,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Empty => f.write_str("the server lists an entry without a name"),
            BadName::Dots => f.write_str("the server lists \".\" or \"..\" as if it were a file"),
            BadName::Separator => f.write_str("the server lists a path where a name belongs"),
            BadName::ForbiddenByte => f.write_str("the server lists a name with a NUL, CR or LF in it"),
            BadName::TooLong => write!(f, "the server lists a name of more than {} bytes", limits::NAME),
        }
    }
}

impl std::error::Error for BadName {}

/// Bytes of a server as text for people: see [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'t>(&'t [u8]);

/// Shows UTF-8 as it is, a byte that is not UTF-8 as `\xNN`, and a character that would move the cursor or turn the
/// direction of writing as `\u{...}`. For a terminal or a log; it is not read back.
#[must_use]
pub fn escaped(text: &[u8]) -> Escaped<'_> {
    Escaped(text)
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if forges(character) {
                    write!(f, "{}", character.escape_unicode())?;
                } else {
                    f.write_char(character)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a character can make a line look like something it is not.
fn forges(character: char) -> bool {
    // SECURITY: escape sequences drive the reader's terminal; line ends forge further lines; a change of direction shows
    // "fdp.exe" for "exe.pdf" (CVE-2021-42574).
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_one_safe_component_or_no_name() {
        let long = vec![b'x'; limits::NAME + 1];
        for (name, why) in [
            (&b""[..], BadName::Empty),
            (b".", BadName::Dots),
            (b"..", BadName::Dots),
            (b"/", BadName::Separator),
            (b"a/b", BadName::Separator),
            (b"../a", BadName::Separator),
            (b"a/", BadName::Separator),
            (b"a\0", BadName::ForbiddenByte),
            (b"a\rb", BadName::ForbiddenByte),
            (b"a\nDELE b", BadName::ForbiddenByte),
            (&long, BadName::TooLong),
        ] {
            assert_eq!(EntryName::parse(name), Err(why), "{}", name.escape_ascii());
        }
        for name in [&b"..."[..], b" ", b". ", b"~", b"-rf", b"a\\b", b"C:", b"\xff\xfe", &long[1..]] {
            assert_eq!(EntryName::parse(name).unwrap().as_bytes(), name);
        }
    }

    #[test]
    fn what_people_see_drives_no_terminal() {
        for (bytes, shown) in [
            ("Übung é.txt".as_bytes(), "Übung é.txt"),
            (b"a\xffb\xc3", "a\\xffb\\xc3"),
            (b"\x1b[2J\x7f", "\\u{1b}[2J\\u{7f}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            ("exe.\u{202e}fdp".as_bytes(), "exe.\\u{202e}fdp"),
            (b"a b\\c", "a b\\c"),
        ] {
            assert_eq!(escaped(bytes).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_safe(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'.'), Just(b'/')], 0..8)) {
            if let Ok(name) = EntryName::parse(&bytes) {
                let name = name.as_bytes();
                let safe = !name.is_empty() && name != b"." && name != b".."
                    && !name.iter().any(|byte| [0, b'/', b'\r', b'\n'].contains(byte));
                prop_assert!(safe && name == bytes);
            }
        }

        #[test]
        fn whatever_is_shown_has_no_control_characters(bytes: Vec<u8>) {
            prop_assert!(!escaped(&bytes).to_string().chars().any(char::is_control));
        }
    }
}
