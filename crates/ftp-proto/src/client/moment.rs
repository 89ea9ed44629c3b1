//! How are times and sizes read and written? (RFC 3659 §2.3, §3 and §4)

use crate::listing;

/// When something was last modified, and how exactly that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modified {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub unix_s: i64,
    /// The nanoseconds behind them, below 1,000,000,000.
    pub nanos: u32,
    /// How exact it is.
    pub precision: Precision,
}

/// How exact a time is, the most exact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// UTC, with a fraction of a second.
    Subsecond,
    /// UTC, to the second.
    Second,
    /// From LIST, to the minute or second, in the server's own time zone, which nobody tells: taken for UTC it may be up
    /// to fourteen hours off.
    Minute,
    /// From LIST, a day of the server's own calendar.
    Day,
}

impl Modified {
    /// A moment to the second.
    #[must_use]
    pub const fn second(unix_s: i64) -> Modified {
        Modified { unix_s, nanos: 0, precision: Precision::Second }
    }
}

/// Reads `YYYYMMDDHHMMSS[.sss]` in UTC: the answer to MDTM behind its `213`, and the `modify` fact (RFC 3659 §2.3).
/// Digits beyond nanoseconds are dropped.
///
/// The year 2000 as `19100`, which servers wrote that added a year count of three digits to "19", is refused, as is
/// everything that is no day of the calendar.
///
/// ```
/// use carrack_ftp_proto::client::moment;
/// let modified = moment(b"20261122151000.5").unwrap();
/// assert_eq!((modified.unix_s, modified.nanos), (1_795_360_200, 500_000_000));
/// assert_eq!(moment(b"191001122151000"), None);
/// ```
#[must_use]
pub fn moment(text: &[u8]) -> Option<Modified> {
    let text = text.trim_ascii();
    let (digits, fraction) = text.split_at_checked(14)?;
    let part =
        |from: usize, to: usize| digits.get(from..to).and_then(decimal).and_then(|n| i64::try_from(n).ok());
    let date = Date { year: part(0, 4).filter(|&year| year >= 1000)?, month: part(4, 6)?, day: part(6, 8)? };
    let unix_s = date.at(part(8, 10)?, part(10, 12)?, part(12, 14)?)?;
    match fraction {
        [] => Some(Modified::second(unix_s)),
        [b'.', fraction @ ..] => {
            Some(Modified { unix_s, nanos: nanoseconds(fraction)?, precision: Precision::Subsecond })
        }
        _ => None,
    }
}

/// Writes a moment as MFMT, MDTM and the `modify` fact have it: `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3). Moments before
/// 1970 and behind 9999 become the nearest that can be written.
#[must_use]
pub fn time_value(unix_s: i64) -> String {
    listing::time_val(unix_s, 0)
}

/// Reads the answer to SIZE behind its `213`: a number of bytes (RFC 3659 §4).
#[must_use]
pub fn size(text: &[u8]) -> Option<u64> {
    decimal(text.trim_ascii())
}

/// Decimal digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    // SECURITY: no sign, no silent wrap: a size of "-1" or of 2^64 is no size.
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The nanoseconds of the digits behind a decimal point.
pub(super) fn nanoseconds(fraction: &[u8]) -> Option<u32> {
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// A day of the Gregorian calendar, perhaps one that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Date {
    /// Seconds since 1970 of a time on that day; nothing where there is no such day or time. A leap second, `:60`, is the
    /// next minute's first.
    pub(super) fn at(self, hour: i64, minute: i64, second: i64) -> Option<i64> {
        let of_day = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
        (of_day && self.exists()).then(|| self.days() * 86_400 + hour * 3_600 + minute * 60 + second)
    }

    fn exists(self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let last = match self.month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (0..10_000).contains(&self.year) && (1..=12).contains(&self.month) && (1..=last).contains(&self.day)
    }

    /// Days since 1970-01-01, counted in eras of 400 years that begin on 1 March, so that the leap day is a year's last.
    fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month_from_march = (self.month + 9) % 12;
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }
}

/// The year of a day that was told without one: the latest in which the day exists and that is not more than a day ahead
/// of `now_unix_s`. A day of grace, because the server's clock and zone are its own.
pub(super) fn without_year(month: i64, day: i64, hour: i64, minute: i64, now_unix_s: i64) -> Option<i64> {
    let latest = now_unix_s.saturating_add(86_400);
    let year = 1970 + latest.div_euclid(31_556_952);
    // The mean year may be one short or long; eight steps, because 29 February may be that far (1896 to 1904).
    (0..=9)
        .filter_map(|back| Date { year: year + 1 - back, month, day }.at(hour, minute, 0))
        .find(|&unix_s| unix_s <= latest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_of_rfc_3659() {
        let second = |text: &str| moment(text.as_bytes()).map(|modified| (modified.unix_s, modified.nanos));
        for (text, expected) in [
            ("19700101000000", Some((0, 0))),
            ("20010909014640", Some((1_000_000_000, 0))),
            (" 20010909014640 ", Some((1_000_000_000, 0))),
            ("20000229120000.25", Some((951_825_600, 250_000_000))),
            ("20000229120000.1234567891", Some((951_825_600, 123_456_789))),
            ("19691231235959", Some((-1, 0))),
            ("10000101000000", Some((-30_610_224_000, 0))),
            ("99991231235959", Some((253_402_300_799, 0))),
            // A leap second.
            ("20161231235960", Some((1_483_228_800, 0))),
            // The year 2000 of servers that took "19" and counted on.
            ("191000229120000", None),
            ("19100022912000", None),
            ("2000022912000", None),
            ("20000229120000.", None),
            ("20000229120000,5", None),
            ("20000229120000.5x", None),
            ("20010229120000", None),
            ("21000229120000", None),
            ("20000431120000", None),
            ("20001301120000", None),
            ("20000001120000", None),
            ("20000100120000", None),
            ("20000101240000", None),
            ("20000101126000", None),
            ("20000101120061", None),
            ("09990101000000", None),
            ("+2000101120000", None),
            ("2000-01-01 12:", None),
            ("", None),
        ] {
            assert_eq!(second(text), expected, "{text}");
        }
        let precision = |text: &[u8]| moment(text).unwrap().precision;
        assert_eq!(precision(b"20000229120000"), Precision::Second);
        assert_eq!(precision(b"20000229120000.0"), Precision::Subsecond);
    }

    #[test]
    fn sizes_are_digits() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1234 ", Some(1234)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("+1", None),
            ("1 2", None),
            ("1,234", None),
            ("", None),
        ] {
            assert_eq!(size(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_date_without_a_year_is_the_last_that_was() {
        let at = |year, month, day, hour| Date { year, month, day }.at(hour, 0, 0).unwrap();
        for (now, (month, day), year) in [
            (at(2026, 11, 22, 16), (11, 22), 2026),
            (at(2026, 11, 22, 16), (11, 23), 2026),
            (at(2026, 11, 22, 16), (11, 24), 2025),
            (at(2026, 12, 31, 23), (1, 1), 2027),
            (at(2026, 1, 1, 0), (12, 31), 2025),
            (at(2026, 1, 1, 0), (1, 1), 2026),
            (at(2026, 3, 1, 0), (2, 29), 2024),
            (at(2024, 2, 28, 12), (2, 29), 2024),
            (at(1904, 2, 27, 0), (2, 29), 1896),
            (0, (7, 1), 1969),
        ] {
            assert_eq!(
                without_year(month, day, 12, 0, now),
                Some(at(year, month, day, 12)),
                "{month}-{day} at {now}"
            );
        }
        // Where the mean year is one short.
        assert_eq!(without_year(1, 1, 0, 0, at(2027, 12, 31, 0)), Some(at(2028, 1, 1, 0)));
        assert_eq!(without_year(2, 30, 0, 0, 0), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(unix_s in 0i64..253_402_300_800) {
            prop_assert_eq!(moment(time_value(unix_s).as_bytes()), Some(Modified::second(unix_s)));
        }

        #[test]
        fn any_bytes_are_read_without_harm(text: Vec<u8>, digits in "[0-9]{14}(\\.[0-9]{0,12})?") {
            let _ = (moment(&text), size(&text));
            prop_assert!(moment(digits.as_bytes()).is_none_or(|modified| modified.nanos < 1_000_000_000));
        }

        #[test]
        fn a_date_without_a_year_is_never_more_than_a_day_ahead(
            month in 0i64..15, day in 0i64..33, hour in 0i64..25, minute in 0i64..61, now_unix_s: i64,
        ) {
            if let Some(unix_s) = without_year(month, day, hour, minute, now_unix_s) {
                prop_assert!(unix_s <= now_unix_s.saturating_add(86_400));
            }
        }
    }
}
