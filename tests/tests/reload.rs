//! SIGHUP: the whole configuration is read again, for sessions that begin behind it, or is refused whole.

use std::fs;
use std::net::TcpStream;

use carrack_tests::control::Control;
use carrack_tests::loopback;
use carrack_tests::programs::{Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use rustix::process::Signal;

/// Reloads, and waits until one more was accepted than before.
fn reload(server: &Server) {
    let reloads = || server.logs.lines().iter().filter(|line| line.is("reloaded")).count();
    let before = reloads();
    server.signal(Signal::HUP);
    wait::until_true("the reload", || reloads() > before);
}

fn log_in(server: &Server, user: &str, word: &str) -> u16 {
    let mut control = Control::greeted(server, Mode::Implicit, &TlsClient::new(Tls::V13));
    control.expect(&format!("USER {user}"), 331);
    control.cmd(&format!("PASS {word}")).code
}

#[test]
fn users_come_change_and_go_and_those_who_are_in_keep_what_they_had() {
    let mut server = Setup::new().user("old", &[EVERYTHING]).start();
    let session =
        |server: &Server, mode, user| Control::session(server, mode, &TlsClient::new(Tls::V13), user);
    let mut of_old = session(&server, Mode::Explicit, "old");
    let mut of_user = session(&server, Mode::Implicit, USER);
    server.rewrite(|setup| {
        setup.user("new", &[EVERYTHING]).without("old").user(USER, &["permissions = [\"list\"]"])
    });
    assert_eq!(log_in(&server, "new", &password("new")), 530, "nobody has told the server yet");
    reload(&server);
    assert_eq!(log_in(&server, "new", &password("new")), 230);
    assert_eq!(log_in(&server, "old", &password("old")), 530);
    let mut narrowed = session(&server, Mode::Explicit, USER);
    assert_eq!(narrowed.try_store("STOR refused", b"bytes").code, 550);
    // A user who has changed has its session until it ends, and one who is gone has not.
    of_old.wait_for(421);
    of_user.upload("kept", b"bytes");
    assert_eq!(fs::read(server.home().join("kept")).unwrap(), b"bytes");
}

#[test]
fn a_transfer_goes_on_across_a_reload() {
    let mut server = Setup::new().start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(b"before, ").unwrap();
    server.rewrite(|setup| setup.option("timeouts", "idle_s", "599"));
    reload(&server);
    data.send(b"behind").unwrap();
    data.finish().unwrap();
    control.wait_for(226);
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"before, behind");
}

#[test]
fn a_bad_file_is_refused_whole_with_all_its_problems() {
    let mut server = Setup::new().start();
    let good = fs::read_to_string(server.config()).unwrap();
    server.rewrite(|setup| {
        setup.user("new", &[EVERYTHING]).option("timeouts", "idle", "7").option("log", "level", "\"loud\"")
    });
    server.signal(Signal::HUP);
    for key in ["timeouts.idle", "log.level"] {
        let line = server.logged("reload_refused", |line| line.text("key") == key);
        assert!(line.text("file").ends_with("carrack.toml") && !line.text("line").is_empty(), "{}", line.raw);
        assert!(!line.text("mend").is_empty() && !line.text("kept").is_empty(), "{}", line.raw);
    }
    assert_eq!(log_in(&server, "new", &password("new")), 530);
    assert_eq!(log_in(&server, USER, &password(USER)), 230);
    // And it is no end of reloads.
    fs::write(server.config(), good).unwrap();
    reload(&server);
}

#[test]
fn listeners_come_and_go_and_one_that_cannot_be_had_refuses_the_reload() {
    let mut server = Setup::new().start();
    let mut stays = Control::open(&server);
    let (explicit, implicit) = (server.explicit, server.implicit);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = taken.local_addr().unwrap();
    let listen = format!("[[listen]]\nmode = \"implicit\"\naddress = \"{wanted}\"");
    server.rewrite(|setup| setup.table(&listen));
    server.signal(Signal::HUP);
    let refused = server.logged("reload_refused", |line| line.text("why").contains(&wanted.to_string()));
    assert!(refused.text("mend").contains("stop the other program"), "{}", refused.raw);
    drop(taken);
    reload(&server);
    server.logged("listening", |line| line.text("address") == wanted.to_string());
    let tls = TlsClient::new(Tls::V12);
    let mut came = Control::connect(wanted, &tls);
    came.secure();
    came.wait_for(220);

    let lines = fs::read_to_string(server.config()).unwrap();
    fs::write(server.config(), lines.replace(&listen, "")).unwrap();
    reload(&server);
    server.logged("listener_closed", |line| line.text("address") == wanted.to_string());
    wait::until_true("the listener's end", || TcpStream::connect(wanted).is_err());
    // Who came by it stays, and the others have kept their ports.
    came.expect("NOOP", 200);
    stays.expect("NOOP", 200);
    for at in [explicit, implicit] {
        TcpStream::connect(at).unwrap();
    }
}

#[test]
fn limits_and_the_level_of_the_log_count_at_once_and_policies_for_who_comes() {
    let mut server = Setup::new().start();
    let tls = TlsClient::new(Tls::V12);
    let mut before = Control::session(&server, Mode::Explicit, &tls, USER);
    server.rewrite(|setup| setup.option("limits", "sessions", "1"));
    reload(&server);
    let mut turned_away = Control::connect(server.explicit, &tls);
    turned_away.wait_for(421);
    server.rewrite(|setup| {
        setup.option("limits", "sessions", "10").option("log", "level", "\"debug\"").option(
            "tls",
            "minimum_version",
            "\"1.3\"",
        )
    });
    reload(&server);
    let mut after = Control::connect(server.explicit, &tls);
    after.wait_for(220);
    assert!(Wire::connect(server.implicit).secure(&tls).is_err(), "TLS 1.2 is not spoken any more");
    server.logged("tls_handshake_failed", |line| line.text("option") == "tls.minimum_version");
    after.expect("WHAT", 500);
    server.logged("command_failed", |line| line.text("level").eq_ignore_ascii_case("debug"));
    before.upload("file", b"still under TLS 1.2");
}

#[test]
fn what_takes_a_restart_is_named_and_stays() {
    let mut server = Setup::new().start();
    let ports = loopback::free_port().to_string();
    server.rewrite(|setup| {
        setup.option("passive", "ports", &ports).option("metrics", "address", "\"127.0.0.1:0\"")
    });
    server.signal(Signal::HUP);
    let line = server.logged("reloaded", |_| true);
    assert_eq!(line.text("next_start"), "passive.ports, metrics");
    let mut control = Control::open(&server);
    assert_ne!(control.passive().port().to_string(), ports);
}

#[test]
fn curl_does_not_notice_reloads() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().quick_logins().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    for _ in 0..5 {
        server.signal(Signal::HUP);
        let run =
            curl(&server, Mode::Explicit, Tls::V13).arg(url(&server, Mode::Explicit, "/file")).run().ok();
        assert_eq!(run.stdout, "bytes");
    }
}
