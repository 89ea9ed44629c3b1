//! What only a disk can get wrong: links, races, special files, modes, names, crashes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carrack_core::ErrorKind::{Busy, Forbidden, IsADirectory, NotAFile, NotFound};
use carrack_core::backend::{Kind, PartialRecord};
use carrack_core::path::VirtualPath;
use carrack_core::session::WriteMode::{Append, From, Replace};
use carrack_storage::local::{LocalSettings, LocalStore, Partials, Publish, remove_expired};
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::world::{Index, Say, World, path};

fn kind(world: &World, name: &str) -> Option<Kind> {
    let session = world.session("alice");
    let mut entries = session.list(&VirtualPath::root()).unwrap().map(|entry| entry.unwrap());
    entries.find(|entry| entry.name.as_bytes() == name.as_bytes()).map(|entry| entry.metadata.kind)
}

#[test]
fn links_are_followed_beneath_the_root_only() {
    let world = World::local();
    let alice = world.session("alice");
    let outside = world.root.parent().unwrap().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f"), b"secret").unwrap();
    std::fs::create_dir(world.root.join("d")).unwrap();
    std::fs::write(world.root.join("d/f"), b"inside").unwrap();
    for (target, name) in [
        ("d/f", "file"),
        ("d", "folder"),
        ("../outside/f", "out"),
        ("../outside", "out-folder"),
        ("/etc/passwd", "absolute"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
        ("/proc/self/root/etc/passwd", "magic"),
    ] {
        symlink(target, world.root.join(name)).unwrap();
    }
    assert_eq!(alice.take("/file").unwrap(), b"inside");
    assert_eq!(alice.take("/folder/f").unwrap(), b"inside");
    assert_eq!((kind(&world, "file"), kind(&world, "folder")), (Some(Kind::File), Some(Kind::Directory)));
    for name in ["out", "absolute", "dangling", "loop", "magic"] {
        assert_eq!(kind(&world, name), Some(Kind::Link), "{name}");
        let name = format!("/{name}");
        assert!(matches!(alice.take(&name).unwrap_err().kind(), Forbidden | NotFound));
        assert_eq!(alice.refused(&name, Replace), Forbidden);
        assert_eq!(alice.facts(&path(&name)).unwrap().kind, Kind::Link);
    }
    assert_eq!(alice.refused("/out-folder/g", Replace), Forbidden);
    assert_eq!(alice.make_directory(&path("/out-folder/g")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.delete(&path("/out-folder/f")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.rename(&path("/d/f"), &path("/out-folder/g")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.list(&path("/out-folder")).err().unwrap().kind(), Forbidden);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);

    // An upload replaces what the link leads to; deleting removes the link.
    alice.put("/file", Replace, b"replaced").unwrap();
    alice.put("/file", Append, b" and extended").unwrap();
    assert_eq!(std::fs::read(world.root.join("d/f")).unwrap(), b"replaced and extended");
    assert!(world.root.join("file").is_symlink());
    for name in ["/file", "/out", "/dangling"] {
        alice.delete(&path(name)).unwrap();
    }
    assert!(world.root.join("d/f").exists() && outside.join("f").exists());
}

#[test]
fn a_link_swapped_under_our_feet_leads_nowhere() {
    let world = World::local_with(|settings| settings.sync = false);
    let alice = world.session("alice");
    let outside = world.root.parent().unwrap().join("outside");
    for folder in [&outside, &world.root.join("real")] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(outside.join("f"), b"secret").unwrap();
    std::fs::write(world.root.join("real/f"), b"public").unwrap();
    let (here, spare) = (world.root.join("d"), world.root.join("spare"));
    std::fs::create_dir(&here).unwrap();
    std::fs::write(here.join("f"), b"public").unwrap();
    symlink(&outside, &spare).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &here, CWD, &spare, exchange).unwrap();
            }
        });
        for _ in 0..2000 {
            if let Ok(bytes) = alice.take("/d/f") {
                assert_eq!(bytes, b"public");
            }
            let _ = alice.put("/d/g", Replace, b"x");
            let _ = alice.make_directory(&path("/d/h"));
            let _ = alice.delete(&path("/d/f2"));
        }
        done.store(true, Ordering::Relaxed);
    });
    let names: Vec<_> =
        std::fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["f"]);
}

#[test]
fn special_files_are_never_opened() {
    let world = World::local();
    let alice = world.session("alice");
    rustix::fs::mknodat(CWD, world.root.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = UnixListener::bind(world.root.join("socket")).unwrap();
    for name in ["fifo", "socket"] {
        assert_eq!(kind(&world, name), Some(Kind::Special));
        let name = format!("/{name}");
        assert_eq!(alice.take(&name).unwrap_err().kind(), NotAFile);
        for mode in [Replace, Append, From(3)] {
            assert_eq!(alice.refused(&name, mode), NotAFile);
        }
        assert_eq!(alice.size_of(&path(&name)).unwrap_err().kind(), NotAFile);
    }
    // Had anybody opened the FIFO for reading, this would not fail.
    let writer = OFlags::WRONLY | OFlags::NONBLOCK;
    let error = rustix::fs::open(world.root.join("fifo"), writer, Mode::empty()).unwrap_err();
    assert_eq!(error, rustix::io::Errno::NXIO);
    alice.delete(&path("/fifo")).unwrap();
    assert_eq!(alice.take("/").unwrap_err().kind(), IsADirectory);
}

#[test]
fn the_state_folder_is_not_there() {
    let world = World::local();
    let alice = world.session("alice");
    symlink("state", world.root.join("link")).unwrap();
    symlink("state/secret", world.root.join("deeper")).unwrap();
    std::fs::create_dir(world.root.join("d")).unwrap();
    symlink("../state", world.root.join("d/link")).unwrap();
    for name in ["/state", "/state/secret", "/link/secret", "/deeper/x", "/d/link/secret", "/d/link"] {
        assert_eq!(alice.take(name).unwrap_err().kind(), NotFound, "{name}");
        assert_eq!(alice.list(&path(name)).err().unwrap().kind(), NotFound, "{name}");
        let kind = alice.make_directory(&path(name)).unwrap_err().kind();
        assert!(matches!(kind, NotFound | carrack_core::ErrorKind::Exists), "{name}");
        assert!(alice.open_write(&path(name), Replace).is_err(), "{name}");
        assert!(alice.enter(&path(name)).is_err(), "{name}");
    }
    assert_eq!(alice.rename(&path("/state"), &path("/x")).unwrap_err().kind(), NotFound);
    assert_eq!(alice.rename(&path("/d"), &path("/state")).unwrap_err().kind(), NotFound);
    assert_eq!(alice.rename(&path("/d"), &path("/state/d")).unwrap_err().kind(), NotFound);
    assert_eq!(alice.remove_directory(&path("/state/secret")).unwrap_err().kind(), NotFound);
    assert_eq!(alice.names("/"), ["d", "deeper", "link"]);
    assert_eq!(kind(&world, "link"), Some(Kind::Link));
    assert!(world.root.join("state/secret").is_dir());
}

#[test]
fn a_folder_with_the_state_folder_in_it_stays() {
    let world = World::local_with(|settings| {
        let parent = settings.excluded[0].parent().unwrap().join("home/.local/state");
        std::fs::create_dir_all(&parent).unwrap();
        settings.excluded = vec![parent];
    });
    let alice = world.session("alice");
    assert_eq!(alice.rename(&path("/home"), &path("/x")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.rename(&path("/home/.local"), &path("/x")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.remove_directory(&path("/home/.local")).unwrap_err().kind(), Forbidden);
    assert!(alice.names("/home/.local").is_empty());
    // A root inside of the state folder would serve nothing but secrets.
    for excluded in [world.root.clone(), world.root.parent().unwrap().to_owned()] {
        let mut settings = LocalSettings::new(Arc::new(Index::default()));
        settings.excluded.push(excluded);
        assert!(LocalStore::open(&world.root, settings).is_err());
    }
}

#[test]
fn names_on_the_disk_that_nobody_can_say() {
    let world = World::local();
    for name in [b"two\r\nlines".as_slice(), b"esc\x1b[31m", b"tab\t", b".carrack-0123", b"\xff\xfe"] {
        std::fs::write(world.root.join(OsStr::from_bytes(name)), b"").unwrap();
    }
    assert_eq!(world.session("alice").names("/"), ["\u{fffd}\u{fffd}"]);
}

#[test]
fn modes_names_and_durable_folders() {
    let world = World::local();
    let alice = world.session("alice");
    let file = world.root.join("f");
    std::fs::write(&file, b"old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o4640)).unwrap();
    alice.put("/f", Replace, b"new").unwrap();
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.nlink()), (0o640, 1));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(1234), Some(2345)).unwrap();
        alice.put("/f", Replace, b"newer").unwrap();
        let metadata = std::fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (1234, 2345, 0o640));
    }
    // While it comes in, a partial is no more readable than what it replaces.
    let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
    upload.write(b"secret").unwrap();
    assert_eq!(partials(&world)[0].metadata().unwrap().mode() & 0o777, 0o640);
    drop(upload);
    // Also one that was begun when that was more open.
    for mode in [Replace, From(5)] {
        std::fs::set_permissions(partials(&world)[0].path(), PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut upload = alice.open_write(&path("/f"), mode).unwrap();
        upload.write(b"secret").unwrap();
        assert_eq!(partials(&world)[0].metadata().unwrap().mode() & 0o777, 0o600);
        drop(upload);
    }
    let long = "n".repeat(255);
    alice.cut(&format!("/{long}"), Replace, b"half");
    alice.resume(&format!("/{long}"), b"half and half").unwrap();
    assert_eq!(alice.take(&format!("/{long}")).unwrap(), b"half and half");
    assert_eq!(alice.facts(&path("/f")).unwrap().links, 1);
}

fn partials(world: &World) -> Vec<std::fs::DirEntry> {
    let entries = std::fs::read_dir(&world.root).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.file_name().as_bytes().starts_with(b".carrack-")).collect()
}

#[test]
fn what_others_put_in_a_partials_place_is_not_used() {
    let world = World::local();
    let alice = world.session("alice");
    let outside = world.root.parent().unwrap().join("outside");
    std::fs::write(&outside, b"secret").unwrap();
    alice.cut("/f", Replace, b"half");
    let partial = partials(&world).remove(0).path();
    let plant: [&dyn Fn(); 3] = [
        &|| symlink(&outside, &partial).unwrap(),
        &|| rustix::fs::mknodat(CWD, &partial, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap(),
        &|| std::fs::hard_link(&outside, &partial).unwrap(),
    ];
    for plant in plant {
        let _ = std::fs::remove_file(&partial);
        plant();
        assert_eq!(alice.size_of(&path("/f")).unwrap_err().kind(), NotFound);
        alice.put("/f", Replace, b"mine").unwrap();
        assert_eq!(std::fs::read(&outside).unwrap(), b"secret");
        assert_eq!(alice.take("/f").unwrap(), b"mine");
        alice.delete(&path("/f")).unwrap();
    }
}

#[test]
fn owners_see_what_they_have_unfinished() {
    let world = World::local_with(|settings| settings.partials = Partials::Owner);
    let (alice, bob) = (world.session("alice"), world.session("bob"));
    alice.put("/over", Replace, b"complete").unwrap();
    alice.cut("/over", Replace, b"ha");
    alice.cut("/alone", Replace, b"hal");
    let sizes = |session: &carrack_core::Session| {
        let entries = session.list(&VirtualPath::root()).unwrap().map(|entry| entry.unwrap());
        let mut sizes: Vec<_> =
            entries.map(|entry| (entry.name.as_bytes().to_vec(), entry.metadata.size)).collect();
        sizes.sort();
        sizes
    };
    assert_eq!(sizes(&alice), [(b"alone".to_vec(), 2), (b"over".to_vec(), 1)]);
    assert_eq!(sizes(&bob), [(b"over".to_vec(), 8)]);
    // What a listing told counts as told.
    alice.put("/over", Append, b"alf").unwrap();
    assert_eq!(alice.take("/over").unwrap(), b"half");
    // A folder of the name wins, and strangers see nothing of each other.
    std::fs::create_dir(world.root.join("alone")).unwrap();
    assert_eq!(kind(&world, "alone"), Some(Kind::Directory));
    alice.cut("/over", Replace, b"once more");
    let mut shared = world.account("alice");
    shared.shared = true;
    assert!(sizes(&world.session_of(shared)).contains(&(b"over".to_vec(), 4)));
}

#[test]
fn expired_uploads_are_removed_unless_they_are_written() {
    let world = World::local();
    let alice = world.session("alice");
    alice.cut("/f", Replace, b"half");
    let record = world.index.records.lock().unwrap().values().next().cloned().unwrap();
    assert_eq!((record.owner.as_str(), record.name.as_slice()), ("alice", b"f".as_slice()));
    let upload = alice.open_write(&path("/f"), From(3)).unwrap();
    assert_eq!(remove_expired(&record).unwrap_err().kind(), Busy);
    drop(upload);
    remove_expired(&record).unwrap();
    remove_expired(&record).unwrap();
    assert_eq!(alice.size_of(&path("/f")).unwrap_err().kind(), NotFound);
    // Whatever is in the index, nothing else is ever removed.
    alice.put("/f", Replace, b"whole").unwrap();
    let file = world.root.join("f").as_os_str().as_bytes().to_vec();
    assert!(remove_expired(&PartialRecord { file, ..record }).is_err());
    assert!(world.root.join("f").exists());
}

#[test]
fn publishing_in_place() {
    let world = World::local_with(|settings| settings.publish = Publish::InPlace);
    let alice = world.session("alice");
    alice.put("/f", Replace, b"0123456789").unwrap();
    // Until the first byte comes, nothing is lost.
    drop(alice.open_write(&path("/f"), Replace).unwrap());
    assert_eq!(alice.take("/f").unwrap(), b"0123456789");
    alice.cut("/f", Replace, b"ab");
    assert_eq!(alice.take("/f").unwrap(), b"ab");
    alice.put("/f", Append, b"cdef").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"abcdef");
    alice.put("/f", From(2), b"x").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"abx");
    alice.put("/g", Replace, b"").unwrap();
    drop(alice.open_write(&path("/h"), Replace).unwrap());
    assert_eq!(alice.names("/"), ["f", "g"]);
    assert!(partials(&world).is_empty());
}

#[test]
fn two_writers_never_mix_in_one_file() {
    let world = World::local();
    let (alice, bob) = (world.session("alice"), world.session("bob"));
    alice.put("/log", Replace, b"start").unwrap();
    let mut upload = alice.open_write(&path("/log"), Append).unwrap();
    upload.write(b" more").unwrap();
    assert_eq!(bob.refused("/log", Append), Busy);
    // Replaced meanwhile: the appended bytes have no name, so they are not acknowledged.
    bob.put("/log", Replace, b"other").unwrap();
    assert!(upload.commit().is_err());
    assert_eq!(alice.take("/log").unwrap(), b"other");
}
