//! How are times of files written, no more exact than they are known?

use carrack_ftp_client::{Modified, Precision};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// For people: in the local zone where the server's time is known to be UTC, else as the server wrote it.
pub(crate) fn local(modified: Modified, zone: &TimeZone) -> String {
    let Some(moment) = timestamp(modified) else { return "?".to_owned() };
    let (zone, form) = match modified.precision {
        Precision::Subsecond | Precision::Second => (zone.clone(), "%Y-%m-%d %H:%M:%S"),
        // Nobody knows the zone of LIST: what it wrote is shown.
        Precision::Minute => (TimeZone::UTC, "%Y-%m-%d %H:%M"),
        Precision::Day => (TimeZone::UTC, "%Y-%m-%d"),
    };
    moment.to_zoned(zone).strftime(form).to_string()
}

/// As [`local`], with the zone behind it, or that it is the server's.
pub(crate) fn in_full(modified: Modified, zone: &TimeZone) -> String {
    let Some(moment) = timestamp(modified) else { return "?".to_owned() };
    match modified.precision {
        Precision::Subsecond | Precision::Second => {
            moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.f %:z").to_string()
        }
        Precision::Minute | Precision::Day => format!("{} (the server's time zone)", local(modified, zone)),
    }
}

/// For programs: RFC 3339 in UTC; without a zone where none is known, and without what is not known.
pub(crate) fn exact(modified: Modified) -> Option<String> {
    let moment = timestamp(modified)?;
    Some(match modified.precision {
        Precision::Subsecond | Precision::Second => moment.to_string(),
        Precision::Minute => moment.strftime("%Y-%m-%dT%H:%M").to_string(),
        Precision::Day => moment.strftime("%Y-%m-%d").to_string(),
    })
}

/// A moment of this machine, for people, in the local zone.
pub(crate) fn date(unix_s: i64, zone: &TimeZone) -> String {
    match Timestamp::from_second(unix_s) {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}

fn timestamp(modified: Modified) -> Option<Timestamp> {
    Timestamp::new(modified.unix_s, i32::try_from(modified.nanos).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: i64 = 1_795_360_200;

    fn at(precision: Precision, nanos: u32) -> Modified {
        Modified { unix_s: MOMENT, nanos, precision }
    }

    #[test]
    fn no_time_is_more_exact_than_it_is_known() {
        let zone = TimeZone::fixed(jiff::tz::offset(5));
        for (precision, nanos, shown, full, json) in [
            (
                Precision::Subsecond,
                500_000_000,
                "2026-11-22 20:10:00",
                "2026-11-22 20:10:00.5 +05:00",
                "2026-11-22T15:10:00.5Z",
            ),
            (
                Precision::Second,
                0,
                "2026-11-22 20:10:00",
                "2026-11-22 20:10:00 +05:00",
                "2026-11-22T15:10:00Z",
            ),
            (
                Precision::Minute,
                0,
                "2026-11-22 15:10",
                "2026-11-22 15:10 (the server's time zone)",
                "2026-11-22T15:10",
            ),
            (Precision::Day, 0, "2026-11-22", "2026-11-22 (the server's time zone)", "2026-11-22"),
        ] {
            let modified = at(precision, nanos);
            assert_eq!(local(modified, &zone), shown);
            assert_eq!(in_full(modified, &zone), full);
            assert_eq!(exact(modified).as_deref(), Some(json));
        }
        assert_eq!(date(MOMENT, &zone), "2026-11-22 20:10:00");
    }

    #[test]
    fn times_of_no_calendar_are_survived() {
        let never = Modified { unix_s: i64::MAX, ..at(Precision::Second, 0) };
        assert_eq!((local(never, &TimeZone::UTC).as_str(), exact(never)), ("?", None));
        assert_eq!(date(i64::MIN, &TimeZone::UTC), "?");
    }
}
