//! Debian's curl (OpenSSL) moves real files: every way in, every size, every kind of name, passive and active.

use std::fs;

use carrack_tests::programs::{EVERY_WAY, Tls, curl, curl_protecting, needs, url};
use carrack_tests::server::{Mode, under_fips};
use carrack_tests::setup::Setup;
use carrack_tests::tree::{self, NAMES, SIZES};

#[test]
fn moves_files_of_every_size_in_every_way() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    for (mode, tls) in EVERY_WAY {
        for size in SIZES {
            let local = tree::file(&server.scratch(), &format!("{mode:?}-{tls:?}-{size}"), size as u64, size);
            let name = local.file_name().unwrap().to_str().unwrap().to_owned();
            let at = url(&server, mode, &format!("/{name}"));
            curl(&server, mode, tls).arg("-T").arg(&local).arg(&at).run().ok();
            assert_eq!(tree::sha256_of(&local), tree::sha256_of(&server.home().join(&name)), "{name} up");
            let back = server.scratch().join("back");
            curl(&server, mode, tls).arg("-o").arg(&back).arg(&at).run().ok();
            assert_eq!(tree::sha256_of(&local), tree::sha256_of(&back), "{name} down");
            fs::remove_file(&back).unwrap();
        }
    }
}

#[test]
fn keeps_every_kind_of_name() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "one", 1, 1000);
    for name in NAMES {
        let at = url(&server, Mode::Explicit, &format!("/{name}"));
        curl(&server, Mode::Explicit, Tls::V13).arg("-T").arg(&local).arg(&at).run().ok();
        assert_eq!(fs::read(server.home().join(name)).unwrap(), tree::bytes(1, 1000), "{name}");
        let back = server.scratch().join("back");
        curl(&server, Mode::Explicit, Tls::V13).arg("-o").arg(&back).arg(&at).run().ok();
        assert_eq!(fs::read(&back).unwrap(), tree::bytes(1, 1000), "{name}");
    }
    let list = url(&server, Mode::Implicit, "/");
    let listed = curl(&server, Mode::Implicit, Tls::V12).arg("--list-only").arg(&list).run().ok().stdout;
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, tree::names(&server.home()));
    let long = curl(&server, Mode::Implicit, Tls::V13).arg(&list).run().ok().stdout;
    for name in NAMES {
        let line =
            long.lines().find(|line| line.ends_with(name)).unwrap_or_else(|| panic!("{name} in {long}"));
        assert!(line.starts_with("-rw") && line.contains(" 1000 "), "{line}");
    }
}

#[test]
fn makes_folders_renames_and_deletes() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    for (mode, tls) in EVERY_WAY {
        let local = tree::file(&server.scratch(), "file", 2, 100);
        let at = url(&server, mode, "/made by curl/deeper/file");
        curl(&server, mode, tls).arg("--ftp-create-dirs").arg("-T").arg(&local).arg(&at).run().ok();
        let quote = [
            "MKD /other",
            "RNFR /made by curl/deeper/file",
            "RNTO /other/moved",
            "RMD /made by curl/deeper",
            "RMD /made by curl",
        ];
        let quoting = quote.iter().flat_map(|&command| ["-Q", command]);
        curl(&server, mode, tls).args(quoting).arg(url(&server, mode, "/other/")).run().ok();
        assert_eq!(tree::names(&server.home()), ["other"]);
        assert_eq!(fs::read(server.home().join("other/moved")).unwrap(), tree::bytes(2, 100));
        let quoting = ["-Q", "DELE /other/moved", "-Q", "RMD /other"];
        curl(&server, mode, tls).args(quoting).arg(url(&server, mode, "/")).run().ok();
        assert!(tree::names(&server.home()).is_empty());
    }
}

#[test]
fn transfers_by_the_older_commands() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "file", 3, 300_000);
    for (mode, tls) in EVERY_WAY {
        for way in ["--disable-epsv", "--no-ftp-skip-pasv-ip"] {
            let at = url(&server, mode, "/file");
            let back = server.scratch().join("back");
            curl(&server, mode, tls).arg(way).arg("-T").arg(&local).arg(&at).run().ok();
            curl(&server, mode, tls).arg(way).arg("-o").arg(&back).arg(&at).run().ok();
            assert_eq!(tree::sha256_of(&back), tree::sha256_of(&local), "{mode:?} {tls:?} {way}");
            let list = url(&server, mode, "/");
            let listed = curl(&server, mode, tls).arg(way).arg("-l").arg(&list).run().ok().stdout;
            assert_eq!(listed.lines().collect::<Vec<_>>(), ["file"]);
            fs::remove_file(server.home().join("file")).unwrap();
        }
    }
}

/// In active mode curl 7.88 (Debian 12) leaves its data connection in clear, whatever `PROT` says (mended in curl
/// 8.0). It is therefore asked for clear data here; lftp and Python do active mode under TLS.
#[test]
fn transfers_in_active_mode_in_clear() {
    if under_fips() || !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().explicit("data_protection = \"optional\"").start();
    let local = tree::file(&server.scratch(), "file", 3, 300_000);
    for tls in [Tls::V12, Tls::V13] {
        for way in [&["--eprt"][..], &["--disable-eprt"]] {
            let active = ["--ftp-port", "127.0.0.1"];
            let at = url(&server, Mode::Explicit, "/file");
            let back = server.scratch().join("back");
            let curl = || curl_protecting(&server, tls, &["--ftp-ssl-control"]).args(active).args(way);
            curl().arg("-T").arg(&local).arg(&at).run().ok();
            curl().arg("-o").arg(&back).arg(&at).run().ok();
            assert_eq!(tree::sha256_of(&back), tree::sha256_of(&local), "{tls:?} {way:?}");
        }
    }
}

/// The same defect of that curl seen from here: what it sends in clear where protection is in force is not taken.
#[test]
fn takes_nothing_in_clear_where_protection_is_in_force() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().option("timeouts", "data_accept_s", "1").start();
    let local = tree::file(&server.scratch(), "file", 3, 300_000);
    let at = url(&server, Mode::Explicit, "/file");
    let run = curl(&server, Mode::Explicit, Tls::V13)
        .args(["--ftp-port", "127.0.0.1", "-T"])
        .arg(&local)
        .arg(&at)
        .run();
    let at_rest = fs::read(server.home().join("file")).ok();
    // A curl without the defect succeeds.
    assert_eq!(at_rest.is_some(), run.status.success(), "{}", run.report());
    assert!(at_rest.is_none_or(|bytes| bytes == tree::bytes(3, 300_000)));
}

#[test]
fn moves_many_files_over_one_control_connection() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    // Few of them: this curl waits a second before each further data connection.
    for (mode, tls) in [(Mode::Explicit, Tls::V13), (Mode::Implicit, Tls::V12)] {
        let from = server.scratch().join("from");
        let names: Vec<String> = (0..6).map(|number| format!("file-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            tree::file(&from, name, number as u64, 100_000 * number);
        }
        let sources = format!("{{{}}}", names.join(","));
        curl(&server, mode, tls)
            .folder(&from)
            .arg("-T")
            .arg(&sources)
            .arg(url(&server, mode, "/"))
            .run()
            .ok();
        tree::assert_same(&from, &server.home());
        let to = server.scratch().join("to");
        fs::create_dir_all(&to).unwrap();
        // The brackets of curl's own numbering must not be encoded.
        let at = url(&server, mode, "/") + "file-[0-5]";
        curl(&server, mode, tls).folder(&to).args(["--remote-name-all"]).arg(at).run().ok();
        tree::assert_same(&from, &to);
        for folder in [&to, &server.home()] {
            names.iter().for_each(|name| fs::remove_file(folder.join(name)).unwrap());
        }
    }
}

#[test]
fn reads_ranges_times_and_sizes() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    fs::write(server.home().join("file"), tree::bytes(4, 2_000_000)).unwrap();
    let at = url(&server, Mode::Explicit, "/file");
    let head = curl(&server, Mode::Explicit, Tls::V13).arg("-I").arg(&at).run().ok().stdout;
    assert!(head.contains("Content-Length: 2000000") && head.contains("Last-Modified: "), "{head}");
    let back = server.scratch().join("back");
    curl(&server, Mode::Explicit, Tls::V13).args(["-r", "1999000-", "-o"]).arg(&back).arg(&at).run().ok();
    assert_eq!(fs::read(&back).unwrap(), tree::bytes(4, 2_000_000)[1_999_000..]);
    // curl has what it wants long before the end and closes the data connection itself.
    curl(&server, Mode::Explicit, Tls::V13).args(["-r", "1000-1999", "-o"]).arg(&back).arg(&at).run();
    assert_eq!(fs::read(&back).unwrap(), tree::bytes(4, 2_000_000)[1000..2000]);
}
