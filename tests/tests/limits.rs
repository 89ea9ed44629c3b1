//! Deadlines, counts and what is protected: each limit holds, says why, and hits only those it is meant for.

use std::fs;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};

/// A wrong password that is found again wherever it goes.
const SECRET: &str = "mistaken-for-another";

/// A refusal is a sentence, not a word.
fn assert_says_why(reply: &Reply) {
    assert!(reply.to_string().split_whitespace().count() >= 4, "{reply}");
}

#[test]
fn the_login_deadline_is_absolute() {
    let server = Setup::new().option("timeouts", "login_s", "1").start();
    // Silence, at each stage of the way in.
    let tls = TlsClient::new(Tls::V13);
    let (replies, _) = Control::connect(server.implicit, &tls).replies_to_end();
    assert!(replies.iter().all(|reply| reply.code == 421), "{replies:?}");
    let (replies, _) = Control::connect(server.explicit, &tls).replies_to_end();
    assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [220, 421]);
    let mut stalled = Control::clear(&server);
    stalled.expect("AUTH TLS", 234);
    assert_eq!(stalled.replies_to_end().0, []);
    // Somebody who keeps talking is not let off.
    let mut talker = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V12));
    let last = loop {
        if talker.wire.send(b"NOOP\r\n").is_err() {
            break None;
        }
        match talker.reply_or_end() {
            Ok(reply) if reply.code == 421 => break Some(reply),
            Ok(_) => {}
            Err(_) => break None,
        }
    };
    assert!(last.is_none_or(|reply| reply.code == 421));
    // Who has logged in stays.
    let mut inside = Control::open(&server);
    Control::connect(server.explicit, &tls).replies_to_end();
    inside.expect("NOOP", 200);
}

#[test]
fn an_idle_session_is_dismissed_but_not_during_a_transfer() {
    let server = Setup::new().option("timeouts", "idle_s", "1").start();
    let mut busy = Control::open(&server);
    let mut data = busy.begin("STOR file");
    data.send(b"first").unwrap();
    for (mode, version) in [(Mode::Explicit, Tls::V12), (Mode::Implicit, Tls::V13)] {
        let mut idle = Control::session(&server, mode, &TlsClient::new(version), USER);
        let (replies, end) = idle.replies_to_end();
        assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [421]);
        assert_eq!(end, End::Clean);
    }
    data.send(b"second").unwrap();
    data.finish().unwrap();
    busy.wait_for(226);
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"firstsecond");
}

#[test]
fn one_source_cannot_take_every_session() {
    let server = Setup::new().option("limits", "sessions_per_source", "3").start();
    let mut held: Vec<Control> = (0..3).map(|_| Control::open(&server)).collect();
    let (replies, _) = Control::connect(server.explicit, &TlsClient::new(Tls::V13)).replies_to_end();
    assert!(replies.iter().all(|reply| reply.code == 421), "{replies:?}");
    replies.iter().for_each(assert_says_why);
    // No handshake for those who are not let in.
    assert!(Wire::connect(server.implicit).secure(&TlsClient::new(Tls::V13)).is_err());
    let elsewhere = Wire::connect_from("127.0.0.2".parse().unwrap(), server.explicit).unwrap();
    Control::over(elsewhere, &TlsClient::new(Tls::V13)).wait_for(220);
    let mut one = held.pop().unwrap();
    one.expect("QUIT", 221);
    one.replies_to_end();
    carrack_tests::wait::until_true("the freed place", || {
        let mut again = Control::connect(server.explicit, &TlsClient::new(Tls::V13));
        again.reply_or_end().is_ok_and(|reply| reply.code == 220)
    });
    held[0].upload("file", b"bytes");
}

#[test]
fn the_server_as_a_whole_has_a_limit() {
    let server = Setup::new().option("limits", "sessions", "2").start();
    let _held: Vec<Control> = (0..2).map(|_| Control::open(&server)).collect();
    let elsewhere = Wire::connect_from("127.0.0.2".parse().unwrap(), server.explicit).unwrap();
    let (replies, _) = Control::over(elsewhere, &TlsClient::new(Tls::V13)).replies_to_end();
    assert!(replies.iter().all(|reply| reply.code == 421), "{replies:?}");
}

#[test]
fn wrong_passwords_are_counted_and_tell_nothing() {
    let server = Setup::new().option("limits", "login_failures", "3").start();
    let mut said = Vec::new();
    for user in [USER, "nobody-known"] {
        let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
        let mut texts = Vec::new();
        for _ in 0..2 {
            let asked = control.expect(&format!("USER {user}"), 331).to_string().replace(user, "");
            texts.push(asked);
            texts.push(control.expect(&format!("PASS {SECRET}"), 530).to_string().replace(user, ""));
        }
        control.expect(&format!("USER {user}"), 331);
        control.say(&format!("PASS {SECRET}"));
        let (replies, _) = control.replies_to_end();
        let codes: Vec<u16> = replies.iter().map(|reply| reply.code).collect();
        assert!(codes == [530, 421] || codes == [421], "{codes:?}");
        said.push(texts);
    }
    assert_eq!(said[0], said[1], "a known and an unknown user are told apart");
    for user in [USER, "nobody-known"] {
        server.logged("login_failed", |line| line.text("user") == user);
    }
    assert!(!server.logs.lines().iter().any(|line| line.raw.contains(SECRET)), "a password in the log");
    Control::open(&server);
}

/// A session with the control connection protected and data in clear asked for; the reply to `PROT C`.
fn ask_for_clear_data(server: &Server, mode: Mode, user: &str) -> (Control, Reply) {
    let mut control = Control::greeted(server, mode, &TlsClient::new(Tls::V13));
    control.login(user);
    control.expect("PBSZ 0", 200);
    let reply = control.cmd("PROT C");
    control.expect("TYPE I", 200);
    (control, reply)
}

/// Moves a file in clear.
fn store_in_clear(control: &mut Control, path: &str) -> Reply {
    let mut data = control.data();
    let reply = control.cmd(&format!("STOR {path}"));
    if reply.code != 150 {
        return reply;
    }
    data.send(b"in clear").unwrap();
    data.finish().unwrap();
    control.reply()
}

#[test]
fn clear_data_is_refused_unless_the_listener_allows_it() {
    for mode in [Mode::Explicit, Mode::Implicit] {
        let server = Setup::new().start();
        let (mut control, reply) = ask_for_clear_data(&server, mode, USER);
        assert!((500..600).contains(&reply.code), "{reply}");
        assert_says_why(&reply);
        if mode == Mode::Explicit {
            control.data();
            let reply = control.cmd("STOR file");
            assert_eq!(reply.code, 522, "{reply}");
            assert_says_why(&reply);
        } else {
            // On an implicit listener protection is in force without a word.
            control.upload("file", b"bytes");
        }
    }
    let server = Setup::new().explicit("data_protection = \"optional\"").start();
    let (mut control, reply) = ask_for_clear_data(&server, Mode::Explicit, USER);
    assert_eq!(reply.code, 200, "{reply}");
    assert_eq!(store_in_clear(&mut control, "file").code, 226);
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"in clear");
    let (_, reply) = ask_for_clear_data(&server, Mode::Implicit, USER);
    assert_eq!(reply.code, 534, "{reply}");
}

#[test]
fn a_folder_may_allow_clear_data_and_no_other_gets_it() {
    let folder = "[[user.folder]]\npath = \"/open\"\ndata_protection = \"optional\"";
    let server = Setup::new().user(USER, &[EVERYTHING, folder]).start();
    fs::create_dir(server.home().join("open")).unwrap();
    let (mut control, reply) = ask_for_clear_data(&server, Mode::Explicit, USER);
    assert_eq!(reply.code, 200, "{reply}");
    assert_eq!(store_in_clear(&mut control, "open/file").code, 226);
    let reply = store_in_clear(&mut control, "file");
    assert_eq!(reply.code, 522, "{reply}");
    assert!(!server.home().join("file").exists());
}

#[test]
fn a_folder_may_demand_protection_where_the_listener_does_not() {
    let folder = "[[user.folder]]\npath = \"/closed\"\ndata_protection = \"require\"";
    let server = Setup::new()
        .explicit("data_protection = \"optional\"")
        .explicit("plaintext = \"allow\"")
        .user(USER, &[EVERYTHING, folder])
        .start();
    fs::create_dir(server.home().join("closed")).unwrap();
    let (mut control, reply) = ask_for_clear_data(&server, Mode::Explicit, USER);
    assert_eq!(reply.code, 200, "{reply}");
    assert_eq!(store_in_clear(&mut control, "file").code, 226);
    let reply = store_in_clear(&mut control, "closed/file");
    assert_eq!(reply.code, 522, "{reply}");
    assert_says_why(&reply);
    control.expect("PROT P", 200);
    control.upload("closed/file", b"protected");
    // Nor does it give itself away to who was let in without TLS.
    let mut control = Control::clear(&server);
    control.login(USER);
    assert_eq!(store_in_clear(&mut control, "file").code, 226);
    for command in ["RETR closed/file", "LIST closed"] {
        control.data();
        control.expect(command, 522);
    }
}

#[test]
fn a_folder_or_a_listener_may_have_no_transfers() {
    let folders = "[[user.folder]]\npath = \"/kept\"\ndata_protection = \"refuse\"\n\
                   [[user.folder]]\npath = \"/given\"\ndata_protection = \"require\"";
    let server =
        Setup::new().implicit("data_protection = \"refuse\"").user(USER, &[EVERYTHING, folders]).start();
    for folder in ["kept", "given"] {
        fs::create_dir(server.home().join(folder)).unwrap();
        fs::write(server.home().join(folder).join("file"), "bytes").unwrap();
    }
    for (mode, elsewhere) in [(Mode::Explicit, 150), (Mode::Implicit, 534)] {
        let mut control = Control::session(&server, mode, &TlsClient::new(Tls::V13), USER);
        for command in
            ["RETR kept/file", "STOR kept/new", "APPE kept/file", "STOU kept/x", "LIST kept", "MLSD kept"]
        {
            control.data();
            control.expect(command, 534);
        }
        assert_eq!(tree::names(&server.home().join("kept")), ["file"]);
        // A hash of each octet would tell the file.
        control.expect("HASH kept/file", 534);
        control.expect("XCRC \"kept/file\" 0 1", 534);
        control.expect("HASH given/file", 213);
        assert_eq!(control.download("given/file"), b"bytes");
        if elsewhere == 150 {
            control.upload("file", b"bytes");
        } else {
            control.data();
            control.expect("RETR file", elsewhere);
        }
    }
}

#[test]
fn a_plaintext_login_is_refused_limited_or_allowed() {
    let refusing = Setup::new().start();
    let mut control = Control::clear(&refusing);
    let user = control.cmd(&format!("USER {USER}"));
    let reply = if user.code == 331 { control.cmd(&format!("PASS {}", refusing.password())) } else { user };
    assert!(matches!(reply.code, 530 | 534), "{reply}");
    assert!(reply.to_string().contains("AUTH TLS"), "{reply}");

    let limited = Setup::new()
        .explicit("plaintext = \"limit\"")
        .option("plaintext", "user", "\"anonymous\"")
        .option("plaintext", "folders", "[\"/pub\"]")
        .user("anonymous", &[EVERYTHING])
        .start();
    fs::create_dir(limited.home_of("anonymous").join("pub")).unwrap();
    fs::write(limited.home_of("anonymous").join("pub/file"), "for all").unwrap();
    fs::write(limited.home_of("anonymous").join("private"), "not for all").unwrap();
    let mut control = Control::clear(&limited);
    control.login("anonymous");
    control.expect("TYPE I", 200);
    let mut data = control.data();
    control.expect("RETR pub/file", 150);
    assert_eq!(data.read_to_end(), (b"for all".to_vec(), End::Clean));
    drop(data);
    control.wait_for(226);
    control.data();
    assert_eq!(control.cmd("RETR private").code, 550);
    control.data();
    assert_eq!(control.cmd("STOR pub/new").code, 550);
    let mut named = Control::clear(&limited);
    let user = named.cmd(&format!("USER {USER}"));
    let reply = if user.code == 331 { named.cmd(&format!("PASS {}", limited.password())) } else { user };
    assert!(matches!(reply.code, 530 | 534), "{reply}");

    let allowing = Setup::new().explicit("plaintext = \"allow\"\ndata_protection = \"optional\"").start();
    let mut control = Control::clear(&allowing);
    control.login(USER);
    control.expect("TYPE I", 200);
    assert_eq!(store_in_clear(&mut control, "file").code, 226);
    assert_eq!(fs::read(allowing.home().join("file")).unwrap(), b"in clear");
}

#[test]
fn permissions_are_what_the_user_was_given() {
    let server = Setup::new().user("reader", &["permissions = [\"list\", \"read\"]"]).start();
    fs::write(server.home_of("reader").join("file"), "bytes").unwrap();
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "reader");
    assert_eq!(control.download("file"), b"bytes");
    assert!(control.listing("NLST").contains("file"));
    control.cmd("RNFR file");
    for line in ["RNTO other", "MKD folder", "DELE file", "RMD folder"] {
        let reply = control.cmd(line);
        assert!((500..600).contains(&reply.code), "{line}: {reply}");
    }
    for command in ["STOR file", "STOR new", "APPE file", "STOU"] {
        let reply = control.try_store(command, b"other");
        assert!((500..600).contains(&reply.code), "{command}: {reply}");
    }
    assert_eq!(fs::read(server.home_of("reader").join("file")).unwrap(), b"bytes");
    assert_eq!(carrack_tests::tree::names(&server.home_of("reader")), ["file"]);
}
