//! Does a transfer still move? A byte now and then keeps none alive.

use std::time::{Duration, Instant};

/// Watches one transfer: within each `window` at least `floor` must get done.
pub(super) struct Standstill {
    window: Duration,
    floor: u64,
    /// Since when, and from where, the floor has not been reached.
    since: Instant,
    from: u64,
    /// When anything at all was last seen to have got done, and how much that was.
    moved_at: Instant,
    seen: u64,
}

impl Standstill {
    /// Begins with `done` done at `now`.
    pub(super) fn new(window: Duration, floor: u64, done: u64, now: Instant) -> Self {
        Self { window, floor: floor.max(1), since: now, from: done, moved_at: now, seen: done }
    }

    /// Looks how far it is. Only the floor begins a new window: less is as good as nothing.
    pub(super) fn look(&mut self, done: u64, now: Instant) {
        if done != self.seen {
            (self.moved_at, self.seen) = (now, done);
        }
        if done.saturating_sub(self.from) >= self.floor {
            (self.since, self.from) = (now, done);
        }
    }

    /// Leaves out time in which a limit of ours kept it from moving.
    pub(super) fn leave_out(&mut self, time: Duration) {
        self.since = self.since.checked_add(time).unwrap_or(self.since);
        self.moved_at = self.moved_at.checked_add(time).unwrap_or(self.moved_at);
    }

    /// When it stands still. A patience that is shorter than the window is for a peer who has everything and only has to leave: it
    /// counts from whatever it did last.
    pub(super) fn ends_at(&self, patience: impl FnOnce(Duration) -> Duration) -> Instant {
        match patience(self.window) {
            shorter if shorter < self.window => self.moved_at + shorter,
            _ => self.since + self.window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn watched(floor: u64) -> (Standstill, impl Fn(u64) -> Instant) {
        let begin = Instant::now();
        let at = move |seconds| begin + Duration::from_secs(seconds);
        (Standstill::new(WINDOW, floor, 0, begin), at)
    }

    #[test]
    fn bytes_now_and_then_prolong_nothing() {
        let (mut standstill, at) = watched(1024);
        for second in 1..60 {
            standstill.look(second, at(second));
        }
        assert_eq!(standstill.ends_at(|window| window), at(60));
    }

    #[test]
    fn the_floor_begins_a_new_window_however_slowly_it_came() {
        let (mut standstill, at) = watched(1024);
        standstill.look(1000, at(10));
        standstill.look(1024, at(50));
        assert_eq!(standstill.ends_at(|window| window), at(110));
        standstill.look(2047, at(100));
        assert_eq!(standstill.ends_at(|window| window), at(110));
    }

    #[test]
    fn who_only_has_to_leave_has_a_moment_from_the_last_byte_on() {
        let (mut standstill, at) = watched(1024);
        standstill.look(100, at(50));
        standstill.look(100, at(51));
        assert_eq!(standstill.ends_at(|window| window), at(60));
        assert_eq!(standstill.ends_at(|_| Duration::from_secs(2)), at(52));
    }

    #[test]
    fn time_that_a_limit_took_does_not_count() {
        let (mut standstill, at) = watched(1);
        standstill.leave_out(Duration::from_secs(500));
        assert_eq!(standstill.ends_at(|window| window), at(560));
    }

    #[test]
    fn a_floor_of_nothing_is_one_byte() {
        let (mut standstill, at) = watched(0);
        standstill.look(0, at(59));
        assert_eq!(standstill.ends_at(|window| window), at(60));
    }
}
