//! How are TYPE, MODE, STRU, OPTS, ALLO, REST and HELP read?

use super::{malformed, not_implemented};
use crate::hash::HashAlgorithm;
use crate::listing::FactSet;
use crate::reply::{Code, Reply};
use crate::server::{CompressionLevel, Representation, TransferMode};
use crate::verb::Verb;

/// What OPTS sets (RFC 2389 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opts {
    /// `UTF8 ON`: names are UTF-8, which they are anyhow.
    Utf8,
    /// `UTF8 OFF`: names are in the user's character set again.
    NotUtf8,
    /// `MLST fact;fact;`: the facts that MLST and MLSD show (RFC 3659 §7.9).
    Mlst(FactSet),
    /// `HASH`: asks for the algorithm, or chooses one (draft-bryan-ftpext-hash §3.2).
    Hash(Option<HashAlgorithm>),
    /// `MODE Z LEVEL n`: how hard compression works (draft-preston-ftpext-deflate §3.4).
    Deflate(CompressionLevel),
}

impl Opts {
    pub(super) fn read(argument: &[u8]) -> Result<Opts, Reply> {
        let (command, options) = split_at_space(argument);
        if command.eq_ignore_ascii_case(b"UTF8") || command.eq_ignore_ascii_case(b"UTF-8") {
            return match options.to_ascii_uppercase().as_slice() {
                b"" | b"ON" => Ok(Opts::Utf8),
                // RFC 2640 knows no OFF; it means something to users with a character set of their own.
                b"OFF" => Ok(Opts::NotUtf8),
                _ => Err(not_implemented(Verb::Opts)),
            };
        }
        // RFC 2389 §4 answers an option that is not understood with 501; RFC 3659 §7.9 likewise a space in the facts.
        if command.eq_ignore_ascii_case(b"MLST") && !options.contains(&b' ') {
            return Ok(Opts::Mlst(FactSet::named(options)));
        }
        if command.eq_ignore_ascii_case(b"HASH") {
            return match options {
                b"" => Ok(Opts::Hash(None)),
                name => {
                    HashAlgorithm::named(name).map(|named| Opts::Hash(Some(named))).ok_or_else(unknown_hash)
                }
            };
        }
        if command.eq_ignore_ascii_case(b"MODE") {
            return level(options).map(Opts::Deflate).ok_or_else(|| malformed(Verb::Opts));
        }
        Err(malformed(Verb::Opts))
    }
}

/// `501`, as draft-bryan-ftpext-hash §3.5 has it for an algorithm that is not known.
fn unknown_hash() -> Reply {
    let text = "No such algorithm, the choice has not changed; FEAT tells which there are.";
    Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, text)
}

/// The level of `Z LEVEL 6`.
fn level(options: &[u8]) -> Option<CompressionLevel> {
    let (mode, setting) = split_at_space(options);
    let (name, level) = split_at_space(setting);
    let level = (mode.eq_ignore_ascii_case(b"Z") && name.eq_ignore_ascii_case(b"LEVEL")).then_some(level)?;
    match level {
        [digit @ b'0'..=b'9'] => Some(CompressionLevel::of(digit - b'0')),
        _ => None,
    }
}

/// TYPE (RFC 959 §4.1.2). `A T` is `A N`, because nothing is printed here (RFC 1123 §4.1.2.2).
pub(super) fn representation(argument: &[u8]) -> Result<Representation, Reply> {
    match argument.to_ascii_uppercase().as_slice() {
        b"A" | b"A N" | b"A T" => Ok(Representation::Ascii),
        b"I" | b"L 8" => Ok(Representation::Image),
        [b'A' | b'E' | b'L', b' ', ..] | b"E" | b"L" => Err(not_implemented(Verb::Type)),
        _ => Err(malformed(Verb::Type)),
    }
}

/// MODE: stream, or stream compressed.
pub(super) fn mode(argument: &[u8]) -> Result<TransferMode, Reply> {
    match argument {
        [b'S' | b's'] => Ok(TransferMode::Stream),
        [b'Z' | b'z'] => Ok(TransferMode::Deflate),
        [letter] if letter.is_ascii_alphabetic() => Err(not_implemented(Verb::Mode)),
        _ => Err(malformed(Verb::Mode)),
    }
}

/// STRU: file structure alone.
pub(super) fn structure(argument: &[u8]) -> Result<(), Reply> {
    match argument {
        [b'F' | b'f'] => Ok(()),
        [letter] if letter.is_ascii_alphabetic() => Err(not_implemented(Verb::Stru)),
        _ => Err(malformed(Verb::Stru)),
    }
}

/// ALLO: `<bytes>`, perhaps ` R <record size>`.
pub(super) fn allocation(argument: &[u8]) -> Result<u64, Reply> {
    let (bytes, record) = split_at_space(argument);
    let record_size = match record {
        b"" => Some(0),
        [b'R' | b'r', b' ', size @ ..] => decimal(size),
        _ => None,
    };
    decimal(bytes).filter(|_| record_size.is_some()).ok_or_else(|| malformed(Verb::Allo))
}

/// LANG (RFC 2640 §4.2): English, whatever the region; the server's default without a tag.
pub(super) fn language(tag: &[u8]) -> Result<(), Reply> {
    if tag.is_empty() {
        return Ok(());
    }
    let mut parts = tag.split(|&byte| byte == b'-');
    let primary = parts.next().unwrap_or_default();
    let is_part = |part: &[u8]| (1..=8).contains(&part.len()) && part.iter().all(u8::is_ascii_alphanumeric);
    if !is_part(primary) || !primary.iter().all(u8::is_ascii_alphabetic) || !parts.all(is_part) {
        return Err(malformed(Verb::Lang));
    }
    if primary.eq_ignore_ascii_case(b"en") { Ok(()) } else { Err(not_implemented(Verb::Lang)) }
}

/// HELP's verb, if any.
pub(super) fn help(argument: &[u8]) -> Result<Option<Verb>, Reply> {
    match argument {
        b"" => Ok(None),
        name => Verb::named(name).map(Some).ok_or_else(|| malformed(Verb::Help)),
    }
}

/// A decimal number of at most 63 bits: an offset that every operating system can take.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    // SECURITY: no sign, no space, no silent wrap: "-1" and "99999999999999999999" are no offsets.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    i64::try_from(number).is_ok().then_some(number)
}

/// The word before the first space, and everything behind it.
pub(super) fn split_at_space(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |&byte| byte == b' ');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}
