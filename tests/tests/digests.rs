//! HASH, XCRC and their kin, and RANG, against the real program: right, refused, stopped, and never of another file.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, Tls, lftp, needs};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

/// The digits of the answer to HASH, whose other parts must be these.
fn hash(control: &mut Control, name: &str, algorithm: &str, octets: &str) -> String {
    let reply = control.expect(&format!("HASH {name}"), 213).to_string();
    let front = format!("213 {algorithm} {octets} ");
    let rest = reply.strip_prefix(&front).unwrap_or_else(|| panic!("{reply} for {front}"));
    rest.strip_suffix(&format!(" {name}")).unwrap_or_else(|| panic!("{reply} for {name}")).to_owned()
}

#[test]
fn every_algorithm_is_that_of_its_standard_and_of_the_file_as_it_is_now() {
    let server = Setup::new().start();
    let bytes = b"123456789";
    fs::write(server.home().join("a file"), bytes).unwrap();
    let known = [
        ("SHA-256", "XSHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ("SHA-1", "XSHA1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("MD5", "XMD5", "25f9e794323b453885f5181f1b624d0b"),
        ("CRC32", "XCRC", "cbf43926"),
    ];
    for (mode, tls) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(tls), USER);
        for (algorithm, verb, digits) in known {
            control.expect(&format!("OPTS HASH {algorithm}"), 200);
            assert_eq!(hash(&mut control, "a file", algorithm, "0-8"), digits);
            assert_eq!(control.expect(&format!("{verb} a file"), 250).to_string(), format!("250 {digits}"));
        }
        control.expect("OPTS HASH SHA-512", 200);
        assert_eq!(hash(&mut control, "a file", "SHA-512", "0-8").len(), 128);
    }
    // The same length, other bytes, the same time of modification: it is read anew.
    let path = server.home().join("a file");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"987654321").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    let mut control = Control::open(&server);
    assert_eq!(hash(&mut control, "a file", "SHA-256", "0-8"), tree::sha256(b"987654321"));
}

#[test]
fn what_was_uploaded_is_what_is_hashed_with_digests_made_on_the_way_or_afterwards() {
    for digest in ["asked", "sha256", "none"] {
        let server = Setup::new().option("upload", "digest", &format!("{digest:?}")).start();
        let mut control = Control::open(&server);
        for (number, size) in [0, 1, 70_000, 3_000_000].into_iter().enumerate() {
            let bytes = tree::bytes(number as u64, size);
            control.upload("file", &bytes);
            let octets = format!("0-{}", size.saturating_sub(1));
            assert_eq!(hash(&mut control, "file", "SHA-256", &octets), tree::sha256(&bytes), "{digest}");
            // A second part behind it is of another file.
            assert_eq!(control.try_store("APPE file", b"more").code, 226);
            let whole = [&bytes[..], b"more"].concat();
            let octets = format!("0-{}", size + 3);
            assert_eq!(hash(&mut control, "file", "SHA-256", &octets), tree::sha256(&whole), "{digest}");
        }
        // What TYPE A converts on its way is hashed as it rests.
        control.expect("TYPE A", 200);
        control.upload("text", b"one\r\ntwo\r\n");
        assert_eq!(hash(&mut control, "text", "SHA-256", "0-7"), tree::sha256(b"one\ntwo\n"));
    }
}

#[test]
fn a_range_is_hashed_sent_and_received() {
    let server = Setup::new().start();
    let path = server.home().join("f");
    fs::write(&path, b"0123456789").unwrap();
    let mut control = Control::open(&server);
    control.expect("RANG 2 4", 350);
    assert_eq!(hash(&mut control, "f", "SHA-256", "2-4"), tree::sha256(b"234"));
    control.expect("RANG 8 100", 350);
    assert_eq!(hash(&mut control, "f", "SHA-256", "8-9"), tree::sha256(b"89"));
    control.expect("RANG 10 11", 350);
    control.expect("HASH f", 550);
    let digits = |control: &mut Control, command: &str| control.expect(command, 250).to_string();
    assert!(digits(&mut control, "XSHA256 \"f\" 2 5").ends_with(&tree::sha256(b"234")));
    assert!(digits(&mut control, "XSHA256 \"f\" 7").ends_with(&tree::sha256(b"789")));
    control.expect("XSHA256 \"f\" 2 11", 550);
    control.expect("XSHA256 \"f\" 11", 550);

    for (range, expected) in [("2 4", &b"234"[..]), ("8 100", b"89"), ("10 20", b""), ("50 60", b"")] {
        let mut data = control.data();
        control.expect(&format!("RANG {range}"), 350);
        control.expect("RETR f", 150);
        data.secure(&control.tls.clone()).unwrap();
        assert_eq!(data.read_to_end().0, expected, "{range}");
        drop(data.finish());
        control.wait_for(226);
    }
    // The last octets and beyond, all of them and no more.
    control.expect("RANG 8 12", 350);
    assert_eq!(control.try_store("STOR f", b"abcde").code, 226);
    assert_eq!(fs::read(&path).unwrap(), b"01234567abcde");
    for wrong in [&b"abcd"[..], b"abcdef"] {
        control.expect("RANG 8 12", 350);
        assert_eq!(control.try_store("STOR f", wrong).code, 550);
        assert_eq!(fs::read(&path).unwrap(), b"01234567abcde", "nothing outside the range, nothing half");
        control.expect("DELE f", 250);
        fs::write(&path, b"01234567abcde").unwrap();
    }
    control.expect("RANG 2 4", 350);
    assert_eq!(control.try_store("STOR f", b"abc").code, 504, "the middle of a file stays as it is");
    control.expect("RANG 14 15", 350);
    assert_eq!(control.try_store("STOR f", b"ab").code, 550, "no holes");
    assert_eq!(fs::read(&path).unwrap(), b"01234567abcde");
}

#[test]
fn who_may_not_read_learns_no_digest() {
    let server = Setup::new()
        .user("dropbox", &["permissions = [\"list\", \"write\"]"])
        .user("reader", &["permissions = [\"read\"]"])
        .start();
    let mut dropbox = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "dropbox");
    dropbox.upload("secret", b"bytes");
    for command in ["HASH secret", "XCRC secret", "XSHA256 \"secret\" 0 1"] {
        dropbox.expect(command, 550);
    }
    let mut reader = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "reader");
    fs::create_dir_all(server.home_of("reader").join("folder")).unwrap();
    reader.expect("HASH missing", 550);
    reader.expect("HASH folder", 553);
    reader.expect("XMD5 folder", 550);
    reader.expect("HASH ../../../etc/passwd", 550);
}

/// A file without end, as far as a test goes: a hole of a terabyte.
fn endless(server: &Server) {
    fs::File::create(server.home().join("endless")).unwrap().set_len(1 << 40).unwrap();
}

#[test]
fn a_long_hash_is_stopped_by_abor_and_by_a_lost_connection_and_holds_nobody_up() {
    let server = Setup::new().start();
    endless(&server);
    fs::write(server.home().join("small"), "bytes").unwrap();
    let mut long: Vec<Control> = (0..8).map(|_| Control::open(&server)).collect();
    for control in &mut long {
        control.say("HASH endless");
    }
    let mut other = Control::open(&server);
    assert_eq!(hash(&mut other, "small", "SHA-256", "0-4"), tree::sha256(b"bytes"));
    assert_eq!(other.download("small"), b"bytes");

    let mut first = long.remove(0);
    first.expect("NOOP", 200);
    assert!(first.expect("STAT", 211).to_string().contains("in progress"));
    first.expect("ABOR", 426);
    first.wait_for(226);
    assert_eq!(hash(&mut first, "small", "SHA-256", "0-4"), tree::sha256(b"bytes"));

    let peers: Vec<String> =
        long.iter().map(|control| control.wire.socket().local_addr().unwrap().to_string()).collect();
    drop(long);
    for peer in peers {
        server.logged("session_end", |line| line.text("peer") == peer);
    }
}

#[test]
fn our_own_client_verifies_by_hash() {
    let server = Setup::new().start();
    let local = tree::file(&server.scratch(), "local", 4, 500_000);
    let state = server.scratch().join("state");
    let run = |arguments: &[&str]| {
        Program::new(program())
            .env("CARRACK_PASSWORD", server.password())
            .env("XDG_STATE_HOME", &state)
            .args(arguments)
            .run()
            .ok()
            .stdout
    };
    let url = format!("ftpes://{USER}@{}/file", server.explicit);
    let up = run(&["cp", "--trust-new", "--json", local.to_str().unwrap(), &url]);
    assert!(up.contains("SHA-256"), "{up}");
    let back = server.scratch().join("back");
    let down = run(&["cp", "--trust-new", "--json", &url, back.to_str().unwrap()]);
    assert!(down.contains("SHA-256"), "{down}");
    let hashed = run(&["hash", "--trust-new", &url]);
    assert!(hashed.contains(&tree::sha256_of(&local)), "{hashed}");
}

#[test]
fn lftp_asks_as_well() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().start();
    fs::write(server.home().join("f"), b"123456789").unwrap();
    let said =
        lftp(&server, Mode::Explicit, Tls::V13, "quote HASH f\nquote XCRC \"\\\"f\\\"\"").run().ok().stdout;
    assert!(said.contains("15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"), "{said}");
    assert!(said.contains("cbf43926"), "{said}");
}
