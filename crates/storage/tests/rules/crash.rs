//! What does `kill -9` in the middle of an upload leave? A process of its own is killed to find out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use carrack_core::ErrorKind::Busy;
use carrack_core::backend::{Extension, PartialIndex as _, PartialRecord};
use carrack_core::session::WriteMode::{Append, From, Replace};
use carrack_storage::local::{LocalSettings, LocalStore};

use crate::world::{Index, Say, World, path};

/// Tells the process that is to be killed which folder it works on.
const VICTIM_ROOT: &str = "CARRACK_TEST_VICTIM_ROOT";

#[test]
fn nothing_acknowledged_is_lost_and_nothing_unfinished_is_seen() {
    let world = World::local();
    let alice = world.session("alice");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::victim", "--ignored", "--nocapture"])
        .env(VICTIM_ROOT, &world.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("half is written")));
    // Its index is in its memory; what it knows of the partial is told to the one here.
    let partial = std::fs::read_dir(&world.root).unwrap().map(|entry| entry.unwrap().path());
    let mut partial = partial.filter(|path| path.file_name().unwrap().as_bytes().starts_with(b".carrack-"));
    let file = partial.next().unwrap().into_os_string().into_vec();
    let (owner, name, boot) = ("alice".to_owned(), b"f".to_vec(), String::new());
    let since = SystemTime::now();
    world.index.remember(&PartialRecord { file, owner, name, since, boot, settled: 0 }).unwrap();

    // The writer lives, and holds what it writes.
    assert_eq!(alice.take("/acknowledged").unwrap(), b"whole");
    assert_eq!(alice.refused("/f", From(3)), Busy);
    assert_eq!(std::fs::read(world.root.join("log")).unwrap(), b"acknowledged and not");
    assert_eq!(alice.delete(&path("/f")).unwrap_err().kind(), Busy);

    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(alice.take("/acknowledged").unwrap(), b"whole");
    assert_eq!(alice.take("/f").unwrap(), b"old contents");
    assert_eq!(alice.names("/"), ["acknowledged", "f", "log"]);
    // What the index of the killed process knew cuts the tail off at the next start.
    let log = world.root.join("log");
    let file = log.as_os_str().as_bytes().to_vec();
    let inode = std::fs::metadata(&log).unwrap().ino();
    let extension = Extension { file: file.clone(), inode, length: b"acknowledged".len() as u64 };
    world.index.extensions.lock().unwrap().insert(file, extension);
    LocalStore::open(&world.root, LocalSettings::new(world.index.clone())).unwrap();
    assert_eq!(alice.take("/log").unwrap(), b"acknowledged");
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 3);
    alice.resume("/f", b"half and half").unwrap();
    assert_eq!(alice.take("/f").unwrap(), b"half and half");
}

/// Run by the test above alone: uploads half a file and waits for its end.
#[test]
#[ignore = "killed by another test"]
fn victim() {
    let Some(root) = std::env::var_os(VICTIM_ROOT) else { return };
    let store = LocalStore::open(root.as_ref(), LocalSettings::new(Arc::new(Index::default()))).unwrap();
    let world = World::of(Arc::new(store));
    let alice = world.session("alice");
    alice.put("/acknowledged", Replace, b"whole").unwrap();
    alice.put("/f", Replace, b"old contents").unwrap();
    alice.put("/log", Append, b"acknowledged").unwrap();
    let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
    upload.write(b"half").unwrap();
    let mut tail = alice.open_write(&path("/log"), Append).unwrap();
    tail.write(b" and not").unwrap();
    println!("half is written");
    // Waits until the process that started this one kills it, or is itself gone.
    let _ = std::io::stdin().read(&mut [0]);
    std::process::abort();
}
