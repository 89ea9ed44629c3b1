//! How are limits written: rates, numbers of bytes, hours of the day?

use std::num::NonZero;

use toml::Spanned;
use toml::de::DeValue;

use super::check::Faults;
use super::choice::words;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::table::{Config, LimitsHours, UserHours};
use super::value::{number, parsed, quoted};

/// The least rate: with less than this a listing-sized file takes minutes, and clients give up.
const LEAST_RATE: u64 = 1024;

/// Bytes a second; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRate(pub u64);

impl ByteRate {
    /// The limit; `None` where there is none.
    pub fn limit(self) -> Option<NonZero<u64>> {
        NonZero::new(self.0)
    }
}

impl Setting for ByteRate {
    const KIND: Kind = Kind::Number { unit: "bytes per second", minimum: 0, maximum: 1 << 40 };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        if !matches!(value.get_ref(), DeValue::Integer(_)) {
            reader.wrong_type(key, value, "a whole number of bytes per second", "1_000_000");
            return None;
        }
        let rate = number(reader, key, value, Self::KIND)?;
        if (1..LEAST_RATE).contains(&rate) {
            reader.problem(
                key,
                value.span(),
                format!("{rate} bytes a second are too few to finish anything"),
                format!("give {LEAST_RATE} or more, or 0 for no limit"),
            );
            return None;
        }
        Some(Self(rate))
    }
    fn show(&self) -> Shown {
        Shown::Value(self.0.to_string())
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<const MINIMUM: u64>(pub u64);

impl<const MINIMUM: u64> Setting for Bytes<MINIMUM> {
    const KIND: Kind = Kind::Number { unit: "bytes", minimum: MINIMUM, maximum: i64::MAX as u64 };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        number(reader, key, value, Self::KIND).map(Self)
    }
    fn show(&self) -> Shown {
        Shown::Value(self.0.to_string())
    }
}

/// A time of the day in minutes from midnight; 24:00 is its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(pub u16);

impl TimeOfDay {
    fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let two_digits = |digits: &str| -> Option<u16> {
            let is_right = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_right.then(|| digits.parse().ok())?
        };
        let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
        let time = hours * 60 + minutes;
        (minutes < 60 && time <= 24 * 60).then_some(Self(time))
    }
}

impl Setting for TimeOfDay {
    const KIND: Kind = Kind::Text {
        what: "a time of the day",
        example: "08:00",
        pattern: Some("^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| Self::parse(text).ok_or_else(String::new))
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&format!("{:02}:{:02}", self.0 / 60, self.0 % 60)))
    }
}

words! {
    /// A day of the week.
    pub enum Weekday {
        /// Monday
        Monday = "monday",
        /// Tuesday
        Tuesday = "tuesday",
        /// Wednesday
        Wednesday = "wednesday",
        /// Thursday
        Thursday = "thursday",
        /// Friday
        Friday = "friday",
        /// Saturday
        Saturday = "saturday",
        /// Sunday
        Sunday = "sunday",
    }
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
}

/// Hours that are no time, or change nothing.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    for (index, hours) in config.limits.hours.iter().enumerate() {
        let LimitsHours { upload_bytes_per_s, download_bytes_per_s, .. } = hours;
        let rates = [
            *upload_bytes_per_s,
            *download_bytes_per_s,
            hours.user_upload_bytes_per_s,
            hours.user_download_bytes_per_s,
            hours.transfer_upload_bytes_per_s,
            hours.transfer_download_bytes_per_s,
        ];
        let place = format!("limits.hours.{index}");
        judge(&place, (hours.from, hours.to), &hours.days, &rates, faults);
    }
    for (index, user) in config.user.iter().enumerate() {
        for (at, hours) in user.hours.iter().enumerate() {
            let UserHours { upload_bytes_per_s, download_bytes_per_s, .. } = hours;
            let rates = [
                *upload_bytes_per_s,
                *download_bytes_per_s,
                hours.transfer_upload_bytes_per_s,
                hours.transfer_download_bytes_per_s,
            ];
            let place = format!("user.{index}.hours.{at}");
            judge(&place, (hours.from, hours.to), &hours.days, &rates, faults);
        }
    }
}

fn judge(
    place: &str,
    (from, to): (TimeOfDay, TimeOfDay),
    days: &[Weekday],
    rates: &[Option<ByteRate>],
    faults: &mut Faults,
) {
    if from == to {
        faults.add(
            format!("{place}.to"),
            "these hours end when they begin",
            "for the whole day write from = \"00:00\" and to = \"24:00\"",
        );
    }
    if from == TimeOfDay(24 * 60) {
        faults.add(format!("{place}.from"), "no hours begin at 24:00", "write from = \"00:00\"");
    }
    if days.is_empty() {
        faults.add(format!("{place}.days"), "these hours are on no day", "name a day, or leave `days` out");
    }
    if rates.iter().all(Option::is_none) {
        faults.add(place, "in these hours nothing is different", "add upload_bytes_per_s or another rate");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day() {
        assert_eq!(TimeOfDay::parse("00:00"), Some(TimeOfDay(0)));
        assert_eq!(TimeOfDay::parse("08:30"), Some(TimeOfDay(510)));
        assert_eq!(TimeOfDay::parse("24:00"), Some(TimeOfDay(1440)));
        for wrong in ["", "8:30", "24:01", "25:00", "12:60", "12", "12:", "+1:00", "99:99", "12:000"] {
            assert_eq!(TimeOfDay::parse(wrong), None, "{wrong}");
        }
    }
}
