//! Large files both ways in every way in: 64 MiB here, 2 GiB by `scripts/big-files`.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use carrack_tests::programs::{EVERY_WAY, curl, lftp, needs, url};
use carrack_tests::setup::Setup;
use carrack_tests::tree;

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
