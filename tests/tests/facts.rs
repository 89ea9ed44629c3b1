//! Are times, modes and facts set and told as the drafts and real clients have them? And are parts put together?

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls, curl, lftp, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

/// 2002-07-17 21:07:15 UTC.
const THEN: i64 = 1_026_940_035;

fn mtime(server: &Server, name: &str) -> i64 {
    fs::metadata(server.home().join(name)).unwrap().mtime()
}

fn mode(server: &Server, name: &str) -> u32 {
    fs::metadata(server.home().join(name)).unwrap().mode() & 0o7777
}

#[test]
fn facts_are_set_and_told() {
    let server = Setup::new().start();
    for (way, tls) in EVERY_WAY {
        let name = format!("{way:?} {tls:?}");
        let mut control = Control::session(&server, way, &TlsClient::new(tls), USER);
        control.upload(&name, b"four");
        let reply = control.expect(&format!("MFMT 20020717210715.25 {name}"), 213);
        assert_eq!(reply.to_string(), format!("213 Modify=20020717210715.250; {name}"));
        assert_eq!(mtime(&server, &name), THEN);
        let reply = control.expect(&format!("MFF Modify=20020717210716;UNIX.mode=600; {name}"), 213);
        assert_eq!(reply.to_string(), format!("213 Modify=20020717210716;UNIX.mode=0600; {name}"));
        assert_eq!((mtime(&server, &name), mode(&server, &name)), (THEN + 1, 0o600));
        assert_eq!(control.expect(&format!("MDTM {name}"), 213).to_string(), "213 20020717210716");
        control.expect(&format!("SITE CHMOD 640 {name}"), 200);
        assert_eq!(mode(&server, &name), 0o640);
        control.expect(&format!("SITE UTIME 200207172107 {name}"), 200);
        assert_eq!(mtime(&server, &name), THEN - 15);
        let times = "20010101000000 20020717210715 20030101000000 UTC";
        control.expect(&format!("SITE UTIME {name} {times}"), 200);
        assert_eq!(mtime(&server, &name), THEN);
        control.expect("OPTS MLST modify;create;UNIX.mode;UNIX.owner;UNIX.group;", 200);
        let facts = control.expect(&format!("MLST {name}"), 250).lines[1].clone();
        let there = fs::metadata(server.home().join(&name)).unwrap();
        assert!(facts.starts_with(" Modify=20020717210715;"), "{facts}");
        assert_eq!(facts.contains("Create=2"), there.created().is_ok(), "{facts}");
        let numbers = format!("UNIX.mode=0640;UNIX.owner={};UNIX.group={}; ", there.uid(), there.gid());
        assert!(facts.contains(&numbers), "{facts}");
        assert!(control.listing("MLSD").contains(&numbers));
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let server = Setup::new()
        .user(USER, &[EVERYTHING])
        .user("reader", &["permissions = [\"list\", \"read\", \"write\", \"delete\"]"])
        .start();
    let mut control = Control::open(&server);
    control.upload("file", b"x");
    for (command, code) in [
        ("MFMT 20020717210715 none", 550),
        ("MFMT 20010229000000 file", 501),
        ("MFF Create=20020717210715; file", 504),
        ("MFF UNIX.mode=4755; file", 504),
        ("MFCT 20020717210715 file", 502),
        ("SITE CHMOD 600 none", 550),
        ("SITE UTIME 20020717210715 none", 550),
        ("SITE EXEC id", 500),
        ("MFMT 20020717210715 /", 550),
        ("SITE CHMOD 000 .", 550),
        ("AVBL none", 550),
        ("AVBL file", 550),
        ("COMB \"file\" \"none\"", 550),
        ("COMB \"file\" \"file\"", 553),
    ] {
        control.expect(command, code);
    }
    // A link that leads out of the home is not followed.
    let outside = server.scratch().join("outside");
    fs::write(&outside, "x").unwrap();
    let before = fs::metadata(&outside).unwrap();
    symlink(&outside, server.home().join("out")).unwrap();
    for command in ["MFMT 20020717210715 out", "SITE CHMOD 777 out", "SITE UTIME 20020717210715 out"] {
        control.expect(command, 550);
    }
    let after = fs::metadata(&outside).unwrap();
    assert_eq!((before.mtime(), before.mode()), (after.mtime(), after.mode()));
    // Who may not change what is complete may not change its time, its uploader included.
    let mut reader = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "reader");
    reader.upload("mine", b"x");
    for command in [
        "MFMT 20020717210715 mine",
        "MDTM 20020717210715 mine",
        "MFF UNIX.mode=600; mine",
        "SITE CHMOD 600 mine",
        "SITE UTIME 20020717210715 mine",
    ] {
        reader.expect(command, 550);
    }
}

#[test]
fn mdtm_reads_a_file_of_that_name_and_else_sets_the_time() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.upload("file", b"x");
    let reply = control.expect("MDTM 20020717210715 file", 213);
    assert_eq!(
        (reply.to_string().as_str(), mtime(&server, "file")),
        ("213 Modify=20020717210715; file", THEN)
    );
    control.upload("20030101000000 file", b"x");
    control.expect("MFMT 20040101000000 20030101000000 file", 213);
    let reply = control.expect("MDTM 20030101000000 file", 213);
    assert_eq!((reply.to_string().as_str(), mtime(&server, "file")), ("213 20040101000000", THEN));
    control.expect("MDTM 20030101000000 none", 550);
    // With the time in front this is no name that a disk could have.
    let long = "n".repeat(250);
    control.upload(&long, b"x");
    control.expect(&format!("MDTM 20020717210715 {long}"), 213);
    assert_eq!(mtime(&server, &long), THEN);
}

#[test]
fn parts_become_one_file() {
    let server = Setup::new().start();
    for (way, tls) in EVERY_WAY {
        let mut control = Control::session(&server, way, &TlsClient::new(tls), USER);
        for (name, bytes) in [("p 1", "one "), ("p2", "two "), ("p3", "three")] {
            control.upload(name, bytes.as_bytes());
        }
        control.expect("COMB \"the whole\" \"p 1\" \"p2\"", 250);
        assert_eq!(control.download("the whole"), b"one two ");
        control.expect("COMB \"the whole\" p3", 250);
        assert_eq!(control.download("the whole"), b"one two three");
        assert_eq!(tree::names(&server.home()), ["the whole"]);
        control.expect("DELE the whole", 250);
    }
    server.logged("changed", |line| line.text("what") == "combined" && line.text("path") == "/the whole");
    let room: u64 = Control::open(&server).expect("AVBL", 213).to_string()[4..].parse().unwrap();
    assert!(room > 0);
}

#[test]
fn a_part_that_is_not_complete_is_refused() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.upload("p1", b"one");
    let mut cut = Control::open(&server);
    let mut data = cut.begin("STOR p2");
    data.send(b"half of it").unwrap();
    control.expect("COMB \"whole\" \"p1\" \"p2\"", 450);
    drop(data);
    cut.wait_for(426);
    control.expect("COMB \"whole\" \"p1\" \"p2\"", 550);
    assert_eq!(control.download("p1"), b"one");
    control.expect("SIZE whole", 550);
}

#[test]
fn a_file_under_two_names_is_no_part_of_itself() {
    let server = Setup::new().listen("").option("upload", "publish", "\"in-place\"").start();
    let mut control = Control::open(&server);
    control.upload("whole", b"one");
    control.upload("part", b"two");
    for (from, to) in [("whole", "alias"), ("part", "twin")] {
        fs::hard_link(server.home().join(from), server.home().join(to)).unwrap();
    }
    control.expect("COMB \"whole\" \"alias\"", 553);
    control.expect("COMB \"whole\" \"part\" \"twin\"", 553);
    assert_eq!(control.download("whole"), b"one");
    assert_eq!(control.download("twin"), b"two");
}

#[test]
fn lftp_sets_times_and_modes_in_all_its_ways() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "up", 1, 1000);
    let made = fs::File::options().write(true).open(&local).unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(THEN as u64);
    made.set_modified(then).unwrap();
    let older = "set ftp:use-feat no; set ftp:use-mdtm-overloaded no; set ftp:use-site-utime no; \
                 set ftp:use-site-utime2 no";
    for (said, settings, ways) in [
        ("---> MFMT 20020717210715 up", String::new(), &EVERY_WAY[..]),
        ("---> MDTM 20020717210715 up", format!("{older}; set ftp:use-mdtm-overloaded yes"), &EVERY_WAY[..1]),
        (
            "---> SITE UTIME 20020717210715 up",
            format!("{older}; set ftp:use-site-utime2 yes"),
            &EVERY_WAY[..1],
        ),
        ("---> SITE UTIME up 2", format!("{older}; set ftp:use-site-utime yes"), &EVERY_WAY[..1]),
    ] {
        for &(way, tls) in ways {
            let script = format!("debug 5; {settings}; put {:?}; chmod 604 up", local.to_str().unwrap());
            let run = lftp(&server, way, tls, &script).run().ok();
            assert!(run.stderr.contains(said), "no {said}: {}", run.report());
            assert_eq!((mtime(&server, "up"), mode(&server, "up")), (THEN, 0o604), "{}", run.report());
            fs::remove_file(server.home().join("up")).unwrap();
        }
    }
}

#[test]
fn curl_quotes_every_command() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    for (way, tls) in EVERY_WAY {
        for name in ["file", "p1", "p2"] {
            fs::write(server.home().join(name), name).unwrap();
        }
        let quote = [
            "MFMT 20020717210715 file",
            "SITE CHMOD 640 file",
            "SITE HELP",
            "AVBL",
            "COMB \"whole\" \"p1\" \"p2\"",
            "MFF Modify=20020717210715;UNIX.mode=0604; whole",
        ];
        let quoting = quote.iter().flat_map(|&command| ["-Q", command]);
        curl(&server, way, tls).args(quoting).arg(url(&server, way, "/")).run().ok();
        assert_eq!((mtime(&server, "file"), mode(&server, "file")), (THEN, 0o640));
        assert_eq!((mtime(&server, "whole"), mode(&server, "whole")), (THEN, 0o604));
        assert_eq!(fs::read(server.home().join("whole")).unwrap(), b"p1p2");
        // curl ends with an error where a quoted command is refused.
        curl(&server, way, tls)
            .args(["-Q", "MFCT 20020717210715 file"])
            .arg(url(&server, way, "/"))
            .run()
            .fails();
        fs::remove_file(server.home().join("whole")).unwrap();
    }
}

#[test]
fn special_bits_of_a_file_are_gone_after_a_chmod() {
    let server = Setup::new().start();
    let there = server.home().join("program");
    fs::write(&there, "x").unwrap();
    fs::set_permissions(&there, fs::Permissions::from_mode(0o6755)).unwrap();
    Control::open(&server).expect("SITE CHMOD 700 program", 200);
    assert_eq!(mode(&server, "program"), 0o700);
}
