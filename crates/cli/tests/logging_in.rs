//! Where do user and password come from, and where do they not go?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use running::client::Home;
use running::{Running, carrack};
use tempfile::TempDir;

struct Pair {
    _top: TempDir,
    server: Running,
    home: Home,
    certificate: String,
    password: String,
}

fn start(more: &[&str]) -> Pair {
    let top = tempfile::tempdir().unwrap();
    let (served, state) = (top.path().join("served"), top.path().join("server"));
    fs::create_dir(&served).unwrap();
    fs::write(served.join("FILE"), "bytes").unwrap();
    let mut command = carrack(&served, &state);
    command.args(more);
    let server = Running::start(command);
    let password = server.value("password").to_owned();
    let certificate = state.join("cert.pem").to_string_lossy().into_owned();
    let home = Home::new(&top.path().join("home"));
    Pair { _top: top, server, home, certificate, password }
}

impl Pair {
    fn list<'w>(&'w self, url: &'w str, more: &[&'w str]) -> Vec<&'w str> {
        [&["ls", "--ca", self.certificate.as_str(), url], more].concat()
    }

    fn netrc(&self, text: &str, mode: u32) {
        let file = self.home.dir.join(".netrc");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn the_file_comes_before_the_environment_and_that_before_netrc() {
    let pair = start(&[]);
    let url = pair.server.url("");
    fs::write(pair.home.dir.join("right"), format!("{}\n", pair.password)).unwrap();
    fs::write(pair.home.dir.join("wrong"), "wrong\n").unwrap();
    let list = |more: &[&str], environment: Option<&str>| match environment {
        Some(password) => pair.home.run_with(password, pair.list(&url, more)),
        None => pair.home.run(pair.list(&url, more)),
    };
    assert_eq!(list(&["--password-file", "right"], None).done(), "FILE\n");
    assert_eq!(list(&["--password-file", "right"], Some("wrong")).done(), "FILE\n");
    assert_eq!(list(&[], Some(&pair.password)).done(), "FILE\n");
    let said = list(&["--password-file", "wrong"], Some(&pair.password)).failed(5);
    assert!(said.contains("530"), "{said}");
    pair.netrc("machine localhost login carrack password wrong", 0o600);
    assert_eq!(list(&[], Some(&pair.password)).done(), "FILE\n");
    list(&[], None).failed(5);
    pair.netrc(&format!("machine localhost login carrack password {}", pair.password), 0o600);
    assert_eq!(list(&[], None).done(), "FILE\n");
    list(&[], Some("wrong")).failed(5);
}

#[test]
fn netrc_names_the_user_where_the_url_does_not() {
    let pair = start(&[]);
    let url = pair.server.url("").replace("carrack@", "");
    pair.netrc(&format!("default login carrack password \"{}\"", pair.password), 0o644);
    let ran = pair.home.run(pair.list(&url, &[]));
    assert!(ran.err.contains("chmod 600"), "{ran:#?}");
    assert_eq!(ran.done(), "FILE\n");
    // Another user's password is not tried.
    let other = pair.server.url("").replace("carrack@", "mallory@");
    assert!(pair.home.run(pair.list(&other, &[])).failed(5).contains("no terminal"));
}

#[test]
fn without_a_password_it_is_asked_for_on_the_terminal() {
    let pair = start(&[]);
    let url = pair.server.url("");
    let said = pair.home.run(pair.list(&url, &[])).failed(5);
    for way in ["--password-file", "CARRACK_PASSWORD", ".netrc"] {
        assert!(said.contains(way), "{said}");
    }
    let mut terminal = pair.home.at_terminal(None, pair.list(&url, &[]));
    terminal.wait_for("Password of carrack at localhost:").say(&format!("{}\n", pair.password));
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.trim_end().ends_with("FILE") && !shown.contains(&pair.password), "{shown}");

    let mut terminal = pair.home.at_terminal(None, pair.list(&url, &[]));
    terminal.wait_for("Password of carrack").say("wrong\n");
    assert_eq!(terminal.end().0, Some(5));
    let mut terminal = pair.home.at_terminal(None, pair.list(&url, &[]));
    terminal.wait_for("Password of carrack").say("half\u{3}");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(7), "{shown}");
}

#[test]
fn nobody_is_anonymous_and_sends_no_password_of_his() {
    let pair = start(&["--plaintext", "limit"]);
    let url = format!("ftp://localhost:{}/", pair.server.port());
    let ran = pair.home.run_with(&pair.password, ["ls", "-v", "--plaintext", &url]);
    assert!(ran.err.contains("WARNING: nothing is protected"), "{ran:#?}");
    assert!(ran.err.contains("> USER anonymous") && ran.err.contains("logging in as anonymous"), "{ran:#?}");
    assert_eq!(ran.done(), "FILE\n");
    pair.netrc("default login anonymous password me@example", 0o644);
    let ran = pair.home.run_with("wrong", ["ls", "-v", "--plaintext", &url]);
    assert!(ran.err.contains("> USER anonymous") && ran.err.contains("chmod 600"), "{ran:#?}");
    ran.done();
    let (_, log) = pair.server.stop();
    assert!(!log.contains(&pair.password), "{log}");
}

#[test]
fn whom_a_password_file_is_for_must_be_said() {
    let pair = start(&[]);
    fs::write(pair.home.dir.join("password"), &pair.password).unwrap();
    let url = pair.server.url("").replace("carrack@", "");
    let said = pair.home.run(pair.list(&url, &["--password-file", "password"])).failed(2);
    assert!(said.contains("ftpes://USER@localhost"), "{said}");
    let said = pair.home.run(pair.list(&url, &[])).failed(5);
    assert!(said.contains("nobody was named"), "{said}");
}
