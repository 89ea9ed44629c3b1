//! What becomes of uploads: whole, cut, resumed, taken over, by one user and by two.

use std::sync::mpsc;

use carrack_core::ErrorKind::{
    Busy, Exists, IsADirectory, NotEmpty, NotFound, OffsetMismatch, RangeMismatch, TakenOver,
};
use carrack_core::backend::Kept;
use carrack_core::event::{Incomplete, Outcome};
use carrack_core::path::Name;
use carrack_core::session::WriteMode::{Append, From, Range, Replace, Unique};

use crate::on_every_store;
use crate::world::{Say, path};

on_every_store! {
    a_file_appears_whole_or_not_at_all, |world| {
        let alice = world.session("alice");
        let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
        upload.write(b"half").unwrap();
        assert_eq!(alice.take("/f").unwrap_err().kind(), NotFound);
        assert!(!alice.names("/").contains(&"f".to_owned()));
        upload.write(b" and half").unwrap();
        assert_eq!((upload.position(), upload.received()), (13, 13));
        upload.commit().unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"half and half");
        assert_eq!(alice.names("/"), ["f"]);
        assert_eq!(world.events.take(), [Outcome::Complete; 2]);
        assert!(world.index.records.lock().unwrap().is_empty());
    };

    a_file_that_is_whole_in_memory_is_published_in_one_go, |world| {
        let alice = world.session("alice");
        let whole = |mode, bytes: &[u8]| alice.open_write(&path("/f"), mode)?.commit_whole(bytes);
        for contents in [b"new".as_slice(), b"another over it", b"", b"and over an empty one"] {
            whole(Replace, contents).unwrap();
            assert_eq!(alice.take("/f").unwrap(), contents);
            assert_eq!(alice.names("/"), ["f"]);
            assert!(world.index.records.lock().unwrap().is_empty());
        }
        // Over an unfinished upload of the same name, which is gone then.
        alice.cut("/f", Replace, b"half of it");
        whole(Replace, b"whole").unwrap();
        assert_eq!((alice.take("/f").unwrap(), alice.size_of(&path("/f")).unwrap()), (b"whole".to_vec(), 5));
        // Behind what is there.
        whole(Append, b" and more").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"whole and more");
        let refused = whole(Range(0..20), b"too short").unwrap_err();
        assert_eq!(refused.kind(), RangeMismatch { end: 20 });
        assert_eq!(alice.take("/f").unwrap(), b"whole and more");
    };

    a_cut_upload_leaves_the_old_file_and_is_resumed, |world| {
        let alice = world.session("alice");
        for (round, old) in [b"old".as_slice(), b"a much longer old file", b""].into_iter().enumerate() {
            let name = format!("/f{round}");
            alice.put(&name, Replace, old).unwrap();
            alice.cut(&name, Replace, b"new co");
            assert_eq!(alice.take(&name).unwrap(), old);
            assert_eq!(alice.size_of(&path(&name)).unwrap(), 5);
            assert_eq!(alice.facts(&path(&name)).unwrap().size, 5);
            assert_eq!(alice.stat(&path(&name)).unwrap().size, old.len() as u64);
            assert_eq!(alice.refused(&name, From(4)), OffsetMismatch { length: 5 });
            assert_eq!(alice.refused(&name, From(6)), OffsetMismatch { length: 5 });
            let mode = if round % 2 == 0 { Append } else { From(5) };
            alice.put(&name, mode, b"ontent").unwrap();
            assert_eq!(alice.take(&name).unwrap(), b"new content");
            assert_eq!(alice.size_of(&path(&name)).unwrap(), 11);
        }
    };

    cut_at_every_byte_and_resumed, |world| {
        let alice = world.session("alice");
        let content = b"twelve bytes";
        for cut in 0..=content.len() {
            alice.put("/f", Replace, b"some older and longer contents").unwrap();
            let kept = alice.cut("/f", Replace, &content[..cut]);
            let offer = cut.saturating_sub(1) as u64;
            assert_eq!(kept, if offer == 0 { Kept::Nothing } else { Kept::Bytes(offer) });
            // Also of all bytes: a client that finds them all there would never come back.
            assert_eq!(alice.size_of(&path("/f")).unwrap(), offer);
            alice.resume("/f", content).unwrap();
            assert_eq!(alice.take("/f").unwrap(), content);
        }
    };

    an_upload_of_no_bytes, |world| {
        let alice = world.session("alice");
        alice.put("/empty", Replace, b"").unwrap();
        assert_eq!(alice.take("/empty").unwrap(), b"");
        // One that ended before it began leaves nothing where there was nothing.
        alice.cut("/never", Replace, b"");
        assert_eq!(alice.size_of(&path("/never")).unwrap_err().kind(), NotFound);
        alice.put("/full", Replace, b"old").unwrap();
        alice.put("/full", Replace, b"").unwrap();
        assert_eq!(alice.take("/full").unwrap(), b"");
    };

    an_upload_that_never_began_changes_nothing, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"complete").unwrap();
        for mode in [Replace, From(3), Append] {
            drop(alice.open_write(&path("/f"), mode).unwrap());
            assert_eq!(alice.size_of(&path("/f")).unwrap(), 8);
        }
        alice.cut("/f", Replace, b"half");
        for mode in [Replace, From(3), Append] {
            drop(alice.open_write(&path("/f"), mode).unwrap());
            assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
        }
        alice.put("/f", Append, b"f!").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"half!");
    };

    starting_anew_forgets_what_was_unfinished, |world| {
        let alice = world.session("alice");
        for mode in [Replace, From(0)] {
            alice.cut("/f", Replace, b"something longer");
            alice.put("/f", mode, b"anew").unwrap();
            assert_eq!(alice.take("/f").unwrap(), b"anew");
            assert_eq!(alice.size_of(&path("/f")).unwrap(), 4);
            alice.delete(&path("/f")).unwrap();
        }
        alice.cut("/f", Replace, b"something longer");
        alice.cut("/f", Replace, b"ane");
        alice.resume("/f", b"anew").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"anew");
    };

    extending_a_complete_file, |world| {
        let alice = world.session("alice");
        alice.put("/log", Append, b"one").unwrap();
        alice.put("/log", Append, b"two").unwrap();
        alice.put("/log", From(6), b"three").unwrap();
        assert_eq!(alice.take("/log").unwrap(), b"onetwothree");
        assert_eq!(alice.refused("/log", From(12)), OffsetMismatch { length: 11 });
        assert_eq!(alice.refused("/none", From(1)), OffsetMismatch { length: 0 });
        // What was not acknowledged is undone.
        alice.cut("/log", Append, b"fo");
        assert_eq!(alice.take("/log").unwrap(), b"onetwothree");
        alice.put("/log", Append, b"four").unwrap();
        assert_eq!(alice.take("/log").unwrap(), b"onetwothreefour");
    };

    rewriting_the_end_of_a_complete_file, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"0123456789").unwrap();
        assert_eq!(alice.cut("/f", From(4), b"xy"), Kept::Bytes(5));
        assert_eq!(alice.take("/f").unwrap(), b"0123456789");
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 5);
        alice.put("/f", From(5), b"yz").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"0123xyz");
        alice.put("/f", From(3), b"").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"012");
    };

    deleting_drops_both, |world| {
        let alice = world.session("alice");
        assert_eq!(alice.delete(&path("/f")).unwrap_err().kind(), NotFound);
        alice.cut("/f", Replace, b"half");
        alice.delete(&path("/f")).unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap_err().kind(), NotFound);
        alice.put("/f", Replace, b"whole").unwrap();
        alice.cut("/f", Replace, b"half");
        alice.delete(&path("/f")).unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap_err().kind(), NotFound);
        assert_eq!(alice.delete(&path("/f")).unwrap_err().kind(), NotFound);
        assert!(alice.names("/").is_empty());
    };

    folders_go_with_what_is_unfinished_but_not_while_it_is_written, |world| {
        let alice = world.session("alice");
        alice.make_directory(&path("/d")).unwrap();
        assert_eq!(alice.make_directory(&path("/d")).unwrap_err().kind(), Exists);
        assert_eq!(alice.refused("/d", Replace), IsADirectory);
        alice.cut("/d/f", Replace, b"half");
        let mut upload = alice.open_write(&path("/d/g"), Replace).unwrap();
        upload.write(b"g").unwrap();
        assert_eq!(alice.remove_directory(&path("/d")).unwrap_err().kind(), Busy);
        assert_eq!(alice.size_of(&path("/d/f")).unwrap(), 3);
        drop(upload);
        alice.put("/d/h", Replace, b"").unwrap();
        assert_eq!(alice.remove_directory(&path("/d")).unwrap_err().kind(), NotEmpty);
        assert_eq!(alice.size_of(&path("/d/f")).unwrap(), 3);
        alice.delete(&path("/d/h")).unwrap();
        alice.remove_directory(&path("/d")).unwrap();
        assert_eq!(alice.enter(&path("/d")).unwrap_err().kind(), NotFound);
        assert!(world.index.records.lock().unwrap().is_empty());
    };

    renamed_folders_take_what_is_unfinished_along, |world| {
        let alice = world.session("alice");
        alice.make_directory(&path("/d")).unwrap();
        alice.cut("/d/f", Replace, b"ha");
        alice.rename(&path("/d"), &path("/e")).unwrap();
        alice.resume("/e/f", b"half").unwrap();
        assert_eq!(alice.take("/e/f").unwrap(), b"half");
        assert_eq!(alice.rename(&path("/e"), &path("/e/f/g")).unwrap_err().kind(),
            carrack_core::ErrorKind::InvalidName);
        alice.make_directory(&path("/d")).unwrap();
        assert_eq!(alice.rename(&path("/e/f"), &path("/d")).unwrap_err().kind(), Exists);
        assert_eq!(alice.rename(&path("/d"), &path("/e/f")).unwrap_err().kind(), Exists);
        assert_eq!(alice.rename(&path("/none"), &path("/x")).unwrap_err().kind(), NotFound);
    };

    two_users_one_name, |world| {
        let (alice, bob) = (world.session("alice"), world.session("bob"));
        let mut first = alice.open_write(&path("/f"), Replace).unwrap();
        let mut second = bob.open_write(&path("/f"), Replace).unwrap();
        first.write(b"from ").unwrap();
        second.write(b"quite another by ").unwrap();
        first.write(b"alice").unwrap();
        second.write(b"bob").unwrap();
        first.commit().unwrap();
        assert_eq!(bob.take("/f").unwrap(), b"from alice");
        second.commit().unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"quite another by bob");
        // What one has unfinished is nothing to the other.
        alice.cut("/f", Replace, b"half");
        assert_eq!(bob.size_of(&path("/f")).unwrap(), 20);
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
    };

    a_new_upload_takes_over_from_ones_own_old_one, |world| {
        let (old, new) = (world.session("alice"), world.session("alice"));
        let mut stalled = old.open_write(&path("/f"), Replace).unwrap();
        stalled.write(b"half").unwrap();
        let (stop, stopped) = mpsc::channel();
        stalled.on_takeover(Box::new(move || stop.send(()).unwrap()));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                stopped.recv().unwrap();
                assert_eq!(stalled.write(b"late").unwrap_err().kind(), TakenOver);
                stalled.abort(Incomplete::ConnectionLost);
            });
            new.resume("/f", b"half and half").unwrap();
        });
        assert_eq!(new.take("/f").unwrap(), b"half and half");
        let taken_over = Outcome::Incomplete(Incomplete::TakenOver);
        assert_eq!(world.events.take(), [taken_over, Outcome::Complete, Outcome::Complete]);
    };

    strangers_who_share_an_account_take_nothing_over, |world| {
        let mut account = world.account("anonymous");
        account.shared = true;
        let (one, other) = (world.session_of(account), {
            let mut account = world.account("anonymous");
            account.shared = true;
            world.session_of(account)
        });
        let _upload = one.open_write(&path("/f"), Replace).unwrap();
        assert_eq!(other.refused("/f", Replace), Busy);
    };

    names_that_nobody_has, |world| {
        let alice = world.session("alice");
        let suggestion = Some(Name::parse(&[b'n'; 255]).unwrap());
        let mut names = Vec::new();
        for suggestion in [suggestion.clone(), suggestion, None, None] {
            let mut upload = alice.open_write(&path("/"), Unique { suggestion }).unwrap();
            upload.write(b"x").unwrap();
            names.push(upload.path().clone());
            upload.commit().unwrap();
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4);
        assert_eq!(alice.names("/").len(), 4);
    };

    an_upload_that_is_dropped_is_an_aborted_one, |world| {
        let alice = world.session("alice");
        let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
        upload.write(b"half").unwrap();
        drop(upload);
        assert_eq!(world.events.take(), [Outcome::Incomplete(Incomplete::Aborted)]);
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
        let download = { alice.put("/g", Replace, b"x").unwrap(); alice.open_read(&path("/g"), 0).unwrap() };
        world.events.take();
        download.finish();
        let cut_short = Outcome::Incomplete(Incomplete::Storage(carrack_core::ErrorKind::Interrupted));
        assert_eq!(world.events.take(), [cut_short]);
        assert_eq!(alice.open_read(&path("/g"), 2).err().unwrap().kind(), OffsetMismatch { length: 1 });
        assert_eq!(alice.open_read(&path("/g"), 1).unwrap().remaining(), 0);
    };
}
