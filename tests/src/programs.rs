//! Other people's programs: curl, lftp, Python and OpenSSL, run with a deadline and their output captured.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::server::{Mode, Server};
use crate::setup::USER;
use crate::wait;

/// The version of TLS that a client is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS 1.2 alone.
    V12,
    /// TLS 1.3 alone.
    V13,
}

/// Both modes with both versions.
pub const EVERY_WAY: [(Mode, Tls); 4] = [
    (Mode::Explicit, Tls::V12),
    (Mode::Explicit, Tls::V13),
    (Mode::Implicit, Tls::V12),
    (Mode::Implicit, Tls::V13),
];

/// Whether these programs are here. A test that needs one begins with `if !needs(&["lftp"]) { return; }`.
///
/// Without them the test is left out and says so; where `CI` is set that is a failure. `CARRACK_TESTS=quick` leaves
/// out every test that needs a program.
pub fn needs(programs: &[&str]) -> bool {
    if std::env::var("CARRACK_TESTS").is_ok_and(|which| which == "quick") {
        eprintln!("left out: a quick run has no real programs");
        return false;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let absent: Vec<_> = programs.iter().filter(|program| !found(program)).collect();
    if absent.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "not installed: {absent:?}");
    eprintln!("left out: not installed: {absent:?}");
    false
}

/// A program to run, with a home folder of its own so that nobody's settings are read.
#[derive(Debug)]
pub struct Program {
    command: Command,
    input: Vec<u8>,
    home: Option<tempfile::TempDir>,
}

impl Program {
    /// A program by name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Program {
        let home = tempfile::Builder::new().prefix("carrack-home-").tempdir().unwrap();
        let mut command = Command::new(program);
        command.env("HOME", home.path()).env("LC_ALL", "C.UTF-8");
        command.env_remove("CARRACK_PASSWORD").env_remove("XDG_STATE_HOME");
        Program { command, input: Vec::new(), home: Some(home) }
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.command.arg(argument);
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Program {
        self.command.args(arguments);
        self
    }

    /// One variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// Where it runs.
    pub fn folder(mut self, folder: &Path) -> Program {
        self.command.current_dir(folder);
        self
    }

    /// What it reads on stdin.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Program {
        self.input = bytes.into();
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Run {
        self.spawn().wait()
    }

    /// Starts it and lets it run.
    pub fn spawn(mut self) -> Running {
        let name = format!("{:?}", self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|why| panic!("{name}: {why}"));
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input;
        // A program that does not read its input closes the pipe early, which is its right.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Running { name, child, outputs: Some((stdout, stderr)), peak_kib: 0, _home: self.home }
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A program that runs; ended when dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    outputs: Option<(JoinHandle<String>, JoinHandle<String>)>,
    peak_kib: u64,
    _home: Option<tempfile::TempDir>,
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        let what = format!("the end of {}", self.name);
        let status = wait::until(&what, || {
            self.look_at_memory();
            self.child.try_wait().unwrap()
        });
        self.outputs(status)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A process that has ended says nothing of its memory any more, so it is asked while it runs.
    fn look_at_memory(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        self.peak_kib = self.peak_kib.max(peak.unwrap_or(0));
    }

    /// Ends it at once, as a user with Ctrl-C twice or a crash would.
    pub fn kill(mut self) -> Run {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        self.outputs(status)
    }

    fn outputs(&mut self, status: ExitStatus) -> Run {
        let (stdout, stderr) = self.outputs.take().unwrap();
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        Run { name: self.name.clone(), status, stdout, stderr, peak_kib: self.peak_kib }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// The most memory that it held at a time, as far as it was seen while it ran.
    pub peak_kib: u64,
}

impl Run {
    /// Panics with all the output unless the program succeeded.
    pub fn ok(self) -> Run {
        assert!(self.status.success(), "{}", self.report());
        self
    }

    /// Panics with all the output unless the program failed.
    pub fn fails(self) -> Run {
        assert!(!self.status.success(), "{}", self.report());
        self
    }

    /// Everything, for a message.
    pub fn report(&self) -> String {
        let Run { name, status, stdout, stderr, .. } = self;
        format!("{name}: {status}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

/// A curl run against a server as the default user: `url` is the path, beginning with `/`.
pub fn curl(server: &Server, mode: Mode, tls: Tls) -> Program {
    let required: &[&str] = if mode == Mode::Explicit { &["--ssl-reqd"] } else { &[] };
    curl_protecting(server, tls, required)
}

/// [`curl`] with words of one's own about what TLS is to protect.
pub fn curl_protecting(server: &Server, tls: Tls, protection: &[&str]) -> Program {
    let version: &[&str] = match tls {
        Tls::V12 => &["--tlsv1.2", "--tls-max", "1.2"],
        Tls::V13 => &["--tlsv1.3"],
    };
    Program::new("curl")
        .args(["-q", "--silent", "--show-error", "--insecure", "--user"])
        .arg(format!("{USER}:{}", server.password()))
        .args(version)
        .args(protection)
}

/// A URL that curl and lftp understand, for a path that is percent-encoded as needed.
pub fn url(server: &Server, mode: Mode, path: &str) -> String {
    let scheme = if mode == Mode::Explicit { "ftp" } else { "ftps" };
    format!("{scheme}://{}{}", server.address(mode), percent_encoded(path))
}

/// A path as it stands in a URL.
pub fn percent_encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// An lftp run of a script, logged in as the default user. The script fails at its first failing command.
///
/// lftp reads its whole file of certificate authorities for every connection, so it is given an empty one.
pub fn lftp(server: &Server, mode: Mode, tls: Tls, script: &str) -> Program {
    lftp_at(server, &url(server, mode, ""), tls, script)
}

/// [`lftp`] at another address than the server's own, as behind a proxy.
pub fn lftp_at(server: &Server, open: &str, tls: Tls, script: &str) -> Program {
    let priority = match tls {
        Tls::V12 => "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        Tls::V13 => "NORMAL:-VERS-ALL:+VERS-TLS1.3",
    };
    let (user, password) = (USER, server.password());
    let settings = format!(
        "set cmd:fail-exit yes\nset net:max-retries 1\nset net:timeout 100\nset net:persist-retries 0\n\
         set ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ssl:verify-certificate no\nset ssl:ca-file /dev/null\n\
         set ssl:priority {priority}\nset xfer:clobber yes\nset ftp:prefer-epsv yes\n\
         open -u \"{user},{password}\" {open}\n{script}\n"
    );
    Program::new("lftp").args(["--norc", "-f", "/dev/stdin"]).input(settings)
}

/// A Python program from `tests/programs` with its arguments.
pub fn python(program: &str, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
    Program::new("python3").arg(python_path(program)).args(arguments.into_iter().map(Into::into))
}

/// Where a Python program from `tests/programs` stands.
pub fn python_path(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(program)
}
