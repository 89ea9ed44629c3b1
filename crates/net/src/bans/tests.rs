//! Bans that grow, end, are lifted and outlive a restart, on clocks that the tests move.

use super::*;

const TERM: Term = Term { first: Duration::from_secs(60), longest: Duration::from_secs(200) };

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// For how long a ban holds an address out, in whole seconds.
fn lasts(bans: &Bans, address: &str, from: Moment) -> u64 {
    (0..).find(|s| bans.judge(ip(address), from.after(seconds(*s)).monotonic).is_none()).unwrap()
}

#[test]
fn a_source_is_banned_longer_each_time_and_never_longer_than_said() {
    let bans = Bans::default();
    let mut now = Moment::now();
    for expected in [60, 120, 200, 200] {
        bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
        assert_eq!(lasts(&bans, "192.0.2.7", now), expected);
        assert!(bans.judge(ip("192.0.2.8"), now.monotonic).is_none());
        now = now.after(seconds(expected + 10));
    }
    // After a day of peace it is the first time again.
    let tomorrow = now.after(REMEMBERED_FOR);
    let _ = bans.remembered(tomorrow);
    bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", tomorrow);
    assert_eq!(lasts(&bans, "192.0.2.7", tomorrow), 60);
}

#[test]
fn an_ipv6_source_is_banned_by_its_64() {
    let bans = Bans::default();
    let now = Moment::now();
    bans.ban_source(Source::of(ip("2001:db8::1")), TERM, "guessing", now);
    assert!(bans.judge(ip("2001:db8::ffff"), now.monotonic).is_some());
    assert!(bans.judge(ip("2001:db8:0:1::1"), now.monotonic).is_none());
}

#[test]
fn the_operator_bans_networks_and_lifts_bans() {
    let bans = Bans::default();
    let now = Moment::now();
    let network: Network = "198.51.100.0/24".parse().unwrap();
    bans.ban(network, None, "abuse", now).unwrap();
    bans.ban("2001:db8::/32".parse().unwrap(), Some(now.wall + seconds(5)), "abuse", now).unwrap();
    bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
    let listed: Vec<_> = bans.list(now).into_iter().map(|ban| ban.network.to_string()).collect();
    assert_eq!(listed, ["2001:db8::/32", "192.0.2.7", "198.51.100.0/24"]);
    let year = now.after(seconds(365 * 86_400));
    assert!(bans.judge(ip("::ffff:198.51.100.7"), year.monotonic).is_some());
    assert!(bans.judge(ip("2001:db8:1::1"), now.after(seconds(5)).monotonic).is_none());
    assert!(bans.unban(network, year) && !bans.unban(network, year));
    assert!(bans.judge(ip("198.51.100.7"), year.monotonic).is_none());
    // Lifted is forgotten: the next time is the first again.
    bans.unban("192.0.2.7".parse().unwrap(), now);
    assert_eq!(bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now).times, 1);
}

#[test]
fn what_the_operator_said_is_not_shortened() {
    let bans = Bans::default();
    let now = Moment::now();
    bans.ban("192.0.2.7".parse().unwrap(), None, "abuse", now).unwrap();
    assert_eq!(bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now).until, None);
}

#[test]
fn a_restart_forgets_neither_bans_nor_how_often() {
    let (before, after) = (Bans::default(), Bans::default());
    let now = Moment::now();
    before.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
    before.ban_source(Source::of(ip("192.0.2.8")), TERM, "guessing", now);
    let restarted = now.after(seconds(50));
    after.restore(before.remembered(restarted), restarted);
    assert_eq!(lasts(&after, "192.0.2.7", restarted), 10);
    let later = now.after(seconds(70));
    assert_eq!(after.ban_source(Source::of(ip("192.0.2.8")), TERM, "guessing", later).times, 2);
}

#[test]
fn the_wall_clock_set_back_or_on_changes_no_ban() {
    let bans = Bans::default();
    let now = Moment::now();
    bans.ban_source(Source::of(ip("192.0.2.7")), TERM, "guessing", now);
    let set_on = Moment { wall: now.wall + seconds(86_400), ..now.after(seconds(59)) };
    assert_eq!(bans.list(set_on).len(), 1);
    let set_back = Moment { wall: now.wall - seconds(86_400), ..now.after(seconds(60)) };
    assert_eq!(bans.list(set_back).len(), 0);
}

#[test]
fn the_table_is_bounded_and_the_operators_bans_stay() {
    let bans = Bans::default();
    let now = Moment::now();
    bans.ban("198.51.100.0/24".parse().unwrap(), Some(now.wall + seconds(1)), "abuse", now).unwrap();
    for n in 0..25_000u32 {
        bans.ban_source(
            Source::of(IpAddr::V4(n.into())),
            TERM,
            "guessing",
            now.after(Duration::from_millis(u64::from(n))),
        );
    }
    assert!(bans.remembered(now).len() <= REMEMBERED);
    assert!(bans.judge(ip("198.51.100.7"), now.monotonic).is_some());
    assert!(bans.judge(IpAddr::V4(24_999.into()), now.monotonic).is_some(), "the latest is there");
}

#[test]
fn full_of_the_operators_bans_it_says_so() {
    let bans = Bans::default();
    let now = Moment::now();
    for n in 0..u32::try_from(REMEMBERED).unwrap() {
        bans.ban(Network::around(IpAddr::V4(n.into()), 32), None, "abuse", now).unwrap();
    }
    assert_eq!(bans.ban("203.0.113.7".parse().unwrap(), None, "abuse", now), Err(TooManyBans));
}
