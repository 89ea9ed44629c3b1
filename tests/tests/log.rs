//! What the log tells an operator: who came, who was let in, what was moved how, and how it ended.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::Mode;
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;

#[test]
fn a_session_is_told_from_its_beginning_to_its_end() {
    let server = Setup::new().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V12), USER);
    control.download("file");
    let mut data = control.begin("STOR cut");
    data.send(b"half").unwrap();
    data.fin();
    control.reply();
    control.expect("QUIT", 221);
    let peer = control.wire.socket().local_addr().unwrap().to_string();
    let by_us = |event: &str| server.logged(event, |line| line.text("peer") == peer);
    let session = by_us("connected").text("session");
    assert_eq!(by_us("login").text("user"), USER);
    let told = |direction: &str| {
        let line = server
            .logged("transfer", |line| line.text("peer") == peer && line.text("direction") == direction);
        assert_eq!(line.text("session"), session);
        assert_eq!(line.text("user"), USER);
        assert!(line.field("seconds").is_some_and(|seconds| seconds.as_f64().is_some()), "{}", line.raw);
        line
    };
    let down = told("download");
    assert_eq!((down.text("path").as_str(), down.text("bytes").as_str()), ("/file", "5"));
    assert_eq!((down.text("tls").as_str(), down.text("resumed").as_str()), ("TLSv1.2", "true"));
    assert_eq!(down.text("complete"), "true");
    let up = told("upload");
    assert_eq!((up.text("path").as_str(), up.text("complete").as_str()), ("/cut", "false"));
    assert!(!up.text("why").is_empty(), "{}", up.raw);
    assert_eq!(by_us("session_end").text("session"), session);
    by_us("disconnected");
    let lines = server.logs.lines();
    let at = |event: &str| lines.iter().position(|line| line.is(event) && line.text("peer") == peer);
    assert!(at("session_end") < at("disconnected"), "a login is over before its connection is");
}

#[test]
fn what_a_peer_sends_never_breaks_a_line_or_colours_a_terminal() {
    let server = Setup::new().start();
    let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    for name in
        ["nobody\u{1b}[31m", "two\u{85}lines", "a\"quote\\", "\u{202e}reversed", "{\"event\":\"login\"}"]
    {
        control.cmd(&format!("USER {name}"));
        control.cmd("PASS of-the-peer");
        control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    }
    let mut inside = Control::open(&server);
    inside.upload("name\u{202e}txt \"quoted\" \\", b"bytes");
    server.logged("transfer", |_| true);
    for line in server.logs.lines() {
        assert!(line.is_json(), "{}", line.raw);
        assert!(!line.raw.contains(|c: char| c.is_control()), "{:?}", line.raw);
        assert!(!line.raw.contains("of-the-peer"), "{}", line.raw);
    }
}
