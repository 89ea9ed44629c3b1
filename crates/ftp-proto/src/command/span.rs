//! Which octets of a file are meant? RANG, and what stands behind the name in XCRC and its kin.

use super::parameter::{decimal, split_at_space};
use super::{Command, PathArgument, malformed};
use crate::hash::HashAlgorithm;
use crate::reply::Reply;
use crate::verb::Verb;

/// Octets of a file, counted from its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first that belongs to it.
    pub first: u64,
    /// The first behind it; `None` is the end of the file. Never before `first`.
    pub end: Option<u64>,
}

impl Span {
    /// Every octet.
    pub const WHOLE: Span = Span { first: 0, end: None };
}

/// RANG (draft-bryan-ftp-range §3): the first octet and the last. `1 0` takes a range back; any other whose end lies
/// before its begin is a `501`.
pub(super) fn range(argument: &[u8]) -> Result<Option<Span>, Reply> {
    let (first, last) = split_at_space(argument);
    match (decimal(first), decimal(last)) {
        (Some(1), Some(0)) => Ok(None),
        // Both have 63 bits: the octet behind the last has a number too.
        (Some(first), Some(last)) if first <= last => Ok(Some(Span { first, end: Some(last + 1) })),
        _ => Err(malformed(Verb::Rang)),
    }
}

/// `name`, or `"name" [<start> [<end>]]`, every quote of the name doubled. The end is the first octet that does not count,
/// as ProFTPD has it.
///
/// Without quotes everything is the name: `report 2024` is a file, and a number that was meant as a start leads to a
/// `550` instead of the hash of something else.
pub(super) fn hash_by_name(verb: Verb, algorithm: HashAlgorithm, argument: &[u8]) -> Result<Command, Reply> {
    let read = || {
        let Some(quoted) = argument.strip_prefix(b"\"") else {
            return Some((PathArgument::new(argument)?, Span::WHOLE));
        };
        let (name, rest) = unquote(quoted)?;
        let span = match rest {
            [] => Span::WHOLE,
            [b' ', numbers @ ..] => start_and_end(numbers)?,
            _ => return None,
        };
        Some((PathArgument::new(&name)?, span))
    };
    let (path, span) = read().ok_or_else(|| malformed(verb))?;
    Ok(Command::HashByName(algorithm, path, span))
}

fn start_and_end(numbers: &[u8]) -> Option<Span> {
    let (start, end) = split_at_space(numbers);
    let first = decimal(start)?;
    let end = if end.is_empty() { None } else { Some(decimal(end)?) };
    end.is_none_or(|end| first <= end).then_some(Span { first, end })
}

/// The name up to the closing quote, and what stands behind that.
fn unquote(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut name = Vec::new();
    let mut rest = quoted;
    loop {
        match rest {
            [b'"', b'"', behind @ ..] => {
                name.push(b'"');
                rest = behind;
            }
            [b'"', behind @ ..] => return Some((name, behind)),
            [byte, behind @ ..] => {
                name.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}
