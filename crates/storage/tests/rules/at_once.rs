//! What may an event thread open? Files that the kernel knows, and nothing that has to be looked for, or refused.

use std::os::unix::fs::symlink;

use carrack_core::Session;
use carrack_core::session::WriteMode::Replace;
use rustix::fs::{CWD, FileType, Mode};

use crate::world::{Say, World, path};

/// What stands behind `offset`, as an event thread reads it.
fn at_once(session: &Session, name: &str, offset: u64) -> Option<Vec<u8>> {
    let (bytes, download) = session.read_at_once(&path(name), offset, 70_000)?;
    assert_eq!(download.remaining(), 0);
    download.finish();
    Some(bytes)
}

#[test]
fn a_file_that_was_just_written_is_read_at_once() {
    let world = World::apart();
    let alice = world.session("alice");
    std::fs::create_dir(world.root.join("d")).unwrap();
    for contents in [b"".as_slice(), b"small", &[b'x'; 70_000]] {
        alice.put("/d/f", Replace, contents).unwrap();
        alice.stat(&path("/d/f")).unwrap();
        assert_eq!(at_once(&alice, "/d/f", 0).unwrap(), contents);
    }
    assert_eq!(at_once(&alice, "/d/f", 69_998).unwrap(), b"xx");
    let told = world.events.take().len();
    assert!(alice.read_at_once(&path("/d/f"), 0, 69_999).is_none(), "it is larger than that");
    assert_eq!((told, world.events.take().len()), (7, 0), "a download that did not begin is not told");
}

#[test]
fn what_is_winding_strange_or_refused_is_left_to_the_ordinary_way() {
    let world = World::apart();
    let alice = world.session("alice");
    alice.put("/f", Replace, b"contents").unwrap();
    alice.put("/d", Replace, b"").unwrap();
    std::fs::remove_file(world.root.join("d")).unwrap();
    std::fs::create_dir(world.root.join("d")).unwrap();
    symlink("f", world.root.join("link")).unwrap();
    symlink(".", world.root.join("here")).unwrap();
    rustix::fs::mknodat(CWD, world.root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for name in ["/none", "/d", "/link", "/here/f", "/fifo", "/"] {
        assert!(at_once(&alice, name, 0).is_none(), "{name}");
    }
    assert!(at_once(&alice, "/f", 9).is_none(), "behind its end");
    let mut account = world.account("bob");
    account.permissions = carrack_core::permission::Permissions::NONE;
    let bob = world.session_of(account);
    assert!(at_once(&bob, "/f", 0).is_none(), "he may not read");
    // Whoever was told the length of an unfinished upload must not be given the old file for it.
    alice.cut("/f", Replace, b"new co");
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 5);
    assert!(at_once(&alice, "/f", 0).is_none());
    assert!(alice.open_read(&path("/f"), 0).is_err());
}

#[test]
fn where_an_excluded_folder_lies_beneath_the_root_more_is_looked_at() {
    let world = World::local();
    let alice = world.session("alice");
    alice.put("/f", Replace, b"contents").unwrap();
    assert!(at_once(&alice, "/f", 0).is_none());
    assert!(at_once(&alice, "/state/secret", 0).is_none());
    assert_eq!(alice.take("/f").unwrap(), b"contents");
}
