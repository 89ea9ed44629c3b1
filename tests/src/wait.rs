//! How a test waits: for a condition, with a deadline so far away that a busy machine never fails a test and a
//! broken server never hangs one.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. It is no measure of speed: it only ends a hanging run.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Looks again and again until `condition` yields something, and panics naming `what` when [`PATIENCE`] has run out.
///
/// For things that tell nobody when they happen, such as a file that appears. Log lines and replies have waits of
/// their own that wake up when the line is there.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        // The pause only saves processor time between two looks; no test depends on its length.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// [`until`] for a plain yes or no.
pub fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}
