//! What is known of a defect of ours that has panicked? What it was about ends, and nothing else does; it is counted, and told with its place.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

static COUNT: AtomicU64 = AtomicU64::new(0);
/// Where the last of those was that were not told yet.
static PLACE: Mutex<Option<String>> = Mutex::new(None);
static NEWS: Notify = Notify::const_new();
/// Whether somebody tells.
static TELLS: AtomicBool = AtomicBool::new(false);

/// Has all panics of this process counted and told, from now on.
pub fn watch() {
    std::panic::set_hook(Box::new(note));
}

/// SECURITY: nothing of the message is repeated, which may hold what a client has sent. Nothing is waited for: the panic may hold any lock.
fn note(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if !TELLS.load(Ordering::Relaxed) {
        eprintln!("carrack: a defect at {place}; report it, with this line");
    } else if let Ok(mut last) = PLACE.try_lock() {
        *last = Some(place);
    }
    NEWS.notify_one();
}

/// How many there were.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Tells them in the log, for as long as it is polled.
pub(crate) async fn tell() {
    TELLS.store(true, Ordering::Relaxed);
    loop {
        NEWS.notified().await;
        let (at, count) = (taken(), count());
        tracing::error!(target: "carrack", at, count, mend = "report it, with this line", "panicked");
    }
}

fn taken() -> Option<String> {
    PLACE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_counted_with_its_place_and_without_its_words() {
        let hook = std::panic::take_hook();
        watch();
        TELLS.store(true, Ordering::Relaxed);
        let before = count();
        let outcome = std::thread::spawn(|| panic!("a secret")).join();
        std::panic::set_hook(hook);
        assert!(outcome.is_err() && count() > before);
        let place = taken().unwrap();
        assert!(place.contains("panics.rs:") && !place.contains("secret"), "{place}");
    }
}
