//! Does a device that knows no UTF-8 see, store and fetch its files under the names that everybody else sees?

use std::fs;
use std::os::unix::ffi::OsStrExt;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

/// Stores and fetches by a name in bytes.
fn upload(control: &mut Control, name: &[u8], content: &[u8]) {
    let mut data = control.data();
    control.send(&[b"STOR ", name, b"\r\n"].concat());
    control.wait_for(150);
    let tls = control.tls.clone();
    data.secure(&tls).unwrap();
    data.send(content).unwrap();
    data.finish().unwrap();
    control.wait_for(226);
}

fn server(charset: &str) -> Server {
    Setup::new().user("device", &[EVERYTHING, &format!("charset = {charset:?}")]).start()
}

#[test]
fn names_rest_in_utf_8_and_are_listed_in_the_set() {
    for (charset, name, bytes) in [
        ("latin1", "Grüße", &b"Gr\xfc\xdfe"[..]),
        ("gbk", "文件", b"\xce\xc4\xbc\xfe"),
        ("shift_jis", "表", b"\x95\\"),
        ("windows-1251", "файл", b"\xf4\xe0\xe9\xeb"),
    ] {
        let server = server(charset);
        let home = server.home_of("device");
        for (mode, version) in EVERY_WAY {
            let mut control = Control::session(&server, mode, &TlsClient::new(version), "device");
            upload(&mut control, bytes, b"content");
            assert_eq!(tree::names(&home), [name], "{charset}");
            for command in ["NLST", "LIST", "MLSD"] {
                let listed = control.fetch(command);
                let line = [bytes, b"\r\n"].concat();
                assert!(listed.ends_with(&line), "{charset} {command}: {}", listed.escape_ascii());
            }
            control.expect("OPTS UTF8 ON", 200);
            assert_eq!(control.fetch("NLST"), format!("{name}\r\n").as_bytes());
            assert_eq!(control.download(name), b"content");
            control.expect("OPTS UTF8 OFF", 200);
            control.send(&[b"DELE ", bytes, b"\r\n"].concat());
            control.wait_for(250);
            assert!(tree::names(&home).is_empty());
        }
    }
}

#[test]
fn names_that_the_set_does_not_have_are_spelled_out_and_reached_by_that_spelling_alone() {
    let server = server("latin1");
    let home = server.home_of("device");
    fs::write(home.join("東京"), "far away").unwrap();
    fs::write(home.join(std::ffi::OsStr::from_bytes(b"\xff")), "no UTF-8").unwrap();
    fs::write(home.join("plain"), "ascii").unwrap();
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "device");
    let mut listed: Vec<_> = control.listing("NLST").lines().map(str::to_owned).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["%b{ff}", "%u{6771}%u{4eac}", "plain"]);
    assert_eq!(control.download("%u{6771}%u{4eac}"), b"far away");
    assert_eq!(control.download("%b{ff}"), b"no UTF-8");
    for second in ["%u{70}lain", "%b{70}lain", "%u{06771}%u{4eac}"] {
        control.expect(&format!("SIZE {second}"), 501);
        control.expect(&format!("DELE {second}"), 501);
    }
    assert_eq!(tree::names(&home).len(), 3);
}

#[test]
fn without_a_set_names_are_utf_8_and_escapes_are_plain_names() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.expect("OPTS UTF8 OFF", 504);
    control.upload("%u{70}lain", b"as it stands");
    assert_eq!(tree::names(&server.home()), ["%u{70}lain"]);
}
