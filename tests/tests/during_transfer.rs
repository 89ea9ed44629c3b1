//! What is answered while a transfer runs, and how is one ended: STAT, NOOP, ABOR with and without Telnet's signals

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;
use socket2::SockRef;

/// More than the buffers of two sockets hold: a download that nobody reads does not end by itself.
const LONG: usize = 64 << 20;

/// IAC IP: interrupt process (RFC 854).
const INTERRUPT: &[u8] = b"\xff\xf4";

/// IAC DM: the mark of a Synch (RFC 854).
const MARK: &[u8] = b"\xff\xf2";

fn serving_a_long_file() -> Server {
    let server = Setup::new().explicit("plaintext = \"allow\"").start();
    fs::File::create(server.home().join("long")).unwrap().set_len(LONG as u64).unwrap();
    server
}

/// Begins a download in clear and leaves it unread.
fn begin_in_clear(control: &mut Control) -> Wire {
    let data = control.data();
    control.expect("RETR long", 150);
    data
}

fn logged_in_clear(server: &Server) -> Control {
    let mut control = Control::clear(server);
    control.login(USER);
    control.expect("TYPE I", 200);
    control
}

#[test]
fn stat_and_noop_are_answered_and_everything_else_waits() {
    let server = serving_a_long_file();
    for (mode, version) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(version), USER);
        let idle = control.expect("STAT", 211).to_string();
        assert!(idle.contains("No transfer in progress"), "{idle}");
        let mut data = control.begin("RETR long");
        let mut some = [0; 1000];
        data.read(&mut some).unwrap();
        let running = control.expect("STAT", 211).to_string();
        assert!(running.contains("Transfer in progress"), "{running}");
        control.expect("NOOP", 200);
        // In their order, and behind the end of the transfer.
        control.send(b"STAT long\r\nPWD\r\nNOOP\r\n");
        data.read_to_end();
        drop(data.finish());
        control.wait_for(226);
        let listed = control.wait_for(213).to_string();
        assert!(listed.contains("long") && listed.contains(&LONG.to_string()), "{listed}");
        control.wait_for(257);
        control.wait_for(200);
    }
}

#[test]
fn abor_ends_a_transfer_under_tls_with_and_without_telnet_signals() {
    let server = serving_a_long_file();
    for (mode, version) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(version), USER);
        control.expect("ABOR", 225);
        for signals in [vec![], [INTERRUPT, MARK].concat(), MARK.to_vec()] {
            let data = control.begin("RETR long");
            control.send(&[&signals[..], b"ABOR\r\n"].concat());
            control.wait_for(426);
            control.wait_for(226);
            drop(data);
            control.expect("NOOP", 200);
        }
    }
}

#[test]
fn abor_is_found_behind_commands_that_wait() {
    let server = serving_a_long_file();
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);
    let data = control.begin("RETR long");
    control.send(b"PWD\r\nABOR\r\n");
    control.wait_for(426);
    control.wait_for(226);
    control.wait_for(257);
    drop(data);
}

#[test]
fn abor_as_urgent_data_loses_no_byte() {
    let server = serving_a_long_file();
    // In pieces as clients send them, each urgent or not. The last byte of an urgent piece is the one that TCP points at.
    let ways: [&[(&[u8], bool)]; 4] = [
        // BSD ftp and its kin: IAC IP IAC urgent, then DM and the command.
        (&[(b"\xff\xf4\xff", true), (b"\xf2ABOR\r\n", false)]),
        // Python's ftplib: the command itself.
        (&[(b"ABOR\r\n", true)]),
        // Signals alone are urgent, the mark last.
        (&[(b"\xff\xf4", false), (b"\xff\xf2", true), (b"ABOR\r\n", false)]),
        // Nothing is.
        (&[(b"\xff\xf4\xff\xf2ABOR\r\n", false)]),
    ];
    for pieces in ways {
        let mut control = logged_in_clear(&server);
        for _ in 0..2 {
            let data = begin_in_clear(&mut control);
            for (bytes, urgent) in pieces {
                if *urgent {
                    let sent = SockRef::from(control.wire.socket()).send_out_of_band(bytes).unwrap();
                    assert_eq!(sent, bytes.len());
                } else {
                    control.send(bytes);
                }
            }
            control.wait_for(426);
            control.wait_for(226);
            drop(data);
            control.expect("NOOP", 200);
        }
    }
}

#[test]
fn an_upload_that_is_aborted_keeps_what_came_and_one_that_waits_for_its_data_is_given_up() {
    let server = serving_a_long_file();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR half");
    data.send(&[7; 300_000]).unwrap();
    control.expect("ABOR", 426);
    control.wait_for(226);
    drop(data);
    assert!(!server.home().join("half").exists());
    // Nobody comes to the port.
    let data = control.data();
    control.expect("STOR nothing", 150);
    control.expect("ABOR", 426);
    control.wait_for(226);
    drop(data);
    control.expect("ABOR", 225);
    control.upload("whole", b"bytes");
}
