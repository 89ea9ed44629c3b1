//! Which facts of a file does a client set? MFMT, MFF, MDTM with a time (draft-somers-ftp-mfxx), and SITE's forms of them.

use std::fmt;

use super::parameter::split_at_space;
use super::{PathArgument, malformed, not_implemented};
use crate::client::moment;
use crate::listing::{self, FactSet};
use crate::reply::{Code, Reply};
use crate::verb::Verb;

/// Facts to set, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFacts {
    /// The file or directory.
    pub path: PathArgument,
    /// What to set; at least one fact.
    pub changes: FactChanges,
}

/// The facts that can be set, each where it is to change.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct FactChanges {
    /// `Modify`: seconds since 1970-01-01 00:00:00 UTC, never before that, and nanoseconds.
    pub modify: Option<(i64, u32)>,
    /// `UNIX.mode`: 0 to 0o777.
    pub unix_mode: Option<u16>,
}

impl FactChanges {
    /// Which facts are to change.
    #[must_use]
    pub fn facts(&self) -> FactSet {
        let modify = self.modify.map_or(FactSet::NONE, |_| FactSet::MODIFY);
        modify.union(self.unix_mode.map_or(FactSet::NONE, |_| FactSet::UNIX_MODE))
    }

    const fn modify(time: (i64, u32)) -> FactChanges {
        FactChanges { modify: Some(time), unix_mode: None }
    }

    const fn unix_mode(mode: u16) -> FactChanges {
        FactChanges { modify: None, unix_mode: Some(mode) }
    }
}

impl fmt::Debug for FactChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((seconds, nanoseconds)) = self.modify {
            write!(f, "Modify={};", listing::time_val(seconds, nanoseconds))?;
        }
        self.unix_mode.map_or(Ok(()), |mode| write!(f, "UNIX.mode={mode:04o};"))
    }
}

/// `MFMT time path` (draft-somers-ftp-mfxx §3.1).
pub(super) fn mfmt(argument: &[u8]) -> Result<SetFacts, Reply> {
    timed(argument).ok_or_else(|| malformed(Verb::Mfmt))
}

/// What `MDTM time path` sets in servers older than MFMT, if it reads so; its own argument may as well be one odd name.
pub(super) fn mdtm(argument: &[u8]) -> Option<SetFacts> {
    timed(argument)
}

/// `MFF fact=value;... path` (draft-somers-ftp-mfxx §5.1).
pub(super) fn mff(argument: &[u8]) -> Result<SetFacts, Reply> {
    let (facts, path) = split_at_space(argument);
    let path = PathArgument::new(path).ok_or_else(|| malformed(Verb::Mff))?;
    let mut changes = FactChanges::default();
    for fact in facts.strip_suffix(b";").unwrap_or(facts).split(|&byte| byte == b';') {
        let mut halves = fact.splitn(2, |&byte| byte == b'=');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
            return Err(malformed(Verb::Mff));
        };
        let twice = match FactSet::named(name) {
            FactSet::MODIFY => {
                let time = time_val(value).ok_or_else(|| malformed(Verb::Mff))?;
                changes.modify.replace(time).is_some()
            }
            FactSet::UNIX_MODE => {
                let mode = unix_mode(value, || malformed(Verb::Mff))?;
                changes.unix_mode.replace(mode).is_some()
            }
            // Known to MLST or not: nothing else can be set (§5.5). Which one it was the client knows.
            _ => return Err(not_implemented(Verb::Mff)),
        };
        if twice {
            return Err(malformed(Verb::Mff));
        }
    }
    Ok(SetFacts { path, changes })
}

/// `SITE CHMOD mode path`.
pub(super) fn chmod(argument: &[u8], malformed: impl Fn() -> Reply) -> Result<SetFacts, Reply> {
    let (mode, path) = split_at_space(argument);
    let path = PathArgument::new(path).ok_or_else(&malformed)?;
    Ok(SetFacts { path, changes: FactChanges::unix_mode(unix_mode(mode, malformed)?) })
}

/// `SITE UTIME`, in the form of five arguments where it can be read so, else in that of two. Of the three times of the
/// longer form only the second is used: nothing else is told of the others again.
pub(super) fn utime(argument: &[u8]) -> Option<SetFacts> {
    five_arguments(argument).or_else(|| {
        let (time, path) = split_at_space(argument);
        Some(SetFacts { path: PathArgument::new(path)?, changes: FactChanges::modify(utime_val(time)?) })
    })
}

/// `path accessed modified created UTC`, read from its end, because a path may hold spaces.
fn five_arguments(argument: &[u8]) -> Option<SetFacts> {
    let (rest, zone) = split_at_last_space(argument)?;
    let (rest, created) = split_at_last_space(rest)?;
    let (rest, modified) = split_at_last_space(rest)?;
    let (path, accessed) = split_at_last_space(rest)?;
    utime_val(created).and(utime_val(accessed)).filter(|_| zone.eq_ignore_ascii_case(b"UTC"))?;
    Some(SetFacts { path: PathArgument::new(path)?, changes: FactChanges::modify(utime_val(modified)?) })
}

/// A time and, behind the one space, a path.
fn timed(argument: &[u8]) -> Option<SetFacts> {
    let (time, path) = split_at_space(argument);
    Some(SetFacts { path: PathArgument::new(path)?, changes: FactChanges::modify(time_val(time)?) })
}

/// `YYYYMMDDHHMMSS[.sss]`, a moment of the calendar from 1970 on: times before that no listing can tell.
fn time_val(text: &[u8]) -> Option<(i64, u32)> {
    let strict = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let moment = moment(text).filter(|moment| strict && moment.unix_s >= 0)?;
    Some((moment.unix_s, moment.nanos))
}

/// The same, perhaps without seconds, as SITE UTIME has it.
fn utime_val(text: &[u8]) -> Option<(i64, u32)> {
    if text.len() == 12 { time_val(&[text, b"00"].concat()) } else { time_val(text) }
}

/// Up to four octal digits.
fn unix_mode(text: &[u8], malformed: impl Fn() -> Reply) -> Result<u16, Reply> {
    let octal = !text.is_empty() && text.len() <= 4 && text.iter().all(|byte| matches!(byte, b'0'..=b'7'));
    match text.iter().fold(0, |mode: u16, byte| mode << 3 | u16::from(byte & 7)) {
        mode @ 0..=0o777 if octal => Ok(mode),
        _ if octal => Err(Reply::new(
            Code::ARGUMENT_NOT_IMPLEMENTED,
            "Set-user-id, set-group-id and sticky bits are not set by clients: 000 to 777.",
        )),
        _ => Err(malformed()),
    }
}

/// Everything before the last space, and the word behind it.
fn split_at_last_space(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, behind) = text.split_at_checked(text.iter().rposition(|&byte| byte == b' ')?)?;
    Some((before, behind.get(1..)?))
}
