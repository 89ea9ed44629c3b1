//! Is an interrupted transfer found again, only by the same transfer, and by one at a time?

use carrack_ftp_proto::client::RemotePath;

use super::*;

fn key(remote: &str) -> Key {
    Key::download(
        "ftpes://alice@files.example:21",
        &RemotePath::parse(remote.as_bytes()).unwrap(),
        Path::new("/home/a"),
    )
}

fn journal(state: &Path) -> Journal {
    Journal::open(state, SystemTime::now()).unwrap()
}

fn standing(size: u64) -> Transfer {
    let source = Version { size, modified: Some(Moment { unix_s: 1_700_000_000, nanos: 0 }) };
    Transfer::Download { source, partial: ".a.carrack-part".to_owned() }
}

fn entries(state: &Path) -> usize {
    std::fs::read_dir(state.join("transfers")).unwrap().count()
}

#[test]
fn what_was_interrupted_is_found_again_and_what_ended_is_not() {
    let state = tempfile::tempdir().unwrap();
    let mut claim = journal(state.path()).claim(key("/a")).unwrap();
    assert_eq!(claim.found(), None);
    claim.write(standing(5)).unwrap();
    claim.write(standing(6)).unwrap();
    drop(claim);

    let claim = journal(state.path()).claim(key("/a")).unwrap();
    assert_eq!(claim.found(), Some(&standing(6)));
    claim.end();
    assert_eq!(entries(state.path()), 0);
    assert_eq!(journal(state.path()).claim(key("/a")).unwrap().found(), None);
    assert_eq!(entries(state.path()), 0);
}

#[test]
fn nothing_but_the_same_transfer_finds_it() {
    let state = tempfile::tempdir().unwrap();
    journal(state.path()).claim(key("/a")).unwrap().write(standing(5)).unwrap();
    let path = RemotePath::parse(b"/a").unwrap();
    let others = [
        key("/b"),
        Key::download("ftpes://bob@files.example:21", &path, Path::new("/home/a")),
        Key::download("ftpes://alice@files.example:21", &path, Path::new("/home/b")),
        Key::upload("ftpes://alice@files.example:21", Path::new("/home/a"), &path),
    ];
    for other in others {
        assert_eq!(journal(state.path()).claim(other).unwrap().found(), None);
    }
    assert!(journal(state.path()).claim(key("/a")).unwrap().found().is_some());
}

#[test]
fn two_do_not_work_on_the_same_transfer() {
    let state = tempfile::tempdir().unwrap();
    let mut first = journal(state.path()).claim(key("/a")).unwrap();
    let refused = journal(state.path()).claim(key("/a")).unwrap_err();
    assert!(refused.to_string().contains("another carrack is writing /home/a"), "{refused}");
    // The lock moves along to the file that replaces the first one.
    first.write(standing(5)).unwrap();
    assert!(matches!(journal(state.path()).claim(key("/a")), Err(LocalFailure::Busy(_))));
    journal(state.path()).claim(key("/b")).unwrap();
    drop(first);
    journal(state.path()).claim(key("/a")).unwrap();
}

#[test]
fn an_entry_that_cannot_be_read_is_as_good_as_none() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("transfers").join(file_name(&key("/a")));
    let mut claim = journal(state.path()).claim(key("/a")).unwrap();
    claim.write(standing(5)).unwrap();
    drop(claim);
    let text = std::fs::read_to_string(&path).unwrap();
    for broken in [
        "",
        "{",
        &text[..text.len() / 2],
        &text.replace("\"layout\": 1", "\"layout\": 2"),
        &text.replace("\"remote\": \"/a\"", "\"remote\": \"/b\""),
        &text.replace("\"partial\"", "\"part\""),
    ] {
        assert_ne!(broken, text);
        std::fs::write(&path, broken).unwrap();
        let mut claim = journal(state.path()).claim(key("/a")).unwrap();
        assert_eq!(claim.found(), None, "{broken}");
        claim.write(standing(5)).unwrap();
    }
    assert_eq!(journal(state.path()).claim(key("/a")).unwrap().found(), Some(&standing(5)));
}

#[test]
fn what_nobody_came_back_to_goes_with_its_unfinished_file() {
    let state = tempfile::tempdir().unwrap();
    let disk = tempfile::tempdir().unwrap();
    let partial = disk.path().join(".a.carrack-part");
    let remote = RemotePath::parse(b"/a").unwrap();
    let mine = || Key::download("server", &remote, &disk.path().join("a"));
    std::fs::write(&partial, b"half").unwrap();
    std::fs::write(disk.path().join("a"), b"old").unwrap();
    let mut held = journal(state.path()).claim(key("/held")).unwrap();
    held.write(standing(5)).unwrap();
    let mut claim = journal(state.path()).claim(mine()).unwrap();
    claim.write(standing(5)).unwrap();
    drop(claim);

    let day = Duration::from_secs(24 * 60 * 60);
    Journal::open(state.path(), SystemTime::now() + 29 * day).unwrap();
    assert!(partial.exists());
    assert_eq!(entries(state.path()), 2);
    Journal::open(state.path(), SystemTime::now() + 31 * day).unwrap();
    assert!(!partial.exists());
    assert_eq!(std::fs::read(disk.path().join("a")).unwrap(), b"old");
    // The one that somebody works on stays, however old it is.
    assert_eq!(entries(state.path()), 1);
}
