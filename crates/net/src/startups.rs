//! How many connections may wait for their login at once, and who is turned away when there are too many?

use std::fmt;
use std::str::FromStr;

/// The limits on connections that have not logged in, in the form that sshd has for `MaxStartups`: up to `start` of them
/// nobody is turned away; from there on each newcomer is with a chance that grows evenly from `rate_percent` to certainty
/// at `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startups {
    /// Waiting connections from which newcomers are turned away by chance.
    pub start: usize,
    /// The chance at `start`, in percent.
    pub rate_percent: u32,
    /// Waiting connections at which every newcomer is turned away.
    pub full: usize,
}

impl Startups {
    /// What counts when nothing is said. A waiting connection costs some ten KiB, and a handshake about as much processor
    /// time as a hundred commands.
    pub const STANDARD: Self = Self { start: 1000, rate_percent: 30, full: 4000 };

    /// Whether a newcomer beside so many who wait is turned away. `roll` is any number, all alike likely.
    pub(crate) fn drops(&self, waiting: usize, roll: u32) -> bool {
        if waiting < self.start {
            return false;
        }
        if waiting >= self.full {
            return true;
        }
        // In parts of 65,536, so that a few hundred connections more or less count.
        let part = |percent: u32| u64::from(percent.min(100)) << 16;
        let above = as_u64(waiting - self.start);
        let width = as_u64(self.full - self.start).max(1);
        let chance = part(self.rate_percent) + part(100 - self.rate_percent.min(100)) * above / width;
        u64::from(roll & 0xffff) * 100 < chance
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl fmt::Display for Startups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.start, self.rate_percent, self.full)
    }
}

impl FromStr for Startups {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<Vec<u32>> = text.split(':').map(|part| part.trim().parse().ok()).collect();
        let Some([start, rate_percent, full]) = parts.as_deref() else { return Err(String::new()) };
        let (Ok(first), Ok(last)) = (usize::try_from(*start), usize::try_from(*full)) else {
            return Err(String::new());
        };
        if *start == 0 || start > full {
            return Err(format!(
                "{text:?} makes no sense: the first number is 1 at least and not above the last"
            ));
        }
        if !(1..=100).contains(rate_percent) {
            return Err(format!(
                "{text:?} makes no sense: the second number is a chance from 1 to 100 percent"
            ));
        }
        Ok(Self { start: first, rate_percent: *rate_percent, full: last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In how many of all rolls a newcomer is turned away, in percent.
    fn percent(startups: Startups, waiting: usize) -> usize {
        (0..=0xffff).filter(|roll| startups.drops(waiting, *roll)).count() * 100 / 0x1_0000
    }

    #[test]
    fn the_chance_grows_evenly_from_start_to_full() {
        let startups: Startups = "10:30:110".parse().unwrap();
        for (waiting, expected) in
            [(0, 0), (9, 0), (10, 30), (60, 65), (109, 99), (110, 100), (1_000_000, 100)]
        {
            let found = percent(startups, waiting);
            assert!(found.abs_diff(expected) <= 1, "{waiting}: {found}, not {expected}");
        }
    }

    #[test]
    fn the_absolute_limit_alone() {
        let startups: Startups = "5:100:5".parse().unwrap();
        assert_eq!((percent(startups, 4), percent(startups, 5)), (0, 100));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!("10:30:100".parse::<Startups>().unwrap().to_string(), "10:30:100");
        for wrong in [
            "",
            "10",
            "10:30",
            "10:30:5",
            "0:30:100",
            "10:0:100",
            "10:101:100",
            "10:30:100:1",
            "a:b:c",
            "-1:30:9",
        ] {
            assert!(wrong.parse::<Startups>().is_err(), "{wrong}");
        }
    }
}
