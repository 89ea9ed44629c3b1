//! Does a file appear whole or not at all, and is nothing else ever touched?

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::*;

fn name(name: &str) -> EntryName {
    EntryName::parse(name.as_bytes()).unwrap()
}

fn partial(folder: &Path, target: &str, begin: Begin) -> Result<Partial, LocalFailure> {
    Partial::open(Arc::new(Folder::open(folder).unwrap()), name(target), begin)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_target_has_the_old_file_until_the_new_one_is_complete() {
    let disk = tempfile::tempdir().unwrap();
    let target = disk.path().join("letter");
    fs::write(&target, b"old").unwrap();
    let partial = partial(disk.path(), "letter", Begin::Anew).unwrap();
    partial.file().write_all(b"new").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"old");
    partial.publish(Some((1_000_000_000, 5))).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"new");
    let found = fs::metadata(&target).unwrap();
    assert_eq!((found.mtime(), found.mtime_nsec()), (1_000_000_000, 5));
    assert_eq!(names(disk.path()), ["letter"]);
}

#[test]
fn what_is_dropped_goes_and_what_is_kept_is_continued() {
    let disk = tempfile::tempdir().unwrap();
    let first = partial(disk.path(), "letter", Begin::Anew).unwrap();
    first.file().write_all(b"12345").unwrap();
    drop(first);
    assert_eq!(names(disk.path()), Vec::<String>::new());

    let mut second = partial(disk.path(), "letter", Begin::Continue).unwrap();
    second.file().write_all(b"12345").unwrap();
    second.keep();
    drop(second);
    assert_eq!(names(disk.path()), [".letter.carrack-part"]);
    assert_eq!(partial(disk.path(), "letter", Begin::Continue).unwrap().length().unwrap(), 5);
    // That one was not kept.
    assert_eq!(partial(disk.path(), "letter", Begin::Continue).unwrap().length().unwrap(), 0);
}

#[test]
fn what_begins_anew_has_nothing_of_before() {
    let disk = tempfile::tempdir().unwrap();
    fs::write(disk.path().join(".letter.carrack-part"), b"of another day").unwrap();
    assert_eq!(partial(disk.path(), "letter", Begin::Anew).unwrap().length().unwrap(), 0);
}

#[test]
fn the_permissions_of_what_is_replaced_stay_and_set_id_bits_do_not() {
    let disk = tempfile::tempdir().unwrap();
    let target = disk.path().join("letter");
    for (before, while_written, after) in
        [(0o600, 0o600, 0o600), (0o444, 0o644, 0o444), (0o4711, 0o711, 0o711)]
    {
        fs::write(&target, b"old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(before)).unwrap();
        let partial = partial(disk.path(), "letter", Begin::Anew).unwrap();
        let umask_leaves = partial.file().metadata().unwrap().mode() & 0o7777;
        assert_eq!(umask_leaves & !while_written, 0, "{umask_leaves:o}");
        partial.publish(None).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, after);
        fs::remove_file(&target).unwrap();
    }
}

#[test]
fn a_link_at_the_target_is_replaced_and_what_it_leads_to_is_not_touched() {
    let disk = tempfile::tempdir().unwrap();
    fs::write(disk.path().join("outside"), b"mine").unwrap();
    symlink("outside", disk.path().join("letter")).unwrap();
    let partial = partial(disk.path(), "letter", Begin::Anew).unwrap();
    partial.file().write_all(b"new").unwrap();
    partial.publish(None).unwrap();
    assert_eq!(fs::read(disk.path().join("outside")).unwrap(), b"mine");
    assert!(fs::symlink_metadata(disk.path().join("letter")).unwrap().is_file());
}

#[test]
fn traps_under_the_partials_name_are_not_written_through() {
    let disk = tempfile::tempdir().unwrap();
    let (trap, mine) = (disk.path().join(".letter.carrack-part"), disk.path().join("mine"));
    fs::write(&mine, b"mine").unwrap();
    let traps: [&dyn Fn(); 3] =
        [&|| symlink(&mine, &trap).unwrap(), &|| fs::hard_link(&mine, &trap).unwrap(), &|| {
            rustix::fs::mkfifoat(rustix::fs::CWD, &trap, Mode::from_raw_mode(0o600)).unwrap()
        }];
    for set in traps {
        set();
        let partial = partial(disk.path(), "letter", Begin::Continue).unwrap();
        assert_eq!(partial.length().unwrap(), 0);
        partial.file().write_all(b"theirs").unwrap();
        partial.publish(None).unwrap();
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
        assert_eq!(fs::read(disk.path().join("letter")).unwrap(), b"theirs");
    }
}

#[test]
fn a_folder_or_a_device_at_the_target_is_in_the_way() {
    let disk = tempfile::tempdir().unwrap();
    fs::create_dir(disk.path().join("letter")).unwrap();
    assert!(matches!(partial(disk.path(), "letter", Begin::Anew), Err(LocalFailure::FolderInTheWay(_))));
    let fifo = disk.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
    assert!(matches!(partial(disk.path(), "fifo", Begin::Anew), Err(LocalFailure::NotAFile(_))));
    // Made while the bytes came.
    let late = partial(disk.path(), "late", Begin::Anew).unwrap();
    fs::create_dir(disk.path().join("late")).unwrap();
    assert!(matches!(late.publish(None), Err(LocalFailure::FolderInTheWay(_))));
    assert_eq!(names(disk.path()), ["fifo", "late", "letter"]);
}

#[test]
fn two_do_not_write_the_same_file() {
    let disk = tempfile::tempdir().unwrap();
    let first = partial(disk.path(), "letter", Begin::Anew).unwrap();
    assert!(matches!(partial(disk.path(), "letter", Begin::Continue), Err(LocalFailure::Busy(_))));
    first.publish(None).unwrap();
    partial(disk.path(), "letter", Begin::Continue).unwrap();
}

#[test]
fn a_long_name_has_a_partial_too() {
    let disk = tempfile::tempdir().unwrap();
    for target in ["x".repeat(255), "é".repeat(127), "x".repeat(242)] {
        let own = name_of(target.as_bytes());
        assert!(own.len() <= NAME_BYTES && is_partial(&own) && std::str::from_utf8(&own).is_ok());
        partial(disk.path(), &target, Begin::Anew).unwrap().publish(None).unwrap();
    }
    let mut other = "x".repeat(254);
    other.push('y');
    assert_ne!(name_of(other.as_bytes()), name_of("x".repeat(255).as_bytes()));
    assert_eq!(name_of(&[0xff; 255]).len(), NAME_BYTES);
}

#[test]
fn only_what_is_ours_and_free_is_removed_as_stale() {
    let disk = tempfile::tempdir().unwrap();
    let stale = disk.path().join(".letter.carrack-part");
    fs::write(&stale, b"x").unwrap();
    fs::write(disk.path().join("letter"), b"x").unwrap();
    remove_stale(disk.path(), b"letter");
    remove_stale(disk.path(), b".letter.carrack-part");
    assert_eq!(names(disk.path()), ["letter"]);

    let held = partial(disk.path(), "letter", Begin::Anew).unwrap();
    remove_stale(disk.path(), b".letter.carrack-part");
    assert!(stale.exists());
    drop(held);
    symlink("letter", &stale).unwrap();
    remove_stale(disk.path(), b".letter.carrack-part");
    assert!(fs::symlink_metadata(&stale).is_ok());
}
