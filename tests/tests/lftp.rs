//! Debian's lftp (GnuTLS) moves real files and whole trees, with several connections at once.

use std::fs;

use carrack_tests::programs::{EVERY_WAY, Tls, lftp, needs};
use carrack_tests::server::Mode;
use carrack_tests::setup::Setup;
use carrack_tests::tree::{self, NAMES, SIZES};

#[test]
fn moves_files_of_every_size_and_name_in_every_way() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let from = server.scratch().join("from");
    for size in SIZES {
        tree::file(&from, &format!("of {size}"), size as u64, size);
    }
    for name in NAMES {
        tree::file(&from, &format!("a folder/{name}"), 7, 777);
    }
    for (mode, tls) in EVERY_WAY {
        let to = server.scratch().join("to");
        let script = format!("mirror -R {from:?} /tree\nmirror /tree {to:?}");
        lftp(&server, mode, tls, &script).run().ok();
        tree::assert_same(&from, &server.home().join("tree"));
        tree::assert_same(&from, &to);
        fs::remove_dir_all(&to).unwrap();
        lftp(&server, mode, tls, "rm -r /tree").run().ok();
        assert!(tree::names(&server.home()).is_empty());
    }
}

#[test]
fn makes_folders_lists_renames_and_deletes() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "local", 8, 12_345);
    for (mode, tls) in EVERY_WAY {
        let script = format!(
            "mkdir \"new folder\"\nput {local:?} -o \"new folder/-dash\"\n\
             mv \"new folder/-dash\" \"new folder/Grüße\"\ncls -1 \"new folder\"\nls \"new folder\"\n\
             rm \"new folder/Grüße\"\nrmdir \"new folder\"\ncls -1"
        );
        let said = lftp(&server, mode, tls, &script).run().ok().stdout;
        assert!(said.lines().any(|line| line == "new folder/Grüße"), "{said}");
        assert!(said.lines().any(|line| line.ends_with(" Grüße") && line.contains(" 12345 ")), "{said}");
        assert!(tree::names(&server.home()).is_empty());
    }
}

#[test]
fn transfers_in_active_mode_and_by_pasv() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "local", 9, 400_000);
    for (mode, tls) in EVERY_WAY {
        for way in ["set ftp:passive-mode no", "set ftp:prefer-epsv no"] {
            let back = server.scratch().join("back");
            let script = format!("{way}\nput {local:?} -o file\nget file -o {back:?}\nrm file");
            lftp(&server, mode, tls, &script).run().ok();
            assert_eq!(tree::sha256_of(&local), tree::sha256_of(&back), "{mode:?} {tls:?} {way}");
        }
    }
}

#[test]
fn mirrors_five_thousand_small_files_both_ways_on_four_connections() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let (from, to) = (server.scratch().join("from"), server.scratch().join("to"));
    tree::many_small_files(&from, 5000);
    let script = format!("mirror -R -P 4 {from:?} /many\nmirror -P 4 /many {to:?}");
    lftp(&server, Mode::Explicit, Tls::V13, &script).run().ok();
    tree::assert_same(&from, &server.home().join("many"));
    tree::assert_same(&from, &to);
}

#[test]
fn parallel_connections_share_one_session_cache_even_where_resumption_is_required() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().listen("data_tls_reuse = \"require\"").start();
    let (from, to) = (server.scratch().join("from"), server.scratch().join("to"));
    tree::many_small_files(&from, 300);
    for (mode, tls) in EVERY_WAY {
        let script = format!("mirror -R -P 4 {from:?} /many\nmirror -P 4 /many {to:?}\nrm -r /many");
        lftp(&server, mode, tls, &script).run().ok();
        tree::assert_same(&from, &to);
        fs::remove_dir_all(&to).unwrap();
    }
}
