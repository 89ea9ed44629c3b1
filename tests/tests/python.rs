//! Python's ftplib (OpenSSL) moves real files: as it comes, and with data connections that resume the control session.

use carrack_tests::programs::{EVERY_WAY, Program, Tls, needs, python};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};

/// `ftps.py` against that server with these extra arguments before the action.
fn ftps(server: &Server, mode: Mode, tls: Tls, arguments: &[&str]) -> Program {
    let mode_word = if mode == Mode::Explicit { "explicit" } else { "implicit" };
    let version = if tls == Tls::V12 { "1.2" } else { "1.3" };
    let port = server.address(mode).port().to_string();
    let password = server.password();
    let common =
        ["--port", &port, "--mode", mode_word, "--tls", version, "--user", USER, "--password", &password];
    python("ftps.py", common.iter().chain(arguments))
}

#[test]
fn does_everything_in_every_way() {
    if !needs(&["python3"]) {
        return;
    }
    let server = Setup::new().start();
    for (mode, tls) in EVERY_WAY {
        ftps(&server, mode, tls, &["everything", "stock"]).run().ok();
        ftps(&server, mode, tls, &["--reuse", "control", "everything", "resuming"]).run().ok();
        ftps(&server, mode, tls, &["--sni", "active", "called back"]).run().ok();
    }
}

#[test]
fn does_everything_where_resumption_is_required() {
    if !needs(&["python3"]) {
        return;
    }
    let server = Setup::new().listen("data_tls_reuse = \"require\"").start();
    for (mode, tls) in EVERY_WAY {
        ftps(&server, mode, tls, &["--reuse", "control", "everything", "a"]).run().ok();
        ftps(&server, mode, tls, &["--reuse", "control", "--sni", "active", "b"]).run().ok();
    }
    let alone = ["--reuse", "control", "--no-tickets", "everything", "session ids"];
    ftps(&server, Mode::Explicit, Tls::V12, &alone).run().ok();
}

#[test]
fn uploads_two_hundred_files_in_a_row_presenting_one_session_again_and_again() {
    if !needs(&["python3"]) {
        return;
    }
    let server = Setup::new().listen("data_tls_reuse = \"require\"").start();
    let ways: [(Mode, Tls, &[&str]); 4] = [
        (Mode::Explicit, Tls::V13, &[]),
        (Mode::Implicit, Tls::V13, &["--sni"]),
        (Mode::Explicit, Tls::V12, &[]),
        (Mode::Implicit, Tls::V12, &["--no-tickets"]),
    ];
    for (mode, tls, more) in ways {
        let arguments = [&["--reuse", "control"], more, &["uploads", "200"]].concat();
        let said = ftps(&server, mode, tls, &arguments).run().ok().stdout;
        assert!(said.contains("resumed 200 of 200"), "{mode:?} {tls:?} {more:?}: {said}");
    }
}

#[test]
fn has_a_small_file_with_the_servers_first_flight() {
    if !needs(&["python3"]) {
        return;
    }
    let server = Setup::new().start();
    for mode in [Mode::Explicit, Mode::Implicit] {
        for size in ["0", "1", "4000", "65535"] {
            let arguments = ["--reuse", "control", "early", size];
            let said = ftps(&server, mode, Tls::V13, &arguments).run().ok().stdout;
            let early = said.matches("and their end before the Finished").count();
            assert_eq!(early, 3, "{mode:?} {size}: {said}");
        }
    }
}

#[test]
fn is_told_how_to_mend_a_full_handshake_where_resumption_is_required() {
    if !needs(&["python3"]) {
        return;
    }
    for policy in ["require", "require-own"] {
        let server = Setup::new().listen(&format!("data_tls_reuse = {policy:?}")).start();
        for (mode, tls) in [(Mode::Explicit, Tls::V12), (Mode::Implicit, Tls::V13)] {
            let said = ftps(&server, mode, tls, &["refused", "STOR stranger"]).run().ok().stdout;
            let refusal = said.lines().find_map(|line| line.strip_prefix("refused "));
            let refusal = refusal.unwrap_or_else(|| panic!("not refused: {said}"));
            assert!(refusal.starts_with("522 ") || refusal.starts_with("425 "), "{refusal}");
            assert!(refusal.contains("resum") || refusal.contains("session"), "{refusal}");
            assert!(!server.home().join("stranger").exists());
        }
    }
}
