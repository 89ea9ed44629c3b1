//! Does docs/client-certificates.md lead from nothing to a login by certificate, command by command as it stands there?

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};

use carrack_tests::loopback::free_port;
use carrack_tests::pages::blocks;
use carrack_tests::programs::{Program, Run, needs};
use carrack_tests::server::{program, spawn};

const PAGE: &str = "docs/client-certificates.md";

/// Ended when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn from_nothing_to_a_login_by_certificate() {
    if !needs(&["bash", "curl"]) {
        return;
    }
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    for folder in ["home", "bin", "files"] {
        fs::create_dir(here.join(folder)).unwrap();
    }
    symlink(program(), here.join("bin/carrack")).unwrap();
    fs::write(here.join("files/hello.txt"), "hello, sea\n").unwrap();
    let port = free_port().to_string();
    let on_port = |text: &str| text.replace(":2121", &format!(":{port}"));
    let configuration = &blocks(PAGE, "toml")[0].text;
    fs::write(here.join("carrack.toml"), on_port(configuration)).unwrap();

    let commands: Vec<String> = blocks(PAGE, "console")
        .iter()
        .flat_map(|block| block.text.lines())
        .map(|line| on_port(line.strip_prefix("$ ").expect("the page shows commands alone")))
        .collect();
    // The sixth is the fifth once more, with curl.
    assert_eq!(commands.len(), 6, "{commands:#?}");
    for command in &commands[..3] {
        shell(here, command).ok();
    }
    let serve = commands[3].strip_prefix("carrack ").unwrap();
    let mut server = Command::new(program());
    server
        .args(serve.split(' '))
        .current_dir(here)
        .env("HOME", here.join("home"))
        .env_remove("XDG_STATE_HOME");
    let (child, logs) = spawn(&mut server);
    let _served = Served(child);
    logs.wait_for_line("listening", |line| line.raw.contains(" listening "));
    for command in &commands[4..] {
        let said = shell(here, command).ok().stdout;
        assert!(said.contains("hello.txt"), "{command}: {said}");
    }
    logs.wait_for_line("the login", |line| {
        line.raw.contains(" login ") && line.raw.contains("Alice Example")
    });
    // Without the certificate the same command leads nowhere.
    let (plain, _) = commands[5].split_once(" --cert ").unwrap();
    let refused = shell(here, &format!("{plain} --user alice:x ftp://localhost:{port}/")).fails();
    assert!(!refused.stdout.contains("hello.txt"), "{}", refused.report());
}

fn shell(here: &Path, command: &str) -> Run {
    let path = format!("{}:{}", here.join("bin").display(), std::env::var("PATH").unwrap());
    Program::new("bash").args(["-euo", "pipefail", "-c", command]).env("PATH", path).folder(here).run()
}
