//! How is one entry of a folder written: as a line, as key and value, and as JSON?

use std::fmt::Write as _;

use carrack_ftp_client::{Entry, EntryKind, Facts, Precision, escaped};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::moment;

/// Width of a time to the second, the widest that a line of [`long_line`] has.
const TIME_WIDTH: usize = "2026-11-22 15:10:00".len();

/// Width of a size below 10 TB; larger ones push their line to the right.
const SIZE_WIDTH: usize = 13;

/// How names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// For people: nothing in them can drive a terminal.
    Escaped,
    /// For programs: the bytes as the server has them.
    AsTheyAre,
}

impl Names {
    /// A name or path written so.
    pub(crate) fn write(self, name: &[u8]) -> Vec<u8> {
        match self {
            Names::Escaped => escaped(name).to_string().into_bytes(),
            Names::AsTheyAre => name.to_owned(),
        }
    }
}

/// The name, with a slash behind a folder's.
pub(crate) fn short_line(entry: &Entry, names: Names) -> Vec<u8> {
    let mut line = names.write(entry.name.as_bytes());
    if entry.kind == EntryKind::Folder {
        line.push(b'/');
    }
    line
}

/// Kind, size, time and name: `-         11  2026-11-22 15:10:00  letter.txt`.
pub(crate) fn long_line(entry: &Entry, names: Names, zone: &TimeZone) -> Vec<u8> {
    let size = size(&entry.kind, entry.size).map_or("-".to_owned(), |size| size.to_string());
    let time = entry.modified.map_or("-".to_owned(), |modified| moment::local(modified, zone));
    let mut line = format!("{} {size:>SIZE_WIDTH$}  {time:<TIME_WIDTH$}  ", letter(&entry.kind)).into_bytes();
    line.extend(short_line(entry, names));
    if let EntryKind::Link { target: Some(target) } = &entry.kind {
        line.extend(b" -> ");
        line.extend(names.write(target));
    }
    line
}

/// What is known, a line each: key, then value.
pub(crate) fn properties(facts: &Facts, zone: &TimeZone) -> String {
    let mut lines = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(lines, "{key:<9} {value}");
    };
    line("kind", word(&facts.kind).to_owned());
    if let EntryKind::Link { target: Some(target) } = &facts.kind {
        line("target", escaped(target).to_string());
    }
    if let Some(size) = size(&facts.kind, facts.size) {
        let exact = if size < 1024 { String::new() } else { format!(" ({})", super::quantity::bytes(size)) };
        line("size", format!("{size}{exact}"));
    }
    if let Some(modified) = facts.modified {
        line("modified", moment::in_full(modified, zone));
    }
    if let Some(mode) = facts.mode {
        line("mode", format!("{mode:04o}"));
    }
    for (key, value) in [("owner", &facts.owner), ("group", &facts.group), ("perm", &facts.perm)] {
        if let Some(value) = value {
            line(key, escaped(value.as_bytes()).to_string());
        }
    }
    if let Some(unique) = &facts.unique {
        line("unique", escaped(unique).to_string());
    }
    lines
}

/// One entry for programs. What is not known is missing.
#[derive(Debug, Serialize)]
pub(crate) struct Json {
    event: &'static str,
    url: String,
    name: String,
    /// The bytes in hexadecimal digits, where they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    perm: Option<String>,
}

impl Json {
    /// What is at this URL, under this name: an entry's own name, or the path that was asked for.
    pub(crate) fn new(url: String, name: &[u8], facts: &Facts) -> Json {
        let (name, name_bytes) = name_and_bytes(name);
        let modified = facts.modified.and_then(moment::exact);
        Json {
            event: "entry",
            url,
            name,
            name_bytes,
            kind: word(&facts.kind),
            target: match &facts.kind {
                EntryKind::Link { target: Some(target) } => Some(name_and_bytes(target).0),
                _ => None,
            },
            size: size(&facts.kind, facts.size),
            precision: facts.modified.filter(|_| modified.is_some()).map(|modified| {
                match modified.precision {
                    Precision::Subsecond => "subsecond",
                    Precision::Second => "second",
                    Precision::Minute => "minute",
                    Precision::Day => "day",
                }
            }),
            modified,
            mode: facts.mode.map(|mode| format!("{mode:04o}")),
            owner: facts.owner.clone(),
            group: facts.group.clone(),
            perm: facts.perm.clone(),
        }
    }
}

/// A name for JSON: as it is where it is UTF-8, else escaped, with its bytes in hexadecimal digits beside it.
pub(crate) fn name_and_bytes(name: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(name) {
        Ok(name) => (name.to_owned(), None),
        Err(_) => (escaped(name).to_string(), Some(name.iter().map(|byte| format!("{byte:02x}")).collect())),
    }
}

/// The size of a file; of anything else it says nothing about bytes that could be had.
fn size(kind: &EntryKind, size: Option<u64>) -> Option<u64> {
    size.filter(|_| matches!(kind, EntryKind::File | EntryKind::Unknown))
}

/// What is known of an entry beside its name.
pub(crate) fn facts(entry: Entry) -> Facts {
    let Entry { name: _, kind, size, modified, mode, owner, group, perm, unique } = entry;
    Facts { kind, size, modified, mode, owner, group, perm, unique }
}

fn letter(kind: &EntryKind) -> char {
    match kind {
        EntryKind::File => '-',
        EntryKind::Folder => 'd',
        EntryKind::Link { .. } => 'l',
        EntryKind::Other => 'o',
        EntryKind::Unknown => '?',
    }
}

/// What an entry is, in a word.
pub(crate) fn word(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Folder => "folder",
        EntryKind::Link { .. } => "link",
        EntryKind::Other => "other",
        EntryKind::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_ftp_client::{EntryName, Modified};

    fn entry(name: &[u8], kind: EntryKind) -> Entry {
        Entry {
            name: EntryName::parse(name).unwrap(),
            kind,
            size: Some(11),
            modified: Some(Modified { unix_s: 1_795_360_200, nanos: 0, precision: Precision::Second }),
            mode: Some(0o644),
            owner: Some("alice".to_owned()),
            group: None,
            perm: Some("adfrw".to_owned()),
            unique: None,
        }
    }

    fn text(line: Vec<u8>) -> String {
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_stand_in_columns() {
        let zone = TimeZone::UTC;
        let line = |entry: &Entry| text(long_line(entry, Names::Escaped, &zone));
        let file = entry(b"letter.txt", EntryKind::File);
        assert_eq!(line(&file), "-            11  2026-11-22 15:10:00  letter.txt");
        assert_eq!(line(&entry(b"in", EntryKind::Folder)), "d             -  2026-11-22 15:10:00  in/");
        let link = entry(b"l", EntryKind::Link { target: Some(b"a\x1bb".to_vec()) });
        assert_eq!(line(&link), "l             -  2026-11-22 15:10:00  l -> a\\u{1b}b");
        let day = Modified { unix_s: 1_795_305_600, nanos: 0, precision: Precision::Day };
        let old = Entry { size: Some(9_999_999_999_999), modified: Some(day), ..file.clone() };
        assert_eq!(line(&old), "- 9999999999999  2026-11-22           letter.txt");
        let bare = Entry { size: None, modified: None, ..entry(b"x", EntryKind::Unknown) };
        assert_eq!(line(&bare), "?             -  -                    x");
    }

    #[test]
    fn names_cannot_drive_a_terminal_and_are_whole_in_a_pipe() {
        let name = b"\x1b[2J\xff";
        let file = entry(name, EntryKind::File);
        assert_eq!(text(short_line(&file, Names::Escaped)), "\\u{1b}[2J\\xff");
        assert_eq!(short_line(&file, Names::AsTheyAre), name);
        let json = serde_json::to_string(&Json::new("ftpes://h/x".into(), name, &facts(file))).unwrap();
        assert!(json.contains(r#""name":"\\u{1b}[2J\\xff","name_bytes":"1b5b324aff""#), "{json}");
    }

    #[test]
    fn json_has_what_is_known_and_no_more() {
        let json = |entry: &Entry| {
            let facts = facts(entry.clone());
            serde_json::to_string(&Json::new("ftpes://h/a".into(), entry.name.as_bytes(), &facts)).unwrap()
        };
        assert_eq!(
            json(&entry("ä".as_bytes(), EntryKind::File)),
            r#"{"event":"entry","url":"ftpes://h/a","name":"ä","kind":"file","size":11,"modified":"2026-11-22T15:10:00Z","precision":"second","mode":"0644","owner":"alice","perm":"adfrw"}"#
        );
        let bare = Entry {
            size: None,
            modified: None,
            mode: None,
            owner: None,
            perm: None,
            ..entry(b"a", EntryKind::Folder)
        };
        assert_eq!(json(&bare), r#"{"event":"entry","url":"ftpes://h/a","name":"a","kind":"folder"}"#);
    }

    #[test]
    fn properties_are_keys_and_values() {
        let file = Entry { size: Some(5_138_022), ..entry(b"a", EntryKind::File) };
        assert_eq!(
            properties(&facts(file), &TimeZone::UTC),
            "kind      file\nsize      5138022 (4.9 MiB)\nmodified  2026-11-22 15:10:00 +00:00\nmode      0644\nowner     alice\nperm      adfrw\n"
        );
    }
}
