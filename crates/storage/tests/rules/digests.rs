//! Digests: right, under the rules of a download, remembered while they hold and not a moment longer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use carrack_core::ErrorKind::{
    BeyondEnd, Denied, Interrupted, IsADirectory, NotFound, RangeMismatch, Unfinished, Unsupported,
};
use carrack_core::account::Account;
use carrack_core::digest::{Algorithm, Hasher, Turn};
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::WriteMode::{Append, Range, Replace};
use carrack_core::session::{Digesting, Session};

use crate::on_every_store;
use crate::world::{Say, World, path};

/// A turn. Nobody else takes one here, so there is no waiting.
fn turn(session: &Session) -> Turn {
    let mut future = pin!(session.digest_turn());
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(turn) => turn,
        Poll::Pending => panic!("no turn is free"),
    }
}

fn finish(session: &Session, mut digesting: Digesting) -> String {
    let turn = turn(session);
    while !digesting.step(&turn).unwrap() {}
    digesting.digest().unwrap().to_string()
}

fn digest_of(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish().to_string()
}

fn open(session: &Session, name: &str) -> Digesting {
    session.open_digest(&path(name), Algorithm::Sha256, 0, None).unwrap()
}

on_every_store! {
    of_the_whole_file_and_of_a_part, |world| {
        let alice = world.session("alice");
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        alice.put("/f", Replace, &bytes).unwrap();
        assert_eq!(finish(&alice, open(&alice, "/f")), digest_of(&bytes));
        for (first, end, expected) in [
            (5, Some(300_000), &bytes[5..300_000]),
            (599_999, None, &bytes[599_999..]),
            (600_000, None, &[]),
            (0, Some(1 << 62), &bytes[..]),
        ] {
            let part = alice.open_digest(&path("/f"), Algorithm::Sha256, first, end).unwrap();
            assert_eq!(part.range(), first..first + expected.len() as u64);
            assert_eq!(finish(&alice, part), digest_of(expected), "{first} {end:?}");
        }
        let beyond = alice.open_digest(&path("/f"), Algorithm::Sha256, 600_001, None);
        assert_eq!(beyond.err().unwrap().kind(), BeyondEnd { length: 600_000 });
    };

    under_the_rules_of_a_download, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"complete").unwrap();
        let refused = |session: &Session, name: &str| {
            session.open_digest(&path(name), Algorithm::Crc32, 0, None).err().unwrap().kind()
        };
        assert_eq!(refused(&alice, "/missing"), NotFound);
        assert_eq!(refused(&alice, "/"), IsADirectory);
        let permissions = Permissions::of(&[Permission::List, Permission::Write]);
        let bob = world.session_of(Account { permissions, ..world.account("bob") });
        assert_eq!(refused(&bob, "/f"), Denied);
        // Whoever was told the length of a partial means that, and not the file.
        alice.cut("/f", Replace, b"half of another");
        alice.size_of(&path("/f")).unwrap();
        assert_eq!(refused(&alice, "/f"), Unfinished);
    };

    a_range_is_written_whole_and_nothing_else, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"0123456789").unwrap();
        alice.put("/f", Range(8..12), b"abcd").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"01234567abcd");
        assert_eq!(alice.put("/f", Range(8..12), b"abc").unwrap_err().kind(), RangeMismatch { end: 12 });
        assert_eq!(alice.take("/f").unwrap(), b"01234567abcd");
        alice.delete(&path("/f")).unwrap();
        alice.put("/f", Replace, b"0123456789").unwrap();
        assert_eq!(alice.put("/f", Range(8..12), b"abcde").unwrap_err().kind(), RangeMismatch { end: 12 });
        assert_eq!(alice.take("/f").unwrap(), b"0123456789");
        alice.delete(&path("/f")).unwrap();
        alice.put("/f", Replace, b"0123456789").unwrap();
        assert_eq!(alice.refused("/f", Range(2..5)), Unsupported);
        assert_eq!(alice.take("/f").unwrap(), b"0123456789");
    };
}

/// Whether a digest is known without reading the file.
fn is_known(session: &Session, name: &str) -> bool {
    open(session, name).digest().is_some()
}

#[test]
fn a_session_that_asks_has_the_digests_of_its_uploads_at_once() {
    let world = World::local();
    let alice = world.session("alice");
    alice.put("/first", Replace, b"first").unwrap();
    assert!(!is_known(&alice, "/first"), "nobody had asked when it came");
    read_until_known(&alice, "/first", b"first");

    alice.put("/second", Replace, b"second").unwrap();
    let second = open(&alice, "/second");
    assert_eq!(second.digest().map(ToString::to_string), Some(digest_of(b"second")));
    assert!(is_known(&world.session("bob"), "/second"), "whoever may read it may know it");
    // An upload that did not begin at the first byte has not passed by whole.
    alice.cut("/third", Replace, b"third, cut");
    let length = alice.size_of(&path("/third")).unwrap();
    alice.put("/third", Append, &b"third, cut"[usize::try_from(length).unwrap()..]).unwrap();
    assert!(!is_known(&alice, "/third"));
    assert_eq!(finish(&alice, open(&alice, "/third")), digest_of(b"third, cut"));
}

#[test]
fn what_was_known_is_not_known_of_changed_bytes() {
    let world = World::local();
    let alice = world.session("alice");
    let file = world.root.join("f");
    std::fs::write(&file, b"a file").unwrap();
    read_until_known(&alice, "/f", b"a file");
    let modified = std::fs::metadata(&file).unwrap().modified().unwrap();
    // As some tools do that hide a change: the same length, and the old time put back.
    std::fs::write(&file, b"A file").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    assert!(!is_known(&alice, "/f"));
    read_until_known(&alice, "/f", b"A file");
    alice.put("/f", Replace, b"other!").unwrap();
    assert_eq!(open(&alice, "/f").digest().map(ToString::to_string), Some(digest_of(b"other!")));
    alice.put("/f", Append, b"more").unwrap();
    assert!(!is_known(&alice, "/f"));
}

/// What has just changed is read again each time it is asked for, and remembered once it has not.
fn read_until_known(session: &Session, name: &str, bytes: &[u8]) {
    while !is_known(session, name) {
        assert_eq!(finish(session, open(session, name)), digest_of(bytes));
    }
    assert_eq!(finish(session, open(session, name)), digest_of(bytes));
}

#[test]
fn a_file_that_changes_while_it_is_read_has_no_digest() {
    let world = World::local();
    let alice = world.session("alice");
    let file = world.root.join("f");
    std::fs::write(&file, vec![0; 1_000_000]).unwrap();
    let mut digesting = open(&alice, "/f");
    let turn = turn(&alice);
    assert!(!digesting.step(&turn).unwrap());
    // Longer by a byte: no clock is needed to see that.
    std::fs::write(&file, vec![1; 1_000_001]).unwrap();
    let outcome =
        std::iter::repeat_with(|| digesting.step(&turn)).find(|outcome| !matches!(outcome, Ok(false)));
    assert_eq!(outcome.unwrap().unwrap_err().kind(), Interrupted);
    std::fs::write(&file, b"short").unwrap();
    let mut digesting = open(&alice, "/f");
    std::fs::write(&file, b"").unwrap();
    assert_eq!(digesting.step(&turn).unwrap_err().kind(), Interrupted);
    assert!(digesting.digest().is_none());
}
