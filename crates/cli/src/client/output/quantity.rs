//! How are bytes, counts and times spelled for people?

use std::time::Duration;

/// Bytes with one decimal and powers of 1024: `4.9 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths, rounded, so that 1023.96 KiB becomes 1.0 MiB.
    let mut shown = String::new();
    for (power, unit) in (1_u32..).zip(UNITS) {
        let unit_bytes = 1024_u128.pow(power);
        let tenths = (u128::from(bytes) * 10 + unit_bytes / 2) / unit_bytes;
        shown = format!("{}.{} {unit}", tenths / 10, tenths % 10);
        if tenths < 10_240 {
            break;
        }
    }
    shown
}

/// A number with commas between groups of three digits: `5,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number and what is counted, which has an `s` but for one: `1 file`, `5,000 files`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A time to a tenth of a second below a minute, then to the second: `3.1 s`, `2 min 5 s`, `3 h 20 min`.
pub(crate) fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    let seconds = time.as_secs();
    match seconds {
        _ if tenths < 600 => format!("{}.{} s", tenths / 10, tenths % 10),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if seconds < 60 => "1 min 0 s".to_owned(),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How many in a time, for `…/s`; `None` for a time in which nothing can be measured.
pub(crate) fn per_second(number: u64, time: Duration) -> Option<u64> {
    let micros = time.as_micros();
    (micros >= 1_000).then(|| u64::try_from(u128::from(number) * 1_000_000 / micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        for (number, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (5_138_022, "4.9 MiB"),
            (2_147_483_648, "2.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(number), shown);
        }
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), shown);
        }
        assert_eq!((counted(1, "file"), counted(5000, "file")), ("1 file".into(), "5,000 files".into()));
        for (ms, shown) in [
            (0, "0.0 s"),
            (3_149, "3.1 s"),
            (59_949, "59.9 s"),
            (59_999, "1 min 0 s"),
            (125_000, "2 min 5 s"),
            (12_000_000, "3 h 20 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), shown);
        }
    }

    #[test]
    fn rates_are_not_made_of_nothing() {
        assert_eq!(per_second(5000, Duration::from_millis(3100)), Some(1612));
        assert_eq!(per_second(5000, Duration::ZERO), None);
    }
}
