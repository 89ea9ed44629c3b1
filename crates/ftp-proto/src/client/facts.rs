//! How is a line of MLST or MLSD read? (RFC 3659 §7.2 to §7.6)
//!
//! ```text
//!    type=file;size=1234;modify=20261122151000;UNIX.mode=0644; two words
//!    └──────┬─────────────────────────────────────────────┘ │ └───┬────┘
//!     facts, in any order and any case;                 one space  every byte up to the line's end
//!     unknown ones mean nothing
//! ```

use super::entry::{Entry, EntryKind, EntryName};
use super::listing::Skip;
use super::moment::{Modified, decimal, moment};
use crate::limits;

/// What the facts of one line say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it is. Without a `type` fact [`EntryKind::Unknown`]: RFC 3659 has no default, and a guess would be believed.
    pub kind: EntryKind,
    /// `size`, or where there is none `sizd`: see [`Entry::size`].
    pub size: Option<u64>,
    /// `modify`.
    pub modified: Option<Modified>,
    /// `UNIX.mode`, of it the lowest twelve bits.
    pub mode: Option<u32>,
    /// `UNIX.ownername`, else `UNIX.owner`, else `UNIX.uid`.
    pub owner: Option<String>,
    /// `UNIX.groupname`, else `UNIX.group`, else `UNIX.gid`.
    pub group: Option<String>,
    /// `perm`.
    pub perm: Option<String>,
    /// `unique`.
    pub unique: Option<Vec<u8>>,
}

impl Facts {
    /// The entry of that name with these facts.
    #[must_use]
    pub fn named(self, name: EntryName) -> Entry {
        let Facts { kind, size, modified, mode, owner, group, perm, unique } = self;
        Entry { name, kind, size, modified, mode, owner, group, perm, unique }
    }
}

/// What a line of MLSx speaks of (RFC 3659 §7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Something by its own name.
    Entry,
    /// `type=cdir`: the folder that is listed.
    Current,
    /// `type=pdir`: the folder above it.
    Parent,
}

/// One line of MLST or MLSD, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactLine<'l> {
    /// What is said.
    pub facts: Facts,
    /// Of what.
    pub role: Role,
    /// The path as the server wrote it, unchecked: MLST may tell a name, a path, or nothing (RFC 3659 §7.3.1).
    pub path: &'l [u8],
}

impl FactLine<'_> {
    /// The entry that MLST was asked about: its name is the last component of the path, which may end in a slash.
    ///
    /// # Errors
    /// A [`Skip::Name`] where there is no such component; the root, `/`, has none.
    pub fn entry(self) -> Result<Entry, Skip> {
        let path = self.path.strip_suffix(b"/").unwrap_or(self.path);
        let component = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = EntryName::parse(component).map_err(Skip::Name)?;
        Ok(self.facts.named(name))
    }
}

/// Reads a body line of the answer to MLST. The one space before the facts may be missing (RFC 3659 §7.2 demands it, not
/// every server obeys).
///
/// ```
/// use carrack_ftp_proto::client::{EntryKind, facts_line};
/// let line = facts_line(b" Type=file;Size=1024990;Perm=r; /tmp/cap60.pl198.tar.gz").unwrap();
/// let entry = line.entry().unwrap();
/// assert_eq!(entry.name.as_bytes(), b"cap60.pl198.tar.gz");
/// assert_eq!((entry.kind, entry.size), (EntryKind::File, Some(1_024_990)));
/// ```
///
/// # Errors
/// [`Skip::Unreadable`] for a line without a space behind the facts, [`Skip::TooLong`] for one above
/// [`limits::LISTING_LINE`].
pub fn facts_line(line: &[u8]) -> Result<FactLine<'_>, Skip> {
    if line.len() > limits::LISTING_LINE {
        return Err(Skip::TooLong);
    }
    read(line.strip_prefix(b" ").unwrap_or(line))
}

/// Reads a line of MLSD: facts, a space, a name.
pub(super) fn read(line: &[u8]) -> Result<FactLine<'_>, Skip> {
    let end = line.iter().position(|&byte| byte == b' ').ok_or(Skip::Unreadable)?;
    let (facts, path) = line.split_at_checked(end).ok_or(Skip::Unreadable)?;
    let path = path.get(1..).unwrap_or_default();
    let mut told = Told::default();
    for fact in facts.split(|&byte| byte == b';').filter(|fact| !fact.is_empty()).take(limits::FACTS) {
        // A word without "=" is no fact, so the line is of another format.
        let equals = fact.iter().position(|&byte| byte == b'=').ok_or(Skip::Unreadable)?;
        let (name, value) =
            (fact.get(..equals).unwrap_or_default(), fact.get(equals + 1..).unwrap_or_default());
        told.hear(name, value);
    }
    let (facts, role) = told.facts();
    Ok(FactLine { facts, role, path })
}

/// The values of the facts that mean something here, as they stand in the line.
#[derive(Default)]
struct Told<'l> {
    kind: Option<&'l [u8]>,
    size: Option<&'l [u8]>,
    folder_size: Option<&'l [u8]>,
    modify: Option<&'l [u8]>,
    perm: Option<&'l [u8]>,
    unique: Option<&'l [u8]>,
    mode: Option<&'l [u8]>,
    owner: [Option<&'l [u8]>; 3],
    group: [Option<&'l [u8]>; 3],
}

impl<'l> Told<'l> {
    /// Keeps a value. A fact that is told twice counts the first time.
    fn hear(&mut self, name: &[u8], value: &'l [u8]) {
        let [owner_name, owner, uid] = &mut self.owner;
        let [group_name, group, gid] = &mut self.group;
        // Names of facts are compared without case (RFC 3659 §7.5).
        let place = match name.to_ascii_lowercase().as_slice() {
            b"type" => &mut self.kind,
            b"size" => &mut self.size,
            b"sizd" => &mut self.folder_size,
            b"modify" => &mut self.modify,
            b"perm" => &mut self.perm,
            b"unique" => &mut self.unique,
            b"unix.mode" => &mut self.mode,
            b"unix.ownername" => owner_name,
            b"unix.owner" => owner,
            b"unix.uid" => uid,
            b"unix.groupname" => group_name,
            b"unix.group" => group,
            b"unix.gid" => gid,
            _ => return,
        };
        place.get_or_insert(value);
    }

    fn facts(self) -> (Facts, Role) {
        let (kind, role) = self.kind.map_or((EntryKind::Unknown, Role::Entry), kind);
        let facts = Facts {
            kind,
            size: self.size.or(self.folder_size).and_then(decimal),
            modified: self.modify.and_then(moment),
            mode: self.mode.and_then(octal),
            owner: self.owner.into_iter().flatten().find_map(text),
            group: self.group.into_iter().flatten().find_map(text),
            perm: self.perm.and_then(letters),
            unique: self.unique.filter(|value| value.len() <= limits::FACT_VALUE).map(<[u8]>::to_vec),
        };
        (facts, role)
    }
}

/// The value of `type`. What is none of RFC 3659's own and no link of Unix is neither file nor folder.
fn kind(value: &[u8]) -> (EntryKind, Role) {
    let is = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
    if is("file") {
        (EntryKind::File, Role::Entry)
    } else if is("dir") {
        (EntryKind::Folder, Role::Entry)
    } else if is("cdir") {
        (EntryKind::Folder, Role::Current)
    } else if is("pdir") {
        (EntryKind::Folder, Role::Parent)
    } else {
        (link(value).unwrap_or(EntryKind::Other), Role::Entry)
    }
}

/// `OS.unix=slink:target` (RFC 3659 §7.7.4), `OS.unix=slink` or `OS.unix=symlink`, as servers write it; the operating
/// system may be another.
fn link(value: &[u8]) -> Option<EntryKind> {
    let (prefix, behind) = value.split_at_checked(3)?;
    let equals =
        behind.iter().position(|&byte| byte == b'=').filter(|_| prefix.eq_ignore_ascii_case(b"OS."))?;
    let mut parts = behind.get(equals + 1..)?.splitn(2, |&byte| byte == b':');
    let word = parts.next()?;
    let is_link = word.eq_ignore_ascii_case(b"slink") || word.eq_ignore_ascii_case(b"symlink");
    let target = parts.next().filter(|target| !target.is_empty()).map(<[u8]>::to_vec);
    is_link.then_some(EntryKind::Link { target })
}

/// `0644`, `644`, `0100644`, or `0o644` as pyftpdlib writes it.
fn octal(value: &[u8]) -> Option<u32> {
    let digits = value.strip_prefix(b"0o").unwrap_or(value);
    let mode = digits.iter().all(|byte| matches!(byte, b'0'..=b'7')).then_some(digits)?;
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
    Some(mode & 0o7777)
}

/// The letters of `perm`, as they are: pyftpdlib's capitals have meanings of their own, which the small letters of
/// RFC 3659 §7.5.5 do not have.
fn letters(value: &[u8]) -> Option<String> {
    let letters = value.len() <= limits::FACT_VALUE && value.iter().all(u8::is_ascii_alphabetic);
    letters.then(|| value.iter().map(|byte| char::from(*byte)).collect())
}

/// A user or group as text.
pub(super) fn text(value: &[u8]) -> Option<String> {
    if value.is_empty() || value.len() > limits::FACT_VALUE {
        return None;
    }
    Some(super::escaped(value).to_string())
}

#[cfg(test)]
mod tests;
