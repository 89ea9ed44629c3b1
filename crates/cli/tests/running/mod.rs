//! A `carrack serve` that the tests start, ask and stop.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part of it")]

pub mod client;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A server that runs.
pub struct Running {
    pub child: Child,
    /// What it printed.
    pub hints: String,
}

/// `carrack serve FOLDER` on free ports.
pub fn carrack(folder: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrack"));
    command.args(["serve", "--explicit", "127.0.0.1:0", "--implicit", "127.0.0.1:0", "--log-format", "json"]);
    command.arg("--state").arg(state).arg(folder).env_remove("CARRACK_PASSWORD");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Running {
    /// Starts a server and reads what it prints until it says that it can be stopped.
    pub fn start(mut command: Command) -> Self {
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

    /// The port of explicit FTPS.
    pub fn port(&self) -> &str {
        self.value("explicit FTPS").rsplit(':').next().unwrap()
    }

    /// A URL on it: `ftpes://carrack@localhost:PORT/path`.
    pub fn url(&self, path: &str) -> String {
        format!("ftpes://carrack@localhost:{}/{path}", self.port())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// Stops it: its status, and what it logged.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.terminate();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }

    /// The word that the help gives for this label.
    pub fn value(&self, label: &str) -> &str {
        let line = self.hints.lines().find(|line| line.trim_start().starts_with(label)).expect(label);
        line.trim_start().strip_prefix(label).unwrap().split_whitespace().next().unwrap()
    }
}

impl Drop for Running {
    /// No server outlives its test.
    fn drop(&mut self) {
        // One that was stopped has ended, and is not there to be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program said on standard error.
pub fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
