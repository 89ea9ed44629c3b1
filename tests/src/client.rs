//! The client under test: the built program `carrack` with a state folder of its own, and what it prints for programs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::hostile_server::HostileServer;
use crate::hosts::{Host, Hosts};
use crate::peers::RunningPeer;
use crate::programs::{Program, Run, Tls};
use crate::server;

/// One user of the client on one machine: what is remembered from run to run, and the flags that every run has.
#[derive(Debug)]
pub struct Client {
    folder: TempDir,
    password: String,
    flags: Vec<OsString>,
}

impl Client {
    /// Somebody with that password, who trusts nobody yet.
    pub fn new(password: &str) -> Client {
        let folder = tempfile::Builder::new().prefix("carrack-client-").tempdir().unwrap();
        let mut flags = vec!["--state".into(), folder.path().join("state").into()];
        flags.extend(server::under_fips().then(|| "--fips".into()));
        Client { folder, password: password.to_owned(), flags }
    }

    /// The user of a server, who trusts its authority.
    pub fn of(running: &RunningPeer) -> Client {
        Client::new(&running.password()).trusting(&running.authority)
    }

    /// The user of a hostile server, who trusts its authority.
    pub fn victim(server: &HostileServer) -> Client {
        Client::new(&server.password()).trusting(&server.authority)
    }

    /// Trusts that authority alone.
    pub fn trusting(self, authority: &Authority) -> Client {
        let file = authority.file(self.folder.path());
        self.flag("--ca").flag(file)
    }

    /// One more flag for every run.
    pub fn flag(mut self, flag: impl AsRef<OsStr>) -> Client {
        self.flags.push(flag.as_ref().to_owned());
        self
    }

    /// Speaks that version of TLS only.
    pub fn speaking(self, version: Tls) -> Client {
        self.flag("--tls").flag(match version {
            Tls::V12 => "1.2",
            Tls::V13 => "1.3",
        })
    }

    /// A run, not started yet. Every argument but the flags that all runs have.
    pub fn program<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.dressed(Program::new(server::program()), arguments)
    }

    /// A run on one of several hosts.
    pub fn on<A: AsRef<OsStr>>(
        &self,
        (hosts, host): (&Hosts, Host),
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        self.dressed(hosts.run(host, server::program()), arguments)
    }

    /// A run whose output goes into another command of the shell; its end is the client's.
    pub fn piped_into<A: AsRef<OsStr>>(
        &self,
        command: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        let script = format!("\"$@\" | {command}; exit ${{PIPESTATUS[0]}}");
        self.dressed(Program::new("bash").args(["-c", &script, "bash"]).arg(server::program()), arguments)
    }

    fn dressed<A: AsRef<OsStr>>(&self, program: Program, arguments: impl IntoIterator<Item = A>) -> Program {
        program
            .args(arguments)
            .args(&self.flags)
            .env("CARRACK_PASSWORD", &self.password)
            .env("TZ", "UTC")
            .folder(self.folder.path())
    }

    /// Runs it to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.program(arguments).run()
    }

    /// Runs it to its end, which has to be a good one; what it printed.
    pub fn prints<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        self.run(arguments).ok().stdout
    }

    /// Runs it to its end, which has to be this exit status; all the rest.
    pub fn ends_with<A: AsRef<OsStr>>(&self, status: i32, arguments: impl IntoIterator<Item = A>) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.status.code(), Some(status), "{}", run.report());
        run
    }

    /// Its working folder, where it finds relative names.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of its working folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The objects of a run with `--json`.
pub fn objects(printed: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    printed.lines().map(parse).collect()
}

/// The last object of a run of `cp --json`: all files together.
pub fn summary(printed: &str) -> Value {
    let last = objects(printed).pop().unwrap_or(Value::Null);
    assert_eq!(last["event"], "summary", "{printed}");
    last
}
