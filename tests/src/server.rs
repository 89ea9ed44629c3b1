//! The server under test: the built program `carrack` as a process of its own, on ports the system picks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

use crate::logs::{Line, Logs};
use crate::setup::{Setup, USER, password};
use crate::wait;

/// The two ways into the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Clear greeting, then `AUTH TLS` (RFC 4217).
    Explicit,
    /// TLS from the first byte.
    Implicit,
}

/// Where the program stands: `CARRACK_BIN`, else the build beside this test, brought up to date once per process.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(given) = std::env::var_os("CARRACK_BIN") {
            return PathBuf::from(given);
        }
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "carrack-cli"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the program carrack does not build");
        profile.join("carrack")
    })
}

/// Whether the program is the one of `fips/`, and servers and clients are to be under FIPS 140-3 (`scripts/fips`).
pub fn under_fips() -> bool {
    std::env::var_os("CARRACK_FIPS").is_some()
}

/// Whether servers serve outside the sandbox and end in good order, so that LeakSanitizer can look at what they leave
/// (`scripts/sanitizers`): it traces the process that ends.
pub fn leaks_are_watched() -> bool {
    std::env::var_os("CARRACK_LEAKS").is_some()
}

/// A running server, ended when dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens for explicit FTPS.
    pub explicit: SocketAddr,
    /// Where it listens for implicit FTPS.
    pub implicit: SocketAddr,
    /// What it logs.
    pub logs: Logs,
    /// What it says on stderr; the same, unless its log goes to a file.
    pub errors: Logs,
    setup: Setup,
    child: Child,
    /// What follows the log where it goes to a file.
    tail: Option<Child>,
}

impl Server {
    /// Starts `carrack serve --config config` and waits for both listeners.
    pub(crate) fn start(setup: Setup, config: &Path) -> Server {
        let mut command = match setup.under.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program());
                command
            }
            None => Command::new(program()),
        };
        command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
        let (mut child, errors) = spawn(command.args(["serve", "--config"]).arg(config));
        child.stdout.take();
        let (tail, logs) = match setup.log_file() {
            Some(file) => {
                let (tail, logs) = follow(&file);
                (Some(tail), logs)
            }
            None => (None, errors.clone()),
        };
        let explicit = listening(&logs, Mode::Explicit);
        let implicit = listening(&logs, Mode::Implicit);
        Server { explicit, implicit, logs, errors, setup, child, tail }
    }

    /// Starts a server that was ended again, with the same folders and settings, on new ports.
    pub fn start_again(self) -> Server {
        self.start_again_with(|setup| setup)
    }

    /// The same with other settings.
    pub fn start_again_with(mut self, change: impl FnOnce(Setup) -> Setup) -> Server {
        self.end();
        change(std::mem::take(&mut self.setup)).start()
    }

    /// Writes the configuration anew; the server reads it at its next reload.
    pub fn rewrite(&mut self, change: impl FnOnce(Setup) -> Setup) {
        self.setup = change(std::mem::take(&mut self.setup));
        self.setup.write();
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.setup.folder().join("carrack.toml")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.setup.folder().join("state")
    }

    /// The listener of that mode.
    pub fn address(&self, mode: Mode) -> SocketAddr {
        match mode {
            Mode::Explicit => self.explicit,
            Mode::Implicit => self.implicit,
        }
    }

    /// The folder of the default user on the disk.
    pub fn home(&self) -> PathBuf {
        self.setup.home(USER)
    }

    /// The folder of some user on the disk.
    pub fn home_of(&self, user: &str) -> PathBuf {
        self.setup.home(user)
    }

    /// A folder of the test's own, beside what the server serves.
    pub fn scratch(&self) -> PathBuf {
        self.setup.scratch()
    }

    /// The default user's password.
    pub fn password(&self) -> String {
        password(USER)
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many file descriptors the server has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// How much memory the server holds.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends the server as a power cut would: SIGKILL, nothing flushed.
    pub fn kill(&mut self) {
        self.end();
    }

    /// Waits until the server has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        wait::until("the end of the server", || self.child.try_wait().unwrap())
    }

    /// Is the process still there?
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for a log line about `event` that `is_it` accepts.
    pub fn logged(&self, event: &str, mut is_it: impl FnMut(&Line) -> bool) -> Line {
        self.logs.wait_for_line(event, |line| line.is(event) && is_it(line))
    }

    /// How many transfers have been logged as incomplete so far.
    pub fn cut_transfers(&self) -> usize {
        count_cut(&self.logs.lines())
    }

    /// Waits until one more transfer than `before` has been logged as incomplete: the server has then noticed the cut
    /// and let go of the file.
    pub fn wait_for_cut_after(&self, before: usize) {
        self.logs.wait_for("a cut transfer", |lines| (count_cut(lines) > before).then_some(()));
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut tail) = self.tail.take() {
            let _ = tail.kill();
            let _ = tail.wait();
        }
        // What a sanitizer has found that the program was built with (scripts/sanitizers), whatever became of the session.
        let reported = self.errors.lines().iter().any(|line| line.raw.contains("Sanitizer: "));
        assert!(!reported || std::thread::panicking(), "{:#?}", self.errors.lines());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if leaks_are_watched() && !std::thread::panicking() && matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            wait::until_true("the end of a server", || matches!(self.child.try_wait(), Ok(Some(_))));
        }
        self.end();
        if std::thread::panicking() {
            let log: Vec<String> = self.logs.lines().into_iter().map(|line| line.raw).collect();
            eprintln!("the server's log:\n{}", log.join("\n"));
        }
    }
}

fn count_cut(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.is("transfer") && line.text("complete") == "false").count()
}

/// Starts a program that logs on stderr, with nothing on stdin and stdout kept for the caller.
pub fn spawn(command: &mut Command) -> (Child, Logs) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("CARRACK_PASSWORD");
    let mut child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let logs = Logs::follow(child.stderr.take().unwrap());
    (child, logs)
}

/// Follows a log file from its beginning, also through rotations.
fn follow(file: &Path) -> (Child, Logs) {
    let mut tail = Command::new("tail");
    tail.args(["--lines=+1", "--sleep-interval=0.01", "-F"]).arg(file);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let logs = Logs::follow(tail.stdout.take().unwrap());
    (tail, logs)
}

/// The address in the log line that says where a mode is listened for.
pub fn listening(logs: &Logs, mode: Mode) -> SocketAddr {
    let word = match mode {
        Mode::Explicit => "explicit",
        Mode::Implicit => "implicit",
    };
    let line = logs.wait_for_line(word, |line| line.is("listening") && line.text("mode") == word);
    line.text("address").parse().unwrap_or_else(|why| panic!("{}: {why}", line.raw))
}
