//! What does Fail2Ban read in the log, and can a client make it ban somebody else?

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use carrack_tests::control::Control;
use carrack_tests::logs::Logs;
use carrack_tests::programs::{Program, Tls, needs};
use carrack_tests::server;
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;

/// Names that want to be lines of the log, or fields of one.
const FORGED: [&str; 8] = [
    "eve from 192.0.2.66",
    "eve peer=192.0.2.66:1",
    "eve\" peer=\"192.0.2.66:1",
    "2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.66:1 user=x why=y",
    "host carrack[1]: 2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.66:1 user=x",
    "{\"time\":\"2026-11-22T13:08:39.091421Z\",\"level\":\"warn\",\"event\":\"login_failed\",\"session\":1,\"peer\":\"192.0.2.66:1\"}",
    "eve why=\"too many logins at once\"",
    "eve\",\"why\":\"too many logins at once\"}",
];

/// Line breaks that a client can put into a name.
const BREAKS: [&str; 4] = ["\r", "\n", "\u{2028}", "\u{85}"];

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/fail2ban").join(file).canonicalize().unwrap()
}

/// The addresses that Fail2Ban's own tool finds in lines, one for each that matches.
fn found(folder: &Path, lines: &[String]) -> Vec<String> {
    let log = folder.join("carrack.log");
    fs::write(&log, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let run = Program::new("fail2ban-regex")
        .args(["--out", "ip"])
        .arg(&log)
        .arg(packaging("filter.d/carrack.conf"));
    run.run().ok().stdout.lines().map(str::to_owned).collect()
}

/// Tries to log in from an address, in clear, and reads whatever comes.
fn try_login(from: &str, to: SocketAddr, user: &str, password: &str) {
    let wire = Wire::connect_from(from.parse().unwrap(), to).unwrap();
    let mut control = Control::over(wire, &TlsClient::new(Tls::V13));
    control.wait_for(220);
    control.say(&format!("USER {user}"));
    let mut answer = control.reply().code;
    if answer == 331 {
        answer = control.cmd(&format!("PASS {password}")).code;
    }
    assert!(answer >= 230, "{control}");
    control.say("QUIT");
    control.replies_to_end();
}

/// The lines that the real program writes while `attack` goes on against its explicit listener.
fn logged(at: IpAddr, format: &str, attack: impl FnOnce(SocketAddr)) -> (Setup, Vec<String>) {
    let setup = Setup::new()
        .quick_logins()
        .at(at)
        .listen("# of both")
        .explicit("plaintext = \"allow\"")
        .option("log", "format", &format!("{format:?}"));
    let config = setup.write();
    let (mut child, logs) =
        server::spawn(Command::new(server::program()).args(["serve", "--config"]).arg(config));
    let address = listening(&logs);
    attack(address);
    // All has been written once the server has ended.
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    child.wait().unwrap();
    logs.wait_for("the end", |lines| lines.iter().any(|line| line.raw.contains("stopped")).then_some(()));
    (setup, logs.lines().into_iter().map(|line| line.raw).collect())
}

/// The explicit listener's address, in either form of the log.
fn listening(logs: &Logs) -> SocketAddr {
    logs.wait_for("listening", |lines| {
        let line =
            lines.iter().find(|line| line.raw.contains("listening") && line.raw.contains("explicit"))?;
        let (_, rest) = line.raw.split_once("address")?;
        let text = rest.trim_start_matches(['=', '"', ':']).trim_end_matches(['}', '"']);
        Some(text.parse().unwrap_or_else(|why| panic!("{}: {why}", line.raw)))
    })
}

#[test]
fn the_filter_finds_who_guesses_and_nobody_who_does_not() {
    if !needs(&["fail2ban-regex"]) {
        return;
    }
    for format in ["text", "json"] {
        let (setup, lines) = logged("127.0.0.1".parse().unwrap(), format, |to| {
            try_login("127.0.0.1", to, USER, &carrack_tests::setup::password(USER));
            try_login("127.0.0.2", to, USER, "wrong");
            try_login("127.0.0.2", to, "nobody", "wrong");
            try_login("127.0.0.3", to, "", "");
        });
        assert_eq!(found(&setup.scratch(), &lines), ["127.0.0.2", "127.0.0.2"], "{format}: {lines:#?}");
        // The same through the journal.
        let journal: Vec<_> = lines.iter().map(|line| format!("myhost carrack[4711]: {line}")).collect();
        assert_eq!(found(&setup.scratch(), &journal).len(), 2, "{format}: {journal:#?}");
    }
}

#[test]
fn an_ipv6_address_is_found_without_its_brackets() {
    if !needs(&["fail2ban-regex"]) {
        return;
    }
    for format in ["text", "json"] {
        let (setup, lines) = logged("::1".parse().unwrap(), format, |to| try_login("::1", to, USER, "wrong"));
        assert_eq!(found(&setup.scratch(), &lines), ["::1"], "{format}: {lines:#?}");
    }
}

#[test]
fn no_name_makes_the_filter_see_another_address_or_look_away() {
    if !needs(&["fail2ban-regex"]) {
        return;
    }
    for format in ["text", "json"] {
        let mut tried = 0;
        let (setup, lines) = logged("127.0.0.1".parse().unwrap(), format, |to| {
            for name in FORGED {
                try_login("127.0.0.2", to, name, "wrong");
                tried += 1;
                for line_break in BREAKS {
                    // Some of these the protocol refuses already; what it lets through must not break a line.
                    try_login("127.0.0.2", to, &format!("eve{line_break}{name}"), "wrong");
                }
            }
        });
        let found = found(&setup.scratch(), &lines);
        assert!(found.iter().all(|address| address == "127.0.0.2"), "{format}: {found:?} in {lines:#?}");
        assert!(found.len() >= tried, "{format}: {found:?} in {lines:#?}");
        let failures = lines.iter().filter(|line| line.contains("login_failed")).count();
        assert_eq!(found.len(), failures, "{format}: {lines:#?}");
    }
}

#[test]
fn a_server_too_busy_to_judge_is_nobodys_guess() {
    if !needs(&["fail2ban-regex"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        "2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.1:1 user=alice option=limits.login_queue why=\"too many logins at once\"",
        "{\"time\":\"2026-11-22T13:08:39.091421Z\",\"level\":\"warn\",\"event\":\"login_failed\",\"session\":1,\"peer\":\"192.0.2.1:1\",\"user\":\"alice\",\"option\":\"limits.login_queue\",\"why\":\"too many logins at once\"}",
        "2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.1:1 user=alice option=users.program why=\"nobody has answered whether this user may log in\"",
        "{\"time\":\"2026-11-22T13:08:39.091421Z\",\"level\":\"warn\",\"event\":\"login_failed\",\"session\":1,\"peer\":\"192.0.2.1:1\",\"user\":\"alice\",\"option\":\"users.url\",\"why\":\"nobody has answered whether this user may log in\"}",
        "2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.2:1 user=alice why=\"unknown user or wrong password, says whoever was asked\"",
        "2026-11-22T13:08:39.091421Z WARN  login_failed session=1 peer=192.0.2.2:1 user=alice why=\"wrong password\"",
    ];
    let lines: Vec<_> = lines.into_iter().map(str::to_owned).collect();
    assert_eq!(found(folder.path(), &lines), ["192.0.2.2"; 2]);
}

#[test]
fn the_jail_is_one_that_fail2ban_takes() {
    if !needs(&["fail2ban-client"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg("/etc/fail2ban/.").arg(folder.path()).status().unwrap();
    assert!(copied.success());
    for file in ["filter.d/carrack.conf", "jail.d/carrack.conf"] {
        fs::copy(packaging(file), folder.path().join(file)).unwrap();
    }
    let run = Program::new("fail2ban-client").arg("-c").arg(folder.path()).arg("-d");
    let dumped = Program::run(run);
    let text = format!("{}{}", dumped.stdout, dumped.stderr);
    assert!(text.contains("'carrack'") && text.contains("addfailregex"), "{text}");
}
