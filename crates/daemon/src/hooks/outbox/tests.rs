//! What an outbox keeps, in which order, and what it does when it is full or torn.

use super::*;

const LIMIT: u64 = 16 * 1024 * 1024;

fn text(event: Option<Vec<u8>>) -> String {
    String::from_utf8(event.unwrap_or_default()).unwrap()
}

fn take(outbox: &mut Outbox) -> String {
    let event = text(outbox.oldest().unwrap());
    outbox.done().unwrap();
    event
}

#[test]
fn events_come_in_their_order_and_again_until_they_are_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(&dir.path().join("hooks/a"), LIMIT).unwrap();
    assert_eq!(outbox.oldest().unwrap(), None);
    for event in ["one", "two", "three"] {
        outbox.append(event.as_bytes(), 100).unwrap();
    }
    outbox.sync().unwrap();
    assert_eq!(
        (text(outbox.oldest().unwrap()), text(outbox.oldest().unwrap())),
        ("one".into(), "one".into())
    );
    assert_eq!((take(&mut outbox), outbox.waiting()), ("one".into(), 2));
    drop(outbox);
    let mut outbox = Outbox::open(&dir.path().join("hooks/a"), LIMIT).unwrap();
    assert_eq!(outbox.waiting(), 2);
    outbox.append(b"four", 100).unwrap();
    assert_eq!(
        (take(&mut outbox), take(&mut outbox), take(&mut outbox)),
        ("two".into(), "three".into(), "four".into())
    );
    assert_eq!((outbox.oldest().unwrap(), outbox.waiting()), (None, 0));
    outbox.append(b"five", 100).unwrap();
    assert_eq!(take(&mut outbox), "five");
}

#[test]
fn a_line_that_a_crash_tore_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(dir.path(), LIMIT).unwrap();
    outbox.append(b"whole", 100).unwrap();
    drop(outbox);
    let file = dir.path().join("00000000000000000000.events");
    std::fs::write(&file, "whole\n{\"torn").unwrap();
    let mut outbox = Outbox::open(dir.path(), LIMIT).unwrap();
    outbox.append(b"next", 100).unwrap();
    assert_eq!((take(&mut outbox), take(&mut outbox)), ("whole".into(), "next".into()));
    assert_eq!(outbox.oldest().unwrap(), None);
}

#[test]
fn what_is_delivered_takes_no_room_however_much_passes() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 4 * FILE_BYTES;
    let mut outbox = Outbox::open(dir.path(), limit).unwrap();
    let event = vec![b'x'; 100_000];
    for round in 0..100 {
        outbox.append(&event, 100).unwrap();
        if round % 7 == 0 {
            drop(outbox);
            outbox = Outbox::open(dir.path(), limit).unwrap();
        }
        assert_eq!(take(&mut outbox).len(), event.len());
        assert_eq!(outbox.oldest().unwrap(), None);
        let files = std::fs::read_dir(dir.path()).unwrap().count();
        assert!(files <= 3, "{files}");
    }
}

#[test]
fn the_oldest_are_kept_when_it_is_full_and_strangers_fill_half() {
    let dir = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(dir.path(), 1000).unwrap();
    let event = [b'x'; 99];
    for _ in 0..5 {
        outbox.append(&event, 50).unwrap();
    }
    assert!(matches!(outbox.append(&event, 50), Err(NotTaken::Full)));
    for _ in 0..5 {
        outbox.append(&event, 100).unwrap();
    }
    assert!(matches!(outbox.append(&event, 100), Err(NotTaken::Full)));
    assert_eq!(outbox.waiting(), 10);
    take(&mut outbox);
    outbox.append(&event, 100).unwrap();
}

#[test]
fn a_count_of_what_is_delivered_that_cannot_be_read_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut outbox = Outbox::open(dir.path(), LIMIT).unwrap();
    outbox.append(b"one", 100).unwrap();
    outbox.append(b"two", 100).unwrap();
    take(&mut outbox);
    drop(outbox);
    std::fs::write(dir.path().join("delivered"), [0xff; 42]).unwrap();
    let mut outbox = Outbox::open(dir.path(), LIMIT).unwrap();
    assert_eq!((take(&mut outbox), take(&mut outbox)), ("one".into(), "two".into()));
}

#[test]
fn two_processes_write_and_who_is_left_has_both_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = Outbox::open(dir.path(), LIMIT).unwrap();
    old.append(b"one", 100).unwrap();
    let mut new = Outbox::join(dir.path(), LIMIT).unwrap();
    old.append(b"two", 100).unwrap();
    new.append(b"four", 100).unwrap();
    assert_eq!((take(&mut old), new.waiting()), ("one".into(), 1));
    // One file more of the old one's.
    old.append(&vec![b'3'; usize::try_from(FILE_BYTES).unwrap()], 100).unwrap();
    old.append(b"three", 100).unwrap();
    new.settle().unwrap();
    assert_eq!(new.waiting(), 4);
    new.append(b"five", 100).unwrap();
    assert_eq!((take(&mut new), take(&mut new).len() as u64), ("two".into(), FILE_BYTES));
    assert_eq!(
        (take(&mut new), take(&mut new), take(&mut new)),
        ("three".into(), "four".into(), "five".into())
    );
    assert_eq!((new.oldest().unwrap(), new.waiting()), (None, 0));
    // Neither has come up again.
    drop((old, new));
    assert_eq!(Outbox::open(dir.path(), LIMIT).unwrap().waiting(), 0);
}
