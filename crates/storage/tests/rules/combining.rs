//! Parts become one file whole or not at all, and no byte is lost on the way.

use carrack_core::ErrorKind::{
    self, Busy, Denied, Exists, Interrupted, InvalidName, IsADirectory, NotFound, Unfinished,
};
use carrack_core::Session;
use carrack_core::path::VirtualPath;
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::WriteMode::{Append, Replace};
use carrack_core::session::{Combined, Combining};
use carrack_storage::local::Publish;
use carrack_storage::memory::Faults;

use crate::on_every_store;
use crate::world::{Say, World, path};

fn begin(session: &Session, target: &str, parts: &[&str]) -> Result<Combining, ErrorKind> {
    let parts: Vec<VirtualPath> = parts.iter().map(path).collect();
    session.combine(&path(target), &parts).map_err(|error| error.kind())
}

fn combine(session: &Session, target: &str, parts: &[&str]) -> Result<Combined, ErrorKind> {
    begin(session, target, parts)?.finish().map_err(|error| error.kind())
}

fn prepared(session: &Session) {
    for name in ["/target", "/1", "/2", "/new"] {
        let _ = session.delete(&path(name));
    }
    for (name, bytes) in [("/target", &b"old "[..]), ("/1", b"one "), ("/2", b"two")] {
        session.put(name, Replace, bytes).unwrap();
    }
}

on_every_store! {
    parts_go_behind_what_is_there, |world| {
        let alice = world.session("alice");
        prepared(&alice);
        assert_eq!(combine(&alice, "/target", &["/1", "/2"]), Ok(Combined { parts_left: 0 }));
        assert_eq!(alice.names("/"), ["target"]);
        assert_eq!(alice.take("/target").unwrap(), b"old one two");
    };

    a_target_that_is_not_there_is_made, |world| {
        let alice = world.session("alice");
        // More than one step, and a part of nothing.
        let large: Vec<u8> = (0..9 << 20).map(|index: usize| (index % 251) as u8).collect();
        alice.put("/a", Replace, &large).unwrap();
        alice.put("/b", Replace, b"").unwrap();
        alice.put("/c", Replace, b"end").unwrap();
        combine(&alice, "/new", &["/a", "/b", "/c"]).unwrap();
        assert_eq!(alice.names("/"), ["new"]);
        assert!(alice.take("/new").unwrap() == [&large[..], b"end"].concat());
    };

    what_is_refused_leaves_everything, |world| {
        let alice = world.session("alice");
        prepared(&alice);
        alice.make_directory(&path("/d")).unwrap();
        assert_eq!(combine(&alice, "/target", &["/1", "/none"]), Err(NotFound));
        assert_eq!(combine(&alice, "/target", &["/1", "/1"]), Err(InvalidName));
        assert_eq!(combine(&alice, "/target", &["/target"]), Err(InvalidName));
        assert_eq!(combine(&alice, "/target", &["/d"]), Err(IsADirectory));
        assert_eq!(combine(&alice, "/d", &["/1"]), Err(IsADirectory));
        // What is still being uploaded, or was cut, is no part yet.
        let mut upload = alice.open_write(&path("/3"), Replace).unwrap();
        upload.write(b"thr").unwrap();
        assert_eq!(combine(&alice, "/target", &["/1", "/3"]), Err(Busy));
        drop(upload);
        assert_eq!(combine(&alice, "/target", &["/1", "/3"]), Err(Unfinished));
        alice.delete(&path("/3")).unwrap();
        alice.cut("/target", Replace, b"half");
        assert_eq!(combine(&alice, "/target", &["/1"]), Err(Unfinished));
        assert_eq!(alice.names("/"), ["1", "2", "d", "target"]);
        assert_eq!(alice.take("/1").unwrap(), b"one ");
    };

    given_up_in_between_leaves_everything, |world| {
        let alice = world.session("alice");
        prepared(&alice);
        let mut combining = begin(&alice, "/target", &["/1", "/2"]).unwrap();
        while !combining.step().unwrap() {}
        drop(combining);
        assert_eq!(alice.names("/"), ["1", "2", "target"]);
        assert_eq!(alice.size_of(&path("/target")).unwrap(), 4);
        combine(&alice, "/target", &["/1", "/2"]).unwrap();
        assert_eq!(alice.take("/target").unwrap(), b"old one two");
    };

    a_target_that_changed_meanwhile_is_not_overwritten, |world| {
        let (alice, bob) = (world.session("alice"), world.session("bob"));
        for (target, mode) in [("/target", Replace), ("/target", Append), ("/new", Replace)] {
            prepared(&alice);
            let mut combining = begin(&alice, target, &["/1", "/2"]).unwrap();
            while !combining.step().unwrap() {}
            bob.put(target, mode.clone(), b"from bob").unwrap();
            let now = bob.take(target).unwrap();
            let refused = combining.finish().unwrap_err().kind();
            assert!(matches!(refused, Interrupted | Exists), "{target} {mode:?}: {refused:?}");
            assert_eq!(alice.take(target).unwrap(), now, "{target} {mode:?}");
            assert_eq!(alice.take("/1").unwrap(), b"one ");
        }
    };

    what_a_crash_leaves_is_nobodys_upload, |world| {
        let alice = world.session("alice");
        prepared(&alice);
        let mut combining = begin(&alice, "/target", &["/1", "/2"]).unwrap();
        while !combining.step().unwrap() {}
        assert_eq!(alice.facts(&path("/target")).unwrap().size, 4);
        // As a crash leaves it: nothing is given up in order.
        std::mem::forget(combining);
        assert_eq!(alice.names("/"), ["1", "2", "target"]);
        assert_eq!(alice.facts(&path("/target")).unwrap().size, 4);
    };

    a_part_that_somebody_replaced_meanwhile_stays, |world| {
        let alice = world.session("alice");
        prepared(&alice);
        let mut combining = begin(&alice, "/new", &["/1", "/2"]).unwrap();
        while !combining.step().unwrap() {}
        world.session("bob").put("/2", Replace, b"two, but later").unwrap();
        assert_eq!(combining.finish().unwrap(), Combined { parts_left: 1 });
        assert_eq!(alice.take("/new").unwrap(), b"one two");
        assert_eq!(alice.take("/2").unwrap(), b"two, but later");
    };

    every_permission_is_needed, |world| {
        let root = world.session("root");
        let needs = [Permission::Read, Permission::Delete];
        for (target, more) in [("/target", Permission::Overwrite), ("/new", Permission::Write)] {
            let all: Vec<Permission> = needs.into_iter().chain([more]).collect();
            for without in &all {
                prepared(&root);
                let mut account = world.account("alice");
                account.permissions = all.iter().copied().filter(|one| one != without).collect();
                let outcome = combine(&world.session_of(account), target, &["/1"]);
                assert_eq!(outcome, Err(Denied), "{target} without {without:?}");
                assert_eq!(root.take("/1").unwrap(), b"one ");
            }
            prepared(&root);
            let mut account = world.account("alice");
            account.permissions = Permissions::of(&all);
            combine(&world.session_of(account), target, &["/1"]).unwrap();
        }
    };
}

#[test]
fn a_failure_at_any_point_loses_nothing() {
    let (world, store) = World::memory();
    let alice = world.session("alice");
    prepared(&alice);
    store.set_faults(Faults::NONE);
    combine(&alice, "/target", &["/1", "/2"]).unwrap();
    let operations = store.operations();
    assert!(operations > 10, "{operations}");
    for operation in 1..=operations {
        store.set_faults(Faults::NONE);
        prepared(&alice);
        store.set_faults(Faults::at(operation, ErrorKind::Io));
        let outcome = combine(&alice, "/target", &["/1", "/2"]);
        store.set_faults(Faults::NONE);
        let target = alice.take("/target").unwrap();
        match outcome {
            Err(_) => {
                assert_eq!(target, b"old ", "operation {operation}");
                assert_eq!(alice.take("/1").unwrap(), b"one ", "operation {operation}");
                assert_eq!(alice.take("/2").unwrap(), b"two", "operation {operation}");
            }
            Ok(Combined { parts_left }) => {
                assert_eq!(target, b"old one two", "operation {operation}");
                assert_eq!(alice.names("/").len(), 1 + parts_left, "operation {operation}");
            }
        }
    }
}

#[test]
fn a_store_that_writes_in_place_combines_too() {
    let world = World::local_with(|settings| settings.publish = Publish::InPlace);
    let alice = world.session("alice");
    prepared(&alice);
    combine(&alice, "/target", &["/1", "/2"]).unwrap();
    assert_eq!(
        (alice.take("/target").unwrap(), alice.names("/")),
        (b"old one two".to_vec(), vec!["target".into()])
    );
}
