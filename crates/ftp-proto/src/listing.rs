//! How does one entry of a directory look in LIST, NLST and MLSx?
//!
//! One entry at a time: a listing of a million entries needs no more memory than one of ten.

use std::fmt;

/// What a listing says about one entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryView<'a> {
    /// The name, as bytes; it must be [`presentable`].
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes.
    pub size: u64,
    /// Last modification, in seconds since 1970-01-01 00:00:00 UTC.
    pub modified_s: i64,
    /// The nanoseconds behind them.
    pub modified_ns: u32,
    /// When it was made, in the same form, where that is known.
    pub created: Option<(i64, u32)>,
    /// Permission bits of the operating system, where there is one.
    pub mode: Option<u32>,
    /// The operating system's numbers of user and group.
    pub owner: Option<(u32, u32)>,
    /// Number of hard links.
    pub links: u64,
    /// What this user may do with it.
    pub perm: Perm,
    /// Two numbers that are the same for two names of one file (device and inode, for instance).
    pub unique: Option<(u64, u64)>,
}

/// What an entry is (RFC 3659 §7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// `type=file`
    File,
    /// `type=dir`
    Directory,
    /// A symbolic link that is shown as such.
    Link,
    /// Device, socket, FIFO.
    Other,
    /// `type=cdir`: the directory being listed.
    CurrentDirectory,
    /// `type=pdir`: its parent.
    ParentDirectory,
}

impl EntryKind {
    const fn is_directory(self) -> bool {
        matches!(self, EntryKind::Directory | EntryKind::CurrentDirectory | EntryKind::ParentDirectory)
    }
}

/// A set of the `perm` letters (RFC 3659 §7.5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perm(u16);

/// A set of MLSx facts, chosen by OPTS MLST (RFC 3659 §7.9).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FactSet(u16);

impl fmt::Debug for FactSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.labels())
    }
}

macro_rules! perms {
    ($($name:ident = $bit:literal $letter:literal, $doc:literal;)*) => {
        /// The ten letters.
        impl Perm {
            $(#[doc = $doc] pub const $name: Perm = Perm(1 << $bit);)*
            const LETTERS: &'static [(Perm, u8)] = &[$((Perm::$name, $letter)),*];
        }
    };
}

perms! {
    APPEND = 0 b'a', "`a`: APPE may be used on the file.";
    CREATE = 1 b'c', "`c`: files may be created in the directory.";
    DELETE = 2 b'd', "`d`: it may be deleted.";
    ENTER = 3 b'e', "`e`: the directory may be entered.";
    RENAME = 4 b'f', "`f`: it may be renamed.";
    LIST = 5 b'l', "`l`: the directory may be listed.";
    MAKE_DIRECTORY = 6 b'm', "`m`: directories may be created in the directory.";
    PURGE = 7 b'p', "`p`: entries of the directory may be deleted.";
    READ = 8 b'r', "`r`: RETR may be used on the file.";
    WRITE = 9 b'w', "`w`: STOR may be used on the file.";
}

impl Perm {
    /// Nothing.
    pub const NONE: Perm = Perm(0);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Perm) -> Perm {
        Perm(self.0 | other.0)
    }

    /// Whether every letter of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Perm) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Perm {
    type Output = Perm;

    fn bitor(self, other: Perm) -> Perm {
        self.union(other)
    }
}

impl FromIterator<Perm> for Perm {
    fn from_iter<I: IntoIterator<Item = Perm>>(letters: I) -> Perm {
        letters.into_iter().fold(Perm::NONE, Perm::union)
    }
}

macro_rules! facts {
    ($($name:ident = $bit:literal $label:literal, $doc:literal;)*) => {
        /// The facts this server knows.
        impl FactSet {
            $(#[doc = $doc] pub const $name: FactSet = FactSet(1 << $bit);)*
            /// All of them.
            pub const ALL: FactSet = FactSet($((1 << $bit))|*);
            const LABELS: &'static [(FactSet, &'static str)] = &[$((FactSet::$name, $label)),*];
        }

        /// What stands in front of each one's value.
        mod label {
            $(pub(super) const $name: &[u8] = concat!($label, "=").as_bytes();)*
        }
    };
}

facts! {
    TYPE = 0 "Type", "`type` (RFC 3659 §7.5.1).";
    SIZE = 1 "Size", "`size` (RFC 3659 §7.5.7).";
    MODIFY = 2 "Modify", "`modify` (RFC 3659 §7.5.3).";
    CREATE = 3 "Create", "`create` (RFC 3659 §7.5.4).";
    PERM = 4 "Perm", "`perm` (RFC 3659 §7.5.5).";
    UNIQUE = 5 "Unique", "`unique` (RFC 3659 §7.5.2).";
    UNIX_MODE = 6 "UNIX.mode", "`UNIX.mode`, in octal (RFC 3659 §7.6).";
    UNIX_OWNER = 7 "UNIX.owner", "`UNIX.owner`, a number (RFC 3659 §7.6).";
    UNIX_GROUP = 8 "UNIX.group", "`UNIX.group`, a number (RFC 3659 §7.6).";
}

impl Default for FactSet {
    fn default() -> FactSet {
        // What clients show. When a file was made few of them do, and who wants that asks for it.
        FactSet(FactSet::ALL.0 & !FactSet::CREATE.0)
    }
}

impl FactSet {
    /// No fact at all: a line is a space and a name.
    pub const NONE: FactSet = FactSet(0);

    /// The set of the facts named in `a;b;c;`, in any case; unknown ones are passed over (RFC 3659 §7.9).
    #[must_use]
    pub fn named(list: &[u8]) -> FactSet {
        let names = list.split(|&byte| byte == b';').take(crate::limits::FACT_NAMES);
        names.fold(FactSet::NONE, |set, name| {
            let known = FactSet::LABELS.iter().find(|(_, label)| label.as_bytes().eq_ignore_ascii_case(name));
            known.map_or(set, |(fact, _)| set.union(*fact))
        })
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: FactSet) -> FactSet {
        FactSet(self.0 | other.0)
    }

    /// Whether every fact of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: FactSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// `Type;Size;`, as the answer to OPTS MLST wants it.
    #[must_use]
    pub fn labels(self) -> String {
        FactSet::LABELS.iter().filter(|(fact, _)| self.contains(*fact)).fold(
            String::new(),
            |mut text, (_, label)| {
                text.push_str(label);
                text.push(';');
                text
            },
        )
    }

    /// `Type*;Size;`, all facts known and the chosen ones starred, as FEAT wants it (RFC 3659 §7.8).
    #[must_use]
    pub fn starred(self) -> String {
        FactSet::LABELS.iter().fold(String::new(), |mut text, (fact, label)| {
            text.push_str(label);
            text.push_str(if self.contains(*fact) { "*;" } else { ";" });
            text
        })
    }
}

/// Whether a name may stand in a listing or a reply: not empty and without control bytes.
/// An entry whose name is not is left out by the caller.
#[must_use]
pub fn presentable(name: &[u8]) -> bool {
    // SECURITY: a CR LF in a name that stands on the disk would forge an entry, or in STAT a reply.
    !name.is_empty() && !name.iter().any(|byte| byte.is_ascii_control())
}

/// Appends one line of LIST, shaped as `ls -l` prints it in the C locale with UTC, ended by CR LF.
pub fn long(line: &mut Vec<u8>, entry: &EntryView<'_>, now_s: i64) {
    long_entry(line, entry, now_s);
    line.extend_from_slice(b"\r\n");
}

/// Appends one line of NLST: the name, ended by CR LF.
pub fn names(line: &mut Vec<u8>, entry: &EntryView<'_>) {
    line.extend_from_slice(entry.name);
    line.extend_from_slice(b"\r\n");
}

/// Appends one line of MLSD: facts, a space, the name, ended by CR LF (RFC 3659 §7.2).
pub fn facts(line: &mut Vec<u8>, entry: &EntryView<'_>, set: FactSet) {
    facts_entry(line, entry, set);
    line.extend_from_slice(b"\r\n");
}

/// As [`long`] without the line end: a body line of the answer to STAT.
pub fn long_entry(line: &mut Vec<u8>, entry: &EntryView<'_>, now_s: i64) {
    let time = Civil::from_unix(entry.modified_s);
    let month = MONTHS.get(usize::from(time.month.saturating_sub(1))).copied().unwrap_or("Jan");
    line.push(type_letter(entry.kind));
    line.extend_from_slice(&mode_letters(entry));
    line.push(b' ');
    push_number::<10>(line, entry.links, 4, b' ');
    line.extend_from_slice(b" ftp      ftp      ");
    push_number::<10>(line, entry.size, 12, b' ');
    line.push(b' ');
    line.extend_from_slice(month.as_bytes());
    line.push(b' ');
    push_number::<10>(line, time.day.into(), 2, b' ');
    line.push(b' ');
    let recent = entry.modified_s <= now_s && now_s.saturating_sub(entry.modified_s) < HALF_A_YEAR_S;
    if recent {
        line.extend_from_slice(&two_digits(time.hour));
        line.push(b':');
        line.extend_from_slice(&two_digits(time.minute));
    } else {
        push_number::<10>(line, time.year.into(), 5, b' ');
    }
    line.push(b' ');
    line.extend_from_slice(entry.name);
}

/// As [`facts`] without the line end: the body line of the answer to MLST (RFC 3659 §7.5).
///
/// A folder of a million entries is made of these, so each label has a length that the compiler knows, and is not searched.
pub fn facts_entry(line: &mut Vec<u8>, entry: &EntryView<'_>, set: FactSet) {
    line.reserve(FACTS_ROOM + entry.name.len());
    if set.contains(FactSet::TYPE) {
        fact(line, label::TYPE, |line| line.extend_from_slice(type_val(entry.kind).as_bytes()));
    }
    if set.contains(FactSet::SIZE) && !entry.kind.is_directory() {
        fact(line, label::SIZE, |line| push_number::<10>(line, entry.size, 1, b'0'));
    }
    if set.contains(FactSet::MODIFY) {
        fact(line, label::MODIFY, |line| push_time_val(line, entry.modified_s, entry.modified_ns));
    }
    if set.contains(FactSet::CREATE)
        && let Some((seconds, nanoseconds)) = entry.created
    {
        fact(line, label::CREATE, |line| push_time_val(line, seconds, nanoseconds));
    }
    if set.contains(FactSet::PERM) {
        fact(line, label::PERM, |line| {
            line.extend(
                Perm::LETTERS.iter().filter(|(perm, _)| entry.perm.contains(*perm)).map(|(_, letter)| letter),
            );
        });
    }
    if set.contains(FactSet::UNIQUE)
        && let Some((space, file)) = entry.unique
    {
        fact(line, label::UNIQUE, |line| {
            push_number::<16>(line, space, 1, b'0');
            line.push(b'g');
            push_number::<16>(line, file, 1, b'0');
        });
    }
    if set.contains(FactSet::UNIX_MODE)
        && let Some(mode) = entry.mode
    {
        fact(line, label::UNIX_MODE, |line| push_number::<8>(line, (mode & 0o7777).into(), 4, b'0'));
    }
    if let Some((user, group)) = entry.owner {
        if set.contains(FactSet::UNIX_OWNER) {
            fact(line, label::UNIX_OWNER, |line| push_number::<10>(line, user.into(), 1, b'0'));
        }
        if set.contains(FactSet::UNIX_GROUP) {
            fact(line, label::UNIX_GROUP, |line| push_number::<10>(line, group.into(), 1, b'0'));
        }
    }
    line.push(b' ');
    line.extend_from_slice(entry.name);
}

/// Appends `label=value;`.
#[inline]
fn fact(line: &mut Vec<u8>, label: &'static [u8], value: impl FnOnce(&mut Vec<u8>)) {
    line.extend_from_slice(label);
    value(line);
    line.push(b';');
}

/// A time as MDTM and the `modify` fact write it: `YYYYMMDDHHMMSS`, in UTC, with milliseconds where there are any
/// (RFC 3659 §2.3).
#[must_use]
pub fn time_val(seconds: i64, nanoseconds: u32) -> String {
    let mut digits = Vec::with_capacity(18);
    push_time_val(&mut digits, seconds, nanoseconds);
    digits.into_iter().map(char::from).collect()
}

fn push_time_val(line: &mut Vec<u8>, seconds: i64, nanoseconds: u32) {
    let time = Civil::from_unix(seconds);
    let [[a, b], [c, d]] = [time.year / 100, time.year % 100].map(|half| two_digits(half.to_le_bytes()[0]));
    let [[e, f], [g, h]] = [time.month, time.day].map(two_digits);
    let [[i, j], [k, l], [m, n]] = [time.hour, time.minute, time.second].map(two_digits);
    line.extend_from_slice(&[a, b, c, d, e, f, g, h, i, j, k, l, m, n]);
    if let milliseconds @ 1.. = nanoseconds / 1_000_000 {
        line.push(b'.');
        push_number::<10>(line, milliseconds.into(), 3, b'0');
    }
}

/// Appends a number, with so much of `pad` before it that it is as wide as `width`. A folder of a million entries is made of
/// them, so no formatter is asked.
fn push_number<const RADIX: u64>(line: &mut Vec<u8>, number: u64, width: usize, pad: u8) {
    // An u64 has 20 decimal digits and 22 octal ones.
    let mut text = [pad; 24];
    let (mut rest, mut count) = (number, 0);
    for byte in text.iter_mut().rev() {
        let digit = (rest % RADIX).to_le_bytes()[0];
        *byte = if digit < 10 { b'0' + digit } else { b'a' + (digit - 10) };
        rest /= RADIX;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    match text.get(text.len() - width.max(count)..).unwrap_or(&text) {
        // Most numbers of a listing are as short as this, and a byte needs no copying.
        [digit] => line.push(*digit),
        digits => line.extend_from_slice(digits),
    }
}

/// A number below a hundred.
fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

const fn type_val(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "dir",
        EntryKind::CurrentDirectory => "cdir",
        EntryKind::ParentDirectory => "pdir",
        EntryKind::Link => "OS.unix=symlink",
        EntryKind::Other => "OS.unix=special",
    }
}

const fn type_letter(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::File => b'-',
        EntryKind::Directory | EntryKind::CurrentDirectory | EntryKind::ParentDirectory => b'd',
        EntryKind::Link => b'l',
        EntryKind::Other => b's',
    }
}

/// The nine letters of `ls -l`, set-id and sticky bits among them.
fn mode_letters(entry: &EntryView<'_>) -> [u8; 9] {
    let mode = entry.mode.unwrap_or(if entry.kind.is_directory() { 0o755 } else { 0o644 });
    let has = |bit: u32| mode & bit != 0;
    let triple = |shift: u32, special: u32, with_execute: u8, without: u8| {
        let execute = match (has(special), has(0o1 << shift)) {
            (true, true) => with_execute,
            (true, false) => without,
            (false, true) => b'x',
            (false, false) => b'-',
        };
        [if has(0o4 << shift) { b'r' } else { b'-' }, if has(0o2 << shift) { b'w' } else { b'-' }, execute]
    };
    let [a, b, c] = triple(6, 0o4000, b's', b'S');
    let [d, e, f] = triple(3, 0o2000, b's', b'S');
    let [g, h, i] = triple(0, 0o1000, b't', b'T');
    [a, b, c, d, e, f, g, h, i]
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the facts of one entry take as a rule, in bytes.
const FACTS_ROOM: usize = 160;

/// Half a mean Gregorian year; within it `ls -l` shows the time of day, else the year.
const HALF_A_YEAR_S: i64 = 31_556_952 / 2;

const DAY_S: i64 = 86_400;

/// 9999-12-31 23:59:59 UTC: a year of five digits fits neither format.
const LAST_S: i64 = 253_402_300_799;

/// A moment of the Gregorian calendar, in UTC.
struct Civil {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Civil {
    /// Days are counted in eras of 400 years that begin on 1 March, so that the leap day is a year's last.
    /// Moments before 1970 and behind 9999 are taken for the nearest that can be written.
    fn from_unix(seconds: i64) -> Civil {
        let seconds = seconds.clamp(0, LAST_S);
        // Smaller numbers are cheaper to divide.
        let part = |number: i64| u32::try_from(number).unwrap_or_default();
        let (days, rest) = (part(seconds / DAY_S) + 719_468, part(seconds % DAY_S));
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let small = |number: u32| u8::try_from(number).unwrap_or_default();
        Civil {
            year: u16::try_from(era * 400 + year_of_era + u32::from(month <= 2)).unwrap_or_default(),
            month: small(month),
            day: small(day),
            hour: small(rest / 3_600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }
}

#[cfg(test)]
mod tests;
