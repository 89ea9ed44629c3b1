//! What an attacker meets, and what somebody who is none does not: lists, waits, bans, and floods before the login.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use rustix::process::Signal;

/// Somebody who is not to be let in.
const STRANGER: &str = "127.0.0.2";

/// A connection from an address of this machine; the server may have refused it.
fn connect(server: &Server, mode: Mode, from: &str) -> Control {
    let wire = Wire::connect_from(from.parse().unwrap(), server.address(mode)).unwrap();
    Control::over(wire, &TlsClient::new(Tls::V13))
}

/// Greeted and under TLS, from an address.
fn greeted(server: &Server, from: &str) -> Control {
    let mut control = connect(server, Mode::Explicit, from);
    control.wait_for(220);
    control.expect("AUTH TLS", 234);
    control.secure();
    control
}

/// One login from an address; the last reply.
fn try_login(server: &Server, from: &str, user: &str, password: &str) -> Reply {
    let mut control = greeted(server, from);
    control.expect(&format!("USER {user}"), 331);
    control.cmd(&format!("PASS {password}"))
}

/// What the explicit listener says to who is refused before TLS.
fn refusal(server: &Server, from: &str) -> Option<Reply> {
    let reply = connect(server, Mode::Explicit, from).reply_or_end().ok();
    reply.filter(|reply| reply.code != 220)
}

fn is_refused_on_implicit(server: &Server, from: &str) -> bool {
    let mut wire = Wire::connect_from(from.parse().unwrap(), server.implicit).unwrap();
    wire.secure(&TlsClient::new(Tls::V13)).is_err()
}

/// The measurement of a series.
fn measured(server: &Server, series: &str) -> Option<String> {
    let to = server.logged("metrics_listening", |_| true).text("address");
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

/// Bans after five refused logins, slows nobody, and spares no address.
fn bans_soon() -> Setup {
    Setup::new()
        .quick_logins()
        .option("defence", "exempt", "[]")
        .option("defence", "slow_after", "100")
        .option("defence", "ban_after", "5")
}

fn guess_until_banned(server: &Server, from: &str, user: &str) {
    for _ in 0..5 {
        assert_eq!(try_login(server, from, user, "a guess").code, 530);
    }
    server.logged("banned", |line| line.text("network") == from);
}

#[test]
fn lists_of_networks_are_judged_before_tls_and_the_log_names_the_option() {
    let server = Setup::new()
        .option("access", "allow", "[\"127.0.0.0/29\"]")
        .option("access", "deny", "[\"127.0.0.2\"]")
        .implicit("allow = [\"127.0.0.1\"]")
        .implicit("deny = [\"127.0.0.4\"]")
        .option("metrics", "address", "\"127.0.0.1:0\"")
        .start();
    for (from, explicit, implicit) in [
        ("127.0.0.1", None, None),
        ("127.0.0.2", Some("access.deny"), Some("access.deny")),
        ("127.0.0.3", None, Some("listen.allow")),
        ("127.0.0.4", None, Some("listen.deny")),
        ("127.0.0.9", Some("access.allow"), Some("access.allow")),
    ] {
        let reply = refusal(&server, from);
        assert_eq!(reply.as_ref().map(|reply| reply.code), explicit.map(|_| 421), "{from}: {reply:?}");
        assert!(reply.is_none_or(|reply| reply.to_string().contains("not served here")), "{from}");
        assert_eq!(is_refused_on_implicit(&server, from), implicit.is_some(), "{from}");
        for option in [explicit, implicit].into_iter().flatten() {
            let line = server.logged("connection_refused", |line| {
                line.text("peer").starts_with(&format!("{from}:")) && line.text("option") == option
            });
            assert_eq!(line.text("reason"), "access");
        }
    }
    Control::open(&server);
    let refused = "carrack_connections_refused_total{reason=\"access\"}";
    assert_eq!(measured(&server, refused).as_deref(), Some("6"));
}

#[test]
fn a_name_in_the_list_lets_its_addresses_in() {
    let server = Setup::new().option("access", "allow", "[\"localhost\", \"lost.invalid\"]").start();
    server.logged("access_name", |line| line.text("addresses").contains("127.0.0.1"));
    Control::open(&server);
    assert_eq!(refusal(&server, STRANGER).unwrap().code, 421);
    server.logged("access_name_not_found", |line| line.text("name") == "lost.invalid");
}

#[test]
fn a_user_of_another_network_is_told_what_a_wrong_password_is_told() {
    let server = Setup::new()
        .quick_logins()
        .user("far", &["networks = [\"192.0.2.0/24\"]"])
        .user("near", &["networks = [\"127.0.0.1\"]"])
        .start();
    let said = |user: &str, password: &str| {
        let mut control = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V12));
        let asked = control.expect(&format!("USER {user}"), 331).to_string().replace(user, "");
        (asked, control.cmd(&format!("PASS {password}")).to_string())
    };
    let right = password("far");
    assert_eq!(said("far", &right), said("far", "wrong"));
    assert_eq!(said("far", &right), said("nobody", ""));
    let line = server.logged("login_failed", |line| line.text("user") == "far");
    assert_eq!(
        (line.text("why").as_str(), line.text("option").as_str()),
        ("not from this address", "user.networks")
    );
    Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "near");
    assert_eq!(try_login(&server, STRANGER, "near", &password("near")).code, 530);
}

#[test]
fn a_stranger_who_tries_alices_password_is_banned_and_alice_is_not() {
    let server =
        bans_soon().user("alice", &[EVERYTHING]).option("metrics", "address", "\"127.0.0.1:0\"").start();
    guess_until_banned(&server, STRANGER, "alice");
    let reply = refusal(&server, STRANGER).unwrap();
    assert_eq!(reply.code, 421, "{reply}");
    assert!(is_refused_on_implicit(&server, STRANGER));
    let line = server.logged("connection_refused", |line| line.text("reason") == "banned");
    assert_eq!(line.text("option"), "defence.ban_after");
    assert!(line.text("why").contains("5 refused logins"), "{}", line.raw);
    for (mode, version) in [(Mode::Explicit, Tls::V12), (Mode::Implicit, Tls::V13)] {
        let mut alice = Control::session(&server, mode, &TlsClient::new(version), "alice");
        alice.upload("report", b"of alice");
    }
    assert_eq!(measured(&server, "carrack_bans").as_deref(), Some("1"));
    assert_eq!(
        measured(&server, "carrack_connections_refused_total{reason=\"banned\"}").as_deref(),
        Some("2")
    );
    assert_eq!(
        measured(&server, "carrack_logins_refused_total{reason=\"wrong password\"}").as_deref(),
        Some("5")
    );
}

#[test]
fn an_address_with_a_login_is_not_banned() {
    let server = bans_soon().option("defence", "known_s", "0").start();
    let mut behind_the_nat = greeted(&server, STRANGER);
    behind_the_nat.login(USER);
    for _ in 0..10 {
        assert_eq!(try_login(&server, STRANGER, "nobody", "a guess").code, 530);
    }
    assert!(refusal(&server, STRANGER).is_none());
    assert_eq!(try_login(&server, STRANGER, USER, &password(USER)).code, 230);
    assert!(!server.logs.lines().iter().any(|line| line.is("banned")));
}

#[test]
fn by_default_nobody_on_this_machine_is_banned() {
    let server = Setup::new().quick_logins().start();
    for _ in 0..30 {
        assert_eq!(try_login(&server, "127.0.0.1", USER, "a guess").code, 530);
    }
    Control::open(&server);
}

#[test]
fn bans_outlive_the_server() {
    let mut server = bans_soon().start();
    guess_until_banned(&server, STRANGER, USER);
    let file = server.scratch().parent().unwrap().join("state/bans");
    wait::until_true("the ban on the disk", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains(STRANGER))
    });
    // As a power cut would end it.
    server.kill();
    let server = server.start_again();
    assert_eq!(refusal(&server, STRANGER).unwrap().code, 421);
    Control::open(&server);
}

#[test]
fn guesses_of_one_source_stand_in_line_until_the_line_is_full() {
    let server = Setup::new()
        .quick_logins()
        .user("alice", &[])
        .option("defence", "exempt", "[]")
        .option("defence", "slow_after", "2")
        .option("defence", "delay_max_s", "1")
        .option("defence", "ban_after", "0")
        .start();
    for _ in 0..4 {
        assert_eq!(try_login(&server, STRANGER, USER, "a guess").code, 530);
    }
    // One a second is judged; who comes when three wait is told to come later.
    let mut guesses = Vec::new();
    let told = wait::until("a guess that is not judged", || {
        let mut guess = greeted(&server, STRANGER);
        guess.expect(&format!("USER {USER}"), 331);
        guess.say("PASS a guess");
        guesses.push(guess);
        let lines = server.logs.lines();
        lines.into_iter().find(|line| line.is("login_failed") && line.text("option") == "defence.delay_max_s")
    });
    assert!(told.text("peer").starts_with(STRANGER), "{}", told.raw);
    let codes: Vec<_> = guesses.iter_mut().map(|guess| guess.reply().code).collect();
    assert!(codes.contains(&421) && codes.iter().all(|code| [421, 530].contains(code)), "{codes:?}");
    // Neither another user nor the one whose name was tried is kept out elsewhere.
    Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V13), "alice");
    Control::open(&server);
}

#[test]
fn a_flood_before_the_login_keeps_out_strangers_and_no_address_with_a_login() {
    let server = Setup::new()
        .option("limits", "startups", "\"5:100:5\"")
        .option("metrics", "address", "\"127.0.0.1:0\"")
        .start();
    let mut inside = Control::open(&server);
    let silent: Vec<_> = (0..5).map(|_| connect(&server, Mode::Implicit, STRANGER)).collect();
    // Whoever comes before all of them are in would take a place of theirs.
    server.logs.wait_for("a full house", |lines| {
        let silent =
            lines.iter().filter(|line| line.is("connected") && line.text("peer").starts_with(STRANGER));
        (silent.count() == 5).then_some(())
    });
    let refused = refusal(&server, "127.0.0.3").unwrap();
    assert_eq!(refused.code, 421, "{refused}");
    assert!(is_refused_on_implicit(&server, STRANGER));
    let line = server.logged("connection_refused", |line| line.text("reason") == "startups");
    assert_eq!(line.text("option"), "limits.startups");
    // Who works goes on, with as many connections as it likes.
    inside.upload("file", b"bytes");
    for _ in 0..3 {
        Control::open(&server).upload("more", b"bytes");
    }
    assert!(measured(&server, "carrack_connections_refused_total{reason=\"startups\"}").is_some());
    drop(silent);
    wait::until_true("places for strangers", || refusal(&server, "127.0.0.3").is_none());
}

#[test]
fn a_flood_of_logins_turns_itself_away_and_delays_nobody_else() {
    let server = Setup::new().user("alice", &[EVERYTHING]).option("limits", "login_queue", "2").start();
    let mut inside = Control::open(&server);
    let mut flood: Vec<_> = (0..40).map(|_| greeted(&server, STRANGER)).collect();
    for guess in &mut flood {
        guess.expect("USER nobody", 331);
    }
    for guess in &mut flood {
        guess.say("PASS a guess");
    }
    inside.upload("during", b"the flood");
    Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "alice").upload("file", b"bytes");
    let codes: Vec<_> = flood.iter_mut().map(|guess| guess.reply().code).collect();
    assert!(codes.contains(&421) && codes.contains(&530), "{codes:?}");
    let line = server.logged("login_failed", |line| line.text("option") == "limits.login_queue");
    assert!(line.text("peer").starts_with(STRANGER), "{}", line.raw);
}

#[test]
fn a_hash_beyond_the_memory_budget_is_checked_alone() {
    let server = Setup::new().option("limits", "hash_memory_mib", "1").start();
    let mut greeted: Vec<_> =
        (0..3).map(|_| Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V13))).collect();
    for control in &mut greeted {
        control.expect(&format!("USER {USER}"), 331);
    }
    for control in &mut greeted {
        control.say(&format!("PASS {}", password(USER)));
    }
    for control in &mut greeted {
        control.wait_for(230);
    }
}

#[test]
fn other_rules_count_at_a_reload_for_what_was_guessed_before() {
    let mut server = bans_soon().start();
    for _ in 0..3 {
        assert_eq!(try_login(&server, STRANGER, "alice", "a guess").code, 530);
    }
    server.rewrite(|setup| setup.option("defence", "ban_after", "4"));
    server.signal(Signal::HUP);
    let line = server.logged("reloaded", |_| true);
    assert_eq!(line.text("next_start"), "");
    assert_eq!(try_login(&server, STRANGER, "alice", "a guess").code, 530);
    server.logged("banned", |line| line.text("network") == STRANGER);
}
