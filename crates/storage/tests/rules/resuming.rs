//! Where do an upload's bytes go when it goes on? Where the client was told that the file ends, or nowhere.

use carrack_core::ErrorKind::{Denied, Exists, IsADirectory, NotFound, OffsetMismatch, Unfinished};
use carrack_core::backend::{Kept, Kind};
use carrack_core::event::{Incomplete, Protection};
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::WriteMode::{Append, From, Replace};

use crate::on_every_store;
use crate::world::{Say, path};

on_every_store! {
    an_old_writer_that_goes_on_is_not_mixed_in, |world| {
        let (old, new) = (world.session("alice"), world.session("alice"));
        let mut stalled = old.open_write(&path("/f"), Replace).unwrap();
        stalled.write(b"0123").unwrap();
        assert_eq!(new.size_of(&path("/f")).unwrap(), 3);
        stalled.write(b"4567").unwrap();
        stalled.abort(Incomplete::ConnectionLost);
        // The client would send what is behind the third byte.
        assert_eq!(new.refused("/f", Append), OffsetMismatch { length: 7 });
        assert_eq!(new.refused("/f", Append), OffsetMismatch { length: 7 });
        new.resume("/f", b"0123456789").unwrap();
        assert_eq!(new.take("/f").unwrap(), b"0123456789");
        // The same for a complete file that somebody else extends.
        assert_eq!(new.size_of(&path("/f")).unwrap(), 10);
        world.session("bob").put("/f", Append, b"!").unwrap();
        assert_eq!(new.refused("/f", Append), OffsetMismatch { length: 11 });
        assert_eq!(new.take("/f").unwrap(), b"0123456789!");
    };

    a_blind_append_means_the_complete_file, |world| {
        let (alice, cron) = (world.session("alice"), world.session("alice"));
        alice.put("/log", Replace, b"monday ").unwrap();
        alice.cut("/log", Replace, b"half a rewrite");
        cron.put("/log", Append, b"tuesday ").unwrap();
        assert_eq!(cron.take("/log").unwrap(), b"monday tuesday ");
        assert_eq!(alice.size_of(&path("/log")).unwrap(), 13, "the unfinished one is as it was");
        alice.cut("/alone", Replace, b"half");
        assert_eq!(cron.refused("/alone", Append), OffsetMismatch { length: 3 });
        cron.put("/none", Append, b"new").unwrap();
        assert_eq!(cron.take("/none").unwrap(), b"new");
    };

    what_was_told_is_forgotten_with_the_file, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"contents").unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 8);
        alice.delete(&path("/f")).unwrap();
        alice.put("/f", Append, b"new").unwrap();
        alice.facts(&path("/f")).unwrap();
        alice.rename(&path("/f"), &path("/g")).unwrap();
        alice.put("/f", Append, b"newer").unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 5);
        // Told once, it counts once: the client knows that it made the file longer.
        alice.put("/f", Append, b"one").unwrap();
        alice.put("/f", Append, b"two").unwrap();
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 11);
        world.session("bob").delete(&path("/f")).unwrap();
        assert_eq!(alice.refused("/f", Append), OffsetMismatch { length: 0 });
        assert_eq!(alice.size_of(&path("/f")).unwrap_err().kind(), NotFound);
        alice.put("/f", Append, b"again").unwrap();
    };

    what_could_not_be_published_is_finished_later, |world| {
        let mut account = world.account("alice");
        account.permissions = Permission::ALL.into_iter().filter(|one| *one != Permission::Overwrite).collect();
        let alice = world.session_of(account);
        let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
        upload.write(b"all of it").unwrap();
        world.session("bob").put("/f", Replace, b"his").unwrap();
        assert_eq!(upload.commit().unwrap_err().kind(), Exists);
        world.session("bob").delete(&path("/f")).unwrap();
        // With all bytes there the client would say that it is done.
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 8);
        alice.resume("/f", b"all of it").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"all of it");
    };

    a_resume_that_brings_nothing_takes_nothing, |world| {
        let alice = world.session("alice");
        assert_eq!(alice.cut("/f", Replace, b"half"), Kept::Bytes(3));
        for _ in 0..3 {
            let mut upload = alice.open_write(&path("/f"), From(3)).unwrap();
            upload.protected_by(Protection::Clear);
            assert_eq!(upload.abort(Incomplete::Aborted), Kept::Bytes(3));
        }
        alice.put("/f", From(3), b"f").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"half");
        assert_eq!(alice.cut("/f", Append, b"tail"), Kept::Nothing);
    };

    uploads_of_lines_are_not_resumed, |world| {
        let alice = world.session("alice");
        alice.put("/over", Replace, b"complete").unwrap();
        for name in ["/over", "/alone"] {
            let mut upload = alice.open_write(&path(name), Replace).unwrap();
            upload.discard_if_cut();
            upload.protected_by(Protection::Clear);
            upload.write(b"one\ntwo\n").unwrap();
            assert_eq!(upload.abort(Incomplete::Truncated), Kept::Nothing);
        }
        assert_eq!(alice.size_of(&path("/alone")).unwrap_err().kind(), NotFound);
        // Not 8: the client would append its own rest to the old file, and all lengths would agree.
        assert_eq!(alice.size_of(&path("/over")).unwrap(), 0);
        assert_eq!(world.session("alice").take("/over").unwrap(), b"complete");
        let mut upload = alice.open_write(&path("/alone"), Replace).unwrap();
        upload.discard_if_cut();
        upload.write(b"whole").unwrap();
        upload.commit().unwrap();
        assert_eq!(alice.take("/alone").unwrap(), b"whole");
    };

    a_client_that_was_told_of_a_partial_gets_no_other_file_for_it, |world| {
        let alice = world.session("alice");
        alice.put("/f", Replace, b"complete").unwrap();
        assert_eq!(alice.cut("/f", Replace, b"half"), Kept::Bytes(3));
        assert_eq!(alice.take("/f").unwrap(), b"complete"); // It asked for no length and reads to the end.
        assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
        assert_eq!(alice.take("/f").unwrap_err().kind(), Unfinished);
        alice.put("/f", From(3), b"f a loaf").unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"half a loaf");
    };

    an_upload_without_data_connection_hides_nothing, |world| {
        let (waiting, other) = (world.session("alice"), world.session("alice"));
        other.put("/f", Replace, b"complete").unwrap();
        for mode in [Replace, From(3)] {
            let mut upload = waiting.open_write(&path("/f"), mode).unwrap();
            assert_eq!(other.size_of(&path("/f")).unwrap(), 8);
            // With one, and cut before the first byte, it does.
            upload.protected_by(Protection::Clear);
            assert_eq!(upload.abort(Incomplete::ConnectionLost), Kept::Nothing);
            assert_eq!(other.size_of(&path("/f")).unwrap(), 0);
            other.put("/f", Replace, b"complete").unwrap();
        }
    };

    strangers_who_share_an_account_find_no_halves, |world| {
        let shared = || {
            let mut account = world.account("anonymous");
            account.shared = true;
            world.session_of(account)
        };
        // Left by a crash, or from before the account was shared.
        world.session("anonymous").cut("/left", Replace, b"secret");
        let (one, other) = (shared(), shared());
        assert_eq!(one.cut("/f", Replace, b"secret"), Kept::Nothing);
        for name in ["/f", "/left"] {
            assert_eq!(other.size_of(&path(name)).unwrap_err().kind(), NotFound);
            assert_eq!(other.refused(name, From(5)), OffsetMismatch { length: 0 });
            assert_eq!(other.delete(&path(name)).unwrap_err().kind(), NotFound);
            other.put(name, Append, b"mine").unwrap();
            assert_eq!(other.take(name).unwrap(), b"mine");
        }
        assert_eq!(one.cut("/f", Replace, b"secret"), Kept::Nothing);
        assert_eq!(other.size_of(&path("/f")).unwrap(), 4);
    };

    a_folder_wins_over_what_is_unfinished, |world| {
        let alice = world.session("alice");
        alice.cut("/d", Replace, b"half");
        alice.make_directory(&path("/d")).unwrap();
        assert_eq!(alice.facts(&path("/d")).unwrap().kind, Kind::Directory);
        assert_eq!(alice.size_of(&path("/d")).unwrap_err().kind(), IsADirectory);
    };

    who_may_rename_is_told_before, |world| {
        let root = world.session("root");
        root.put("/f", Replace, b"x").unwrap();
        let session = |permission| {
            let mut account = world.account("alice");
            account.permissions = Permissions::of(&[permission]);
            world.session_of(account)
        };
        session(Permission::Rename).may_rename(&path("/f")).unwrap();
        assert_eq!(session(Permission::Rename).may_rename(&path("/g")).unwrap_err().kind(), NotFound);
        for name in ["/f", "/g"] {
            assert_eq!(session(Permission::Read).may_rename(&path(name)).unwrap_err().kind(), Denied);
        }
        assert_eq!(root.may_rename(&path("/")).unwrap_err().kind(), Denied);
    };
}
