//! When is a certificate ordered, and when is it tried again after a failure? Time and chance come as arguments.

use std::time::{Duration, Instant, SystemTime};

use carrack_tls::Identity;

use crate::state::Attempt;

/// The pause after the first failure: authorities allow about five failures an hour for a name, and this leaves room for a
/// person who tries as well.
const FIRST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The longest pause of our own: with a third of the lifetime left there are weeks of such attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);

/// How far apart two calls may hurry what has failed: authorities count failures by the hour, and whoever calls at each change of a
/// file would use them up.
const HURRY_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The longest pause that an authority may ask for: the span over which its limits on certificates are counted.
const LONGEST_ASKED: Duration = Duration::from_secs(7 * 24 * 3600);

/// A share of a span, so that servers which were set up together do not come together: 0 to 65 535.
pub(super) type Spread = u16;

/// What is to be done about one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// When it is to be ordered, as far as it is ours to say.
    ours: SystemTime,
    /// Not before: until then the authority asked to be left alone.
    asked: SystemTime,
    /// Failures since the last success.
    failures: u32,
}

impl Plan {
    /// The plan at `now`, from what was kept. A certificate that lacks one of the names is none.
    pub(super) fn of(
        kept: Option<&Identity>,
        names: &[&str],
        attempt: Option<Attempt>,
        now: SystemTime,
    ) -> Self {
        if let Some(Attempt { failures, next, asked }) = attempt {
            return Self { ours: next, asked, failures }.believed(now);
        }
        let has =
            |identity: &&Identity| names.iter().all(|name| identity.names().iter().any(|has| has == name));
        Self::well(kept.filter(has).map_or(now, renewal_of))
    }

    /// The plan once a certificate was issued.
    pub(super) fn after_success(issued: &Identity) -> Self {
        Self::well(renewal_of(issued))
    }

    fn well(ours: SystemTime) -> Self {
        Self { ours, asked: SystemTime::UNIX_EPOCH, failures: 0 }
    }

    /// The plan once an order has failed at `now`, where the authority asked for a pause or did not.
    pub(super) fn after_failure(self, asked: Option<Duration>, spread: Spread, now: SystemTime) -> Self {
        let failures = self.failures.saturating_add(1);
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE);
        let asked = asked.map_or(SystemTime::UNIX_EPOCH, |asked| now + asked.min(LONGEST_ASKED));
        Self { ours: now + doubled + share(doubled / 4, spread), asked, failures }
    }

    /// The plan when somebody says that the fault is mended: what waits after a failure is tried at `moment`, and not before the
    /// authority allows it.
    pub(super) fn hurried(self, moment: SystemTime) -> Self {
        if self.failures > 0 { Self { ours: self.ours.min(moment), ..self } } else { self }
    }

    /// The plan as it is believed at `now`: a clock that was wrong when a pause was set must not put it off for years.
    pub(super) fn believed(self, now: SystemTime) -> Self {
        if self.failures == 0 {
            return self;
        }
        let (ours, asked) = (now + LONGEST_PAUSE + LONGEST_PAUSE / 4, now + LONGEST_ASKED);
        Self { ours: self.ours.min(ours), asked: self.asked.min(asked), ..self }
    }

    /// Failures since the last success.
    pub(super) fn failures(self) -> u32 {
        self.failures
    }

    /// When the certificate is ordered.
    pub(super) fn due(self) -> SystemTime {
        self.ours.max(self.asked)
    }

    /// What is to be kept of failures; `None` where the last order was a success.
    pub(super) fn attempt(self) -> Option<Attempt> {
        let Self { ours, asked, failures } = self;
        (failures > 0).then_some(Attempt { failures, next: ours, asked })
    }
}

/// How often calls hurry what has failed.
#[derive(Debug, Default)]
pub(super) struct Hurry {
    /// When the latest call was or will be heeded.
    heeded: Option<Instant>,
}

impl Hurry {
    /// How long after `now` a call that comes then is heeded. None is lost: one that comes too soon is heeded later.
    pub(super) fn pause(&mut self, now: Instant) -> Duration {
        let moment = match self.heeded {
            Some(heeded) if heeded > now => heeded,
            Some(heeded) => now.max(heeded + HURRY_PAUSE),
            None => now,
        };
        self.heeded = Some(moment);
        moment.duration_since(now)
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
        let due = Plan::of(Some(&kept), &["b.example.com"], None, now).due();
        // A self-signed one is good for 397 days.
        assert!(due > now + DAY * 245 && due < now + DAY * 265);
        assert_eq!(
            Plan::of(Some(&kept), &["b.example.com"], None, now).due(),
            due,
            "chance is no part of it"
        );
        assert_eq!(Plan::of(Some(&kept), &["c.example.com"], None, now).due(), now);
        assert_eq!(Plan::of(None, &["a.example.com"], None, now), Plan::well(now));
    }

    #[test]
    fn pauses_grow_and_survive_a_restart() {
        let mut plan = Plan::well(at(0));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            plan = plan.after_failure(None, 0, at(0));
            pauses.push(plan.due().duration_since(at(0)).unwrap().as_secs() / 60);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 720, 720, 720]);
        let spread = Plan::well(at(0)).after_failure(None, Spread::MAX, at(0)).due();
        assert!(spread > at(0) + FIRST_PAUSE && spread < at(0) + FIRST_PAUSE * 5 / 4);
        assert_eq!(Plan::of(None, &["a.example.com"], plan.attempt(), at(0)), plan);
        let hurried = plan.hurried(at(0));
        assert_eq!((hurried.due(), hurried.failures), (at(0), 9));
        assert_eq!(plan.hurried(at(9)), plan, "nothing is put off");
        // What is well is not ordered because somebody says so.
        let well = Plan::well(at(9));
        assert_eq!((well.hurried(at(0)), well.attempt()), (well, None));
    }

    #[test]
    fn an_authority_that_asks_for_a_pause_gets_it_whoever_hurries() {
        let plan = Plan::well(at(0));
        let asked = plan.after_failure(Some(DAY), 0, at(0));
        assert_eq!(asked.due(), at(1));
        assert_eq!(asked.hurried(at(0)).due(), at(1));
        let after_a_restart = Plan::of(None, &[], asked.attempt(), at(0));
        assert_eq!(after_a_restart.hurried(at(0)).due(), at(1));
        let soon = Some(Duration::from_secs(1));
        assert_eq!(plan.after_failure(soon, 0, at(0)).due(), at(0) + FIRST_PAUSE);
        assert_eq!(plan.after_failure(Some(DAY * 1000), 0, at(0)).due(), at(7));
    }

    #[test]
    fn calls_hurry_once_in_five_minutes() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut hurry = Hurry::default();
        let start = Instant::now();
        let pauses = [0, 1, 3, 6, 10, 30].map(|minutes| hurry.pause(start + MINUTE * minutes).as_secs() / 60);
        assert_eq!(pauses, [0, 4, 2, 4, 5, 0]);
    }

    #[test]
    fn a_clock_that_was_wrong_puts_nothing_off_for_years() {
        let own = Attempt { failures: 1, next: at(3650), asked: at(0) };
        assert_eq!(Plan::of(None, &[], Some(own), at(0)).due(), at(0) + LONGEST_PAUSE * 5 / 4);
        let asked = Attempt { asked: at(3650), ..own };
        assert_eq!(Plan::of(None, &[], Some(asked), at(0)).due(), at(7));
        // Whoever has a certificate waits for its end, and the certificate has no part in that clock.
        assert_eq!(Plan::well(at(60)).believed(at(0)).due(), at(60));
    }
}
