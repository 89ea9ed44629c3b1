//! What does `kill -9` in the middle of an upload leave? A process of its own is killed to find out.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use carrack_core::ErrorKind::Busy;
use carrack_core::session::WriteMode::{Append, Replace};
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

    // The writer lives, and holds what it writes.
    assert_eq!(alice.take("/acknowledged").unwrap(), b"whole");
    assert_eq!(alice.refused("/f", Append), Busy);
    assert_eq!(alice.delete(&path("/f")).unwrap_err().kind(), Busy);

    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(alice.take("/acknowledged").unwrap(), b"whole");
    assert_eq!(alice.take("/f").unwrap(), b"old contents");
    assert_eq!(alice.names("/"), ["acknowledged", "f"]);
    assert_eq!(alice.size_of(&path("/f")).unwrap(), 4);
    alice.put("/f", Append, b" and half").unwrap();
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
    let mut upload = alice.open_write(&path("/f"), Replace).unwrap();
    upload.write(b"half").unwrap();
    println!("half is written");
    // Waits until the process that started this one kills it, or is itself gone.
    let _ = std::io::stdin().read(&mut [0]);
    std::process::abort();
}
