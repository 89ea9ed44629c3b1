//! Do the printed commands work as they stand, also for passwords that a shell or a client would take apart?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use running::{Running, carrack};

/// Passwords that nobody generates and somebody has.
const PASSWORDS: [&str; 2] = ["it's \"so\" $HOME", "two  words,`id`;a:b\\né"];

/// The printed commands of one program.
fn block<'h>(hints: &'h str, program: &str) -> &'h str {
    let after = hints.split_once(&format!("\n  {program}\n")).unwrap().1;
    after.split_once("\n\n").unwrap().0
}

/// Pastes commands into a shell that stands in `here`.
fn paste(commands: &str, here: &Path, environment: Option<&str>) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", commands]).current_dir(here).env("HOME", here).env_remove("CARRACK_PASSWORD");
    shell.envs(environment.map(|password| ("CARRACK_PASSWORD", password))).output().unwrap()
}

fn installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{program} is not installed; ./test installs it");
    }
    there
}

/// Starts a server with this password, and pastes twice what it prints.
fn pastes(password: &str, text: &str, given_in_file: bool) {
    let dir = tempfile::tempdir().unwrap();
    let (folder, here) = (dir.path().join("files"), dir.path().join("here"));
    let file = dir.path().join("a 'quoted' $file");
    for made in [&folder, &here] {
        fs::create_dir(made).unwrap();
    }
    fs::write(here.join("FILE"), "bytes").unwrap();
    let mut command = carrack(&folder, &dir.path().join("state"));
    if given_in_file {
        fs::write(&file, text).unwrap();
        command.arg("--password-file").arg(&file);
    } else {
        command.env("CARRACK_PASSWORD", password);
    }
    let server = Running::start(command);
    assert!(!server.hints.contains(password), "{}", server.hints);
    let others = ["curl", "lftp"].into_iter().filter(|program| installed(program));
    for program in std::iter::once("carrack").chain(others) {
        for round in ["first", "second"] {
            let commands = block(&server.hints, program);
            let output = paste(commands, &here, (!given_in_file).then_some(password));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program}, {round} time, {password:?}: {said}\n{commands}");
            assert!(String::from_utf8_lossy(&output.stdout).contains("FILE"), "nothing is listed");
        }
    }
    assert_eq!(fs::read_to_string(folder.join("FILE")).unwrap(), "bytes");
    if installed("lftp") {
        assert_eq!(fs::read_to_string(here.join("FILE.new")).unwrap(), "bytes");
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn with_a_password_in_a_file() {
    for password in PASSWORDS {
        pastes(password, &format!("{password}\n"), true);
    }
}

#[test]
fn with_a_password_file_from_windows() {
    pastes("it's \"so\"", "\u{feff}it's \"so\"\r\n", true);
}

#[test]
fn with_a_password_in_the_environment() {
    pastes("it's \"so\" $HOME", "", false);
}
