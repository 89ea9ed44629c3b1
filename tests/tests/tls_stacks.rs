//! What does a client of each TLS stack agree on with the server as it comes, and with one that speaks less?

use std::thread;

use carrack_tests::control::Control;
use carrack_tests::logs::Line;
use carrack_tests::pages::{quoted, read, top};
use carrack_tests::programs::{Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::stacks::page::{self, Measured, NARROW, PAGE, Take};
use carrack_tests::stacks::{Answer, Held, STACKS, Stack};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tls::{Group, Suite};

fn server(lines: &[&str]) -> Server {
    let server = lines.iter().fold(Setup::new().quick_logins(), |setup, line| setup.listen(line)).start();
    tree::file(&server.home(), "down", 1, 10_000);
    server
}

/// A stack's calls, each to a server that nobody else is at.
fn measure(stack: &'static Stack) -> Measured {
    let usual = server(&[]);
    let free = [Held::AsItComes, Held::To12].map(|held| stack.call(&usual, held));
    let narrow = NARROW.iter().map(|narrow| stack.call(&server(narrow.lines), Held::AsItComes)).collect();
    Measured { stack, version: stack.version_here(), free, narrow }
}

/// Whatever its version, a client agrees with the server as it comes; what it agrees on is the server's to grant.
fn check(measured: &Measured) {
    let name = measured.stack.name;
    let is_file = |answer: &Answer| answer.data().is_some_and(|line| line.text("bytes") == "10000");
    for (answer, held) in measured.free.iter().zip(["", "TLSv1.2"]) {
        let control = answer.control().unwrap_or_else(|| panic!("{name}: {answer:?}"));
        assert!(control.text("tls").starts_with("TLSv1."), "{name}: {}", control.raw);
        assert!(held.is_empty() || control.text("tls") == held, "{name}: {}", control.raw);
        assert!(is_file(answer) || measured.stack.knows_no_ftp(), "{name}: {answer:?}");
        if let Some(data) = answer.data() {
            for field in ["tls", "suite"] {
                assert_eq!(data.text(field), control.text(field), "{name}: {}", data.raw);
            }
        }
    }
    let [newest, suite, group, hybrid] = &measured.narrow[..] else { panic!("{:?}", measured.narrow) };
    for (answer, field, wanted) in [
        (newest, "tls", "TLSv1.3"),
        (suite, "suite", "TLS_CHACHA20_POLY1305_SHA256"),
        (group, "group", "secp256r1"),
        (hybrid, "group", "X25519MLKEM768"),
    ] {
        match answer.control() {
            Some(control) => assert_eq!(control.text(field), wanted, "{name}: {}", control.raw),
            None => assert!(answer.data().is_none(), "{name}: {answer:?}"),
        }
    }
    assert!(group.control().is_some(), "{name}: everybody has P-256: {group:?}");
}

#[test]
fn every_stack_agrees_on_what_the_page_says() {
    let here = STACKS.iter().filter(|stack| stack.is_here());
    let measured: Vec<Measured> = thread::scope(|scope| {
        let calls: Vec<_> = here.map(|stack| scope.spawn(|| measure(stack))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    measured.iter().for_each(check);
    let text = read(PAGE);
    if std::env::var_os("CARRACK_BLESS").is_some() {
        let tables = page::tables(page::standing(&text), &measured, Take::All);
        std::fs::write(top().join(PAGE), page::with(&text, &tables)).unwrap();
        return;
    }
    let tables = page::tables(page::standing(&text), &measured, Take::OfThePagesVersions);
    assert!(
        page::standing(&text) == tables,
        "{PAGE} is stale; CARRACK_BLESS=1 cargo test --workspace --test all tls_stacks::; measured:\n{tables}"
    );
    for stack in &STACKS {
        assert!(tables.contains(&format!("| {} ", stack.name)), "{PAGE} says nothing of {}", stack.name);
    }
}

/// Two listeners of one server, one of them narrowed: over the wire, in STAT and in the log.
#[test]
fn a_listener_speaks_its_own_policy_beside_another() {
    if !needs(&["curl"]) {
        return;
    }
    let narrow =
        ["minimum_version = \"1.3\"", "suites = [\"TLS_AES_128_GCM_SHA256\"]", "groups = [\"P-384\"]"];
    let server = narrow.iter().fold(Setup::new(), |setup, line| setup.implicit(line)).start();
    tree::file(&server.home(), "down", 1, 10_000);
    let fetch =
        |mode, tls| curl(&server, mode, tls).args(["-o", "/dev/null", &url(&server, mode, "/down")]).run();
    for tls in [Tls::V12, Tls::V13] {
        fetch(Mode::Explicit, tls).ok();
    }
    fetch(Mode::Implicit, Tls::V13).ok();
    let refused = fetch(Mode::Implicit, Tls::V12).fails();
    assert!(refused.stderr.contains("alert protocol version"), "{}", refused.report());
    let suite = |line: &Line| line.text("suite") == "TLS_AES_128_GCM_SHA256";
    for event in ["secured", "transfer"] {
        let line = server.logged(event, suite);
        let agreed = ["tls", "group"].map(|field| line.text(field));
        assert_eq!(agreed, ["TLSv1.3", "secp384r1"], "{}", line.raw);
    }
    let mut control = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V13), USER);
    let stat = control.expect("STAT", 211).to_string();
    assert!(stat.contains("TLSv1.3 (TLS_AES_128_GCM_SHA256, secp384r1)"), "{stat}");
}

#[test]
fn every_name_is_on_the_page() {
    let names = quoted(PAGE);
    for suite in Suite::all() {
        assert!(names.contains(suite.name) && names.contains(suite.openssl), "{suite:?}");
    }
    for group in Group::all() {
        assert!(names.contains(group.name), "{group:?}");
        assert!(group.aliases.iter().all(|alias| names.contains(*alias)), "{group:?}");
    }
}
