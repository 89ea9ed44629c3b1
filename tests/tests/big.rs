//! Large files both ways in every way in, by other people's clients and our own: 64 MiB here, 2 GiB by
//! `scripts/big-files`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use carrack_tests::client::Client;
use carrack_tests::programs::{EVERY_WAY, curl, lftp, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::Setup;
use carrack_tests::{tree, wait};

/// How large, from `CARRACK_BIG_MIB`.
fn mebibytes() -> u64 {
    std::env::var("CARRACK_BIG_MIB").map_or(64, |given| given.parse().unwrap())
}

/// A file of that size with no two equal blocks.
fn make(folder: &Path) -> PathBuf {
    let path = folder.join("big");
    let mut file = File::create(&path).unwrap();
    for block in 0..mebibytes() {
        file.write_all(&tree::bytes(block, 1 << 20)).unwrap();
    }
    path
}

#[test]
fn travel_both_ways_by_curl() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    let local = make(&server.scratch());
    let expected = tree::sha256_of(&local);
    for (mode, tls) in EVERY_WAY {
        let at = url(&server, mode, "/big");
        let back = server.scratch().join("back");
        curl(&server, mode, tls).arg("-T").arg(&local).arg(&at).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join("big")), expected, "{mode:?} {tls:?} up");
        curl(&server, mode, tls).arg("-o").arg(&back).arg(&at).run().ok();
        assert_eq!(tree::sha256_of(&back), expected, "{mode:?} {tls:?} down");
        fs::remove_file(&back).unwrap();
        fs::remove_file(server.home().join("big")).unwrap();
    }
}

#[test]
fn travel_both_ways_by_lftp() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let local = make(&server.scratch());
    let expected = tree::sha256_of(&local);
    for (mode, tls) in EVERY_WAY {
        let back = server.scratch().join("back");
        lftp(&server, mode, tls, &format!("put {local:?} -o big\nget big -o {back:?}")).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join("big")), expected, "{mode:?} {tls:?} up");
        assert_eq!(tree::sha256_of(&back), expected, "{mode:?} {tls:?} down");
        fs::remove_file(&back).unwrap();
        fs::remove_file(server.home().join("big")).unwrap();
    }
}

/// The URL of the file for our own client.
fn own_url(server: &Server, mode: Mode) -> String {
    let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
    format!("{scheme}://carrack@{}/big", server.address(mode))
}

#[test]
fn travel_both_ways_by_our_own_client() {
    let server = Setup::new().start();
    let local = make(&server.scratch());
    let expected = tree::sha256_of(&local);
    let back = server.scratch().join("back");
    for (mode, tls) in EVERY_WAY {
        let client = Client::new(&server.password()).speaking(tls).flag("--trust-new");
        let at = own_url(&server, mode);
        client.prints(["cp", local.to_str().unwrap(), &at]);
        assert_eq!(tree::sha256_of(&server.home().join("big")), expected, "{mode:?} {tls:?} up");
        client.prints(["cp", &at, back.to_str().unwrap()]);
        assert_eq!(tree::sha256_of(&back), expected, "{mode:?} {tls:?} down");
        fs::remove_file(&back).unwrap();
        fs::remove_file(server.home().join("big")).unwrap();
    }
}

#[test]
fn survive_the_death_of_our_own_client() {
    let server = Setup::new().start();
    let local = make(&server.scratch());
    let expected = tree::sha256_of(&local);
    let at = own_url(&server, Mode::Explicit);
    let client = Client::new(&server.password()).flag("--trust-new");
    let down = server.scratch().join("down");
    fs::create_dir(&down).unwrap();
    let rate = format!("{}M", mebibytes());
    for (from, to, folder, whole) in [
        (local.to_str().unwrap(), at.as_str(), server.home(), server.home().join("big")),
        (at.as_str(), down.to_str().unwrap(), down.clone(), down.join("big")),
    ] {
        let running = client.program(["cp", "--limit-rate", &rate, from, to]).spawn();
        wait::until_true("half of the bytes", || bytes_in(&folder) > mebibytes() << 19);
        running.kill();
        assert!(!whole.exists());
        let printed = client.prints(["cp", "--json", from, to]);
        assert!(printed.contains("\"resumed\":1"), "{printed}");
        assert_eq!(tree::sha256_of(&whole), expected);
    }
}

/// The bytes of the files in a folder, whatever they are called while they grow.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|found| found.is_file())
        .map(|found| found.len())
        .sum()
}
