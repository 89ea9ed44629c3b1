//! The program as a client that the tests start: without a terminal, or with one that they type on.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A prompt that does not come within this time will not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home of its own for one test, and commands that run in it.
pub struct Home {
    pub dir: PathBuf,
}

impl Home {
    pub fn new(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        Self { dir: dir.to_owned() }
    }

    /// `carrack …`, with no terminal: a session of its own has none.
    pub fn carrack<A: AsRef<str>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.detached("setsid", &["--wait"], arguments);
        command.stdin(Stdio::null());
        command
    }

    fn detached<A: AsRef<str>>(
        &self,
        program: &str,
        before: &[&str],
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.clean(program);
        command.args(before).arg(env!("CARGO_BIN_EXE_carrack"));
        command.args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        command
    }

    /// A program that finds nothing of whoever runs the tests.
    fn clean(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir).env("HOME", &self.dir).env("TZ", "UTC").env("TERM", "xterm");
        for variable in ["CARRACK_PASSWORD", "XDG_STATE_HOME", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it to its end: status, standard output, standard error.
    pub fn run<A: AsRef<str>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        Ran::from(self.carrack(arguments).output().unwrap())
    }

    /// The same with a password in the environment.
    pub fn run_with<A: AsRef<str>>(&self, password: &str, arguments: impl IntoIterator<Item = A>) -> Ran {
        Ran::from(self.carrack(arguments).env("CARRACK_PASSWORD", password).output().unwrap())
    }

    /// Starts it at a terminal, to which all three streams lead.
    pub fn at_terminal<A: AsRef<str>>(
        &self,
        password: Option<&str>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Terminal {
        let mut command = self.detached("setsid", &["--ctty", "--wait"], arguments);
        command.envs(password.map(|password| ("CARRACK_PASSWORD", password)));
        Terminal::start(command)
    }

    /// Runs a shell's script at a terminal; `$0` is the program, `$1` this argument.
    pub fn shell_at_terminal(&self, password: &str, script: &str, argument: &str) -> Terminal {
        let mut command = self.clean("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", script, env!("CARGO_BIN_EXE_carrack"), argument]);
        command.env("CARRACK_PASSWORD", password);
        Terminal::start(command)
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Standard output of a command that ended well.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self.out
    }

    /// Standard error of one that ended with this status.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self.err
    }
}

/// A program at a terminal.
pub struct Terminal {
    controller: File,
    child: Child,
    /// What was shown so far.
    pub shown: String,
}

impl Terminal {
    fn start(mut command: Command) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let open = || -> OwnedFd {
            rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
                .unwrap()
        };
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        drop(command);
        Self { controller: File::from(controller), child, shown: String::new() }
    }

    /// Reads until this is shown.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        while !self.shown.contains(text) {
            assert!(self.read_some(), "{text:?} is not shown: {}", self.shown);
        }
        self
    }

    /// Types.
    pub fn say(&mut self, text: &str) -> &mut Self {
        self.controller.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Reads to the end: the status, and all that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        while self.read_some() {}
        (self.child.wait().unwrap().code(), self.shown)
    }

    /// False at the end: the last program that had the terminal open has closed it.
    fn read_some(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut wanted = [PollFd::new(&self.controller, PollFlags::IN)];
        while poll(&mut wanted, Some(&rustix::time::Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap() == 0 {
            assert!(Instant::now() < deadline, "nothing more is shown: {}", self.shown);
        }
        let mut bytes = [0; 4096];
        match self.controller.read(&mut bytes) {
            Ok(length) => {
                self.shown.push_str(&String::from_utf8_lossy(bytes.get(..length).unwrap()));
                length > 0
            }
            Err(_) => false,
        }
    }
}
