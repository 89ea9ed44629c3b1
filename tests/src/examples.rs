//! A scenario of `examples/`, set up as its page says and running on this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::logs::Logs;
use crate::programs::{Program, Run};
use crate::server::{Mode, listening, program, spawn, under_fips};
use crate::setup::{password, password_hash};

/// A scenario in a folder of its own: its configuration, and what its page has made beside it.
#[derive(Debug)]
pub struct Example {
    folder: TempDir,
    namespace: Option<String>,
}

impl Example {
    /// Makes what the page says, with [`password`] for each user. `local` are addresses and networks of the scenario, and what stands
    /// for them on this machine.
    pub fn new(name: &str, local: &[(&str, &str)]) -> Example {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let folder = tempfile::Builder::new().prefix("carrack-example-").tempdir().unwrap();
        let example = Example { folder, namespace: None };
        for command in commands(&fs::read_to_string(from.join("README.md")).unwrap()) {
            example.does(&command);
        }
        let text = fs::read_to_string(from.join("carrack.toml")).unwrap();
        fs::write(example.path("carrack.toml"), here(&text, local)).unwrap();
        example
    }

    /// A file of the scenario.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of the page there.
    fn does(&self, command: &str) {
        let programs = program().parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
        Program::new("bash").args(["-c", command]).env("PATH", path).folder(self.folder.path()).run().ok();
    }

    /// It runs in this network namespace, at the ports of the scenario; without, at ports of the loopback that the system picks.
    pub fn within(self, namespace: String) -> Example {
        Example { namespace: Some(namespace), ..self }
    }

    /// Starts its server.
    pub fn start(self) -> RunningExample {
        let file = self.path("carrack.toml");
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program());
                command
            }
            None => {
                let text = fs::read_to_string(&file).unwrap();
                fs::write(&file, at_loopback(&text)).unwrap();
                Command::new(program())
            }
        };
        command.args(["serve", "--log-format", "json", "--config"]).arg(&file);
        let (child, logs) = spawn(&mut command);
        RunningExample { example: self, child, logs }
    }
}

/// The commands of a page before those that need a server.
fn commands(page: &str) -> Vec<String> {
    let made = |line: &&str| !line.contains("://");
    page.lines().filter_map(|line| line.strip_prefix("$ ")).filter(made).map(str::to_owned).collect()
}

/// A configuration as it can run here.
fn here(text: &str, local: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (theirs, ours) in local {
        assert!(text.contains(theirs), "{theirs} is not in the example");
        text = text.replace(theirs, ours);
    }
    let mut user = String::new();
    let line = |line: &str| {
        if let Some(name) = line.strip_prefix("name = \"") {
            name.split('"').next().unwrap_or_default().clone_into(&mut user);
        }
        if line.starts_with("password = ") {
            format!("password = '{}'", password_hash(&password(&user)))
        } else if line.starts_with("fips = true") && !under_fips() {
            // The program of this test is built without the module.
            String::new()
        } else {
            line.to_owned()
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn at_loopback(text: &str) -> String {
    let line = |line: &'_ str| match line.starts_with("address = ") {
        true => "address = \"127.0.0.1:0\"".to_owned(),
        false => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A scenario whose server runs; it ends when this is dropped.
#[derive(Debug)]
pub struct RunningExample {
    example: Example,
    child: Child,
    /// What it logs.
    pub logs: Logs,
}

impl RunningExample {
    /// Where it listens.
    pub fn address(&self, mode: Mode) -> SocketAddr {
        listening(&self.logs, mode)
    }

    /// A file of the scenario.
    pub fn path(&self, name: &str) -> PathBuf {
        self.example.path(name)
    }

    /// A file that is served.
    pub fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What rests in a file that is served.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// curl as that user, under TLS as the listener begins it.
    pub fn curl(&self, mode: Mode, user: &str, path: &str, arguments: &[&str]) -> Run {
        let required: &[&str] = if mode == Mode::Explicit { &["--ssl-reqd"] } else { &[] };
        self.plain_curl(mode, user, path, &[required, arguments].concat())
    }

    /// The same without TLS, where the listener is explicit.
    pub fn plain_curl(&self, mode: Mode, user: &str, path: &str, arguments: &[&str]) -> Run {
        let scheme = if mode == Mode::Explicit { "ftp" } else { "ftps" };
        Program::new("curl")
            .args(["-q", "--silent", "--show-error", "--insecure", "--user"])
            .arg(format!("{user}:{}", password(user)))
            .args(arguments)
            .arg(format!("{scheme}://{}{path}", self.address(mode)))
            .folder(self.example.folder.path())
            .run()
    }
}

impl Drop for RunningExample {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log: Vec<String> = self.logs.lines().into_iter().map(|line| line.raw).collect();
            eprintln!("the server's log:\n{}", log.join("\n"));
        }
    }
}
