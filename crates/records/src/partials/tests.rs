//! What the journal must still know after restarts and crashes.

use super::*;
use carrack_core::ErrorKind;

fn record(file: &[u8], since_s: u64) -> PartialRecord {
    let since = UNIX_EPOCH + Duration::from_secs(since_s);
    PartialRecord {
        file: file.to_vec(),
        owner: "alice".into(),
        name: b"n%\xff\n".to_vec(),
        since,
        boot: "b".into(),
        settled: 7,
    }
}

#[test]
fn survives_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let (one, two) = (record(b"/srv/a/.carrack-1", 10), record(b"/srv/\xffb/.carrack-2", 20));
    let journal = PartialJournal::open(state.path()).unwrap();
    journal.remember(&one).unwrap();
    journal.remember(&two).unwrap();
    journal.forget(&one.file).unwrap();
    journal.forget(b"/never/there").unwrap();
    drop(journal);
    for _ in 0..2 {
        let journal = PartialJournal::open(state.path()).unwrap();
        assert_eq!(journal.find(&one.file), None);
        assert_eq!(journal.find(&two.file).as_ref(), Some(&two));
    }
    let text = std::fs::read_to_string(state.path().join(JOURNAL)).unwrap();
    assert_eq!(text.lines().count(), 1, "rewritten with what is left");
}

#[test]
fn a_torn_last_line_costs_nothing_else() {
    let state = tempfile::tempdir().unwrap();
    let one = record(b"/srv/.carrack-1", 10);
    PartialJournal::open(state.path()).unwrap().remember(&one).unwrap();
    let path = state.path().join(JOURNAL);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, [&whole, &whole[..cut]].concat()).unwrap();
        let journal = PartialJournal::open(state.path()).unwrap();
        assert_eq!(journal.find(&one.file).as_ref(), Some(&one));
        assert_eq!(journal.lock().records.len(), 1);
    }
}

#[test]
fn folders_take_their_uploads_along() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    for file in [b"/srv/a/.carrack-1".as_slice(), b"/srv/a/b/.carrack-2", b"/srv/ab/.carrack-3"] {
        journal.remember(&record(file, 1)).unwrap();
    }
    journal.renamed(b"/srv/a", b"/srv/c").unwrap();
    for journal in [journal, PartialJournal::open(state.path()).unwrap()] {
        for file in [b"/srv/c/.carrack-1".as_slice(), b"/srv/c/b/.carrack-2", b"/srv/ab/.carrack-3"] {
            assert_eq!(journal.find(file).unwrap().file, file);
        }
        assert_eq!(journal.find(b"/srv/a/.carrack-1"), None);
    }
}

#[test]
fn only_what_is_old_and_free_expires() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    let (old, busy, new) =
        (record(b"/.carrack-old", 1), record(b"/.carrack-busy", 1), record(b"/.carrack-n", 90));
    for record in [&old, &busy, &new] {
        journal.remember(record).unwrap();
    }
    let now = UNIX_EPOCH + Duration::from_secs(100);
    let remove = |record: &PartialRecord| {
        if record.file == busy.file { Err(ErrorKind::Busy.into()) } else { Ok(()) }
    };
    let expired = journal.expire(now, Duration::from_secs(50), remove).unwrap();
    assert_eq!(expired, Expired { removed: 1, kept: 1 });
    assert_eq!(journal.find(&old.file), None);
    assert!(journal.find(&busy.file).is_some() && journal.find(&new.file).is_some());
    // A clock that was set back makes nothing old.
    let expired = journal.expire(UNIX_EPOCH, Duration::ZERO, |_| Ok(())).unwrap();
    assert_eq!(expired, Expired::default());
}

#[test]
fn extensions_survive_and_end() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    let [one, two] = [b"/srv/a/log".as_slice(), b"/srv/b/log"].map(|file| Extension {
        file: file.to_vec(),
        inode: 7,
        length: 1 << 40,
    });
    journal.extending(&one).unwrap();
    journal.extending(&two).unwrap();
    journal.extended(&one.file).unwrap();
    journal.extended(b"/never/noted").unwrap();
    journal.renamed(b"/srv/b", b"/srv/c").unwrap();
    for journal in [journal, PartialJournal::open(state.path()).unwrap()] {
        assert_eq!(journal.extensions(), [Extension { file: b"/srv/c/log".to_vec(), ..two.clone() }]);
    }
}

#[test]
fn an_older_journal_is_understood() {
    let state = tempfile::tempdir().unwrap();
    let line = r#"{"remember":{"file":"/srv/.carrack-1","owner":"alice","name":"f","since_s":3}}"#;
    std::fs::write(state.path().join(JOURNAL), line).unwrap();
    let record = PartialJournal::open(state.path()).unwrap().find(b"/srv/.carrack-1").unwrap();
    assert_eq!((record.boot.as_str(), record.trusted(9, "now")), ("", 9));
}

#[test]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join(JOURNAL), b"").unwrap();
    drop(PartialJournal::open(state.path()).unwrap());
    let mode = std::fs::metadata(state.path().join(JOURNAL)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rewrite_that_fails_fails_no_change() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    // A folder in the way of the new file.
    std::fs::create_dir(state.path().join("partials.new")).unwrap();
    let one = record(b"/.carrack-1", 1);
    for _ in 0..=REWRITE_LINES + 1 {
        journal.remember(&one).unwrap();
    }
    assert_eq!(journal.find(&one.file), Some(one));
}

#[test]
fn what_began_while_the_old_was_removed_is_not_forgotten() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    let (old, new) = (record(b"/.carrack-1", 1), record(b"/.carrack-1", 9));
    journal.remember(&old).unwrap();
    let expired = journal.expire(UNIX_EPOCH + Duration::from_secs(10), Duration::from_secs(5), |_| {
        journal.remember(&new).map_err(|_| ErrorKind::Io.into())
    });
    assert_eq!(expired.unwrap().removed, 1);
    assert_eq!(journal.find(&new.file), Some(new));
}

#[test]
fn does_not_grow_for_ever() {
    let state = tempfile::tempdir().unwrap();
    let journal = PartialJournal::open(state.path()).unwrap();
    let one = record(b"/.carrack-1", 1);
    for _ in 0..=REWRITE_LINES {
        journal.remember(&one).unwrap();
    }
    assert_eq!(journal.lock().lines, 1);
    assert_eq!(std::fs::read_to_string(state.path().join(JOURNAL)).unwrap().lines().count(), 1);
}

#[test]
fn two_processes_write_while_one_takes_the_others_place_and_the_next_knows_all() {
    let state = tempfile::tempdir().unwrap();
    let [ended, begun, of_next] = [1, 2, 3].map(|n| record(format!("/srv/.carrack-{n}").as_bytes(), n));
    let append = Extension { file: b"/srv/log".to_vec(), inode: 7, length: 100 };
    let before = PartialJournal::open(state.path()).unwrap();
    before.remember(&ended).unwrap();
    before.extending(&append).unwrap();
    before.share(true);
    let next = PartialJournal::join(state.path()).unwrap();
    assert_eq!((next.find(&ended.file), next.extensions()), (Some(ended.clone()), vec![append.clone()]));
    // Far more lines than either would let stand by itself.
    for _ in 0..REWRITE_LINES {
        before.remember(&begun).unwrap();
    }
    next.remember(&of_next).unwrap();
    before.forget(&ended.file).unwrap();
    before.extended(&append.file).unwrap();
    drop(before);
    next.settle().unwrap();
    for journal in [next, PartialJournal::open(state.path()).unwrap()] {
        assert_eq!(journal.find(&ended.file), None);
        assert_eq!(journal.find(&begun.file).as_ref(), Some(&begun));
        assert_eq!(journal.find(&of_next.file).as_ref(), Some(&of_next));
        assert_eq!(journal.extensions(), []);
    }
}

#[test]
fn what_another_process_writes_is_known_while_both_do() {
    let state = tempfile::tempdir().unwrap();
    let old = PartialJournal::open(state.path()).unwrap();
    old.share(true);
    let new = PartialJournal::join(state.path()).unwrap();
    old.remember(&PartialRecord { settled: 7, ..record(b"/srv/a", 1) }).unwrap();
    assert_eq!(new.find(b"/srv/a").unwrap().settled, 7);
    new.forget(b"/srv/a").unwrap();
    assert_eq!(old.find(b"/srv/a"), None);
    std::fs::remove_file(state.path().join(JOURNAL)).unwrap();
    assert_eq!(new.find(b"/srv/a"), None, "nothing is vouched for that cannot be read");
}

#[test]
fn what_vouches_for_too_much_is_told_from_what_does_not() {
    let mut records = Records::default();
    Change::remember(&PartialRecord { settled: 7, ..record(b"/srv/in/a", 1) }).apply(&mut records);
    Change::remember(&PartialRecord { settled: 0, ..record(b"/srv/in/b", 1) }).apply(&mut records);
    let remembers = |file: &[u8], settled| Change::remember(&PartialRecord { settled, ..record(file, 2) });
    let forgets = |file: &[u8]| Change::Forget { file: escape(file) };
    let renames = |from: &str, to: &str| Change::Renamed { from: from.into(), to: to.into() };
    for change in [
        remembers(b"/srv/in/a", 6),
        forgets(b"/srv/in/a"),
        renames("/srv/in", "/srv/out"),
        renames("/srv/out", "/srv/in"),
    ] {
        assert!(records.would_trust_more_without(&change), "{change:?}");
    }
    for change in [
        remembers(b"/srv/in/a", 8),
        remembers(b"/srv/in/b", 0),
        remembers(b"/srv/in/c", 9),
        forgets(b"/srv/in/b"),
        renames("/srv/i", "/srv/out"),
    ] {
        assert!(!records.would_trust_more_without(&change), "{change:?}");
    }
}
