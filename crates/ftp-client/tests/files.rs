//! Listings, and what is asked and done about files and folders, with servers that know much and with servers that know
//! little.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod scripted;

use carrack_ftp_client::{Digest, Entry, EntryKind, Error, ErrorKind, HashAlgorithm, Listed, Listing};
use scripted::{Door, path, soon};
use tokio::io::AsyncWriteExt;
use tokio::join;

const MLST: &str = "MLST type*;size*;modify*;";

async fn entries(mut listing: Listing<'_>) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    while let Some(listed) = listing.next().await {
        match listed? {
            Listed::Entry(entry) => entries.push(entry),
            Listed::Current(_) => {}
            Listed::Skipped { line, why } => panic!("{}: {why}", line.escape_ascii()),
        }
    }
    assert!(listing.next().await.is_none(), "the end stays the end");
    Ok(entries)
}

fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.name.escaped().to_string()).collect()
}

#[tokio::test]
async fn machine_listings() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[MLST]).await;
        visitor.sends("MLSD /a b", b"type=cdir; .\r\ntype=file;size=3; x y\r\ntype=dir; d\r\n").await;
        visitor.says("226 done").await;
        visitor.sends("MLSD /a b", b"").await;
        visitor.says("226 done").await;
        visitor.sends("MLSD /a b", b"type=file; x\r\ntype=fi").await;
        visitor.says("426 cut").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let found = entries(client.list(&path("/a b")).await.unwrap()).await.unwrap();
        assert_eq!(names(&found), ["x y", "d"]);
        assert_eq!((&found[0].kind, found[0].size), (&EntryKind::File, Some(3)));
        assert_eq!(entries(client.list(&path("/a b")).await.unwrap()).await.unwrap(), []);
        let mut listing = client.list(&path("/a b")).await.unwrap();
        assert!(matches!(listing.next().await, Some(Ok(Listed::Entry(_)))));
        let error = listing.next().await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused { command: "MLSD", .. }), "{error}");
        assert!(listing.next().await.is_none());
    };
    join!(server, client);
}

/// Until the client has enough.
async fn pours_without_end(door: &Door, line: &[u8]) {
    let mut visitor = door.log_in(&["MLST type*;"]).await;
    let mut data = visitor.transfer("MLSD /").await;
    let piece = line.repeat(64 * 1024 / line.len());
    while data.write_all(&piece).await.is_ok() {}
}

#[tokio::test]
async fn a_listing_without_end_that_names_nothing_is_left() {
    for line in [&b"type=cdir; .\r\ntype=pdir; ..\r\n"[..], b"a line without end"] {
        let door = Door::open().await;
        let client = async {
            let mut client = door.connect().await;
            let mut listing = client.list(&path("/")).await.unwrap();
            let error = loop {
                match listing.next().await.unwrap() {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(matches!(error.kind(), ErrorKind::NothingListed), "{error}");
            assert!(listing.next().await.is_none(), "the end stays the end");
        };
        soon(async { join!(pours_without_end(&door, line), client) }).await;
    }
}

const LONG: &[u8] =
    b"total 8\r\ndrwxr-xr-x 2 1 1 4096 Nov 22 15:41 .\r\ndrwxr-xr-x 2 1 1 4096 Nov 22 15:41 ..\r\n\
    -rw-r--r-- 1 1 1 3 Nov 22 15:41 .hidden\r\n";
const VISIBLE: &[u8] = b"-rw-r--r-- 1 1 1 3 Nov 22 15:41 seen\r\n";

/// A path behind LIST would be read as options and wildcards by some servers.
#[tokio::test]
async fn listings_of_old_servers() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["SIZE"]).await;
        visitor.answers("CWD /-a *", "250 there").await;
        visitor.sends("LIST -a", LONG).await;
        visitor.says("226 done").await;
        visitor.answers("CWD /none", "550 no such folder").await;
        // A refusal may be about the option: the same is asked without it.
        visitor.answers("CWD /none", "550 no such folder").await;
        visitor.answers("CWD /b", "250 there").await;
        visitor.sends("LIST -a", LONG).await;
        visitor.says("226 done").await;
    };
    let client = async {
        let mut client = door.connect().await;
        let found = entries(client.list(&path("/-a *")).await.unwrap()).await.unwrap();
        assert_eq!(names(&found), [".hidden"]);
        let error = client.list(&path("/none")).await.err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)), "{error}");
        entries(client.list(&path("/b")).await.unwrap()).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn servers_that_do_not_understand_the_option() {
    for understood_as_nothing in [true, false] {
        let door = Door::open().await;
        let server = async {
            let mut visitor = door.log_in(&["SIZE"]).await;
            visitor.answers("CWD /a", "250 there").await;
            if understood_as_nothing {
                visitor.sends("LIST -a", b"").await;
                visitor.says("226 done").await;
            } else {
                let listener = visitor.passive().await;
                let _data = listener.accept().await.unwrap();
                visitor.answers("LIST -a", "501 no options").await;
            }
            for _ in 0..2 {
                visitor.answers("CWD /a", "250 there").await;
                visitor.sends("LIST", VISIBLE).await;
                visitor.says("226 done").await;
            }
        };
        let client = async {
            let mut client = door.connect().await;
            for _ in 0..2 {
                let found = entries(client.list(&path("/a")).await.unwrap()).await.unwrap();
                assert_eq!(names(&found), ["seen"]);
            }
        };
        join!(server, client);
    }
}

#[tokio::test]
async fn a_server_without_feat_may_know_machine_listings() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&[]).await;
        visitor.sends("MLSD /a", b"type=file; x\r\n").await;
        visitor.says("226 done").await;
        visitor.answers("MLST /a/x", "250-x\n type=file;size=5; /a/x\n250 end").await;
        drop(visitor);
        // Or may not, and then is not asked again.
        let mut visitor = door.log_in(&[]).await;
        visitor.answers("MLST /a/x", "502 what?").await;
        visitor.answers("SIZE /a/x", "213 5").await;
        visitor.answers("MDTM /a/x", "213 20261122151000").await;
        visitor.answers("CWD /a", "250 there").await;
        visitor.sends("LIST -a", VISIBLE).await;
        visitor.says("226 done").await;
    };
    let client = async {
        let mut client = door.connect().await;
        assert_eq!(entries(client.list(&path("/a")).await.unwrap()).await.unwrap().len(), 1);
        assert_eq!(client.stat(&path("/a/x")).await.unwrap().size, Some(5));
        drop(client);
        let mut client = door.connect().await;
        let facts = client.stat(&path("/a/x")).await.unwrap();
        assert_eq!((facts.kind, facts.size), (EntryKind::File, Some(5)));
        assert_eq!(facts.modified.unwrap().unix_s, 1_795_360_200);
        entries(client.list(&path("/a")).await.unwrap()).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn what_is_a_path_on_an_old_server() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["SIZE", "MDTM"]).await;
        visitor.answers("SIZE /folder", "550 not a file").await;
        visitor.answers("CWD /folder", "250 there").await;
        for (command, listing) in
            [("SIZE /d/pipe", &b"prw-r--r-- 1 1 1 0 Nov 22 15:41 pipe\r\n"[..]), ("SIZE /d/none", VISIBLE)]
        {
            visitor.answers(command, "550 no file").await;
            visitor.answers(&command.replace("SIZE", "CWD"), "550 no folder").await;
            visitor.answers("CWD /d", "250 there").await;
            visitor.sends("LIST -a", listing).await;
            visitor.says("226 done").await;
        }
    };
    let client = async {
        let mut client = door.connect().await;
        assert_eq!(client.stat(&path("/")).await.unwrap().kind, EntryKind::Folder, "nobody has to be asked");
        assert_eq!(client.stat(&path("/folder")).await.unwrap().kind, EntryKind::Folder);
        assert_eq!(client.stat(&path("/d/pipe")).await.unwrap().kind, EntryKind::Other);
        let error = client.stat(&path("/d/none")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)), "{error}");
    };
    join!(server, client);
}

#[tokio::test]
async fn sizes_and_times() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["MFMT"]).await;
        visitor.answers("SIZE /f", "213 18446744073709551615").await;
        visitor.answers("SIZE /f", "502 what?").await;
        visitor.answers("SIZE /f", "550 no such file").await;
        visitor.answers("MDTM /f", "213 20261122151000.25").await;
        visitor.answers("MFMT 20010909014640 /f", "213 Modify=20010909014640; /f").await;
        visitor.answers("MFMT 20010909014640 /f", "550 not yours").await;
        drop(visitor);
        let mut visitor = door.log_in(&["SIZE"]).await;
        visitor.answers("MDTM 20010909014640 /f", "213 set").await;
        visitor.answers("MDTM 20010909014640 /f", "550 no such file").await;
        visitor.answers("SIZE /f", "213 1").await;
    };
    let client = async {
        let (mut client, f) = (door.connect().await, path("/f"));
        assert_eq!(client.size(&f).await.unwrap(), Some(u64::MAX));
        assert_eq!(client.size(&f).await.unwrap(), None);
        let error = client.size(&f).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)), "{error}");
        assert_eq!(client.modified(&f).await.unwrap().unwrap().nanos, 250_000_000);
        assert!(client.set_modified(&f, 1_000_000_000).await.unwrap());
        assert!(client.set_modified(&f, 1_000_000_000).await.is_err());
        drop(client);
        let mut client = door.connect().await;
        assert!(client.set_modified(&f, 1_000_000_000).await.unwrap(), "with MDTM, as vsftpd has it");
        assert!(!client.set_modified(&f, 1_000_000_000).await.unwrap());
        assert!(!client.set_modified(&f, 1_000_000_000).await.unwrap(), "and is not tried again");
        client.size(&f).await.unwrap();
    };
    join!(server, client);
}

#[tokio::test]
async fn hashes() {
    let sha256 = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["HASH SHA-256;SHA-1*;MD5", "XCRC"]).await;
        for selection in ["OPTS HASH SHA-256", ""] {
            if !selection.is_empty() {
                visitor.answers(selection, "200 SHA-256").await;
            }
            visitor.answers("HASH /f", &format!("213 SHA-256 0-4 {sha256} /f")).await;
        }
        // An answer about another hash than asked is none.
        visitor.answers("HASH /f", &format!("213 SHA-512 0-4 {sha256} /f")).await;
        visitor.answers("OPTS HASH MD5", "501 not today").await;
        visitor.answers("XCRC \"/a b\"", "250 D87F7E").await;
        visitor.answers("HASH /f", "550 no such file").await;
    };
    let client = async {
        let (mut client, f) = (door.connect().await, path("/f"));
        assert_eq!(client.best_hash(), Some(HashAlgorithm::Sha256));
        for _ in 0..2 {
            let digest = client.hash(&f, HashAlgorithm::Sha256).await.unwrap().unwrap();
            assert_eq!(digest.to_string(), sha256.to_ascii_lowercase());
        }
        assert_eq!(client.hash(&f, HashAlgorithm::Sha256).await.unwrap(), None);
        assert_eq!(client.hash(&f, HashAlgorithm::Md5).await.unwrap(), None);
        assert_eq!(client.hash(&f, HashAlgorithm::Sha512).await.unwrap(), None, "not offered, so not asked");
        let digest = client.hash(&path("/a b"), HashAlgorithm::Crc32).await.unwrap().unwrap();
        assert_eq!(digest, Digest::new(HashAlgorithm::Crc32, &[0, 0xd8, 0x7f, 0x7e]).unwrap());
        assert_eq!(client.hash(&path("/a\"b"), HashAlgorithm::Crc32).await.unwrap(), None);
        let error = client.hash(&f, HashAlgorithm::Sha256).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)), "{error}");
    };
    join!(server, client);
}

#[tokio::test]
async fn files_and_folders_are_made_moved_and_removed() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["SIZE"]).await;
        visitor.answers("MKD /a b", "257 \"/a b\" made").await;
        visitor.answers("MKD /a b", "550 there is one").await;
        visitor.answers("RNFR /a", "350 to?").await;
        visitor.answers("RNTO /b", "250 done").await;
        visitor.answers("RNFR /a", "550 no such file").await;
        visitor.answers("RNFR /a", "350 to?").await;
        visitor.answers("RNTO /c", "553 not there").await;
        visitor.answers("DELE /f", "250 done").await;
        visitor.answers("RMD /d", "550 not empty").await;
        visitor.answers("CWD /d/e", "250 there").await;
        visitor.sends("LIST -a", VISIBLE).await;
        visitor.says("226 done").await;
        // The working directory is left before it goes.
        visitor.answers("CWD /home", "250 there").await;
        visitor.answers("RMD /d/e", "250 done").await;
        visitor.answers("RMD /d", "250 done").await;
    };
    let client = async {
        let mut client = door.connect().await;
        client.make_folder(&path("/a b")).await.unwrap();
        let error = client.make_folder(&path("/a b")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)), "{error}");
        assert_eq!(error.subject(), "/a b");
        client.rename(&path("/a"), &path("/b")).await.unwrap();
        assert!(client.rename(&path("/a"), &path("/b")).await.is_err());
        assert!(client.rename(&path("/a"), &path("/c")).await.is_err());
        client.remove_file(&path("/f")).await.unwrap();
        assert!(client.remove_folder(&path("/d")).await.is_err());
        entries(client.list(&path("/d/e")).await.unwrap()).await.unwrap();
        client.remove_folder(&path("/d/e")).await.unwrap();
        client.remove_folder(&path("/d")).await.unwrap();
    };
    join!(server, client);
}

/// CWD and LIST belong together: where the connection is lost between them, the login folder must not be listed instead.
#[tokio::test]
async fn a_listing_is_of_the_folder_that_was_asked_for() {
    let door = Door::open().await;
    let server = async {
        let mut visitor = door.log_in(&["SIZE"]).await;
        visitor.answers("CWD /a", "250 there").await;
        drop(visitor);
        let mut visitor = door.log_in(&["SIZE"]).await;
        visitor.answers("CWD /a", "250 there").await;
        let mut data = visitor.transfer("LIST -a").await;
        data.write_all(VISIBLE).await.unwrap();
        drop(data);
        visitor.says("226 done").await;
    };
    let client = async {
        let mut client = door.connect().await;
        assert!(client.list(&path("/a")).await.is_err());
        assert_eq!(entries(client.list(&path("/a")).await.unwrap()).await.unwrap().len(), 1);
    };
    join!(server, client);
}
