//! Guessing, with a clock that the tests move.

use super::*;

use carrack_net::{Limits, Slot, Startups};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    defence: Defence,
    admission: Admission,
    bans: Arc<Bans>,
    now: Moment,
}

/// Three failures are free, a wait is 8 seconds at most, 10 failures ban for a minute, half is forgotten in an hour.
fn world() -> World {
    let settings = Settings {
        exempt: vec!["198.51.100.0/24".parse().unwrap()],
        slow_after: 3.0,
        delay_max: SECOND * 8,
        line_longest: SECOND * 24,
        ban_after: 10.0,
        term: Term { first: SECOND * 60, longest: SECOND * 3600 },
        half_life: SECOND * 3600,
        known: SECOND * 86_400,
    };
    let bans = Arc::new(Bans::default());
    let limits = Limits { sessions: 100, sessions_per_source: 100, startups: Startups::STANDARD };
    let admission = Admission::new(limits).with_bans(Arc::clone(&bans));
    let defence = Defence::new(settings, Arc::clone(&bans), admission.clone());
    World { defence, admission, bans, now: Moment::now() }
}

impl World {
    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn fail(&self, from: &str, user: &str) -> Option<Ban> {
        self.defence.failed(from.parse().unwrap(), user.into(), None, self.now)
    }

    fn fail_often(&self, times: usize, from: &str, user: &str) -> Option<Ban> {
        (0..times).filter_map(|_| self.fail(from, user)).last()
    }

    fn succeed(&self, from: &str, user: &str) {
        self.defence.succeeded(from.parse().unwrap(), user.into(), self.now.monotonic);
    }

    /// The wait in whole seconds, rounded; `None` where it is refused.
    fn wait(&self, from: &str, user: &str) -> Option<u64> {
        let wait = self.defence.wait(from.parse().unwrap(), user.into(), None, self.now.monotonic);
        wait.ok().map(|wait| wait.as_secs_f64().round() as u64)
    }

    fn is_banned(&self, from: &str) -> bool {
        self.bans.judge(from.parse().unwrap(), self.now.monotonic).is_some()
    }

    fn log_in(&self, from: &str) -> Slot {
        let mut slot = self.admission.admit(from.parse().unwrap()).unwrap();
        slot.set_logged_in(true);
        slot
    }
}

#[test]
fn each_failure_beyond_the_free_ones_doubles_the_wait_up_to_the_longest() {
    let mut world = world();
    let mut waits = Vec::new();
    for failure in 0..9 {
        waits.push(world.wait("192.0.2.1", &format!("user-{failure}")).unwrap());
        world.fail("192.0.2.1", &format!("user-{failure}"));
        // Whoever stood in line has been judged by then.
        world.pass(SECOND * 30);
    }
    assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 7, 8]);
    assert_eq!(world.wait("192.0.2.2", "user-0"), Some(0), "another source");
}

#[test]
fn what_counts_is_forgotten_by_halves() {
    let mut world = world();
    world.fail_often(8, "192.0.2.1", "alice");
    assert_eq!(world.wait("192.0.2.1", "bob"), Some(8));
    world.pass(SECOND * 3600);
    assert_eq!(world.wait("192.0.2.1", "bob"), Some(1));
    world.pass(SECOND * 3600);
    assert_eq!(world.wait("192.0.2.1", "bob"), Some(0));
}

#[test]
fn guesses_of_one_source_stand_in_line_and_then_are_not_judged() {
    let world = world();
    world.fail_often(9, "192.0.2.1", "alice");
    let waits: Vec<_> = (0..5).map(|n| world.wait("192.0.2.1", &format!("user-{n}"))).collect();
    assert_eq!(waits, [Some(8), Some(16), Some(24), None, None]);
    assert_eq!(world.wait("2001:db8::1", "user-0"), Some(0));
}

#[test]
fn a_stranger_slows_an_account_and_locks_nobody_out() {
    let world = world();
    for stranger in 0..50 {
        world.fail_often(20, &format!("192.0.2.{stranger}"), "alice");
    }
    // From an address that is new to alice: a wait, always the same, and never a refusal.
    assert_eq!((0..10).map(|_| world.wait("203.0.113.1", "alice")).max(), Some(Some(8)));
    world.succeed("203.0.113.1", "alice");
    assert_eq!(world.wait("203.0.113.1", "alice"), Some(0));
    assert_eq!(world.wait("203.0.113.1", "bob"), Some(0));
}

#[test]
fn names_that_nobody_has_count_like_those_of_users() {
    let world = world();
    for name in ["alice", "nobody-has-this-name"] {
        for source in 0..6 {
            world.fail(&format!("192.0.2.{source}"), name);
        }
        assert_eq!(world.wait("203.0.113.1", name), Some(4), "{name}");
    }
}

#[test]
fn a_certificate_is_slowed_wherever_it_comes_from() {
    let world = world();
    let shown = Certificate { key_sha256: [7; 32], ..Certificate::default() };
    for n in 0..6 {
        let from = format!("192.0.2.{n}").parse().unwrap();
        world.defence.failed(from, format!("user-{n}").as_str().into(), Some(&shown), world.now);
    }
    let wait = |certificate: Option<&Certificate>| {
        world
            .defence
            .wait("203.0.113.1".parse().unwrap(), "alice".into(), certificate, world.now.monotonic)
            .unwrap()
    };
    assert_eq!(wait(None), Duration::ZERO);
    assert_eq!(wait(Some(&shown)), SECOND * 4);
    assert_eq!(wait(Some(&Certificate::default())), Duration::ZERO);
}

#[test]
fn a_source_that_goes_on_is_banned_longer_each_time() {
    let mut world = world();
    assert!(world.fail_often(9, "192.0.2.1", "alice").is_none());
    assert!(!world.is_banned("192.0.2.1"));
    let ban = world.fail("192.0.2.1", "alice").unwrap();
    assert_eq!((ban.times, ban.why.as_str()), (1, "10 refused logins"));
    assert!(world.is_banned("192.0.2.1") && !world.is_banned("192.0.2.2"));
    world.pass(SECOND * 61);
    assert!(!world.is_banned("192.0.2.1"));
    // Half of it still counts.
    assert_eq!(world.fail_often(6, "192.0.2.1", "alice").unwrap().times, 2);
    world.pass(SECOND * 61);
    assert!(world.is_banned("192.0.2.1"));
}

#[test]
fn who_shares_an_address_with_a_user_is_slowed_and_not_banned() {
    let mut world = world();
    let session = world.log_in("192.0.2.1");
    assert!(world.fail_often(100, "192.0.2.1", "alice").is_none());
    assert_eq!(world.wait("192.0.2.1", "mallory"), Some(8));
    drop(session);
    assert!(world.fail("192.0.2.1", "alice").is_some(), "nobody is logged in from there any more");
    // The last login counts as long as it is known.
    world.succeed("203.0.113.1", "bob");
    assert!(world.fail_often(100, "203.0.113.1", "alice").is_none());
    world.pass(SECOND * 86_400);
    assert!(world.fail_often(100, "203.0.113.1", "alice").is_some());
}

#[test]
fn exempt_networks_meet_nothing() {
    let world = world();
    assert!(world.fail_often(100, "198.51.100.7", "alice").is_none());
    assert!(world.fail_often(100, "::ffff:198.51.100.8", "alice").is_none());
    assert_eq!(world.wait("198.51.100.7", "alice"), Some(0));
    assert_eq!(world.wait("203.0.113.1", "alice"), Some(0), "nor does the name");
}

#[test]
fn an_ipv6_network_is_one_source() {
    let world = world();
    for n in 0..10 {
        world.fail(&format!("2001:db8::{n}"), "alice");
    }
    assert!(world.is_banned("2001:db8::ffff") && !world.is_banned("2001:db8:0:1::1"));
}

#[test]
fn endless_names_are_not_kept() {
    let world = world();
    let long = "x".repeat(NAME_LONGEST + 1);
    world.fail_often(9, "192.0.2.1", &long);
    world.succeed("192.0.2.3", &long);
    assert_eq!(world.wait("192.0.2.2", &long), Some(0));
}

#[test]
fn what_counts_stays_when_other_rules_do() {
    let mut world = world();
    world.fail_often(8, "192.0.2.1", "alice");
    let strict = Settings { ban_after: 9.0, half_life: SECOND * 60, ..(*world.defence.settings()).clone() };
    world.defence.renew(strict);
    assert!(world.fail("192.0.2.1", "alice").is_some());
    // Half is forgotten sooner.
    world.fail_often(8, "192.0.2.2", "bob");
    world.pass(SECOND * 60);
    assert!(world.fail_often(4, "192.0.2.2", "bob").is_none());
}
