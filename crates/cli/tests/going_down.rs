//! What does the exit status say about transfers that ran when the server was stopped?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use running::{Running, carrack};

/// A client in clear that stores a file and does not come to its end.
struct Upload {
    control: BufReader<TcpStream>,
    data: TcpStream,
}

impl Upload {
    fn begin(address: &str, user: &str, password: &str) -> Self {
        let mut control = BufReader::new(TcpStream::connect(address).unwrap());
        reply(&mut control, "220");
        let mut command = |line: &str, code: &str| {
            control.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
            reply(&mut control, code)
        };
        command(&format!("USER {user}"), "331");
        command(&format!("PASS {password}"), "230");
        command("TYPE I", "200");
        let passive = command("EPSV", "229");
        let port: u16 = passive.split('|').nth(3).unwrap().parse().unwrap();
        let ip = address.rsplit_once(':').unwrap().0;
        let mut data = TcpStream::connect((ip, port)).unwrap();
        command("STOR big", "150");
        data.write_all(b"half of it").unwrap();
        Self { control, data }
    }
}

/// Reads replies until one is not preliminary to it, and has this code.
fn reply(control: &mut BufReader<TcpStream>, code: &str) -> String {
    let mut line = String::new();
    while !line.starts_with(&format!("{code} ")) {
        line.clear();
        assert!(control.read_line(&mut line).unwrap() > 0, "no {code}");
        assert!(!line.starts_with(['4', '5']), "{line}");
    }
    line
}

/// The log up to the first line with this event.
fn log_until(log: &mut impl BufRead, event: &str) -> String {
    let mut text = String::new();
    while !text.contains(&format!("\"event\":\"{event}\"")) {
        assert!(log.read_line(&mut text).unwrap() > 0, "no {event} in {text}");
    }
    text
}

fn end(mut server: Running, mut log: impl Read) -> (Option<i32>, String) {
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    (server.child.wait().unwrap().code(), text)
}

#[test]
fn a_second_signal_cuts_and_the_status_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, state) = (dir.path().join("files"), dir.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let mut command = carrack(&folder, &state);
    command.args(["--plaintext", "allow"]);
    let mut server = Running::start(command);
    let upload = Upload::begin(server.value("explicit FTPS"), "carrack", server.value("password"));
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    server.terminate();
    log_until(&mut log, "draining");
    server.terminate();
    let (status, log) = end(server, log);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("carrack: 1 transfer was cut: a second signal came"), "{log}");
    assert!(log.contains("\"transfers_cut\":1"), "{log}");
    drop(upload);
}

#[test]
fn a_transfer_that_ends_in_time_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, state) = (dir.path().join("files"), dir.path().join("state"));
    fs::create_dir(&folder).unwrap();
    let mut command = carrack(&folder, &state);
    command.args(["--plaintext", "allow"]);
    let mut server = Running::start(command);
    let upload = Upload::begin(server.value("explicit FTPS"), "carrack", server.value("password"));
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    server.terminate();
    log_until(&mut log, "draining");
    let Upload { mut control, data } = upload;
    drop(data);
    reply(&mut control, "226");
    let (status, log) = end(server, log);
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(fs::read(folder.join("big")).unwrap(), b"half of it");
}

fn hash(dir: &Path, password: &str) -> String {
    let file = dir.join("password");
    fs::write(&file, password).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
    let output = command.args(["user", "hash", "--password-file"]).arg(&file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_deadline_cuts_and_the_status_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("files")).unwrap();
    let file = dir.path().join("carrack.toml");
    let hash = hash(dir.path(), "secret");
    let text = format!(
        "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\nplaintext = \"allow\"\n[timeouts]\ndrain_s = 0\n\
         [log]\nformat = \"json\"\n[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \"files\"\n\
         permissions = [\"list\", \"read\", \"write\"]\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
    command.args(["serve", "--config"]).arg(&file).stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let line = log_until(&mut log, "listening");
    let address = line.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap();
    let upload = Upload::begin(address, "alice", "secret");
    let server = Running { child, hints: String::new() };
    server.terminate();
    let (status, log) = end(server, log);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("carrack: 1 transfer was cut: timeouts.drain_s, 0 seconds, had passed"), "{log}");
    drop(upload);
}
