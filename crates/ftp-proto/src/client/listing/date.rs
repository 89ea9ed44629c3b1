//! Which words of a LIST line are its date, and what moment is it?
//!
//! ```text
//!    Nov 22 15:10                        this year or the last       Precision::Minute
//!    Nov 22  2026      22 Nov 2026                                   Precision::Day
//!    Nov 22 15:10:07 2026                                            Precision::Minute
//!    2026-11-22 15:10  2026-11-22 15:10:07                           Precision::Minute
//!    2026-11-22 15:10:07 +0100                                       UTC, Precision::Second
//!    2026-11-22 15:10:07.123456789 +0100                             UTC, Precision::Subsecond
//!    11-22-26  03:10PM     11/22/2026 15:10     2026-11-22 15:10     DOS, Precision::Minute
//! ```

use super::super::moment::{Date, Modified, Precision, decimal, nanoseconds, without_year};

/// The next word and what stands behind it. Words are parted by spaces and tabs.
pub(super) fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| !is_blank(*byte))?;
    let text = text.get(start..)?;
    let end = text.iter().position(|byte| is_blank(*byte)).unwrap_or(text.len());
    text.split_at_checked(end)
}

pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The date at the beginning of `text`, as `ls` prints it, and what stands behind.
pub(super) fn unix(text: &[u8], now_unix_s: i64) -> Option<(Modified, &[u8])> {
    let (first, rest) = word(text)?;
    if let Some(date) = iso_day(first) {
        return iso(date, rest);
    }
    let (second, rest) = word(rest)?;
    let (month, day) = match month(first) {
        Some(month) => (month, number(second, 1, 2)?),
        None => (month(second)?, number(first, 1, 2)?),
    };
    let (third, behind) = word(rest)?;
    if let Some(year) = year(third) {
        return Some((local(Date { year, month, day }.at(0, 0, 0)?, Precision::Day), behind));
    }
    match time(third)? {
        Time { hour, minute, second: None, .. } => {
            let unix_s = without_year(month, day, hour, minute, now_unix_s)?;
            Some((local(unix_s, Precision::Minute), behind))
        }
        // `ls -T` of the BSDs: only with a year behind it does the time have seconds.
        Time { hour, minute, second: Some(second), .. } => {
            let (fourth, behind) = word(behind)?;
            let date = Date { year: year(fourth)?, month, day };
            Some((local(date.at(hour, minute, second)?, Precision::Minute), behind))
        }
    }
}

/// The date at the beginning of `text`, as `dir` of DOS prints it, and what stands behind.
pub(super) fn dos(text: &[u8]) -> Option<(Modified, &[u8])> {
    let (day, rest) = word(text)?;
    let date = iso_day(day).or_else(|| american_day(day))?;
    let (clock, mut rest) = word(rest)?;
    let (clock, mut half) = match clock.iter().position(u8::is_ascii_alphabetic) {
        Some(at) => clock.split_at_checked(at)?,
        None => (clock, &b""[..]),
    };
    if half.is_empty()
        && let Some((next, behind)) = word(rest)
        && is_half(next)
    {
        (half, rest) = (next, behind);
    }
    let Time { hour, minute, second, .. } = time(clock)?;
    let hour = match half.to_ascii_uppercase().as_slice() {
        b"" => hour,
        b"AM" | b"A" if (1..=12).contains(&hour) => hour % 12,
        b"PM" | b"P" if (1..=12).contains(&hour) => hour % 12 + 12,
        _ => return None,
    };
    Some((local(date.at(hour, minute, second.unwrap_or(0))?, Precision::Minute), rest))
}

fn is_half(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"AM") || word.eq_ignore_ascii_case(b"PM")
}

const fn local(unix_s: i64, precision: Precision) -> Modified {
    Modified { unix_s, nanos: 0, precision }
}

/// `15:10`, `15:10:07`, `15:10:07 +0100` (BusyBox) or `15:10:07.5 +0100` (GNU) behind a day.
fn iso(date: Date, text: &[u8]) -> Option<(Modified, &[u8])> {
    let (clock, behind) = word(text)?;
    let Time { hour, minute, second, nanos } = time(clock)?;
    let unix_s = date.at(hour, minute, second.unwrap_or(0))?;
    let zoned =
        word(behind).filter(|_| second.is_some()).and_then(|(word, behind)| Some((zone(word)?, behind)));
    match (zoned, nanos) {
        (Some((east_s, behind)), None) => Some((Modified::second(unix_s - east_s), behind)),
        (Some((east_s, behind)), Some(nanos)) => {
            Some((Modified { unix_s: unix_s - east_s, nanos, precision: Precision::Subsecond }, behind))
        }
        (None, None) => Some((local(unix_s, Precision::Minute), behind)),
        // `ls --full-time`: a fraction always has a zone behind it.
        (None, Some(_)) => None,
    }
}

/// `Jan` to `Dec`, in any case.
fn month(word: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    MONTHS.iter().zip(1..).find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, month)| month)
}

/// Four digits that are no time before Unix, so that a size is less often taken for one.
fn year(word: &[u8]) -> Option<i64> {
    number(word, 4, 4).filter(|&year| year >= 1900)
}

/// `2026-11-22`.
fn iso_day(word: &[u8]) -> Option<Date> {
    let [year, month, day] = three(word, b'-')?;
    Some(Date { year: number(year, 4, 4)?, month: number(month, 2, 2)?, day: number(day, 2, 2)? })
}

/// `11-22-26` or `11/22/2026`. Where the first cannot be a month, it is the day.
fn american_day(word: &[u8]) -> Option<Date> {
    let [first, second, year] = three(word, b'-').or_else(|| three(word, b'/'))?;
    let year = match number(year, 2, 4)? {
        // As IIS has it: 1970 to 2069.
        short @ 0..70 if year.len() == 2 => 2000 + short,
        short if year.len() == 2 => 1900 + short,
        full if year.len() == 4 => full,
        _ => return None,
    };
    let (first, second) = (number(first, 1, 2)?, number(second, 1, 2)?);
    let (month, day) = if first > 12 { (second, first) } else { (first, second) };
    Some(Date { year, month, day })
}

/// A time of day as it stands there.
struct Time {
    hour: i64,
    minute: i64,
    second: Option<i64>,
    nanos: Option<u32>,
}

/// `15:10`, `9:05`, `15:10:07` or `15:10:07.123456789`.
fn time(word: &[u8]) -> Option<Time> {
    let mut parts = word.splitn(4, |&byte| byte == b':');
    let (hour, minute) = (number(parts.next()?, 1, 2)?, number(parts.next()?, 2, 2)?);
    let Some(seconds) = parts.next() else { return Some(Time { hour, minute, second: None, nanos: None }) };
    if parts.next().is_some() {
        return None;
    }
    let mut seconds = seconds.splitn(2, |&byte| byte == b'.');
    let second = Some(number(seconds.next()?, 2, 2)?);
    let nanos = match seconds.next() {
        Some(fraction) => Some(nanoseconds(fraction)?),
        None => None,
    };
    Some(Time { hour, minute, second, nanos })
}

/// `+0100`, in seconds east of UTC.
fn zone(word: &[u8]) -> Option<i64> {
    let (sign, digits) = word.split_first()?;
    let clock = number(digits, 4, 4).filter(|clock| clock % 100 < 60 && *clock < 2400)?;
    let east_s = clock / 100 * 3_600 + clock % 100 * 60;
    match sign {
        b'+' => Some(east_s),
        b'-' => Some(-east_s),
        _ => None,
    }
}

/// A number of at least and at most so many digits.
fn number(digits: &[u8], least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&digits.len());
    fits.then(|| decimal(digits)).flatten().and_then(|number| i64::try_from(number).ok())
}

/// Exactly three parts.
fn three(word: &[u8], separator: u8) -> Option<[&[u8]; 3]> {
    let mut parts = word.splitn(4, |&byte| byte == separator);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(first), Some(second), Some(third), None) => Some([first, second, third]),
        _ => None,
    }
}
