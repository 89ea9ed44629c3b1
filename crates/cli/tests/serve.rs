//! Does `carrack serve DIR` come up on free ports, tell how to reach it, keep its secrets, and go down in order?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use carrack_tls::Identity;
use running::{Running, carrack, error};

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

#[test]
fn a_folder_that_is_no_state_folder_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, taken) = (dir.path().join("files"), dir.path().join("lib"));
    for made in [&folder, &taken, &taken.join("dpkg")] {
        fs::create_dir(made).unwrap();
    }
    fs::set_permissions(&taken, fs::Permissions::from_mode(0o755)).unwrap();
    let output = carrack(&folder, &taken).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = error(&output).replace(dir.path().to_str().unwrap(), "BASE");
    assert_eq!(
        said,
        "carrack: the folder BASE/lib holds other things, so it is not taken for a state folder\n  \
         mend: name one below it, as in --state BASE/lib/carrack (`state` in the file)\n"
    );
    assert_eq!(fs::metadata(&taken).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
}

/// With a certificate of its own choice as well: the journal of uploads is one server's.
#[test]
fn one_server_has_the_state_folder_also_with_a_configured_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let made = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    fs::write(dir.path().join("cert.pem"), made.certificate_pem).unwrap();
    fs::write(dir.path().join("key.pem"), made.key_pem.as_bytes()).unwrap();
    fs::create_dir(dir.path().join("home")).unwrap();
    let file = dir.path().join("carrack.toml");
    let text = "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         [log]\nformat = \"json\"\n[[user]]\nname = \"alice\"\nhome = \"home\"\n\
         password = \"$argon2id$v=19$m=8,t=1,p=1$+4fpg6OqNcEye+w89WKBHg$wQqyvJlgjyuPFQxUGRaL0pRLOvWGcYFVDQXUBLbDchY\"\n";
    fs::write(&file, text).unwrap();
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
        command.args(["serve", "--config"]).arg(&file).stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    let mut server = Running { child: serve().spawn().unwrap(), hints: String::new() };
    let mut log = BufReader::new(server.child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("\"listening\"") {
        assert!(log.read_line(&mut text).unwrap() > 0, "{text}");
    }
    // The key in the file is told where people and machines read it.
    assert!(text.contains("configuration_warning") && text.contains("private key"), "{text}");
    let mut second = serve().spawn().unwrap();
    let mut said = String::new();
    let mut errors = BufReader::new(second.stderr.take().unwrap());
    while errors.read_line(&mut said).unwrap() > 0 && !said.contains("\"listening\"") {}
    let _ = second.kill();
    assert!(said.contains("in use by another carrack"), "{said}");
    assert_eq!(second.wait().unwrap().code(), Some(1));
    server.terminate();
    assert!(server.child.wait().unwrap().success());
}
