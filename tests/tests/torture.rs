//! Every system call of a session fails once in turn: login, upload, replacement, download, listing, renaming, deleting. What was
//! acknowledged is there, what was not is whole or as it was, nothing is left open, and the next session finds a server in order.
//!
//! strace makes them fail, in the real program. `./test` tries the first and the last call of each kind; with
//! `CARRACK_TORTURE=all` (`scripts/torture`) it is every call.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use carrack_tests::control::Control;
use carrack_tests::figures::figure;
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{tree, wait};
use rustix::process::{Pid, Signal, kill_process};

/// What can fail, and how. Not tried: memory, without which a Rust program ends; the waits for events; and write(2), by which threads
/// wake one another as well, where it cannot fail.
const CALLS: [(&str, &str); 30] = [
    ("accept4", "EMFILE"),
    ("bind", "EADDRINUSE"),
    ("clone3", "EAGAIN"),
    ("dup", "EMFILE"),
    ("epoll_ctl", "ENOMEM"),
    ("fallocate", "ENOSPC"),
    ("fchmod", "EIO"),
    ("fcntl", "EMFILE"),
    ("fdatasync", "EIO"),
    ("fsync", "EIO"),
    ("ftruncate", "EIO"),
    ("getdents64", "EIO"),
    ("getsockname", "ENOBUFS"),
    ("linkat", "ENOSPC"),
    ("listen", "EADDRINUSE"),
    ("mkdirat", "ENOSPC"),
    ("openat", "EMFILE"),
    ("openat2", "EMFILE"),
    ("pread64", "EIO"),
    ("preadv2", "EIO"),
    ("pwritev", "ENOSPC"),
    ("readlinkat", "EIO"),
    ("recvfrom", "ECONNRESET"),
    ("renameat", "EIO"),
    ("renameat2", "EIO"),
    ("sendto", "EPIPE"),
    ("socket", "EMFILE"),
    ("statx", "EIO"),
    ("sync_file_range", "EIO"),
    ("unlinkat", "EIO"),
];

/// strace at work on a server; it lets go when dropped.
struct Strace(Child);

impl Strace {
    fn attach(server: &Server, arguments: &[&str]) -> Strace {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &server.pid().to_string()]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "{said}");
        // It must never wait for somebody to read.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Strace(child)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        self.0.wait().unwrap();
    }
}

/// A file's bytes, where there is one.
type Content = Option<Vec<u8>>;

/// What one session may have made of its files.
#[derive(Default)]
struct Told(Mutex<BTreeMap<String, Vec<Content>>>);

impl Told {
    /// What is asked for: from now on the file may be so as well.
    fn may_be(&self, name: &str, content: Option<&[u8]>) {
        self.0.lock().unwrap().entry(name.to_owned()).or_default().push(content.map(<[u8]>::to_vec));
    }

    /// What was acknowledged: it is so and not otherwise.
    fn is(&self, name: &str, content: Option<&[u8]>) {
        self.0.lock().unwrap().insert(name.to_owned(), vec![content.map(<[u8]>::to_vec)]);
    }

    fn check(&self, home: &Path, what: &str) {
        for (name, allowed) in &*self.0.lock().unwrap() {
            let at_rest = fs::read(home.join(name)).ok();
            assert!(
                allowed.contains(&at_rest),
                "{what}: {name} is {:?} bytes long",
                at_rest.map(|it| it.len())
            );
        }
    }
}

/// One session that does a little of everything. It ends, panicking, where an answer is not the one it hopes for.
fn session(server: &Server, run: usize, told: &Told) {
    let [new, old, moved, folder] = ["new", "old", "moved", "folder"].map(|name| format!("{run}-{name}"));
    let (small, large) = (tree::bytes(1, 20_000), tree::bytes(2, 400_000));
    let mut control = Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);

    told.may_be(&new, Some(&small));
    control.upload(&new, &small);
    told.is(&new, Some(&small));

    told.may_be(&old, Some(&large));
    control.upload(&old, &large);
    told.is(&old, Some(&large));
    assert!(control.download(&old) == large, "226 for another file");
    control.listing("MLSD");

    control.expect(&format!("MKD {folder}"), 257);
    told.may_be(&moved, Some(&small));
    told.may_be(&new, None);
    control.expect(&format!("RNFR {new}"), 350);
    control.expect(&format!("RNTO {moved}"), 250);
    told.is(&new, None);
    told.is(&moved, Some(&small));

    told.may_be(&old, None);
    control.expect(&format!("DELE {old}"), 250);
    told.is(&old, None);
    control.expect("QUIT", 221);
}

/// Runs a session, come what may; whether it went well to its end.
fn run_session(server: &Server, run: usize) -> (Told, bool) {
    let told = Told::default();
    let old = tree::bytes(3, 1000);
    fs::write(server.home().join(format!("{run}-old")), &old).unwrap();
    told.may_be(&format!("{run}-old"), Some(&old));
    told.may_be(&format!("{run}-new"), None);
    told.may_be(&format!("{run}-moved"), None);
    let well = std::thread::scope(|scope| scope.spawn(|| session(server, run, &told)).join().is_ok());
    (told, well)
}

/// How often each call is made by one thread, at most, while a session runs.
fn counts(server: &Server, run: usize) -> BTreeMap<String, usize> {
    let trace = server.scratch().join("trace");
    let calls = CALLS.map(|(call, _)| format!("?{call}")).join(",");
    let strace = Strace::attach(server, &["-o", trace.to_str().unwrap(), "-e", &format!("trace={calls}")]);
    let (told, well) = run_session(server, run);
    assert!(well);
    drop(strace);
    told.check(&server.home(), "undisturbed");
    let mut by_thread = BTreeMap::<(String, String), usize>::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        // `thread call(…`
        let Some((thread, call)) = line.split_once('(').and_then(|(front, _)| front.split_once(' ')) else {
            continue;
        };
        *by_thread.entry((call.trim().to_owned(), thread.to_owned())).or_default() += 1;
    }
    let mut most = BTreeMap::<String, usize>::new();
    for ((call, _), count) in by_thread {
        let entry = most.entry(call).or_default();
        *entry = (*entry).max(count);
    }
    most
}

#[test]
fn every_call_fails_once_and_nothing_is_lost() {
    let server = Setup::new().start();
    // What is made once, threads above all, is there before anything is counted.
    for run in 0..3 {
        assert!(run_session(&server, run).1);
    }
    let at_first = wait::until("the first sessions to be gone", || {
        server.logs.lines().iter().filter(|line| line.is("disconnected")).nth(2).map(|_| server.descriptors())
    });
    let counts = counts(&server, 3);
    let all = std::env::var_os("CARRACK_TORTURE").is_some();
    let (mut run, mut survived) = (4, 0);
    for (call, error) in CALLS {
        let Some(&most) = counts.get(call) else { continue };
        let mut numbers: Vec<_> = if all { (1..=most).collect() } else { vec![1, most] };
        numbers.dedup();
        for number in numbers {
            let what = format!("{call} number {number} fails with {error}");
            let inject = format!("inject={call}:error={error}:when={number}");
            let strace =
                Strace::attach(&server, &["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let (told, well) = run_session(&server, run);
            drop(strace);
            survived += usize::from(well);
            told.check(&server.home(), &what);
            for name in Control::open(&server).listing("NLST").lines() {
                assert!(
                    name.split_once('-').is_some_and(|(run, _)| run.parse::<usize>().is_ok()),
                    "{what}: {name}"
                );
            }
            let (told, well) = run_session(&server, run + 1);
            assert!(well, "{what}: the next session");
            told.check(&server.home(), &format!("behind {what}"));
            run += 2;
        }
    }
    wait::until_true("all to be closed", || server.descriptors() <= at_first);
    let failed = (run - 4) / 2;
    figure(
        "system calls that failed, each in a session of its own",
        "all",
        format_args!("{failed}, {survived} sessions came to their end"),
    );
    figure("acknowledged files lost, descriptors left", 0, 0);
}
