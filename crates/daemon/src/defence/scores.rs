//! What counts against somebody, and how is it forgotten?

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What is so little that it counts for nothing.
const NOTHING: f64 = 0.05;

/// Scores that halve with time, of as many as the table holds. Where there is no room, those with the lowest are forgotten.
#[derive(Debug)]
pub(super) struct Scores<K> {
    half_life: Duration,
    most: usize,
    held: HashMap<K, Score>,
}

#[derive(Clone, Copy, Debug)]
struct Score {
    value: f64,
    at: Instant,
    /// Until when earlier guesses wait.
    taken_until: Option<Instant>,
}

impl<K: Eq + Hash + Clone> Scores<K> {
    pub(super) fn new(half_life: Duration, most: usize) -> Self {
        Self { half_life, most, held: HashMap::new() }
    }

    /// From now on that is the time in which it halves.
    pub(super) fn halves_in(&mut self, half_life: Duration) {
        self.half_life = half_life;
    }

    /// What counts now.
    pub(super) fn of(&self, key: &K, now: Instant) -> f64 {
        self.held.get(key).map_or(0.0, |score| score.decayed(self.half_life, now))
    }

    /// Counts one more; what it comes to.
    pub(super) fn add(&mut self, key: K, now: Instant) -> f64 {
        if !self.held.contains_key(&key) && self.held.len() >= self.most {
            self.make_room(now);
        }
        let score = self.held.entry(key).or_insert(Score { value: 0.0, at: now, taken_until: None });
        score.value = score.decayed(self.half_life, now) + 1.0;
        score.at = now;
        score.value
    }

    /// Leaves half of it.
    pub(super) fn halve(&mut self, key: &K) {
        if let Some(score) = self.held.get_mut(key) {
            score.value /= 2.0;
        }
    }

    /// Takes the next `length` of time of this one; how long it is until it has passed. `None` where that would be more than
    /// `longest`, and nothing is taken then.
    pub(super) fn take(
        &mut self,
        key: &K,
        length: Duration,
        longest: Duration,
        now: Instant,
    ) -> Option<Duration> {
        let Some(score) = self.held.get_mut(key) else { return Some(length.min(longest)) };
        let begin = score.taken_until.filter(|until| *until > now).unwrap_or(now);
        let end = begin.checked_add(length)?;
        let wait = end.saturating_duration_since(now);
        (wait <= longest).then(|| {
            score.taken_until = Some(end);
            wait
        })
    }

    /// Forgets who counts for nothing, and where that is not enough, the half that counts least.
    fn make_room(&mut self, now: Instant) {
        let half_life = self.half_life;
        self.held.retain(|_, score| score.decayed(half_life, now) > NOTHING);
        if self.held.len() >= self.most {
            let mut values: Vec<_> = self.held.values().map(|score| score.decayed(half_life, now)).collect();
            let middle = values.len() / 2;
            let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
            let (median, mut surplus) = (*median, self.held.len().saturating_sub(self.most / 2));
            // Of those that count alike so many go as have to.
            self.held.retain(|_, score| {
                let goes = surplus > 0 && score.decayed(half_life, now) <= median;
                surplus -= usize::from(goes);
                !goes
            });
        }
    }
}

impl Score {
    fn decayed(&self, half_life: Duration, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.value * (-passed / half_life.as_secs_f64()).exp2()
    }
}

/// When somebody was last seen, of as many as the table holds. Where there is no room, the half that was seen longest ago is forgotten.
#[derive(Debug)]
pub(super) struct Seen<K> {
    most: usize,
    held: HashMap<K, Instant>,
}

impl<K: Eq + Hash + Clone> Seen<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: HashMap::new() }
    }

    pub(super) fn see(&mut self, key: K, now: Instant) {
        if !self.held.contains_key(&key) && self.held.len() >= self.most {
            let mut moments: Vec<_> = self.held.values().copied().collect();
            let middle = moments.len() / 2;
            let (_, median, _) = moments.select_nth_unstable(middle);
            let median = *median;
            self.held.retain(|_, seen| *seen > median);
        }
        self.held.insert(key, now);
    }

    /// Whether it was seen no longer ago than that.
    pub(super) fn within(&self, key: &K, how_long: Duration, now: Instant) -> bool {
        self.held.get(key).is_some_and(|seen| now.saturating_duration_since(*seen) < how_long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn half_is_forgotten_in_every_half_life() {
        let mut scores = Scores::new(MINUTE, 10);
        let now = Instant::now();
        for _ in 0..8 {
            scores.add("a", now);
        }
        for (minutes, expected) in [(0, 8.0), (1, 4.0), (2, 2.0), (3, 1.0)] {
            assert!((scores.of(&"a", now + MINUTE * minutes) - expected).abs() < 1e-9, "{minutes}");
        }
        assert!((scores.add("a", now + MINUTE * 3) - 2.0).abs() < 1e-9);
        assert!(scores.of(&"b", now).abs() < 1e-9);
        // A clock that is read a little too early by another thread is no harm.
        assert!((scores.of(&"a", now) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let mut scores = Scores::new(MINUTE, 100);
        let now = Instant::now();
        for _ in 0..50 {
            scores.add(u32::MAX, now);
        }
        for n in 0..10_000 {
            scores.add(n, now);
        }
        assert!(scores.held.len() <= 100, "{}", scores.held.len());
        assert!(scores.of(&u32::MAX, now) > 49.0);
        assert!(scores.of(&9_999, now) > 0.9, "the latest is there");
    }

    #[test]
    fn guesses_of_one_stand_in_line_and_the_line_has_an_end() {
        let mut scores = Scores::new(MINUTE, 10);
        let now = Instant::now();
        let second = Duration::from_secs(1);
        scores.add("a", now);
        let mut take = |at: Instant| scores.take(&"a", second * 2, second * 5, at);
        assert_eq!((take(now), take(now), take(now)), (Some(second * 2), Some(second * 4), None));
        assert_eq!(take(now + second), Some(second * 5));
        assert_eq!(take(now + MINUTE), Some(second * 2));
    }

    #[test]
    fn who_was_seen_is_known_for_a_while_and_the_table_is_bounded() {
        let mut seen = Seen::new(100);
        let now = Instant::now();
        for n in 0..1_000u32 {
            seen.see(n, now + Duration::from_millis(u64::from(n)));
        }
        assert!(seen.held.len() <= 100);
        let later = now + Duration::from_secs(1);
        assert!(seen.within(&999, MINUTE, later) && !seen.within(&0, MINUTE, later));
        assert!(!seen.within(&999, MINUTE, later + MINUTE));
    }
}
