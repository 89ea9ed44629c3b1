//! A data connection must belong to its control connection: what proves it, what does not, and what is said then.

use std::fs;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};

fn policy(word: &str) -> Setup {
    Setup::new().listen(&format!("data_tls_reuse = {word:?}"))
}

/// 200 uploads in a row on one control connection, each on a resumed session or each told apart by `check`.
fn two_hundred_uploads(server: &Server, mode: Mode, client: &TlsClient, check: impl Fn(usize, bool)) {
    let mut control = Control::session(server, mode, client, USER);
    for number in 0..200 {
        let mut data = control.data();
        control.expect(&format!("STOR file-{number}"), 150);
        data.secure(client).unwrap();
        check(number, data.resumed());
        data.send(&tree::bytes(number as u64, number * 53 % 3000)).unwrap();
        data.finish().unwrap();
        control.wait_for(226);
    }
    for number in (0..200).step_by(23) {
        let at_rest = fs::read(server.home().join(format!("file-{number}"))).unwrap();
        assert!(at_rest == tree::bytes(number as u64, number * 53 % 3000), "file-{number}");
    }
}

/// A reply that refuses a data connection and tells a person what to do about it.
fn assert_refused(reply: &Reply, what: &str) {
    assert!(reply.code == 522 || reply.code == 425, "{what}: {reply}");
    let text = reply.to_string();
    assert!(text.contains("session") && text.split_whitespace().count() >= 6, "{what}: {text}");
}

#[test]
fn a_single_use_client_that_asks_for_tickets_never_runs_dry() {
    for word in ["require", "require-own"] {
        let server = policy(word).start();
        for mode in [Mode::Explicit, Mode::Implicit] {
            let client = TlsClient::asking_for_tickets(1);
            two_hundred_uploads(&server, mode, &client, |number, resumed| {
                assert!(resumed, "{word} {mode:?}: upload {number} was not resumed");
            });
        }
    }
}

#[test]
fn a_client_of_tls_1_2_resumes_by_ticket_or_by_session_id() {
    for client in [TlsClient::new(Tls::V12), TlsClient::without_tickets()] {
        let server = policy("require-own").start();
        two_hundred_uploads(&server, Mode::Explicit, &client, |number, resumed| {
            assert!(resumed, "upload {number} was not resumed");
        });
    }
}

#[test]
fn under_prefer_a_single_use_client_that_does_not_ask_goes_on_with_full_handshakes() {
    let server = policy("prefer").start();
    let client = TlsClient::new(Tls::V13);
    two_hundred_uploads(&server, Mode::Explicit, &client, |number, resumed| {
        // Four tickets come with the control connection, none with an upload that did not ask.
        assert_eq!(resumed, number < 4, "upload {number}");
    });
}

#[test]
fn under_require_the_same_client_is_told_what_is_wrong() {
    let server = policy("require").start();
    let client = TlsClient::new(Tls::V13);
    let mut control = Control::session(&server, Mode::Explicit, &client, USER);
    for number in 0..4 {
        control.upload(&format!("file-{number}"), b"resumed");
    }
    let reply = control.try_store("STOR file-4", b"not resumed");
    assert_refused(&reply, "the fifth upload");
    assert!(!server.home().join("file-4").exists());
    // A listing's data connection brings a new ticket where one can be had at all: by a new login.
    let mut again = Control::session(&server, Mode::Explicit, &client, USER);
    again.upload("file-4", b"resumed again");
}

#[test]
fn full_handshakes_are_refused_where_resumption_is_required() {
    for word in ["require", "require-own"] {
        let server = policy(word).start();
        // One version by each door: every refusal first gives the owner a moment to come.
        for (version, mode) in [(Tls::V12, Mode::Explicit), (Tls::V13, Mode::Implicit)] {
            let what = format!("{word} {version:?} {mode:?}");
            let client = TlsClient::new(version);
            let mut control = Control::session(&server, mode, &client, USER);
            control.tls = client.with_no_sessions();
            assert_refused(&control.try_store("STOR file", b"bytes"), &what);
            assert!(!server.home().join("file").exists(), "{what}");
            let mut data = control.data();
            control.expect("LIST", 150);
            let listed = data.secure(&control.tls.clone()).map(|_| data.read_to_end().0);
            assert_eq!(listed.unwrap_or_default(), b"", "{what}");
            assert_refused(&control.reply(), &what);
            // The session lives on and works when the client does as it was told.
            control.tls = client;
            control.upload("file", b"bytes");
            control.expect("DELE file", 250);
        }
    }
}

#[test]
fn a_session_of_another_user_is_refused_in_both_versions() {
    for word in ["require-own", "require", "prefer"] {
        let server = policy(word).user("mallory", &[EVERYTHING]).start();
        for version in [Tls::V12, Tls::V13] {
            let (hers, his) = (TlsClient::new(version), TlsClient::new(version));
            let mut victim = Control::session(&server, Mode::Explicit, &hers, USER);
            let mut thief = Control::session(&server, Mode::Explicit, &his, "mallory");
            victim.expect("NOOP", 200);
            // The thief's own transfer with the victim's session: it names somebody else.
            his.sessions.take_from(&hers.sessions);
            let reply = thief.try_store("STOR stolen", b"bytes");
            assert_refused(&reply, &format!("{word} {version:?}"));
            assert!(!server.home_of("mallory").join("stolen").exists());
            thief.expect("NOOP", 200);
        }
    }
}

#[test]
fn a_thief_at_the_victims_port_gets_nothing_and_the_victim_is_served() {
    for word in ["require-own", "require", "prefer"] {
        let server = policy(word).user("mallory", &[EVERYTHING]).start();
        fs::write(server.home().join("secret"), "for her eyes").unwrap();
        for version in [Tls::V12, Tls::V13] {
            let (hers, his) = (TlsClient::new(version), TlsClient::new(version));
            let mut victim = Control::session(&server, Mode::Explicit, &hers, USER);
            let mut thief = Control::session(&server, Mode::Explicit, &his, "mallory");
            thief.expect("NOOP", 200);
            let port = victim.passive();
            // The thief shares the victim's address and is there first, with a session of his own.
            let mut stolen = Wire::connect(port);
            let mut owner = Wire::connect(port);
            victim.expect("RETR secret", 150);
            let seen = stolen.secure(&his).map(|_| stolen.read_to_end().0).unwrap_or_default();
            assert_eq!(seen, b"", "{word} {version:?}: the thief read");
            owner.secure(&hers).unwrap();
            let (bytes, end) = owner.read_to_end();
            assert_eq!((bytes.as_slice(), end), (&b"for her eyes"[..], End::Clean), "{word} {version:?}");
            victim.wait_for(226);
            assert_eq!(victim.download("secret"), b"for her eyes");
        }
    }
}

#[test]
fn another_live_session_of_the_same_user_may_stand_behind_a_ticket_but_not_under_require_own() {
    for (word, allowed) in [("require", true), ("prefer", true), ("require-own", false)] {
        let server = policy(word).start();
        for version in [Tls::V12, Tls::V13] {
            let (one, two) = (TlsClient::new(version), TlsClient::new(version));
            let mut first = Control::session(&server, Mode::Explicit, &one, USER);
            let mut second = Control::session(&server, Mode::Explicit, &two, USER);
            first.expect("NOOP", 200);
            two.sessions.take_from(&one.sessions);
            let reply = second.try_store("STOR shared", b"bytes");
            if allowed {
                assert_eq!(reply.code, 226, "{word} {version:?}: {reply}");
            } else {
                assert_refused(&reply, &format!("{word} {version:?}"));
            }
        }
    }
}

#[test]
fn a_session_that_has_ended_stands_behind_nothing() {
    let server = policy("require").start();
    for version in [Tls::V12, Tls::V13] {
        let (one, two) = (TlsClient::new(version), TlsClient::new(version));
        let mut first = Control::session(&server, Mode::Explicit, &one, USER);
        let mut second = Control::session(&server, Mode::Explicit, &two, USER);
        first.expect("QUIT", 221);
        first.replies_to_end();
        two.sessions.take_from(&one.sessions);
        assert_refused(&second.try_store("STOR late", b"bytes"), &format!("{version:?}"));
    }
}

#[test]
fn off_asks_for_nothing() {
    let server = policy("off").start();
    let client = TlsClient::new(Tls::V13);
    let mut control = Control::session(&server, Mode::Explicit, &client, USER);
    control.tls = client.with_no_sessions();
    for number in 0..10 {
        control.upload(&format!("file-{number}"), b"bytes");
    }
}

#[test]
fn a_users_own_rule_goes_before_the_listeners() {
    let own = "data_tls_reuse = \"require\"";
    let server = policy("off").user("strict", &[EVERYTHING, own]).start();
    for (user, refused) in [(USER, false), ("strict", true)] {
        let client = TlsClient::new(Tls::V13);
        let mut control = Control::session(&server, Mode::Explicit, &client, user);
        control.tls = client.with_no_sessions();
        let reply = control.try_store("STOR file", b"bytes");
        assert_eq!(reply.code != 226, refused, "{user}: {reply}");
    }
}

#[test]
fn uploads_give_no_ticket_unless_asked_and_downloads_give_one() {
    let server = policy("prefer").start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let client = TlsClient::new(Tls::V13);
    let mut control = Control::session(&server, Mode::Explicit, &client, USER);
    assert_eq!(client.sessions.collected(), 4, "tickets of a control connection");
    control.upload("up", b"bytes");
    assert_eq!(client.sessions.collected(), 4, "an upload gave a ticket that nobody asked for");
    control.download("file");
    assert_eq!(client.sessions.collected(), 5, "tickets of a download");
    control.listing("LIST");
    assert_eq!(client.sessions.collected(), 6, "tickets of a listing");
    let asking = TlsClient::asking_for_tickets(2);
    let mut control = Control::session(&server, Mode::Explicit, &asking, USER);
    let before = asking.sessions.collected();
    control.upload("up", b"bytes");
    assert!(asking.sessions.collected() > before, "an upload whose client asked gave no ticket");
}
