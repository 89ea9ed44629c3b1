//! Thousands of small files both ways, and again after the client was killed among them.

use std::fs;
use std::path::Path;

use carrack_tests::client::{Client, summary};
use carrack_tests::peers::{Peer, RunningPeer, Wanted};
use carrack_tests::server::Mode;
use carrack_tests::{tree, wait};

const MANY: usize = 5000;
/// Enough for what differs between servers, which is nothing that comes with the number.
const SOME: usize = 1000;

fn url(server: &RunningPeer, path: &str) -> String {
    let scheme = if server.mode == Mode::Explicit { "ftpes" } else { "ftps" };
    server.url(scheme, path)
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// There and back, each way once killed with a third of the files there and then begun again.
fn travel(files: usize, peer: Peer, mode: Mode) {
    if !peer.is_here() {
        return;
    }
    let server = peer.start(&Wanted::new(mode));
    let client = Client::of(&server);
    let local = client.path("local");
    tree::many_small_files(&local, files);
    let there = server.home().join("there");
    let ways = [
        (String::from("local"), url(&server, "there"), there.clone()),
        (url(&server, "there"), String::from("back"), client.path("back")),
    ];
    for (from, to, target) in ways {
        let running = client.program(["cp", "-r", &from, &to]).spawn();
        wait::until_true("a third of the files", || count(&target) > files / 3);
        running.kill();
        // What is a folder now is what the first run made: its content goes on, not the folder into itself.
        let printed = client.prints(["cp", "-r", "--json", &format!("{from}/"), &to]);
        tree::assert_same(&local, &target);
        assert_eq!(summary(&printed)["failed"], 0);
    }
}

#[test]
fn travel_both_ways() {
    travel(MANY, Peer::Carrack, Mode::Explicit);
}

#[test]
fn travel_both_ways_in_implicit_mode() {
    travel(SOME, Peer::Carrack, Mode::Implicit);
}

#[test]
fn travel_both_ways_with_vsftpd() {
    travel(SOME, Peer::Vsftpd, Mode::Explicit);
}

#[test]
fn travel_both_ways_with_proftpd() {
    travel(SOME, Peer::Proftpd, Mode::Explicit);
}
