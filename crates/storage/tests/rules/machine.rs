//! What the machine does to uploads: power cuts, full disks, mounts, other programs.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use carrack_core::ErrorKind::{Forbidden, Io, IsADirectory, NotFound, TakenOver};
use carrack_core::account::{Folder, InTransit};
use carrack_core::backend::{Extension, Kept, Kind};
use carrack_core::event::{Incomplete, Protection};
use carrack_core::permission::Permissions;
use carrack_core::session::WriteMode::{Append, From, Replace};
use carrack_storage::local::{Links, LocalSettings, LocalStore, Publish};
use carrack_storage::memory::Faults;

use crate::world::{Index, Say, World, path};

#[test]
fn after_a_power_cut_only_synced_bytes_are_offered() {
    let world = World::local();
    let alice = world.session("alice");
    let power_cut = || {
        for record in world.index.records.lock().unwrap().values_mut() {
            assert!(!record.boot.is_empty());
            record.boot = "an earlier one".into();
        }
    };
    let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
    upload.write(b"never synced").unwrap();
    power_cut();
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 0);
    drop(upload);
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 11);
    power_cut();
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 11, "synced when it was kept");
    let mut upload = alice.open_write(&path("/f"), From(11)).unwrap();
    upload.write(b"d and more").unwrap();
    power_cut();
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 10, "of the eleven that were");
    // As if the writer were gone with the machine.
    std::mem::forget(upload);
    let record = world.index.records.lock().unwrap().values().next().cloned().unwrap();
    let copy = world.root.join("copy");
    std::fs::copy(std::path::Path::new(std::str::from_utf8(&record.file).unwrap()), &copy).unwrap();
    std::fs::rename(&copy, std::str::from_utf8(&record.file).unwrap()).unwrap();
    let again =
        World::of(Arc::new(LocalStore::open(&world.root, LocalSettings::new(world.index.clone())).unwrap()));
    let alice = again.session("alice");
    alice.resume("/f", b"never synced and whole").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"never synced and whole");
}

#[test]
fn what_the_index_has_lost_in_a_power_cut_is_not_offered() {
    let world = World::local();
    let alice = world.session("alice");
    alice.cut("/f", Replace, b"never synced");
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 11);
    world.index.records.lock().unwrap().clear();
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 0);
    alice.resume("/f", b"from the beginning").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"from the beginning");
}

#[test]
fn a_tail_that_a_crash_left_is_cut_at_the_next_start() {
    let world = World::local();
    let alice = world.session("alice");
    let file = world.root.join("log");
    alice.put("/log", Replace, b"acknowledged").unwrap();
    let mut upload = alice.open_write(&path("/log"), Append).unwrap();
    upload.write(b" and not").unwrap();
    let left = world.index.extensions.lock().unwrap().clone();
    assert_eq!(left.len(), 1);
    let start = || LocalStore::open(&world.root, LocalSettings::new(world.index.clone())).unwrap();
    // Not while the writer lives.
    start();
    upload.write(b".").unwrap();
    upload.commit().unwrap();
    assert!(world.index.extensions.lock().unwrap().is_empty());
    assert_eq!(std::fs::read(&file).unwrap(), b"acknowledged and not.");
    // Only of the same file.
    *world.index.extensions.lock().unwrap() = left
        .iter()
        .map(|(file, one)| (file.clone(), Extension { inode: one.inode + 1, ..one.clone() }))
        .collect();
    start();
    assert_eq!(std::fs::metadata(&file).unwrap().size(), 21);
    assert!(world.index.extensions.lock().unwrap().is_empty());
    *world.index.extensions.lock().unwrap() = left;
    start();
    assert_eq!(std::fs::read(&file).unwrap(), b"acknowledged");
    assert!(world.index.extensions.lock().unwrap().is_empty());
    alice.cut("/log", Append, b"more");
    assert!(world.index.extensions.lock().unwrap().is_empty(), "undone by us");
}

#[test]
fn an_index_that_fails_refuses_no_upload() {
    let world = World::local();
    let alice = world.session("alice");
    alice.put("/log", Replace, b"one").unwrap();
    world.index.full.store(true, Ordering::Relaxed);
    alice.put("/f", Replace, b"whole").unwrap();
    alice.put("/log", Append, b"two").unwrap();
    let failures = std::mem::take(&mut *world.events.failures.lock().unwrap());
    assert_eq!(failures.iter().map(|failure| failure.0).collect::<Vec<_>>(), ["note the upload of"; 2]);
    assert_eq!(alice.take("/log").unwrap(), b"onetwo");
    // But what the next start would cut off is not acknowledged.
    world.index.full.store(false, Ordering::Relaxed);
    let mut upload = alice.open_write(&path("/log"), Append).unwrap();
    upload.write(b"three").unwrap();
    world.index.full.store(true, Ordering::Relaxed);
    assert!(upload.commit().is_err());
    assert_eq!(alice.take("/log").unwrap(), b"onetwo");
    // And what the index vouches for stays as it is.
    world.index.full.store(false, Ordering::Relaxed);
    alice.cut("/kept", Replace, b"synced and kept");
    world.index.full.store(true, Ordering::Relaxed);
    assert!(alice.put("/kept", Replace, b"another one").is_err());
    world.index.full.store(false, Ordering::Relaxed);
    alice.put("/kept", Replace, b"another one").unwrap();
    assert_eq!(alice.take("/kept").unwrap(), b"another one");
}

#[test]
fn failures_of_the_store_are_told() {
    let (world, store) = World::memory();
    let alice = world.session("alice");
    alice.put("/f", Replace, b"x").unwrap();
    let told = || std::mem::take(&mut *world.events.failures.lock().unwrap());
    let mut upload = alice.open_write(&path("/g"), Replace).unwrap();
    let mut download = alice.open_read(&path("/f"), 0).unwrap();
    store.set_faults(Faults::at(1, Io));
    assert!(upload.write(b"x").is_err());
    assert!(upload.commit().is_err());
    store.set_faults(Faults::at(1, Io));
    assert!(download.read(&mut [0]).is_err());
    store.set_faults(Faults::at(1, Io));
    assert!(alice.stat(&path("/f")).is_err());
    assert_eq!(told().iter().map(|failure| failure.0).collect::<Vec<_>>(), ["write", "read", "look at"]);
    for (mode, operations) in [(Replace, 2), (Append, 4)] {
        for operation in 1..=operations {
            store.set_faults(Faults::at(operation, Io));
            assert!(alice.open_write(&path("/g"), mode.clone()).is_err());
            assert_eq!(told().len(), 1, "once, at operation {operation}");
        }
    }
    store.set_faults(Faults::NONE);
    assert_eq!(alice.stat(&path("/none")).unwrap_err().kind(), NotFound);
    assert!(told().is_empty(), "what the client did wrong is no failure");
}

#[test]
fn a_copy_is_made_after_the_opening_and_can_be_stopped() {
    let world = World::local_with(|settings| settings.sync = false);
    let (alice, other) = (world.session("alice"), world.session("alice"));
    let whole = vec![b'o'; 20 << 20];
    alice.put("/f", Replace, &whole).unwrap();
    let mut upload = alice.open_write(&path("/f"), From(19 << 20)).unwrap();
    assert_eq!(upload.position(), 19 << 20);
    let partials = || {
        let entries = std::fs::read_dir(&world.root).unwrap().map(Result::unwrap);
        let sizes = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(".carrack-"));
        sizes.map(|entry| entry.metadata().unwrap().size()).collect::<Vec<_>>()
    };
    assert!(partials().is_empty());
    upload.protected_by(Protection::Clear);
    for (done, length) in [(false, 0), (false, 8 << 20), (false, 16 << 20), (true, 19 << 20)] {
        assert_eq!(upload.prepare().unwrap(), done);
        assert_eq!(partials(), [length]);
        assert_eq!(upload.position(), 19 << 20);
    }
    upload.write(b"new").unwrap();
    upload.commit().unwrap();
    let (taken, kept) = (alice.take("/f").unwrap(), 19 << 20);
    assert!(taken[..kept] == whole[..kept] && taken[kept..] == *b"new");
    // Stopped between two pieces, what was copied is kept.
    let mut upload = alice.open_write(&path("/f"), From(19 << 20)).unwrap();
    assert!(!upload.prepare().unwrap() && !upload.prepare().unwrap());
    assert_eq!(upload.abort(Incomplete::Aborted), Kept::Bytes((8 << 20) - 1));
    alice.delete(&path("/f")).unwrap();
    // A newer upload stops it, too.
    alice.put("/f", Replace, &whole).unwrap();
    let mut upload = alice.open_write(&path("/f"), From(19 << 20)).unwrap();
    let (asked, was_asked) = std::sync::mpsc::channel();
    upload.on_takeover(Box::new(move || asked.send(()).unwrap()));
    std::thread::scope(|scope| {
        scope.spawn(|| other.put("/f", Replace, b"short").unwrap());
        was_asked.recv().unwrap();
        assert_eq!(upload.write(b"x").unwrap_err().kind(), TakenOver);
        drop(upload);
    });
    assert_eq!(alice.take("/f").unwrap(), b"short");
}

#[test]
fn links_that_are_refused_lead_nowhere_and_can_be_removed() {
    let world = World::local_with(|settings| settings.links = Links::Refuse);
    std::fs::create_dir_all(world.root.join("in/private")).unwrap();
    std::fs::write(world.root.join("in/private/f"), b"secret").unwrap();
    for (target, name) in [("in", "alias"), ("in/private/f", "file")] {
        symlink(target, world.root.join(name)).unwrap();
    }
    let mut account = world.account("alice");
    let rule = Folder {
        path: path("/in/private"),
        permissions: Permissions::NONE,
        in_transit: InTransit::AsElsewhere,
    };
    account.folders.push(rule);
    let alice = world.session_of(account);
    for name in ["/alias/private/f", "/file"] {
        assert_eq!(alice.take(name).unwrap_err().kind(), Forbidden);
        for mode in [Replace, Append, From(1)] {
            assert_eq!(alice.refused(name, mode), Forbidden);
        }
    }
    assert_eq!(alice.list(&path("/alias")).err().unwrap().kind(), Forbidden);
    assert_eq!(alice.rename(&path("/alias/private"), &path("/x")).unwrap_err().kind(), Forbidden);
    assert_eq!(alice.make_directory(&path("/alias/d")).unwrap_err().kind(), Forbidden);
    let entries: Vec<_> = alice.list(&path("/")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(entries.iter().filter(|entry| entry.metadata.kind == Kind::Link).count(), 2);
    for name in ["/alias", "/file"] {
        alice.delete(&path(name)).unwrap();
    }
    assert!(world.root.join("in/private/f").exists());
}

#[test]
fn a_link_to_what_is_unfinished_leads_nowhere() {
    for exclude in [true, false] {
        let world = World::local_with(|settings| {
            if !exclude {
                settings.excluded.clear();
            }
        });
        let alice = world.session("alice");
        alice.cut("/f", Replace, b"half");
        let entries = std::fs::read_dir(&world.root).unwrap().map(|entry| entry.unwrap().file_name());
        let partial =
            entries.into_iter().find(|name| name.to_str().unwrap().starts_with(".carrack-")).unwrap();
        symlink(partial, world.root.join("link")).unwrap();
        let bob = world.session("bob");
        assert_eq!(bob.take("/link").unwrap_err().kind(), NotFound);
        assert!(bob.open_write(&path("/link"), Replace).is_err());
        assert!(bob.open_write(&path("/link"), Append).is_err());
        bob.delete(&path("/link")).unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
    }
}

#[test]
fn the_state_folder_is_not_there_by_a_mount_either() {
    let world = World::local();
    let (state, mount) = (world.root.join("state"), world.root.join("d/mount"));
    std::fs::create_dir_all(&mount).unwrap();
    let mounted = Command::new("mount").arg("--bind").args([&state, &mount]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let alice = world.session("alice");
    std::fs::write(state.join("key"), b"secret").unwrap();
    let outcomes = [
        alice.take("/d/mount/key").map(drop),
        alice.list(&path("/d/mount")).map(drop),
        alice.list(&path("/d/mount/secret")).map(drop),
        alice.put("/d/mount/x", Replace, b"x"),
        alice.delete(&path("/d/mount/key")),
        alice.make_directory(&path("/d/mount/secret/x")),
    ];
    assert!(Command::new("umount").arg(&mount).status().unwrap().success());
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), NotFound);
    }
}

#[test]
fn publishing_in_place_removes_no_file_of_another() {
    let world = World::local_with(|settings| settings.publish = Publish::InPlace);
    let alice = world.session("alice");
    let (mine, his) = (world.root.join("f"), world.root.join("his"));
    let upload = alice.open_write(&path("/f"), Replace).unwrap();
    std::fs::write(&his, b"his").unwrap();
    std::fs::rename(&his, &mine).unwrap();
    drop(upload);
    assert_eq!(std::fs::read(&mine).unwrap(), b"his");
    let upload = alice.open_write(&path("/g"), Replace).unwrap();
    std::fs::write(world.root.join("g"), b"his").unwrap();
    drop(upload);
    assert_eq!(std::fs::read(world.root.join("g")).unwrap(), b"his");
    assert_eq!(alice.refused("/", Replace), IsADirectory);
}

#[test]
fn an_empty_index_forgets_nothing_on_the_disk() {
    let world = World::local();
    world.session("alice").cut("/f", Replace, b"half");
    let store = LocalStore::open(&world.root, LocalSettings::new(Arc::new(Index::default()))).unwrap();
    let again = World::of(Arc::new(store));
    let alice = again.session("alice");
    alice.resume("/f", b"half and half").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"half and half");
}
