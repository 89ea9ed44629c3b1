//! Does `carrack bench` measure what a server does, and leave nothing behind?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use running::client::{Home, Ran};
use running::{Running, carrack};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What makes a measurement short: a second each, and little to move.
const SHORT: &str = "--seconds 1 --size 256k --entries 20 --idle 3";

struct Measured {
    _top: TempDir,
    server: Running,
    home: Home,
    served: PathBuf,
    certificate: String,
}

impl Measured {
    fn start() -> Self {
        let top = tempfile::tempdir().unwrap();
        let (served, state) = (top.path().join("served"), top.path().join("server"));
        fs::create_dir(&served).unwrap();
        let server = Running::start(carrack(&served, &state));
        let certificate = state.join("cert.pem").to_string_lossy().into_owned();
        let home = Home::new(&top.path().join("home"));
        Self { _top: top, server, home, served, certificate }
    }

    fn bench(&self, flags: &str) -> Ran {
        self.run(&format!("{SHORT} {flags}"))
    }

    fn run(&self, flags: &str) -> Ran {
        self.home.run_with(self.server.value("password"), self.words(flags))
    }

    fn words(&self, flags: &str) -> Vec<String> {
        let mut words = vec!["bench".to_owned(), "--ca".to_owned(), self.certificate.clone()];
        words.extend(flags.split(' ').map(str::to_owned));
        words.push(self.server.url(""));
        words
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.served).unwrap().next().is_none()
    }
}

#[test]
fn every_scenario_is_measured_and_nothing_stays_behind() {
    let measured = Measured::start();
    let pid = measured.server.child.id();
    let all = "get-1,get-4,put-1,put-4,login,smallget-1,smallget-8,smallput-8,list,idle";
    let said = measured.bench(&format!("--json --pid {pid} --scenario {all}")).done();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), all.split(',').count(), "{said}");
    for (line, scenario) in lines.iter().zip(all.split(',')) {
        assert!(line.contains(&format!(r#""event":"measured","scenario":"{scenario}""#)), "{line}");
        assert!(!line.contains(r#""operations":0"#) && line.contains(r#""server_cpu_s":"#), "{line}");
        assert_eq!(line.contains(r#""bytes":0"#), matches!(scenario, "login" | "list" | "idle"), "{line}");
    }
    assert!(lines.last().unwrap().contains(r#""operations":3,"#), "{said}");
    assert!(measured.is_empty());
}

#[test]
fn so_many_operations_are_done_over_what_was_asked_for() {
    let measured = Measured::start();
    let held =
        "--json --key-exchange p256 --cipher aes128 --count 3 --scenario login-resumed,smallget-1,smallput-8";
    let said = measured.run(held).done();
    let lines: Vec<&str> = said.lines().collect();
    let [logins, downloads, uploads] = lines.as_slice() else { panic!("{said}") };
    for (line, operations) in [(logins, 12), (downloads, 3), (uploads, 24)] {
        assert!(line.contains(&format!(r#""operations":{operations},"#)), "{line}");
        assert!(
            line.contains(r#""tls":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","group":"secp256r1""#),
            "{line}"
        );
    }
    // Four at a time have nobody before them, or nearly four where one of these is late.
    let resumed =
        (8..12).map(|resumed| format!(r#""data_resumed":0,"data_full":0,"logins_resumed":{resumed},"#));
    assert!(resumed.into_iter().any(|resumed| logins.contains(&resumed)), "{logins}");
    assert!(downloads.contains(r#""data_resumed":3,"data_full":0,"#), "{downloads}");
    assert!(
        uploads.contains(r#""data_resumed":24,"#) && uploads.contains(r#""confirmed_after_ms":"#),
        "{uploads}"
    );
    assert!(measured.is_empty());
}

#[test]
fn what_is_there_is_downloaded_and_listed_and_nothing_is_made() {
    let measured = Measured::start();
    fs::create_dir(measured.served.join("there")).unwrap();
    fs::write(measured.served.join("there/file"), [7; 3000]).unwrap();
    let said = measured.run("--json --count 2 --scenario get-1 --existing there/file").done();
    assert!(said.contains(r#""operations":2,"bytes":6000,"#), "{said}");
    let said = measured.run("--json --count 2 --scenario list --existing there").done();
    assert!(said.contains(r#""operations":2,"#), "{said}");
    measured.run("--count 1 --scenario list --existing nowhere").failed(6);
    assert_eq!(fs::read_dir(&measured.served).unwrap().count(), 1);
}

#[test]
fn people_are_shown_a_table() {
    let said = Measured::start().bench("--scenario smallget-1,list").done();
    let lines: Vec<&str> = said.lines().collect();
    let [title, files, lists] = lines.as_slice() else { panic!("{said}") };
    assert!(title.starts_with("scenario") && title.ends_with("client CPU"), "{said}");
    assert!(
        files.starts_with("smallget-1") && files.contains(" files/s") && files.ends_with(" ms/file"),
        "{said}"
    );
    assert!(lists.starts_with("list") && lists.contains(" lists/s"), "{said}");
}

#[test]
fn what_a_server_refuses_is_told_and_the_rest_is_measured() {
    let measured = Measured::start();
    let ran = measured.bench("--scenario get-c,smallput-8");
    assert!(ran.out.contains("\nsmallput-8 "), "{ran:#?}");
    let said = ran.failed(1);
    assert!(said.contains("get-c was not measured") && said.contains("534"), "{said}");
    measured.bench("--scenario get-c").failed(3);
    assert!(measured.is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_nothing_is_said_to_be_left() {
    let measured = Measured::start();
    let url = measured.server.url("not/there/");
    let mut words = measured.words(SHORT);
    words.pop();
    words.push(url);
    let said = measured.home.run_with(measured.server.value("password"), words).failed(6);
    assert!(said.contains("not/there/carrack-bench-") && !said.contains("left behind"), "{said}");
}

#[test]
fn who_interrupts_it_finds_nothing_left() {
    let measured = Measured::start();
    let mut child = Command::new(env!("CARGO_BIN_EXE_carrack"))
        .args(measured.words("--seconds 3600 --scenario smallget-8"))
        .env("CARRACK_PASSWORD", measured.server.value("password"))
        .env("HOME", &measured.home.dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut title = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut title).unwrap();
    assert!(title.starts_with("scenario") && !measured.is_empty(), "{title}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert!(measured.is_empty());
}

#[test]
fn nonsense_is_refused_before_anything_is_made() {
    let measured = Measured::start();
    for (wrong, why) in [
        ("--scenario fast", "smallget-8"),
        ("--seconds 0", "1..=3600"),
        ("--size 0", "nothing to move"),
        ("--pid 4294967295", "no such process"),
        ("--cgroup /nowhere", "no control group"),
        ("--count 0", "1..=10000000"),
        ("--count 1 --seconds 1", "cannot be used with"),
        ("--key-exchange rsa", "x25519"),
        ("--cipher rc4", "chacha20"),
    ] {
        let said = measured.run(wrong).failed(2);
        assert!(said.contains(why), "{said}");
    }
    assert!(measured.is_empty());
}
