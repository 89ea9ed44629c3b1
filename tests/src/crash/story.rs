//! What does the real program do on its disk? One client does with it all that leaves traces there, under strace, and
//! writes down what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::disk::{Disk, Step};
use super::trace;
use crate::control::Control;
use crate::programs::Tls;
use crate::server::{Mode, Server};
use crate::setup::{EVERYTHING, Setup, USER};
use crate::tls_client::TlsClient;
use crate::wire::Wire;
use crate::{tree, wait};

/// What tells one run of the operating system from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What a client knows of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// What is whole.
    pub whole: BTreeMap<String, Vec<u8>>,
    /// What was sent of uploads that were cut, and would be sent.
    pub unfinished: BTreeMap<String, Vec<u8>>,
    /// Folders but the first.
    pub folders: BTreeSet<String>,
}

/// What the program did, and what it said.
#[derive(Clone, Debug)]
pub struct Story {
    /// All that was asked of the disk.
    pub disk: Disk,
    /// Where it lay.
    pub root: PathBuf,
    /// The machine's boot id meanwhile.
    pub boot: String,
    /// How many replies had been said, and what was true then.
    pub history: Vec<(usize, Files)>,
}

/// Where the home lies on the disk.
pub const HOME: &str = "homes/carrack";

/// The configuration.
pub const CONFIG: &str = "carrack.toml";

/// A client that writes down what it is told.
struct Client {
    server: Server,
    control: Option<Control>,
    disk: Disk,
    root: PathBuf,
    files: Files,
    history: Vec<(usize, Files)>,
    /// Replies in clear on control connections that have ended.
    replies: usize,
    runs: usize,
    seed: u64,
}

/// The settings of the server that is watched. Its control connections go on in clear, so that the trace shows what is told when.
fn setup() -> Setup {
    let setup = Setup::new();
    let secret = setup.scratch().join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    // Nobody listens there: events stay in their outbox.
    let hook = format!(
        "[[hook]]\nname = \"nobody\"\nurl = \"http://127.0.0.1:9/\"\nsecret_file = {secret:?}\non = [\"upload\", \"delete\"]"
    );
    setup
        .explicit("ccc = \"allow\"")
        .user(USER, &[EVERYTHING, "quota_bytes = 1000000000"])
        .table(&hook)
        .quick_logins()
}

impl Story {
    /// Lets the program do it all.
    pub fn tell() -> Story {
        let setup = setup();
        let root = fs::canonicalize(setup.folder()).unwrap();
        // A trace is no part of the disk.
        let traces = tempfile::tempdir().unwrap();
        setup.write();
        let disk = Disk::of(&root);
        let server = setup.under(&under(&traces.path().join("0")).each_ref().map(String::as_str)).start();
        let mut client = Client {
            server,
            control: None,
            disk,
            root,
            files: Files::default(),
            history: vec![(0, Files::default())],
            replies: 0,
            runs: 0,
            seed: 1,
        };
        client.first_run();
        let mut client = client.restart(traces.path(), Signal::TERM);
        client.second_run();
        let mut client = client.restart(traces.path(), Signal::KILL);
        client.third_run();
        client.end(traces.path(), Signal::TERM);
        let boot = fs::read_to_string(BOOT_ID).unwrap().trim().to_owned();
        Story { disk: client.disk, root: client.root, boot, history: client.history }
    }

    /// What is true for certain when so much was said, and what may be true already.
    pub fn told(&self, said: usize) -> (&Files, &Files) {
        let known = self.history.iter().rposition(|(replies, _)| *replies <= said).unwrap();
        let next = self.history.get(known + 1).unwrap_or(&self.history[known]);
        (&self.history[known].1, &next.1)
    }
}

/// The command that watches the server and writes down what it does.
fn under(trace: &Path) -> [String; 10] {
    let words = trace::STRACE.map(String::from);
    let [a, b, c, d, e, f] = words;
    [a, b, c, d, e, f, "-e".to_owned(), trace::CALLS.to_owned(), "-o".to_owned(), trace.display().to_string()]
}

impl Client {
    fn first_run(&mut self) {
        self.log_in();
        self.store("small", 20_000);
        self.store("large", 240_000);
        self.store("small", 25_000);
        self.store("large", 198_000);
        self.make_folder("folder");
        self.store("folder/in", 84_000);
        self.rename("small", "moved");
        self.rename("large", "moved");
        self.rename("moved", "folder/moved");
        for size in [3_000, 30_000, 90_000] {
            self.append("log", size);
        }
        self.append_and_cut("log", 70_000);
        // Uploads that are cut, and go on or are begun anew.
        for name in ["first", "folder/in"] {
            self.store_and_cut(name, 180_000, 120_000);
            self.resume(name);
        }
        self.store_and_cut("anew", 180_000, 150_000);
        self.store("anew", 168_000);
        self.store_and_cut("anew", 186_000, 162_000);
        self.store_and_cut("anew", 174_000, 84_000);
        self.resume("anew");
        // What is cut in a folder goes along with it, and another takes its place.
        self.store_and_cut("folder/kept", 180_000, 120_000);
        self.rename_folder("folder", "elsewhere");
        self.make_folder("folder");
        self.store_and_cut("folder/kept", 168_000, 138_000);
        self.store_from("anew", 70_000, 60_000);
        self.store_and_cut("before the end", 150_000, 120_000);
        self.quit();
    }

    fn second_run(&mut self) {
        self.log_in();
        self.resume("before the end");
        self.resume("elsewhere/kept");
        self.delete("anew");
        self.make_folder("empty");
        self.remove_folder("empty");
        self.store_and_cut("empty", 90_000, 70_000);
        self.append("log", 120_000);
        self.store_and_be_killed("killed", 180_000);
    }

    fn third_run(&mut self) {
        self.log_in();
        self.resume("killed");
        self.store("empty", 102_000);
        self.quit();
    }

    fn log_in(&mut self) {
        let mut control = Control::session(&self.server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);
        control.wire.end_tls(b"CCC\r\n", b"").unwrap();
        // The greeting and the answer to AUTH TLS came in clear; what came under TLS is not seen from outside.
        control.replies = 2;
        self.control = Some(control);
    }

    fn quit(&mut self) {
        self.control().expect("QUIT", 221);
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.replies += self.control.take().map_or(0, |control| control.replies);
    }

    fn control(&mut self) -> &mut Control {
        self.control.as_mut().unwrap()
    }

    /// What has just been told is true from now on.
    fn now(&mut self) {
        let said = self.replies + self.control().replies;
        self.history.push((said, self.files.clone()));
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        self.seed += 1;
        tree::bytes(self.seed, size)
    }

    fn store(&mut self, name: &str, size: usize) {
        let bytes = self.bytes(size);
        self.control().upload(name, &bytes);
        self.is_whole(name, bytes);
    }

    fn is_whole(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.whole.insert(name.to_owned(), bytes);
        self.files.unfinished.remove(name);
        self.now();
    }

    /// Over the end of a file that is there.
    fn store_from(&mut self, name: &str, offset: usize, size: usize) {
        let rest = self.bytes(size);
        self.control().expect(&format!("REST {offset}"), 350);
        self.send(&format!("STOR {name}"), &rest);
        let whole = [&self.files.whole[name][..offset], &rest].concat();
        self.is_whole(name, whole);
    }

    /// Begins, sends, and ends as one should.
    fn send(&mut self, command: &str, bytes: &[u8]) {
        let reply = self.control().try_store(command, bytes);
        assert_eq!(reply.code, 226, "{reply}");
    }

    fn append(&mut self, name: &str, size: usize) {
        let more = self.bytes(size);
        self.send(&format!("APPE {name}"), &more);
        let mut whole = self.files.whole.get(name).cloned().unwrap_or_default();
        whole.extend_from_slice(&more);
        self.is_whole(name, whole);
    }

    fn begin(&mut self, command: &str, bytes: &[u8]) -> Wire {
        let mut data = self.control().begin(command);
        data.send(bytes).unwrap();
        data
    }

    fn append_and_cut(&mut self, name: &str, size: usize) {
        let bytes = self.bytes(size);
        self.begin(&format!("APPE {name}"), &bytes).fin();
        self.control().wait_for(426);
        self.now();
    }

    fn store_and_cut(&mut self, name: &str, size: usize, sent: usize) {
        let bytes = self.bytes(size);
        self.begin(&format!("STOR {name}"), &bytes[..sent]).fin();
        self.control().wait_for(426);
        self.files.unfinished.insert(name.to_owned(), bytes);
        self.now();
    }

    /// From where the server says that it was cut.
    fn resume(&mut self, name: &str) {
        let bytes = self.files.unfinished[name].clone();
        let size = self.control().expect(&format!("SIZE {name}"), 213).to_string();
        let size: usize = size.trim_start_matches("213 ").parse().unwrap();
        assert!(size > 50_000, "{name} goes on at {size}");
        self.control().expect(&format!("REST {size}"), 350);
        self.send(&format!("STOR {name}"), &bytes[size..]);
        self.is_whole(name, bytes);
    }

    /// The server is killed in the middle of it.
    fn store_and_be_killed(&mut self, name: &str, size: usize) {
        let bytes = self.bytes(size);
        let home = self.root.join(HOME);
        let names = || fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name());
        let before: Vec<_> = names().collect();
        let data = self.begin(&format!("STOR {name}"), &bytes[..size / 3 * 2]);
        wait::until_true("bytes at rest", || {
            let mut sizes = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap());
            sizes.any(|entry| {
                let is_partial = entry.file_name().to_string_lossy().starts_with(".carrack-");
                let is_new = !before.contains(&entry.file_name());
                is_partial && is_new && entry.metadata().is_ok_and(|found| found.len() >= 65_536)
            })
        });
        self.server.kill();
        drop(data);
        self.files.unfinished.insert(name.to_owned(), bytes);
        self.now();
        self.hang_up();
    }

    fn make_folder(&mut self, name: &str) {
        self.control().expect(&format!("MKD {name}"), 257);
        self.files.folders.insert(name.to_owned());
        self.now();
    }

    fn remove_folder(&mut self, name: &str) {
        self.control().expect(&format!("RMD {name}"), 250);
        self.files.folders.remove(name);
        self.now();
    }

    fn delete(&mut self, name: &str) {
        self.control().expect(&format!("DELE {name}"), 250);
        self.files.whole.remove(name);
        self.now();
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.control().expect(&format!("RNFR {from}"), 350);
        self.control().expect(&format!("RNTO {to}"), 250);
        let bytes = self.files.whole.remove(from).unwrap();
        self.files.whole.insert(to.to_owned(), bytes);
        self.now();
    }

    fn rename_folder(&mut self, from: &str, to: &str) {
        self.control().expect(&format!("RNFR {from}"), 350);
        self.control().expect(&format!("RNTO {to}"), 250);
        let moved = |name: String| match name.strip_prefix(from).filter(|rest| rest.starts_with('/')) {
            Some(rest) => format!("{to}{rest}"),
            None => name,
        };
        let Files { whole, unfinished, folders } = &mut self.files;
        *whole = std::mem::take(whole).into_iter().map(|(name, bytes)| (moved(name), bytes)).collect();
        *unfinished =
            std::mem::take(unfinished).into_iter().map(|(name, bytes)| (moved(name), bytes)).collect();
        folders.remove(from);
        folders.insert(to.to_owned());
        self.now();
    }

    /// Ends the server, takes up what it did, and starts it again.
    fn restart(mut self, traces: &Path, signal: Signal) -> Client {
        self.end(traces, signal);
        let trace = under(&traces.join(self.runs.to_string()));
        let words = trace.each_ref().map(String::as_str);
        self.server = self.server.start_again_with(|setup| setup.under(&words));
        self
    }

    fn end(&mut self, traces: &Path, signal: Signal) {
        if signal == Signal::TERM {
            self.server.signal(signal);
        }
        let pid = self.server.pid().to_string();
        self.server.wait();
        let trace = traces.join(self.runs.to_string());
        let whole = wait::until("the end of the trace", || {
            let text = fs::read_to_string(&trace).ok()?;
            text.lines().any(|line| line.starts_with(&pid) && line.contains(" +++ ")).then_some(text)
        });
        trace::replay(&mut self.disk, &self.root, &whole);
        if signal == Signal::KILL {
            self.end_last_write();
        }
        self.runs += 1;
        let said = self.disk.steps.iter().filter(|step| matches!(step, Step::Said(_))).count();
        assert_eq!(said, self.replies, "replies in the trace, and replies that came");
        self.compare();
    }

    /// The kill may have come between a write and its end in the trace, which then does not say how much was written.
    fn end_last_write(&mut self) {
        let mut longer = Vec::new();
        for (path, node) in self.disk.paths() {
            if self.disk.is_folder(node) {
                continue;
            }
            let at = self.root.join(String::from_utf8_lossy(&path).as_ref());
            let known = self.disk.bytes(node);
            if let Ok(found) = fs::read(&at)
                && at.to_string_lossy().contains("/.carrack-")
                && found.len() > known.len()
                && found.starts_with(known)
            {
                longer.push(Step::Write { node, at: known.len(), bytes: found[known.len()..].to_vec() });
            }
        }
        assert!(longer.len() <= 1, "one upload was under way");
        longer.into_iter().for_each(|step| self.disk.step(step));
    }

    /// The disk of the trace is the disk.
    fn compare(&self) {
        let paths = self.disk.paths();
        for (path, node) in &paths {
            // Its passwords are hashed anew for each start.
            if self.disk.is_folder(*node) || path == CONFIG.as_bytes() {
                continue;
            }
            let at = self.root.join(String::from_utf8_lossy(path).as_ref());
            let found = fs::read(&at).unwrap_or_else(|why| panic!("{}: {why}", at.display()));
            let bytes = self.disk.bytes(*node);
            assert!(
                found == bytes,
                "{} has {} bytes, in the trace {}",
                at.display(),
                found.len(),
                bytes.len()
            );
        }
        let known = |path: &Path| paths.contains_key(path.as_os_str().as_bytes());
        let found = tree::contents(&self.root);
        let unknown: Vec<_> = found
            .keys()
            .filter(|path| !known(Path::new(path.to_string_lossy().trim_end_matches('/'))))
            .collect();
        assert!(unknown.is_empty(), "the trace does not know {unknown:?}");
    }
}
