//! Who may do what: every permission alone, and folders with rules of their own.

use carrack_core::ErrorKind::{self, Denied, Exists};
use carrack_core::account::{Folder, InTransit};
use carrack_core::backend::Attributes;
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::WriteMode::{Append, From, Replace, Unique};
use carrack_core::{Result, Session};

use crate::on_every_store;
use crate::world::{Say, World, path};

/// An operation, the permission that it takes, and how it is done.
type Row = (&'static str, Permission, fn(&Session) -> Result<()>);

const MATRIX: [Row; 11] = [
    ("list", Permission::List, |session| session.list(&path("/d")).map(drop)),
    ("read", Permission::Read, |session| session.open_read(&path("/d/old"), 0).map(drop)),
    ("write new", Permission::Write, |session| session.open_write(&path("/d/new"), Replace).map(drop)),
    ("append new", Permission::Write, |session| session.open_write(&path("/d/new"), Append).map(drop)),
    ("write unique", Permission::Write, |session| {
        session.open_write(&path("/d"), Unique { suggestion: None }).map(drop)
    }),
    ("replace", Permission::Overwrite, |session| session.open_write(&path("/d/old"), Replace).map(drop)),
    ("append", Permission::Overwrite, |session| session.open_write(&path("/d/old"), Append).map(drop)),
    ("restart", Permission::Overwrite, |session| session.open_write(&path("/d/old"), From(1)).map(drop)),
    ("set time", Permission::Overwrite, |session| {
        let attributes = Attributes { modified: Some((1, 0)), mode: None };
        session.set_attributes(&path("/d/old"), &attributes).map(drop)
    }),
    ("rename", Permission::Rename, |session| session.rename(&path("/d/old"), &path("/d/other"))),
    ("mkdir", Permission::Mkdir, |session| session.make_directory(&path("/d/dir"))),
];

fn prepared(world: &World) {
    let root = world.session("root");
    let _ = root.make_directory(&path("/d"));
    for name in ["/d/new", "/d/other"] {
        let _ = root.delete(&path(name));
    }
    let _ = root.remove_directory(&path("/d/dir"));
    root.put("/d/old", Replace, b"old").unwrap();
}

on_every_store! {
    each_operation_takes_its_permission_and_no_other, |world| {
        for (operation, needed, act) in MATRIX {
            for permission in Permission::ALL {
                prepared(world);
                let mut account = world.account("alice");
                account.permissions = Permissions::of(&[permission]);
                let outcome = act(&world.session_of(account)).map_err(|error| error.kind());
                let expected = if permission == needed { Ok(()) } else { Err(Denied) };
                assert_eq!(outcome, expected, "{operation} with {permission:?} alone");
            }
            prepared(world);
            let reads = needed == Permission::List || needed == Permission::Read;
            let outcome = act(&world.open(world.account("alice"), true)).map_err(|error| error.kind());
            assert_eq!(outcome, if reads { Ok(()) } else { Err(Denied) }, "{operation}, read-only");
        }
    };

    deleting_takes_delete, |world| {
        prepared(world);
        let mut account = world.account("alice");
        account.permissions = Permission::ALL.into_iter().filter(|one| *one != Permission::Delete).collect();
        let alice = world.session_of(account);
        assert_eq!(alice.delete(&path("/d/old")).unwrap_err().kind(), Denied);
        assert_eq!(alice.remove_directory(&path("/d")).unwrap_err().kind(), Denied);
        world.session("root").delete(&path("/d/old")).unwrap();
        world.session("root").remove_directory(&path("/d")).unwrap();
    };

    the_longest_matching_folder_decides, |world| {
        let root = world.session("root");
        for folder in ["/pub", "/pub/in", "/pub/in/deep", "/private", "/pubx"] {
            root.make_directory(&path(folder)).unwrap();
        }
        root.put("/pub/f", Replace, b"f").unwrap();
        let mut account = world.account("anonymous");
        account.permissions = Permissions::NONE;
        for (folder, permissions) in [
            ("/pub/in", Permissions::of(&[Permission::Write])),
            ("/pub", Permissions::READ_ONLY),
        ] {
            let in_transit = if folder == "/pub" { InTransit::MayBeClear } else { InTransit::Never };
            account.folders.push(Folder { path: path(folder), permissions, in_transit });
        }
        let guest = world.session_of(account);
        assert_eq!(guest.take("/pub/f").unwrap(), b"f");
        assert_eq!(guest.refused("/pub/g", Replace), Denied);
        guest.put("/pub/in/g", Replace, b"g").unwrap();
        guest.put("/pub/in/deep/g", Replace, b"g").unwrap();
        assert_eq!(guest.take("/pub/in/g").unwrap_err().kind(), Denied);
        assert_eq!(guest.list(&path("/pub/in")).err().unwrap().kind(), Denied);
        assert_eq!(guest.take("/private/f").unwrap_err().kind(), Denied);
        assert_eq!(guest.list(&path("/pubx")).err().unwrap().kind(), Denied);
        // The way there shows, and nothing beside it.
        assert_eq!(guest.names("/"), ["pub"]);
        guest.enter(&path("/")).unwrap();
        guest.enter(&path("/pub/in")).unwrap();
        assert_eq!(guest.enter(&path("/private")).unwrap_err().kind(), Denied);
        assert_eq!(guest.in_transit(&path("/pub/f")), InTransit::MayBeClear);
        assert_eq!(guest.in_transit(&path("/pub/in/f")), InTransit::Never);
        assert_eq!(guest.in_transit(&path("/private/f")), InTransit::AsElsewhere);
        // He who may only upload learns how far he got, and no more.
        guest.cut("/pub/in/h", Replace, b"half");
        assert_eq!(guest.size_of(&path("/pub/in/h")).unwrap(), 3);
        assert_eq!(guest.size_of(&path("/pub/in/g")).unwrap_err().kind(), Denied);
    };

    rules_stay_with_their_folders, |world| {
        let root = world.session("root");
        for folder in ["/a", "/a/secret", "/b"] {
            root.make_directory(&path(folder)).unwrap();
        }
        let mut account = world.account("alice");
        let rule = Folder { path: path("/a/secret"), permissions: Permissions::NONE, in_transit: InTransit::AsElsewhere };
        account.folders.push(rule);
        let alice = world.session_of(account);
        let denied = |result: Result<()>| assert_eq!(result.unwrap_err().kind(), Denied);
        denied(alice.rename(&path("/a"), &path("/c")));
        denied(alice.rename(&path("/a/secret"), &path("/c")));
        denied(alice.rename(&path("/b"), &path("/a/secret")));
        denied(alice.remove_directory(&path("/a/secret")));
        denied(alice.remove_directory(&path("/")));
        denied(alice.rename(&path("/"), &path("/c")));
        let attributes = Attributes { modified: Some((1, 0)), mode: None };
        for landmark in ["/", "/a", "/a/secret"] {
            denied(alice.set_attributes(&path(landmark), &attributes).map(drop));
        }
        alice.rename(&path("/b"), &path("/c")).unwrap();
    };

    a_file_that_appears_meanwhile_is_not_replaced_without_permission, |world| {
        let mut account = world.account("alice");
        account.permissions = Permissions::of(&[Permission::Write, Permission::Rename, Permission::Read]);
        let alice = world.session_of(account);
        let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
        upload.write(b"mine").unwrap();
        world.session("bob").put("/f", Replace, b"his").unwrap();
        assert_eq!(upload.commit().unwrap_err().kind(), Exists);
        assert_eq!(alice.take("/f").unwrap(), b"his");
        alice.put("/g", Replace, b"g").unwrap();
        assert_eq!(alice.rename(&path("/g"), &path("/f")).unwrap_err().kind(), ErrorKind::Exists);
        world.session("bob").rename(&path("/g"), &path("/f")).unwrap();
        assert_eq!(alice.take("/f").unwrap(), b"g");
    };
}
