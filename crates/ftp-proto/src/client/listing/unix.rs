//! How is a line of `ls -l` read?
//!
//! ```text
//!    -rw-r--r--+   1 alice    Domain Users     1234 Nov 22 15:10  name with spaces
//!    └───┬────┘│   │ └─────────┬─────────┘     └┬─┘ └────┬─────┘│└───────┬───────┘
//!    kind, mode│ links   owner and group       size    date     │   the rest of the line
//!             ACL                                           one blank
//! ```
//!
//! No column stands at the same place everywhere; links, owner and group may be missing or hold spaces. What every server
//! has is a date in a form that hardly anything else has, so the line is read from there to both sides.

use super::super::entry::EntryKind;
use super::super::facts::{Facts, text};
use super::super::moment::{Modified, decimal};
use super::date::{self, is_blank, word};

/// Words between mode and date that are looked at: links, an owner and a group with a space in each, and the two numbers of
/// a device. Further on a name would be searched for dates.
const WORDS: usize = 7;

/// Place of the size among them where no column is missing.
const SIZE: usize = 3;

/// The name in the line, which is not checked yet, and everything else.
pub(super) fn read(line: &[u8], now_unix_s: i64) -> Option<(&[u8], Facts)> {
    let (letters, behind_letters) = word(line)?;
    let (kind, mode) = kind_and_mode(letters)?;
    let Columns { owners, size, modified, behind } = columns(behind_letters, now_unix_s)?;
    // One blank alone parts date and name: a second one belongs to the name.
    let name = match behind {
        [blank, name @ ..] if is_blank(*blank) => name,
        _ => behind,
    };
    let (name, kind) = if kind == (EntryKind::Link { target: None }) { link(name) } else { (name, kind) };
    // In the column of a device's size stands its number.
    let size = size.filter(|_| kind != EntryKind::Other);
    let (owner, group) = owner_and_group(owners);
    Some((
        name,
        Facts { kind, size, modified: Some(modified), mode: Some(mode), owner, group, ..Facts::default() },
    ))
}

/// A line behind its mode, taken apart at the date.
struct Columns<'l> {
    /// Links, owner and group; nothing where they cannot be told from the size.
    owners: &'l [u8],
    size: Option<u64>,
    modified: Modified,
    behind: &'l [u8],
}

/// A word, and what stands behind it.
type Word<'l> = (&'l [u8], &'l [u8]);

/// Finds the date: behind a size at the usual place, else behind the first number that has one behind it, else behind the
/// first word that has: a size that is grown together with the group before it, say, is unknown rather than guessed.
fn columns<'l>(text: &'l [u8], now_unix_s: i64) -> Option<Columns<'l>> {
    let mut rest = text;
    let words: [Option<Word<'_>>; WORDS] = std::array::from_fn(|_| {
        let next = word(rest)?;
        rest = next.1;
        Some(next)
    });
    let words = || words.into_iter().flatten();
    let behind_number = |(number, rest): Word<'l>| {
        let size = decimal(number)?;
        let (modified, behind) = date::unix(rest, now_unix_s)?;
        let owners = text.get(..text.len() - rest.len() - number.len())?;
        Some(Columns { owners, size: Some(size), modified, behind })
    };
    let behind_word = |(_, rest): Word<'l>| {
        let (modified, behind) = date::unix(rest, now_unix_s)?;
        Some(Columns { owners: &[], size: None, modified, behind })
    };
    let usual = words().nth(SIZE).and_then(behind_number);
    usual.or_else(|| words().find_map(behind_number)).or_else(|| words().find_map(behind_word))
}

/// The first column: a letter for the kind, nine for the permissions, perhaps a mark for more of them behind.
fn kind_and_mode(column: &[u8]) -> Option<(EntryKind, u32)> {
    let (letter, rest) = column.split_first()?;
    let kind = match letter {
        b'-' => EntryKind::File,
        b'd' => EntryKind::Folder,
        b'l' => EntryKind::Link { target: None },
        // SECURITY: what is not surely a file is never retrieved: a FIFO or a device has no end. Block, character, FIFO,
        // socket, door, event port, network special file, white-out.
        b'b' | b'c' | b'p' | b's' | b'D' | b'P' | b'n' | b'w' => EntryKind::Other,
        _ => return None,
    };
    let (mode, mark) = rest.split_at_checked(9)?;
    // ACL, SELinux context, extended attributes.
    if !matches!(mark, [] | [b'+' | b'.' | b'@']) {
        return None;
    }
    let triples = mode.chunks_exact(3).zip([6, 3, 0]);
    let mode = triples
        .map(|(triple, shift)| permissions(triple, shift))
        .try_fold(0, |sum, bits| Some(sum | bits?))?;
    Some((kind, mode))
}

/// `rwx` of owner (shift 6), group (3) or others (0), with the set-id or sticky bit that shows in the place of `x`.
fn permissions(triple: &[u8], shift: u32) -> Option<u32> {
    let &[read, write, execute] = triple else { return None };
    let read = match read {
        b'r' => 0o4,
        b'-' => 0,
        _ => return None,
    };
    let write = match write {
        b'w' => 0o2,
        b'-' => 0,
        _ => return None,
    };
    let (execute, special) = match execute {
        b'x' => (0o1, 0),
        b'-' => (0, 0),
        b's' | b't' => (0o1, 1),
        // Solaris shows mandatory locking, set-group-id without execution, as `l` or `L`.
        b'S' | b'T' | b'l' | b'L' => (0, 1),
        _ => return None,
    };
    // Set-user-id, set-group-id and sticky stand in the order of the triples.
    Some((read | write | execute) << shift | special << (9 + shift / 3))
}

/// `links owner group`, of which any may be missing and owner and group may be numbers. What stands behind the owner is the
/// group, with its spaces.
fn owner_and_group(columns: &[u8]) -> (Option<String>, Option<String>) {
    let columns = without_major(columns.trim_ascii());
    let Some((first, behind_first)) = word(columns) else { return (None, None) };
    let columns = if decimal(first).is_some() { behind_first } else { columns };
    let Some((owner, group)) = word(columns) else { return (None, None) };
    (text(owner), text(group.trim_ascii()))
}

/// Without the first number of a device, `8,`; the second stands where a file has its size.
fn without_major(columns: &[u8]) -> &[u8] {
    match columns.iter().rposition(|byte| is_blank(*byte)) {
        Some(blank) if columns.ends_with(b",") => columns.get(..blank).unwrap_or_default(),
        _ => columns,
    }
}

/// `name -> target`.
fn link(text: &[u8]) -> (&[u8], EntryKind) {
    const ARROW: &[u8] = b" -> ";
    let Some(at) = text.windows(ARROW.len()).position(|four| four == ARROW) else {
        return (text, EntryKind::Link { target: None });
    };
    let target = text.get(at + ARROW.len()..).filter(|target| !target.is_empty()).map(<[u8]>::to_vec);
    (text.get(..at).unwrap_or_default(), EntryKind::Link { target })
}
