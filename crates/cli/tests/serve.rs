//! Does `carrack serve DIR` come up on free ports, tell how to reach it, keep its secrets, and go down in order?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

struct Running {
    child: Child,
    hints: String,
}

fn carrack(folder: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
    command.args(["serve", "--explicit", "127.0.0.1:0", "--implicit", "127.0.0.1:0", "--log-format", "json"]);
    command.arg("--state").arg(state).arg(folder).env_remove("CARRACK_PASSWORD");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Running {
    /// Starts a server and reads what it prints until it says that it can be stopped.
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut hints = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !hints.contains("Ctrl-C") {
            if out.read_line(&mut hints).unwrap() == 0 {
                let output = child.wait_with_output().unwrap();
                panic!("the server ended: {hints}{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        // The reader goes away, as `carrack serve DIR | head` does; the server stays.
        Self { child, hints }
    }

    fn stop(mut self) -> (Option<i32>, String) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    fn value(&self, label: &str) -> &str {
        let line = self.hints.lines().find(|line| line.trim_start().starts_with(label)).expect(label);
        line.trim_start().strip_prefix(label).unwrap().split_whitespace().next().unwrap()
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn from_start_to_drain() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, state) = (dir.path().join("files"), dir.path().join("state"));
    fs::create_dir(&folder).unwrap();

    let server = Running::start(carrack(&folder, &state));
    let address = server.value("explicit FTPS").to_owned();
    assert!(!address.ends_with(":0"), "the real port is told: {}", server.hints);
    let mut greeting = String::new();
    BufReader::new(TcpStream::connect(&address).unwrap()).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220"), "{greeting}");

    for secret in ["key.pem", "password"] {
        assert_eq!(fs::metadata(state.join(secret)).unwrap().permissions().mode() & 0o777, 0o600, "{secret}");
    }
    let password = fs::read_to_string(state.join("password")).unwrap().trim().to_owned();
    assert_eq!(server.value("password"), password);

    let second = carrack(&folder, &state).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(error(&second).contains("in use by another carrack"), "{}", error(&second));

    let (status, log) = server.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(!log.contains(&password), "the log gives the password away");
    for event in ["listening", "connected", "draining", "stopped"] {
        assert!(log.contains(&format!("\"event\":\"{event}\"")), "no {event} in {log}");
    }
}

#[test]
fn identity_and_password_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let fingerprint = |server: &Running| {
        server
            .hints
            .lines()
            .find(|line| line.matches(':').count() == 31)
            .map(str::to_owned)
            .expect("a fingerprint")
    };
    let first = Running::start(carrack(dir.path(), &state));
    let (kept, password) = (fingerprint(&first), first.value("password").to_owned());
    first.stop();
    let again = Running::start(carrack(dir.path(), &state));
    assert_eq!(fingerprint(&again), kept);
    assert_eq!(again.value("password"), password);
    let (_, log) = again.stop();
    assert!(log.contains("--state"), "the state folder lies in the served one, and nobody is told: {log}");
}

#[test]
fn a_given_password_is_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (state, file) = (dir.path().join("state"), dir.path().join("pw"));
    fs::write(&file, "correct-horse\n").unwrap();
    let mut command = carrack(dir.path(), &state);
    command.arg("--password-file").arg(&file);
    let server = Running::start(command);
    assert!(!server.hints.contains("correct-horse"));
    assert!(!state.join("password").exists());
    let (_, log) = server.stop();
    assert!(!log.contains("correct-horse"));
}

#[test]
fn mistakes_are_told_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let output = carrack(&dir.path().join("nowhere"), &state).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("is not there\n  mend: "), "{}", error(&output));
    assert!(!state.exists());

    let usage =
        Command::new(env!("CARGO_BIN_EXE_carrack")).args(["serve", ".", "--explict", "x"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    assert!(error(&usage).contains("--explicit"), "{}", error(&usage));
}
