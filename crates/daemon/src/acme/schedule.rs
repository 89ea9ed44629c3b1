//! When is a certificate ordered, and when is it tried again after a failure? Time and chance come as arguments.

use std::time::{Duration, SystemTime};

use carrack_tls::Identity;

use crate::state::Attempt;

/// The pause after the first failure: authorities allow about five failures an hour for a name, and this leaves room for a
/// person who tries as well.
const FIRST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The longest pause of our own: with a third of the lifetime left there are weeks of such attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);

/// The longest pause that an authority may ask for: the span over which its limits on certificates are counted.
const LONGEST_ASKED: Duration = Duration::from_secs(7 * 24 * 3600);

/// A share of a span, so that servers which were set up together do not come together: 0 to 65 535.
pub(super) type Spread = u16;

/// What is to be done about one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// When it is ordered.
    pub(super) due: SystemTime,
    /// Failures since the last success.
    pub(super) failures: u32,
}

impl Plan {
    /// The plan at `now`, from what was kept. A certificate that lacks one of the names is none.
    pub(super) fn of(
        kept: Option<&Identity>,
        names: &[&str],
        attempt: Option<Attempt>,
        now: SystemTime,
    ) -> Self {
        if let Some(Attempt { failures, next }) = attempt {
            // A clock that was wrong when this was kept must not put renewal off for years.
            return Self { due: next.min(now + LONGEST_ASKED), failures };
        }
        let has =
            |identity: &&Identity| names.iter().all(|name| identity.names().iter().any(|has| has == name));
        Self { due: kept.filter(has).map_or(now, renewal_of), failures: 0 }
    }

    /// The plan once a certificate was issued.
    pub(super) fn after_success(issued: &Identity) -> Self {
        Self { due: renewal_of(issued), failures: 0 }
    }

    /// The plan once an order has failed at `now`, where the authority asked for a pause or did not.
    pub(super) fn after_failure(self, asked: Option<Duration>, spread: Spread, now: SystemTime) -> Self {
        let failures = self.failures.saturating_add(1);
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE);
        let own = doubled + share(doubled / 4, spread);
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
        Self { due: now + own.max(asked), failures }
    }

    /// The plan when somebody says that the fault is mended: what waits after a failure is tried at once.
    pub(super) fn at_once(self, now: SystemTime) -> Self {
        if self.failures > 0 { Self { due: now, ..self } } else { self }
    }
}

/// At two thirds of the lifetime and up to a twenty-fourth of it sooner: between 56 and 60 days of 90, so that warnings of an end
/// within thirty days mean that something is wrong. Which day it is, the certificate decides, so that it stays the same however
/// often this is asked.
fn renewal_of(identity: &Identity) -> SystemTime {
    let [first, second, ..] = *identity.fingerprint().as_bytes();
    let (from, until) = (identity.description().not_before.into(), identity.not_after());
    renewal(from, until, Spread::from_be_bytes([first, second]))
}

fn renewal(from: SystemTime, until: SystemTime, spread: Spread) -> SystemTime {
    let lifetime = until.duration_since(from).unwrap_or_default();
    from + lifetime * 2 / 3 - share(lifetime / 24, spread)
}

fn share(span: Duration, spread: Spread) -> Duration {
    span / (u32::from(Spread::MAX) + 1) * u32::from(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(days: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * (20_000 + days)
    }

    fn identity(names: &[&str]) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = Identity::self_signed(&names).unwrap();
        Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
    }

    #[test]
    fn renewal_is_due_at_two_thirds_and_a_little_sooner() {
        assert_eq!(renewal(at(0), at(90), 0), at(60));
        let first = renewal(at(0), at(90), Spread::MAX);
        assert!(first > at(56) && first < at(57), "{first:?}");
        // Six days, as some are issued now.
        assert_eq!(renewal(at(0), at(6), 0), at(4));
    }

    #[test]
    fn what_is_there_and_has_the_names_is_left_in_peace() {
        let now = SystemTime::now();
        let kept = identity(&["a.example.com", "b.example.com"]);
        let due = Plan::of(Some(&kept), &["b.example.com"], None, now).due;
        // A self-signed one is good for 397 days.
        assert!(due > now + DAY * 245 && due < now + DAY * 265);
        assert_eq!(Plan::of(Some(&kept), &["b.example.com"], None, now).due, due, "chance is no part of it");
        assert_eq!(Plan::of(Some(&kept), &["c.example.com"], None, now).due, now);
        assert_eq!(Plan::of(None, &["a.example.com"], None, now), Plan { due: now, failures: 0 });
    }

    #[test]
    fn pauses_grow_and_survive_a_restart() {
        let mut plan = Plan { due: at(0), failures: 0 };
        let mut pauses = Vec::new();
        for _ in 0..9 {
            plan = plan.after_failure(None, 0, at(0));
            pauses.push(plan.due.duration_since(at(0)).unwrap().as_secs() / 60);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 720, 720, 720]);
        let spread = Plan { due: at(0), failures: 0 }.after_failure(None, Spread::MAX, at(0));
        assert!(spread.due > at(0) + FIRST_PAUSE && spread.due < at(0) + FIRST_PAUSE * 5 / 4);
        let attempt = Some(Attempt { failures: plan.failures, next: plan.due });
        assert_eq!(Plan::of(None, &["a.example.com"], attempt, at(0)), plan);
        let at_once = plan.at_once(at(0));
        assert_eq!((at_once.due, at_once.failures), (at(0), 9));
        // What is well is not ordered because somebody says so.
        let well = Plan { due: at(9), failures: 0 };
        assert_eq!(well.at_once(at(0)), well);
    }

    #[test]
    fn an_authority_that_asks_for_a_pause_gets_it() {
        let plan = Plan { due: at(0), failures: 0 };
        assert_eq!(plan.after_failure(Some(DAY), 0, at(0)).due, at(1));
        assert_eq!(plan.after_failure(Some(Duration::from_secs(1)), 0, at(0)).due, at(0) + FIRST_PAUSE);
        assert_eq!(plan.after_failure(Some(DAY * 1000), 0, at(0)).due, at(7));
        let far = Some(Attempt { failures: 1, next: at(3650) });
        assert_eq!(Plan::of(None, &[], far, at(0)).due, at(7), "the clock was wrong");
    }
}
