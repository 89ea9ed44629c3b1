//! Which rates are in force at this hour?
//!
//! Hours are those of the local clock, and are looked at every minute; transfers that run feel a change at once.

use std::num::NonZero;
use std::time::Duration;

use carrack_core::limits::{Rate, Rates};
use jiff::Zoned;
use jiff::civil::DateTime;

use crate::config::{ByteRate, Config, LimitsHours, TimeOfDay, User, UserHours, Weekday};

/// The rates that the hours change.
#[derive(Debug, Default)]
pub(crate) struct Schedule(Vec<(Rate, Plan)>);

impl Schedule {
    /// How fast the server moves files.
    pub(crate) fn of_server(&mut self, config: &Config) -> Rates {
        let limits = &config.limits;
        let layer = |of_hours, otherwise| Layer::of(&limits.hours, of_hours, otherwise);
        Rates {
            upload: self.rate([layer(|hours| hours.upload_bytes_per_s, limits.upload_bytes_per_s)]),
            download: self.rate([layer(|hours| hours.download_bytes_per_s, limits.download_bytes_per_s)]),
        }
    }

    /// How fast all sessions of a user together move files.
    pub(crate) fn of_user(&mut self, config: &Config, user: &User) -> Rates {
        let limits = &config.limits;
        let own = |of_hours, otherwise| Layer::of::<UserHours>(&user.hours, of_hours, otherwise);
        let all = |of_hours, otherwise| Layer::of::<LimitsHours>(&limits.hours, of_hours, otherwise);
        Rates {
            upload: self.rate([
                own(|hours| hours.upload_bytes_per_s, user.upload_bytes_per_s),
                all(|hours| hours.user_upload_bytes_per_s, limits.user_upload_bytes_per_s),
            ]),
            download: self.rate([
                own(|hours| hours.download_bytes_per_s, user.download_bytes_per_s),
                all(|hours| hours.user_download_bytes_per_s, limits.user_download_bytes_per_s),
            ]),
        }
    }

    /// How fast one transfer of a user moves its file.
    pub(crate) fn of_transfer(&mut self, config: &Config, user: &User) -> Rates {
        let limits = &config.limits;
        let own = |of_hours, otherwise| Layer::of::<UserHours>(&user.hours, of_hours, otherwise);
        let all = |of_hours, otherwise| Layer::of::<LimitsHours>(&limits.hours, of_hours, otherwise);
        Rates {
            upload: self.rate([
                own(|hours| hours.transfer_upload_bytes_per_s, user.transfer_upload_bytes_per_s),
                all(|hours| hours.transfer_upload_bytes_per_s, limits.transfer_upload_bytes_per_s),
            ]),
            download: self.rate([
                own(|hours| hours.transfer_download_bytes_per_s, user.transfer_download_bytes_per_s),
                all(|hours| hours.transfer_download_bytes_per_s, limits.transfer_download_bytes_per_s),
            ]),
        }
    }

    fn rate<const N: usize>(&mut self, layers: [Layer; N]) -> Rate {
        let plan = Plan::of(layers);
        if plan.windows.is_empty() {
            // What no hour changes costs nothing where it is no limit.
            return plan.otherwise.map_or(Rate::UNLIMITED, |limit| Rate::new(Some(limit)));
        }
        let rate = Rate::new(plan.at(Zoned::now().datetime()));
        self.0.push((rate.clone(), plan));
        rate
    }

    /// Has every rate be what it is at this moment.
    fn apply(&self, now: DateTime) {
        for (rate, plan) in &self.0 {
            rate.set(plan.at(now));
        }
    }
}

/// Keeps the rates to the clock, for as long as anybody has them.
pub(crate) async fn keep(mut schedule: Schedule) {
    while !schedule.0.is_empty() {
        // The clock may be set, and the season may change it: so it is read every minute, and nothing is reckoned ahead.
        let now = Zoned::now();
        schedule.apply(now.datetime());
        // Those of a configuration that is no longer in use, and whose last session has ended.
        schedule.0.retain(|(rate, _)| rate.is_held_elsewhere());
        let second = u64::try_from(now.second()).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(60_u64.saturating_sub(second).max(1))).await;
    }
}

/// What one table says of a rate.
struct Layer {
    windows: Vec<(Window, Option<NonZero<u64>>)>,
    /// `None` where it says nothing; `Some(None)` where it says that there is no limit.
    otherwise: Option<Option<NonZero<u64>>>,
}

impl Layer {
    fn of<H: Hours>(hours: &[H], of_hours: fn(&H) -> Option<ByteRate>, otherwise: Option<ByteRate>) -> Layer {
        let windows = hours.iter().filter_map(|hours| Some((hours.window(), of_hours(hours)?.limit())));
        Layer { windows: windows.collect(), otherwise: otherwise.map(ByteRate::limit) }
    }
}

/// What a rate is at which hour.
#[derive(Debug)]
struct Plan {
    /// The first that fits counts.
    windows: Vec<(Window, Option<NonZero<u64>>)>,
    otherwise: Option<NonZero<u64>>,
}

impl Plan {
    /// From the nearest table to the farthest; one that says what holds at all hours is the last that is heard.
    fn of(layers: impl IntoIterator<Item = Layer>) -> Plan {
        let mut plan = Plan { windows: Vec::new(), otherwise: None };
        for layer in layers {
            plan.windows.extend(layer.windows);
            if let Some(otherwise) = layer.otherwise {
                plan.otherwise = otherwise;
                break;
            }
        }
        plan
    }

    fn at(&self, now: DateTime) -> Option<NonZero<u64>> {
        let found = self.windows.iter().find(|(window, _)| window.contains(now));
        found.map_or(self.otherwise, |(_, limit)| *limit)
    }
}

/// Hours of some days. Those that go past midnight belong to the day on which they begin.
#[derive(Debug)]
struct Window {
    days: Vec<Weekday>,
    from: TimeOfDay,
    to: TimeOfDay,
}

impl Window {
    fn contains(&self, now: DateTime) -> bool {
        let today = usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0);
        let is_on = |day: usize| Weekday::ALL.get(day % 7).is_some_and(|day| self.days.contains(day));
        let minute = now.hour().unsigned_abs() as u16 * 60 + now.minute().unsigned_abs() as u16;
        let (from, to) = (self.from.0, self.to.0);
        if from < to {
            return is_on(today) && (from..to).contains(&minute);
        }
        (is_on(today) && minute >= from) || (is_on(today + 6) && minute < to)
    }
}

/// A table with hours.
trait Hours {
    fn window(&self) -> Window;
}

impl Hours for LimitsHours {
    fn window(&self) -> Window {
        Window { days: self.days.clone(), from: self.from, to: self.to }
    }
}

impl Hours for UserHours {
    fn window(&self) -> Window {
        Window { days: self.days.clone(), from: self.from, to: self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment in the week of Monday, 30 November 2026.
    fn at(day: i8, hour: i8, minute: i8) -> DateTime {
        jiff::civil::date(2026, 11, 30).at(hour, minute, 0, 0) + jiff::Span::new().days(i64::from(day))
    }

    fn window(days: &[Weekday], from: u16, to: u16) -> Window {
        Window { days: days.to_vec(), from: TimeOfDay(from * 60), to: TimeOfDay(to * 60) }
    }

    #[test]
    fn hours_begin_on_the_minute_and_end_before_it() {
        let office = window(&[Weekday::Monday, Weekday::Tuesday], 8, 18);
        assert!(office.contains(at(0, 8, 0)) && office.contains(at(1, 17, 59)));
        assert!(
            !office.contains(at(0, 7, 59))
                && !office.contains(at(0, 18, 0))
                && !office.contains(at(2, 12, 0))
        );
        let day = window(&[Weekday::Sunday], 0, 24);
        assert!(day.contains(at(6, 0, 0)) && day.contains(at(6, 23, 59)) && !day.contains(at(7, 0, 0)));
    }

    #[test]
    fn hours_past_midnight_belong_to_the_day_on_which_they_begin() {
        let night = window(&[Weekday::Sunday], 22, 6);
        assert!(night.contains(at(6, 22, 0)) && night.contains(at(7, 5, 59)));
        assert!(
            !night.contains(at(6, 5, 0)) && !night.contains(at(7, 6, 0)) && !night.contains(at(7, 22, 0))
        );
    }

    #[test]
    fn the_nearest_table_counts_and_the_first_hours_that_fit() {
        let limit = |rate| Some(ByteRate(rate));
        let layer = |windows: Vec<(Window, u64)>, otherwise: Option<ByteRate>| Layer {
            windows: windows.into_iter().map(|(window, rate)| (window, ByteRate(rate).limit())).collect(),
            otherwise: otherwise.map(ByteRate::limit),
        };
        let plan = Plan::of([
            layer(vec![(window(&Weekday::ALL, 12, 13), 0)], None),
            layer(vec![(window(&Weekday::ALL, 8, 18), 5000)], limit(9000)),
            layer(vec![(window(&Weekday::ALL, 0, 24), 1)], limit(2)),
        ]);
        let rate = |hour| plan.at(at(0, hour, 0)).map(NonZero::get);
        assert_eq!([rate(7), rate(8), rate(12), rate(18)], [Some(9000), Some(5000), None, Some(9000)]);
    }

    #[test]
    fn a_rate_follows_the_clock() {
        let mut schedule = Schedule::default();
        let windows = vec![(window(&Weekday::ALL, 8, 18), NonZero::new(5000))];
        let rate = schedule.rate([Layer { windows, otherwise: None }]);
        schedule.apply(at(0, 9, 0));
        assert_eq!(rate.bytes_per_s(), NonZero::new(5000));
        schedule.apply(at(0, 20, 0));
        assert_eq!(rate.bytes_per_s(), None);
    }
}
