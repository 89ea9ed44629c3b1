//! Limits on numbers: sessions and transfers at a time, files and bytes of a session. Each refusal says what the limit is, and the log
//! which option it comes from.

use std::fs;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;

fn session(server: &Server, user: &str) -> Control {
    Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), user)
}

/// What a login comes to.
fn try_login(server: &Server, user: &str) -> Reply {
    let mut control = Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V12));
    control.expect(&format!("USER {user}"), 331);
    control.cmd(&format!("PASS {}", password(user)))
}

fn assert_logged(server: &Server, option: &str) {
    server.logged("limit_reached", |line| line.text("option") == option && line.text("user") == USER);
}

#[test]
fn a_user_has_so_many_sessions_at_a_time() {
    let server = Setup::new()
        .option("limits", "sessions_per_user", "1")
        .user(USER, &[EVERYTHING, "sessions = 2"])
        .user("alice", &[EVERYTHING])
        .start();
    let mut held = [session(&server, USER), session(&server, USER)];
    let reply = try_login(&server, USER);
    assert_eq!(reply.code, 421, "{reply}");
    assert!(reply.to_string().contains("2 may be open"), "{reply}");
    assert_logged(&server, "user.sessions");
    // A wrong password learns nothing of it.
    let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    control.expect(&format!("USER {USER}"), 331);
    control.expect("PASS wrong and long enough", 530);
    let _alice = session(&server, "alice");
    assert_eq!(try_login(&server, "alice").code, 421);
    server.logged("limit_reached", |line| line.text("option") == "limits.sessions_per_user");
    // Whoever logs in as somebody else gives the place back, as does whoever leaves.
    held[0].expect("REIN", 220);
    held[0].login(USER);
    held[1].upload("file", b"bytes");
    held[1].expect("QUIT", 221);
    wait::until_true("the freed place", || try_login(&server, USER).code == 230);
}

#[test]
fn a_listener_has_so_many_sessions() {
    let server = Setup::new().explicit("sessions = 1").start();
    let mut held = Control::open(&server);
    let (replies, _) = Control::connect(server.explicit, &TlsClient::new(Tls::V13)).replies_to_end();
    assert!(replies.iter().all(|reply| reply.code == 421), "{replies:?}");
    server.logged("connection_refused", |line| line.text("option") == "listen.sessions");
    Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V13), USER).upload("file", b"bytes");
    held.expect("QUIT", 221);
    wait::until_true("the freed place", || {
        Control::connect(server.explicit, &TlsClient::new(Tls::V13))
            .reply_or_end()
            .is_ok_and(|reply| reply.code == 220)
    });
}

#[test]
fn a_user_has_so_many_transfers_at_a_time() {
    let server = Setup::new().user(USER, &[EVERYTHING, "transfers = 1"]).start();
    fs::write(server.home().join("file"), b"bytes").unwrap();
    let (mut one, mut other) = (Control::open(&server), Control::open(&server));
    let mut data = one.begin("STOR slow");
    data.send(b"first").unwrap();
    for command in ["RETR file", "STOR new", "STOU", "RETR slow"] {
        other.data();
        let reply = other.cmd(command);
        let expected = if command == "RETR slow" { 550 } else { 450 };
        assert_eq!(reply.code, expected, "{command}: {reply}");
    }
    assert_logged(&server, "user.transfers");
    assert!(!server.home().join("new").exists());
    assert!(other.listing("NLST").contains("file"));
    data.send(b"second").unwrap();
    data.finish().unwrap();
    one.wait_for(226);
    assert_eq!(other.download("file"), b"bytes");
    // One's own stalled upload gives its place to the upload that takes it over.
    let mut stalled = one.begin("STOR slow");
    stalled.send(b"never").unwrap();
    other.upload("slow", b"taken over");
    assert_eq!(one.reply().code, 426);
    assert_eq!(fs::read(server.home().join("slow")).unwrap(), b"taken over");
}

#[test]
fn a_session_moves_so_many_files() {
    let server = Setup::new().option("limits", "files_per_session", "2").start();
    fs::write(server.home().join("file"), b"bytes").unwrap();
    let mut control = Control::open(&server);
    for command in ["RETR nowhere", "STOR nowhere/file"] {
        control.data();
        control.expect(command, 550);
    }
    control.listing("LIST");
    assert_eq!(control.download("file"), b"bytes");
    control.upload("new", b"bytes");
    for command in ["RETR file", "STOR another", "APPE new", "STOU"] {
        control.data();
        let reply = control.expect(command, 552);
        assert!(reply.to_string().contains("2 files"), "{reply}");
    }
    assert_logged(&server, "limits.files_per_session");
    assert!(!server.home().join("another").exists());
    control.listing("LIST");
    assert_eq!(Control::open(&server).download("file"), b"bytes");
}

#[test]
fn a_session_moves_so_many_bytes() {
    let server = Setup::new().user(USER, &[EVERYTHING, "bytes_per_session = 3000000"]).start();
    fs::write(server.home().join("file"), vec![7; 2_000_000]).unwrap();
    let mut control = Control::open(&server);
    assert_eq!(control.download("file").len(), 2_000_000);
    // What would not fit is refused before a byte of it has moved.
    control.data();
    let reply = control.expect("RETR file", 552);
    assert!(reply.to_string().contains("3000000 bytes"), "{reply}");
    assert_logged(&server, "user.bytes_per_session");
    control.upload("small", &[1; 20_000]);
    // What comes in is refused where it no longer fits; what came before can be gone on with in another session.
    let reply = control.try_store("STOR large", &[2; 2_000_000]);
    assert_eq!(reply.code, 552, "{reply}");
    assert!(!server.home().join("large").exists());
    let mut next = Control::open(&server);
    let kept: usize = next.expect("SIZE large", 213).to_string()[4..].parse().unwrap();
    assert!((1..=980_000).contains(&kept), "{kept}");
    next.expect(&format!("REST {kept}"), 350);
    let rest = vec![2; 2_000_000 - kept];
    next.upload("large", &rest);
    assert_eq!(fs::read(server.home().join("large")).unwrap(), vec![2; 2_000_000]);
}

#[test]
fn a_download_that_was_cut_gives_back_what_did_not_move() {
    let server = Setup::new().user(USER, &[EVERYTHING, "bytes_per_session = 60000000"]).start();
    fs::write(server.home().join("large"), vec![7; 50_000_000]).unwrap();
    fs::write(server.home().join("small"), vec![7; 20_000_000]).unwrap();
    let mut control = Control::open(&server);
    let data = control.begin("RETR large");
    control.say("ABOR");
    control.wait_for(426);
    control.wait_for(226);
    drop(data);
    assert_eq!(control.download("small").len(), 20_000_000);
}
