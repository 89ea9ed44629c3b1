//! Whom does the client believe, what does it ask, and what does it say when it does not?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use carrack_tls::{Identity, Sha256Fingerprint};
use running::client::Home;
use running::{Running, carrack};
use tempfile::TempDir;

/// A server whose certificate nobody vouches for, and a client that has never met it.
struct Strangers {
    _top: TempDir,
    server: Running,
    home: Home,
    state: PathBuf,
    password: String,
}

impl Strangers {
    fn meet() -> Self {
        let top = tempfile::tempdir().unwrap();
        let (served, state) = (top.path().join("served"), top.path().join("server"));
        fs::create_dir(&served).unwrap();
        fs::write(served.join("FILE"), "bytes").unwrap();
        let server = Running::start(carrack(&served, &state));
        let password = server.value("password").to_owned();
        let home = Home::new(&top.path().join("home"));
        Self { _top: top, server, home, state, password }
    }

    fn url(&self) -> String {
        self.server.url("")
    }

    fn host_port(&self) -> String {
        format!("localhost:{}", self.server.port())
    }

    fn identity(&self) -> Identity {
        Identity::load(&self.state.join("cert.pem"), &self.state.join("key.pem")).unwrap()
    }

    fn known(&self) -> String {
        fs::read_to_string(self.home.dir.join(".local/state/carrack/known_servers")).unwrap_or_default()
    }
}

/// Pastes a command into a shell.
fn paste(command: &str, home: &Path) {
    let output =
        Command::new("sh").args(["-e", "-c", command]).current_dir("/").env("HOME", home).output().unwrap();
    assert!(output.status.success(), "{command}: {}", running::error(&output));
}

#[test]
fn without_a_terminal_the_command_to_trust_is_told_and_works() {
    let both = Strangers::meet();
    let state = both.home.dir.join("it's my state");
    let list = |more: &[&str]| {
        let url = both.url();
        let words = [&["ls", url.as_str(), "--state", state.to_str().unwrap()], more].concat();
        both.home.run_with(&both.password, words)
    };
    let said = list(&[]).failed(4);
    let identity = both.identity();
    for shown in [
        "self-signed",
        "subject      CN=localhost",
        "names        localhost, 127.0.0.1",
        &identity.fingerprint().to_string(),
        &identity.spki_fingerprint().to_string(),
    ] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    let json = list(&["--json"]);
    assert!(json.out.starts_with(r#"{"event":"failed","#) && json.out.contains(r#""status":4"#), "{json:#?}");
    paste(said.trim_end().lines().last().unwrap(), &both.home.dir);
    assert!(both.known().is_empty(), "it is kept where --state said");
    assert_eq!(list(&[]).done(), "FILE\n");

    let (host_port, state) = (both.host_port(), state.to_str().unwrap());
    let listed = both.home.run(["trust", "list", "--state", state]).done();
    assert!(
        listed.starts_with(&format!("{host_port}\n  key          {}\n", identity.spki_fingerprint())),
        "{listed}"
    );
    let listed = both.home.run(["trust", "list", "--json", "--state", state]).done();
    assert!(
        listed.starts_with(&format!(
            r#"{{"event":"server","host":"localhost","port":{},"key_sha256":""#,
            both.server.port()
        )),
        "{listed}"
    );
    both.home.run(["trust", "remove", "localhost", "--state", state]).done();
    both.home.run(["trust", "remove", &host_port, "--state", state]).failed(6);
    list(&[]).failed(4);
}

#[test]
fn once_always_or_no() {
    let both = Strangers::meet();
    let url = both.url();
    let answer = |answer: &str| {
        let mut terminal = both.home.at_terminal(Some(&both.password), ["ls", &url]);
        terminal.wait_for("Trust it? [o]nce / [a]lways / [N]o: ").say(answer);
        terminal.end()
    };
    for no in ["n\n", "\n", "yes\n", "\u{4}"] {
        let (status, shown) = answer(no);
        assert_eq!(status, Some(4), "{shown}");
        assert!(!shown.contains("FILE"), "{shown}");
    }
    let (status, shown) = answer("o\n");
    assert_eq!(status, Some(0), "{shown}");
    let identity = both.identity();
    assert!(shown.contains(&identity.fingerprint().to_string()), "{shown}");
    assert!(shown.trim_end().ends_with("FILE"), "{shown}");
    assert_eq!(both.known(), "");
    let (status, shown) = answer("always\n");
    assert_eq!(status, Some(0), "{shown}");
    assert!(both.known().contains(&identity.spki_fingerprint().to_string()));
    assert_eq!(both.home.run_with(&both.password, ["ls", &url]).done(), "FILE\n", "it is not asked again");
}

/// Where standard input is data, the question still comes to the terminal.
#[test]
fn the_question_does_not_take_what_is_copied() {
    let both = Strangers::meet();
    fs::write(both.home.dir.join("data"), "o\na\nn\n").unwrap();
    let url = both.server.url("piped");
    let script = r#"exec "$0" cp - "$1" <data"#;
    let mut terminal = both.home.shell_at_terminal(&both.password, script, &url);
    terminal.wait_for("[N]o: ").say("o\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    let served = both.home.dir.parent().unwrap().join("served/piped");
    assert_eq!(fs::read_to_string(served).unwrap(), "o\na\nn\n");
}

#[test]
fn ctrl_c_at_the_question_ends_the_program() {
    let both = Strangers::meet();
    let url = both.url();
    for words in [&["ls", &url][..], &["cp", "-r", &url, "."]] {
        let mut terminal = both.home.at_terminal(Some(&both.password), words);
        terminal.wait_for("[N]o: ").say("\u{3}");
        let (status, shown) = terminal.end();
        assert_eq!(status, Some(7), "{shown}");
    }
}

#[test]
fn a_first_meeting_can_be_remembered_unasked() {
    let both = Strangers::meet();
    let url = both.url();
    let ran = both.home.run_with(&both.password, ["ls", "--trust-new", &url]);
    assert!(ran.err.contains("for the first time"), "{ran:#?}");
    assert_eq!(ran.done(), "FILE\n");
    let ran = both.home.run_with(&both.password, ["ls", "--trust-new", &url]);
    assert_eq!(ran.err, "");
    assert_eq!(ran.done(), "FILE\n");
}

#[test]
fn another_key_is_refused_with_both_fingerprints_and_the_date() {
    let both = Strangers::meet();
    let other = Sha256Fingerprint::of(b"another key").to_string();
    let bare = other.replace(':', "").to_lowercase();
    both.home.run(["trust", "add", &both.host_port(), "--key", &bare]).done();
    for more in [&[][..], &["--trust-new"]] {
        let url = both.url();
        let said = both.home.run_with(&both.password, [&["ls", url.as_str()], more].concat()).failed(4);
        for shown in [
            &*other,
            &both.identity().spki_fingerprint().to_string(),
            "since 20",
            &format!("trust remove {}", both.host_port()),
        ] {
            assert!(said.contains(shown), "{shown}: {said}");
        }
    }
    let (status, shown) = both.home.at_terminal(Some(&both.password), ["ls", &both.url()]).end();
    assert_eq!(status, Some(4), "there is no question: {shown}");
    let said = both.home.run(["trust", "add", &both.host_port(), "--yes"]).failed(1);
    assert!(said.contains("another key is remembered"), "{said}");
    let said = both.home.run_with(&both.password, ["ls", &both.url()]).failed(4);
    paste(said.lines().find(|line| line.contains("trust remove")).unwrap(), &both.home.dir);
    both.home.run_with(&both.password, ["ls", "--trust-new", &both.url()]).done();
}

#[test]
fn a_renewed_certificate_is_noted_once() {
    let both = Strangers::meet();
    let key = fs::read_to_string(both.state.join("key.pem")).unwrap();
    let older = Identity::renew_self_signed(&["localhost".to_owned()], &key).unwrap();
    fs::write(both.home.dir.join("older.pem"), &older).unwrap();
    both.home.run(["trust", "add", &both.host_port(), "--certificate", "older.pem"]).done();
    let first = both.home.run_with(&both.password, ["ls", &both.url()]);
    assert!(first.err.contains("has renewed its certificate"), "{first:#?}");
    assert!(first.err.contains(&both.identity().fingerprint().to_string()), "{first:#?}");
    first.done();
    let second = both.home.run_with(&both.password, ["ls", &both.url()]);
    assert_eq!(second.err, "");
    assert!(both.home.run(["trust", "list"]).done().contains("  renewed      20"));
}

#[test]
fn a_key_alone_gets_its_first_certificate_silently() {
    let both = Strangers::meet();
    let key = both.identity().spki_fingerprint().to_string();
    both.home.run(["trust", "add", &both.url(), "--key", &format!("SHA256:{key}")]).done();
    assert!(!both.known().contains("certificate_sha256"));
    let ran = both.home.run_with(&both.password, ["ls", &both.url()]);
    assert_eq!(ran.err, "");
    ran.done();
    assert!(both.known().contains(&both.identity().fingerprint().to_string()));
}

#[test]
fn trust_add_shows_and_asks() {
    let both = Strangers::meet();
    let said = both.home.run(["trust", "add", &both.host_port()]).failed(4);
    assert!(
        said.contains(&both.identity().spki_fingerprint().to_string()) && said.contains("--yes"),
        "{said}"
    );
    let mut terminal = both.home.at_terminal(None, ["trust", "add", &both.host_port()]);
    terminal.wait_for("Remember its key? [y]es / [N]o: ").say("n\n");
    assert_eq!(terminal.end().0, Some(4));
    assert_eq!(both.known(), "");
    let mut terminal = both.home.at_terminal(None, ["trust", "add", &both.host_port()]);
    terminal.wait_for("[N]o: ").say("y\n");
    assert_eq!(terminal.end().0, Some(0));
    both.home.run_with(&both.password, ["ls", &both.url()]).done();
}

#[test]
fn a_pin_and_an_authority_hold_for_one_run() {
    let both = Strangers::meet();
    let url = both.url();
    let pin = both.identity().fingerprint().to_string();
    both.home.run_with(&both.password, ["ls", "--pin", &pin, &url]).done();
    let wrong = Sha256Fingerprint::of(b"").to_string();
    let said = both.home.run_with(&both.password, ["ls", "--pin", &wrong, &url]).failed(4);
    assert!(said.contains(&wrong) && said.contains(&pin), "{said}");
    let ca = both.state.join("cert.pem");
    both.home.run_with(&both.password, ["ls", "--ca", ca.to_str().unwrap(), &url]).done();
    // An authority that has not signed it: nothing is asked, because the user has said whom to believe.
    let other = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    fs::write(both.home.dir.join("other.pem"), other.certificate_pem).unwrap();
    let terminal = both.home.at_terminal(Some(&both.password), ["ls", "--ca", "other.pem", &url]);
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(4), "{shown}");
    assert_eq!(both.known(), "");
}

#[test]
fn the_certificate_of_a_server_can_be_looked_at() {
    let both = Strangers::meet();
    let file = both.state.join("cert.pem");
    for verb in ["show", "fingerprint"] {
        let of_file = both.home.run(["cert", verb, file.to_str().unwrap()]).done();
        assert!(of_file.contains(&both.identity().fingerprint().to_string()));
        let implicit = both.server.value("implicit FTPS").rsplit(':').next().unwrap().to_owned();
        for url in [both.url(), format!("ftps://localhost:{implicit}")] {
            let shown = both.home.run(["cert", verb, &url]).done();
            let handshake = shown.strip_suffix(&of_file).unwrap_or_else(|| panic!("{shown}"));
            if verb == "fingerprint" {
                assert_eq!(handshake, "");
                continue;
            }
            for words in ["agreed       TLSv1.3, ", "ALPN ftp\nstaple       none\n", "vouches for it\n\n"] {
                assert!(handshake.contains(words), "{words}: {shown}");
            }
        }
    }
    assert!(both.home.run(["cert", "show", "ftp://localhost/"]).failed(2).contains("no certificate"));
}
