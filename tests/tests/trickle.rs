//! Clients that say just enough to seem alive: every deadline is absolute, and neither NOOP nor single bytes prolong one.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wait;

/// How often a trickling client says something. Nothing depends on how long it is, but for being less than every deadline here.
const DRIP: Duration = Duration::from_millis(20);

/// Writes these bytes one at a time, again and again, until the other side will have no more of them.
fn trickle(mut socket: &TcpStream, bytes: &[u8]) {
    let mut drops = bytes.iter().cycle();
    wait::until_true("the end of a client that trickles", || {
        std::thread::park_timeout(DRIP);
        socket.write_all(&[*drops.next().unwrap()]).is_err()
    });
}

/// Says NOOP again and again; the reply that ended it.
fn noop_until_the_end(control: &mut Control) -> Option<Reply> {
    wait::until("the end of a client that says NOOP", || {
        std::thread::park_timeout(DRIP);
        if control.wire.send(b"NOOP\r\n").is_err() {
            return Some(None);
        }
        match control.reply_or_end() {
            Ok(reply) if reply.code == 421 => Some(Some(reply)),
            Ok(_) => None,
            Err(_) => Some(None),
        }
    })
}

/// Why the server says that a connection ended.
fn ended(server: &Server, why: &str) {
    server.logged("disconnected", |line| line.text("why").contains(why));
}

#[test]
fn tls_has_to_come_in_time_where_nobody_may_go_without() {
    let server = Setup::new().option("timeouts", "tls_s", "1").start();
    let silent = TlsClient::new(Tls::V13);
    let (replies, _) = Control::connect(server.explicit, &silent).replies_to_end();
    assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [220, 421]);
    assert!(replies[1].to_string().contains("No TLS within 1 second"), "{}", replies[1]);
    ended(&server, "timeouts.tls_s");
    let mut talker = Control::clear(&server);
    assert!(noop_until_the_end(&mut talker).is_none_or(|reply| reply.to_string().contains("No TLS")));
    // A handshake that never ends: the first bytes of a record, and then one at a time.
    for mode in [Mode::Explicit, Mode::Implicit] {
        let mut control = match mode {
            Mode::Explicit => Control::clear(&server),
            Mode::Implicit => Control::connect(server.implicit, &silent),
        };
        if mode == Mode::Explicit {
            control.expect("AUTH TLS", 234);
        }
        control.wire.send(&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc]).unwrap();
        trickle(control.wire.socket(), &[0]);
    }
    // Whoever is under TLS has the time of a login.
    let mut secured = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V12));
    Control::connect(server.explicit, &silent).replies_to_end();
    secured.login(USER);
}

#[test]
fn where_some_may_go_without_tls_nobody_is_hurried_to_it() {
    let server = Setup::new().option("timeouts", "tls_s", "1").explicit("plaintext = \"allow\"").start();
    let mut clear = Control::clear(&server);
    // Meanwhile the time passes: on the implicit listener it ends who says nothing.
    Control::connect(server.implicit, &TlsClient::new(Tls::V13)).replies_to_end();
    clear.login(USER);
}

#[test]
fn noop_keeps_no_session_that_does_nothing() {
    let server = Setup::new().option("timeouts", "idle_s", "1").start();
    for (mode, tls) in [(Mode::Explicit, Tls::V13), (Mode::Implicit, Tls::V12)] {
        let mut control = Control::session(&server, mode, &TlsClient::new(tls), USER);
        let last = noop_until_the_end(&mut control);
        assert!(last.is_none_or(|reply| reply.to_string().contains("No command for 1 second")));
    }
    ended(&server, "timeouts.idle_s");
}

#[test]
fn noop_prolongs_no_login() {
    let server = Setup::new().option("timeouts", "login_s", "1").start();
    let mut control = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V13));
    assert!(
        noop_until_the_end(&mut control).is_none_or(|reply| reply.to_string().contains("No login within"))
    );
    ended(&server, "timeouts.login_s");
}

#[test]
fn a_data_handshake_that_trickles_ends_and_the_session_goes_on() {
    let server = Setup::new().option("timeouts", "data_accept_s", "1").start();
    let mut control = Control::open(&server);
    let mut data = control.data();
    control.expect("STOR file", 150);
    data.send(&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc]).unwrap();
    trickle(data.socket(), &[0]);
    let reply = control.reply();
    assert!((400..500).contains(&reply.code), "{reply}");
    // And one that never comes.
    control.passive();
    control.expect("RETR file", 550);
    control.passive();
    control.expect("STOR file", 150);
    control.wait_for(425);
    assert!(!server.home().join("file").exists());
}

#[test]
fn an_upload_of_a_byte_now_and_then_is_stalled_and_can_be_gone_on_with() {
    for tls in [Tls::V12, Tls::V13] {
        let server = Setup::new().option("timeouts", "data_stall_s", "1").start();
        let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(tls), USER);
        let mut data = control.begin("STOR slow");
        data.send(&[b'x'; 5000]).unwrap();
        wait::until_true("the end of an upload that trickles", || {
            std::thread::park_timeout(DRIP);
            data.send(b"x").is_err()
        });
        let reply = control.wait_for(426);
        assert!(reply.to_string().contains("It can go on at byte"), "{reply}");
        let cut = server.logged("transfer", |line| line.text("complete") == "false");
        assert!(cut.text("why").contains("too long"), "{}", cut.raw);
        let kept: usize = control.expect("SIZE slow", 213).to_string()[4..].parse().unwrap();
        assert!(kept >= 5000, "{kept}");
        control.expect(&format!("REST {kept}"), 350);
        control.upload("slow", b"end");
        assert_eq!(fs::read(server.home().join("slow")).unwrap().len(), kept + 3);
    }
}

#[test]
fn a_download_that_is_read_a_byte_at_a_time_is_stalled() {
    let server = Setup::new().option("timeouts", "data_stall_s", "1").start();
    fs::write(server.home().join("large"), tree::bytes(1, 30_000_000)).unwrap();
    let mut control = Control::open(&server);
    let mut data = control.begin("RETR large");
    control.wire.socket().set_nonblocking(true).unwrap();
    let mut byte = [0];
    wait::until_true("the end of a download that trickles", || {
        std::thread::park_timeout(DRIP);
        let _ = data.read(&mut byte);
        control.wire.socket().peek(&mut [0]).is_ok()
    });
    control.wire.socket().set_nonblocking(false).unwrap();
    control.wait_for(426);
}

#[test]
fn where_every_byte_counts_a_slow_producer_is_not_stalled() {
    let server = Setup::new()
        .option("timeouts", "data_stall_s", "2")
        .option("timeouts", "data_stall_bytes", "1")
        .user("other", &[EVERYTHING])
        .start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR slow");
    // Longer than the time in which no byte at all may be missing: another transfer that says nothing is ended meanwhile.
    let mut other = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V13), "other");
    let silent = other.begin("STOR silent");
    let mut sent = 0;
    other.wire.socket().set_nonblocking(true).unwrap();
    wait::until_true("the end of the silent one", || {
        data.send(b"x").unwrap();
        sent += 1;
        std::thread::park_timeout(DRIP);
        other.wire.socket().peek(&mut [0]).is_ok()
    });
    drop(silent);
    data.finish().unwrap();
    control.wait_for(226);
    assert_eq!(fs::read(server.home().join("slow")).unwrap().len(), sent);
}
