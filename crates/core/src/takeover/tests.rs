//! Claims are exclusive, and can be taken over.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn key(user: &str) -> Key {
    Key { user: user.to_owned(), path: VirtualPath::parse(b"/f").unwrap() }
}

#[test]
fn a_claim_is_exclusive_until_dropped() {
    let uploads = Arc::new(LiveUploads::default());
    let claim = uploads.claim_free(key("alice")).unwrap();
    assert!(uploads.claim_free(key("alice")).is_err());
    assert!(uploads.claim_free(key("bob")).is_ok());
    drop(claim);
    assert!(uploads.claim_free(key("alice")).is_ok());
}

#[test]
fn whoever_does_not_let_go_makes_the_next_one_busy() {
    let uploads = Arc::new(LiveUploads::default());
    let claim = uploads.claim_free(key("alice")).unwrap();
    assert!(matches!(uploads.take_over(key("alice"), Duration::ZERO), Err(ErrorKind::Busy)));
    assert!(claim.is_taken_over());
    // Whoever says only now how to reach him is told at once.
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    claim.on_takeover(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[test]
fn only_one_waits_and_the_others_are_told_at_once() {
    let uploads = Arc::new(LiveUploads::default());
    let claim = uploads.claim_free(key("alice")).unwrap();
    let (asked, was_asked) = std::sync::mpsc::channel();
    claim.on_takeover(Box::new(move || asked.send(()).unwrap()));
    let other = Arc::clone(&uploads);
    let first = std::thread::spawn(move || other.take_over(key("alice"), TAKEOVER_PATIENCE).map(drop));
    was_asked.recv().unwrap();
    let began = Instant::now();
    for _ in 0..100 {
        assert!(matches!(uploads.take_over(key("alice"), TAKEOVER_PATIENCE), Err(ErrorKind::Busy)));
    }
    assert!(began.elapsed() < TAKEOVER_PATIENCE / 2);
    drop(claim);
    first.join().unwrap().unwrap();
    assert!(uploads.take_over(key("alice"), TAKEOVER_PATIENCE).is_ok());
}

#[test]
fn the_old_writer_is_told_and_waited_for() {
    let uploads = Arc::new(LiveUploads::default());
    let claim = Arc::new(Mutex::new(Some(uploads.claim_free(key("alice")).unwrap())));
    let held = Arc::downgrade(&claim);
    let (stop, stopped) = std::sync::mpsc::channel();
    if let Some(claim) = &*lock(&claim) {
        claim.on_takeover(Box::new(move || stop.send(()).unwrap()));
    }
    let old = std::thread::spawn(move || {
        stopped.recv().unwrap();
        lock(&held.upgrade().unwrap()).take();
    });
    let new = uploads.take_over(key("alice"), TAKEOVER_PATIENCE).unwrap();
    assert!(!new.is_taken_over());
    old.join().unwrap();
    assert!(lock(&claim).is_none());
}
