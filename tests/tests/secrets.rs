//! Passwords and keys stand where their owners have put them, and nowhere else: not in logs, events, measurements, errors, argument lists,
//! state folders, or in the memory of a server that has checked them.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use carrack_tests::client::Client;
use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;

/// What is mistyped, sent at the wrong moment, or known to somebody else.
const WRONG: &str = "canary-that-was-mistyped";
const EARLY: &str = "canary-before-its-time";
const CLEAR: &str = "canary-without-tls";
const LONG: &str = "canary-in-an-endless-line";
const OUTSIDE: &str = "canary-of-another-directory";

/// All that has to stay where it is. The right password, and the server's key as it rests in its file.
fn canaries(server: &Server) -> Vec<String> {
    let key = fs::read_to_string(server.state().join("key.pem")).unwrap();
    let of_key = key.lines().nth(1).unwrap().to_owned();
    let words = [WRONG, EARLY, CLEAR, LONG, OUTSIDE].map(str::to_owned);
    words.into_iter().chain([password(USER), of_key]).collect()
}

fn holds_none(what: &str, bytes: &[u8], canaries: &[String]) {
    for canary in canaries {
        let found = bytes.windows(canary.len()).position(|window| window == canary.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(100)..bytes.len().min(at + 100)];
            panic!("{canary:?} stands in {what}: {}", String::from_utf8_lossy(around));
        }
    }
}

/// Every file beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let beneath = |entry: fs::DirEntry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => files(&entry.path()),
        kind if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    };
    entries.flat_map(beneath).collect()
}

/// A server that tells all it can: log at its most talkative, transfer log, events to a program, measurements.
fn talkative() -> Setup {
    let setup = Setup::new();
    let roots = format!("roots = [{:?}]", setup.folder());
    let setup = setup.top(&roots);
    let folder = setup.scratch();
    let script = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    };
    let events = folder.join("events");
    let told = script(
        "told",
        &format!("env >>{0}; tr '\\0' ' ' </proc/$$/cmdline >>{0}; cat >>{0}", events.display()),
    );
    let asked = folder.join("asked");
    let judge = format!(
        "env >>{0}; tr '\\0' ' ' </proc/$$/cmdline >>{0}; echo '{{\"login\":false}}'",
        asked.display()
    );
    let judge = script("judge", &judge);
    let on = r#"["login", "refusal", "upload", "upload_failed", "download"]"#;
    setup
        .option("log", "level", "\"debug\"")
        .option("log", "xferlog", &format!("{:?}", folder.join("xferlog")))
        .option("metrics", "address", "\"127.0.0.1:0\"")
        .option("metrics", "per_user", "10")
        .option("users", "program", &format!("[{judge:?}]"))
        .table(&format!("\n[[hook]]\nname = \"all\"\non = {on}\nprogram = [{told:?}]\n"))
}

/// Whatever people do with passwords, right and wrong.
fn people_come(server: &Server, tls: Tls) {
    let client = TlsClient::new(tls);
    let mut control = Control::greeted(server, Mode::Implicit, &client);
    control.expect(&format!("PASS {EARLY}"), 503);
    control.expect(&format!("XPASS {EARLY}"), 500);
    control.expect(&format!("ACCT {EARLY}"), 530);
    control.expect(&format!("USER {USER}"), 331);
    control.expect(&format!("PASS {WRONG}"), 530);
    control.expect("USER somebody", 331);
    control.expect(&format!("PASS {OUTSIDE}"), 530);
    control.login(USER);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.upload("file", b"bytes");
    control.expect("QUIT", 221);
    let mut clear = Control::connect(server.explicit, &client);
    clear.wait_for(220);
    clear.expect(&format!("USER {USER}"), 530);
    clear.expect(&format!("PASS {CLEAR}"), 530);
    let mut long = Control::greeted(server, Mode::Explicit, &client);
    long.expect(&format!("USER {USER}"), 331);
    long.expect(&format!("PASS {LONG}{}", "x".repeat(5000)), 500);
}

#[test]
fn they_stand_in_nothing_that_the_server_says_or_keeps() {
    if !needs(&["curl"]) {
        return;
    }
    let server = talkative().start();
    for tls in [Tls::V12, Tls::V13] {
        people_come(&server, tls);
        let fetch = |word: &str| {
            curl(&server, Mode::Explicit, tls)
                .args(["--user", &format!("{USER}:{word}")])
                .arg(url(&server, Mode::Explicit, "/file"))
                .run()
        };
        fetch(WRONG).fails();
        fetch(&password(USER)).ok();
    }
    let canaries = canaries(&server);
    server.logged("transfer", |line| line.text("direction") == "download");
    let events = server.scratch().join("events");
    wait::until_true("the events", || {
        fs::read_to_string(&events).unwrap_or_default().contains("\"download\"")
    });
    let log: String = server.logs.lines().into_iter().map(|line| line.raw + "\n").collect();
    assert!(log.contains("command_failed") && log.contains("login_failed"), "it is talkative");
    holds_none("the log", log.as_bytes(), &canaries);
    for name in ["events", "asked", "xferlog"] {
        let text = fs::read(server.scratch().join(name)).unwrap();
        assert!(!text.is_empty(), "{name}");
        holds_none(name, &text, &canaries);
    }
    for words in [&["status"][..], &["sessions"], &["bans"], &["status", "--json"], &["sessions", "--json"]] {
        let run =
            Program::new(program()).args(["ctl", "--config"]).arg(server.config()).args(words).run().ok();
        holds_none("carrack ctl", run.stdout.as_bytes(), &canaries);
    }
    let metrics = format!("http://{}/metrics", server.logged("metrics_listening", |_| true).text("address"));
    let page = Program::new("curl").args(["-q", "--silent", &metrics]).run().ok().stdout;
    assert!(page.contains("carrack_logins"), "{page}");
    holds_none("the measurements", page.as_bytes(), &canaries);
    for name in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{name}", server.pid())).unwrap();
        holds_none(name, &bytes, &canaries);
    }
    for file in files(&server.state()).into_iter().filter(|file| !file.ends_with("key.pem")) {
        holds_none(&file.display().to_string(), &fs::read(&file).unwrap(), &canaries);
    }
    let mode = fs::metadata(server.state().join("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

const PAGE: u64 = 4096;

/// What a process has in the memory that it can write, as far as it was touched.
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let open = |name: &str| fs::File::open(format!("/proc/{pid}/{name}")).unwrap();
    let (mem, pagemap) = (open("mem"), open("pagemap"));
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut entries = vec![0; usize::try_from((to - from) / PAGE * 8).unwrap()];
        pagemap.read_exact_at(&mut entries, from / PAGE * 8).unwrap();
        for (page, entry) in (from..to).step_by(4096).zip(entries.chunks_exact(8)) {
            // proc_pid_pagemap(5): bit 63 says that it is there.
            if entry[7] & 0x80 != 0 {
                let mut bytes = [0; 4096];
                // The kernel's own pages among them cannot be read.
                if mem.read_exact_at(&mut bytes, page).is_ok() {
                    all.extend_from_slice(&bytes);
                }
            }
        }
    }
    all
}

#[test]
fn the_memory_of_a_server_holds_no_password_once_it_was_checked() {
    let server = talkative().start();
    for tls in [Tls::V12, Tls::V13] {
        people_come(&server, tls);
    }
    wait::until_true("the end of all sessions", || {
        let lines = server.logs.lines();
        let count = |event: &str| lines.iter().filter(|line| line.is(event)).count();
        count("connected") == count("disconnected")
    });
    let dump = server.scratch().join("memory");
    fs::write(&dump, memory(server.pid())).unwrap();
    let holds = |word: &str| Program::new("grep").args(["-aobF", word]).arg(&dump).run().status.success();
    // Who it was is no secret.
    assert!(holds(USER));
    for word in [&password(USER), WRONG, EARLY, OUTSIDE] {
        assert!(!holds(word), "{word:?} is in the server's memory");
    }
}

#[test]
fn they_stand_in_nothing_that_the_client_says_or_keeps() {
    let server = Setup::new().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let canaries = [WRONG.to_owned(), password(USER)];
    let address = format!("ftpes://{USER}@{}/", server.explicit);
    for (word, exit) in [(password(USER), 0), (WRONG.to_owned(), 5)] {
        let client = Client::new(&word).flag("--trust-new");
        for words in [&["ls", "-vv"][..], &["ls", "--json"], &["cat", "-vv"], &["stat", "-vv", "--json"]] {
            let path = if words[0] == "cat" { format!("{address}file") } else { address.clone() };
            let run = client.ends_with(exit, words.iter().copied().chain([path.as_str()]));
            let said = format!("{}{}", run.stdout, run.stderr);
            holds_none(&format!("{words:?}"), said.as_bytes(), &canaries);
        }
        for file in files(client.folder()) {
            holds_none(&file.display().to_string(), &fs::read(&file).unwrap(), &canaries);
        }
    }
}
