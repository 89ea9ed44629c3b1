//! Do texts travel in TYPE A as RFC 959 has it, and go on where a marker says? (RFC 3659 §5)

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls};
use carrack_tests::server::Mode;
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;

#[test]
fn line_ends_are_converted_in_both_directions() {
    let server = Setup::new().start();
    for (mode, version) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(version), USER);
        control.expect("TYPE A", 200);
        control.upload("text", b"one\r\ntwo\r\r\nbare\nlast\r");
        assert_eq!(fs::read(server.home().join("text")).unwrap(), b"one\ntwo\r\nbare\nlast\r");
        assert_eq!(control.download("text"), b"one\r\ntwo\r\r\nbare\r\nlast\r");
        control.expect("TYPE I", 200);
        assert_eq!(control.download("text"), b"one\ntwo\r\nbare\nlast\r");
    }
}

#[test]
fn a_download_goes_on_at_every_byte_of_the_wire() {
    let server = Setup::new().start();
    fs::write(server.home().join("text"), "one\ntwo\n\nthree").unwrap();
    let wire = b"one\r\ntwo\r\n\r\nthree";
    let mut control = Control::open(&server);
    control.expect("TYPE A", 200);
    for at in 0..=wire.len() {
        control.expect(&format!("REST {at}"), 350);
        let mut data = control.data();
        control.expect("RETR text", 150);
        let tls = control.tls.clone();
        data.secure(&tls).unwrap();
        assert_eq!(data.read_to_end().0, &wire[at..], "from {at}");
        drop(data.finish());
        control.wait_for(226);
    }
    control.expect(&format!("REST {}", wire.len() + 1), 350);
    control.data();
    let reply = control.expect("RETR text", 550);
    assert!(reply.to_string().contains("REST 17"), "{reply}");
}

#[test]
fn a_download_goes_on_far_into_a_long_text() {
    let server = Setup::new().start();
    let text: String = (0..200_000).map(|number| format!("line {number}\n")).collect();
    fs::write(server.home().join("text"), &text).unwrap();
    let wire = text.replace('\n', "\r\n");
    let mut control = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V12), USER);
    control.expect("TYPE A", 200);
    for at in [65_536, 1_000_001, wire.len() - 1] {
        // The port first: behind REST comes the transfer.
        let mut data = control.data();
        control.expect(&format!("REST {at}"), 350);
        control.expect("RETR text", 150);
        let tls = control.tls.clone();
        data.secure(&tls).unwrap();
        assert!(data.read_to_end().0 == wire.as_bytes()[at..], "from {at}");
        drop(data.finish());
        control.wait_for(226);
    }
}

#[test]
fn an_upload_does_not_go_on_as_text_and_a_cut_one_leaves_nothing() {
    let server = Setup::new().start();
    fs::write(server.home().join("text"), "one\ntwo\n").unwrap();
    let mut control = Control::open(&server);
    control.expect("TYPE A", 200);
    control.expect("SIZE text", 550);
    for command in ["STOR text", "APPE text"] {
        control.data();
        control.expect("REST 5", 350);
        control.expect(command, 550);
    }
    let mut data = control.begin("STOR cut");
    data.send(b"half a line").unwrap();
    data.reset();
    control.wait_for(426);
    control.expect("TYPE I", 200);
    control.expect("SIZE cut", 550);
    assert_eq!(fs::read(server.home().join("text")).unwrap(), b"one\ntwo\n");
}
