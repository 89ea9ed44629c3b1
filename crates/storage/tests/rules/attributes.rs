//! Times, modes and room: what is set is there, and nothing else of a file or of the machine changes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use carrack_core::ErrorKind::{self, Denied, Forbidden, NotADirectory, NotAFile, NotFound, Unsupported};
use carrack_core::Session;
use carrack_core::backend::{AccessBits, Attributes, Metadata};
use carrack_core::permission::{Permission, Permissions as Granted};
use carrack_core::session::WriteMode::Replace;

use crate::on_every_store;
use crate::world::{Say, World, path};

fn mode(bits: u16) -> Attributes {
    Attributes { modified: None, mode: Some(AccessBits::new(bits).unwrap()) }
}

fn time(seconds: i64, nanoseconds: u32) -> Attributes {
    Attributes { modified: Some((seconds, nanoseconds)), mode: None }
}

fn set(session: &Session, name: &str, attributes: Attributes) -> Result<Metadata, ErrorKind> {
    session.set_attributes(&path(name), &attributes).map_err(|error| error.kind())
}

on_every_store! {
    what_is_set_is_there, |world| {
        let alice = world.session("alice");
        alice.make_directory(&path("/d")).unwrap();
        alice.put("/f", Replace, b"four").unwrap();
        for name in ["/d", "/f"] {
            let before = alice.stat(&path(name)).unwrap();
            let after = set(&alice, name, time(1_000_000_000, 7_000_000)).unwrap();
            assert_eq!((after.modified, after.mode), ((1_000_000_000, 7_000_000), before.mode), "{name}");
            let after = set(&alice, name, mode(0o750)).unwrap();
            assert_eq!((after.modified, after.mode), ((1_000_000_000, 7_000_000), Some(0o750)), "{name}");
            assert_eq!(alice.stat(&path(name)).unwrap(), after);
        }
        assert_eq!(alice.take("/f").unwrap(), b"four");
        assert_eq!(set(&alice, "/none", time(1, 0)), Err(NotFound));
    };

    a_file_of_ones_own_is_no_exception, |world| {
        let mut account = world.account("alice");
        account.permissions = Granted::of(&[Permission::Write, Permission::Read]);
        let alice = world.session_of(account);
        alice.put("/f", Replace, b"f").unwrap();
        assert_eq!(set(&alice, "/f", time(1, 0)), Err(Denied));
        assert_eq!(set(&alice, "/f", mode(0o600)), Err(Denied));
    };
}

#[test]
fn no_client_sets_more_than_nine_bits() {
    for bits in [0o1000, 0o2755, 0o4755, 0o7777, u16::MAX] {
        assert_eq!(AccessBits::new(bits), None, "{bits:o}");
    }
    assert_eq!(AccessBits::new(0o777).map(AccessBits::bits), Some(0o777));
}

#[test]
fn special_bits_go_from_files_and_stay_on_folders() {
    let world = World::local();
    let alice = world.session("alice");
    for (name, before, after) in [("file", 0o6755, 0o700), ("folder", 0o3755, 0o3700)] {
        let there = world.root.join(name);
        if name == "file" {
            fs::write(&there, "x").unwrap()
        } else {
            fs::create_dir(&there).unwrap()
        }
        fs::set_permissions(&there, Permissions::from_mode(before)).unwrap();
        set(&alice, &format!("/{name}"), mode(0o700)).unwrap();
        assert_eq!(fs::metadata(&there).unwrap().mode() & 0o7777, after, "{name}");
    }
}

#[test]
fn links_are_followed_beneath_the_root_and_no_further() {
    let world = World::local();
    let alice = world.session("alice");
    let outside = world.root.parent().unwrap().join("outside");
    fs::write(&outside, "x").unwrap();
    fs::write(world.root.join("file"), "x").unwrap();
    symlink("file", world.root.join("link")).unwrap();
    symlink(&outside, world.root.join("out")).unwrap();
    symlink("../outside", world.root.join("up")).unwrap();
    let before = fs::metadata(&outside).unwrap();
    for name in ["/out", "/up"] {
        assert_eq!(set(&alice, name, time(1, 0)), Err(Forbidden), "{name}");
        assert_eq!(set(&alice, name, mode(0)), Err(Forbidden), "{name}");
    }
    let after = fs::metadata(&outside).unwrap();
    assert_eq!((before.mtime(), before.mode()), (after.mtime(), after.mode()));
    set(&alice, "/link", time(1, 0)).unwrap();
    assert_eq!(fs::metadata(world.root.join("file")).unwrap().mtime(), 1);
    // What the server keeps for itself is not there.
    assert_eq!(set(&alice, "/state", mode(0o777)), Err(NotFound));
}

#[test]
fn a_fifo_stays_as_it_is() {
    let world = World::local();
    let fifo = world.root.join("fifo");
    let made = std::process::Command::new("mkfifo").arg("-m600").arg(&fifo).status().unwrap();
    assert!(made.success());
    assert_eq!(set(&world.session("alice"), "/fifo", mode(0o666)), Err(NotAFile));
    assert_eq!(fs::metadata(&fifo).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_disk_tells_its_room_to_who_may_fill_it() {
    let world = World::local();
    world.session("root").put("/f", Replace, b"f").unwrap();
    for permission in Permission::ALL {
        let mut account = world.account("alice");
        account.permissions = Granted::of(&[permission]);
        let told = world.session_of(account).space(&path("/")).map_err(|error| error.kind());
        match permission {
            Permission::Write | Permission::Overwrite => assert!(told.unwrap() > 0),
            _ => assert_eq!(told, Err(Denied), "{permission:?}"),
        }
    }
    let alice = world.session("alice");
    assert_eq!(alice.space(&path("/f")).unwrap_err().kind(), NotADirectory);
    assert_eq!(alice.space(&path("/none")).unwrap_err().kind(), NotFound);
}

#[test]
fn a_store_without_the_ability_says_so() {
    let (world, _) = World::memory();
    assert_eq!(world.session("alice").space(&path("/")).unwrap_err().kind(), Unsupported);
}

#[test]
fn the_disk_tells_owner_and_birth() {
    let world = World::local();
    let alice = world.session("alice");
    alice.put("/f", Replace, b"f").unwrap();
    set(&alice, "/f", time(1, 0)).unwrap();
    let found = alice.stat(&path("/f")).unwrap();
    let there = fs::metadata(world.root.join("f")).unwrap();
    assert_eq!(found.owner, Some((there.uid(), there.gid())));
    // Not every file system has one; where there is one, it is not the time that was set.
    let told = there.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    assert_eq!(found.created.map(|(seconds, _)| seconds), told.map(|since| since.as_secs() as i64));
}
