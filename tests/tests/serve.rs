//! `carrack serve DIR` as a person first meets it: what it prints works when pasted, and what it makes is kept.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use carrack_tests::control::Control;
use carrack_tests::logs::Logs;
use carrack_tests::programs::{Program, Tls, needs};
use carrack_tests::server::{Mode, listening, program, spawn};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{tree, wait};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// `carrack serve DIR` with its output; ended when dropped.
struct Served {
    child: Child,
    logs: Logs,
    printed: Arc<Mutex<String>>,
    explicit: SocketAddr,
    implicit: SocketAddr,
}

impl Served {
    fn start(folder: &Path, state: &Path, more: &[&str]) -> Served {
        let mut command = Command::new(program());
        command.arg("serve").arg(folder).arg("--state").arg(state);
        command.args(["--explicit", "127.0.0.1:0", "--implicit", "127.0.0.1:0", "--log-format", "json"]);
        let (mut child, logs) = spawn(command.args(more));
        let printed = Arc::new(Mutex::new(String::new()));
        let (to, from) = (printed.clone(), BufReader::new(child.stdout.take().unwrap()));
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                to.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let (explicit, implicit) = (listening(&logs, Mode::Explicit), listening(&logs, Mode::Implicit));
        Served { child, logs, printed, explicit, implicit }
    }

    /// The printed help once a condition holds for it.
    fn printed(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        wait::until(what, || Some(self.printed.lock().unwrap().clone()).filter(|text| is_it(text)))
    }

    /// The printed commands of one program as they stand, each over as many lines as it has.
    fn commands(&self, program: &str) -> Vec<String> {
        let text = self.printed("the whole help", |text| text.contains("Ctrl-C"));
        let mut commands: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| line.starts_with("    ")) {
            match commands.last_mut() {
                Some(last) if line.starts_with("     ") => *last += &format!("\n{line}"),
                _ => commands.push(line.to_owned()),
            }
        }
        commands.retain(|command| command.trim_start().starts_with(&format!("{program} ")));
        commands
    }

    fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = wait::until("the end of the server", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folders() -> (TempDir, PathBuf, PathBuf) {
    let top = tempfile::Builder::new().prefix("carrack-test-").tempdir().unwrap();
    let (folder, state) = (top.path().join("served folder"), top.path().join("state"));
    fs::create_dir(&folder).unwrap();
    (top, folder, state)
}

/// Runs the printed commands of one program as they stand: they list, upload and download, by both doors.
fn paste(name: &str) {
    if !needs(&[name]) {
        return;
    }
    let (top, folder, state) = folders();
    let served = Served::start(&folder, &state, &[]);
    let (up, down) = (top.path().join("up"), top.path().join("down"));
    fs::write(folder.join("already there"), "bytes").unwrap();
    tree::file(&up, "FILE", 1, 100_000);
    fs::create_dir(&down).unwrap();
    let mut listings = 0;
    for command in served.commands(name) {
        let is_upload =
            ["put FILE", "--upload-file FILE", "-T FILE"].iter().any(|word| command.contains(word));
        let folder = if is_upload { &up } else { &down };
        let run = Program::new("sh").args(["-c", &command]).folder(folder).run().ok();
        listings += usize::from(run.stdout.contains("already there"));
    }
    assert_eq!(listings, 2, "listings, one by each door");
    assert_eq!(fs::read(folder.join("FILE")).unwrap(), tree::bytes(1, 100_000), "uploaded");
    let downloaded = tree::names(&down);
    assert_eq!(downloaded.len(), 1, "downloaded {downloaded:?}");
    assert_eq!(fs::read(down.join(&downloaded[0])).unwrap(), tree::bytes(1, 100_000), "downloaded");
}

#[test]
fn the_printed_curl_commands_work_when_pasted() {
    paste("curl");
}

#[test]
fn the_printed_lftp_commands_work_when_pasted() {
    paste("lftp");
}

#[test]
fn the_identity_and_the_password_are_made_once_and_kept() {
    let (_top, folder, state) = folders();
    let fingerprint = |served: &Served| {
        let is_one = |word: &str| word.len() == 95 && word.split(':').all(|pair| pair.len() == 2);
        let find = |text: &str| text.split_whitespace().find(|word| is_one(word)).map(str::to_owned);
        find(&served.printed("a fingerprint", |text| find(text).is_some())).unwrap()
    };
    let first = Served::start(&folder, &state, &[]);
    let before = fingerprint(&first);
    first.end();
    let again = Served::start(&folder, &state, &[]);
    assert_eq!(fingerprint(&again), before);
    let private = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0;
    let mut keys = 0;
    for path in files_beneath(&state) {
        if fs::read(&path).is_ok_and(|bytes| bytes.windows(11).any(|window| window == b"PRIVATE KEY")) {
            keys += 1;
            assert!(private(&path), "{} can be read by others", path.display());
        }
    }
    assert_eq!(keys, 1, "private keys in the state folder");
}

fn files_beneath(folder: &Path) -> Vec<PathBuf> {
    tree::contents(folder).into_keys().map(|path| folder.join(path)).filter(|path| path.is_file()).collect()
}

/// Logs in with a user and a password of the test's choosing.
fn log_in(served: &Served, mode: Mode, user: &str, password: &str) -> Control {
    let tls = TlsClient::new(Tls::V13);
    let at = if mode == Mode::Explicit { served.explicit } else { served.implicit };
    let mut control = Control::connect(at, &tls);
    if mode == Mode::Explicit {
        control.wait_for(220);
        control.expect("AUTH TLS", 234);
        control.secure();
    } else {
        control.secure();
        control.wait_for(220);
    }
    control.expect(&format!("USER {user}"), 331);
    control.expect(&format!("PASS {password}"), 230);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.expect("TYPE I", 200);
    control
}

#[test]
fn user_password_file_and_read_only_do_as_they_say() {
    let (top, folder, state) = folders();
    let password = top.path().join("password");
    fs::write(&password, "correct horse battery\n").unwrap();
    fs::write(folder.join("file"), "bytes").unwrap();
    let more = ["--user", "anna", "--read-only", "--password-file", password.to_str().unwrap()];
    let served = Served::start(&folder, &state, &more);
    for mode in [Mode::Explicit, Mode::Implicit] {
        let mut control = log_in(&served, mode, "anna", "correct horse battery");
        assert_eq!(control.download("file"), b"bytes");
        assert!(control.try_store("STOR new", b"bytes").code >= 500);
        assert!(control.cmd("DELE file").code >= 500);
        assert!(control.cmd("MKD folder").code >= 500);
    }
    assert_eq!(tree::names(&folder), ["file"]);
    assert!(!served.printed("the help", |text| text.contains("curl ")).contains("correct horse"));
}

#[test]
fn a_state_folder_inside_the_served_folder_is_out_of_reach() {
    let (top, folder, _) = folders();
    let password = top.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    let state = folder.join("inside/state");
    let served = Served::start(&folder, &state, &["--password-file", password.to_str().unwrap()]);
    served.logs.wait_for_line("a warning that names --state", |line| line.raw.contains("--state"));
    fs::write(folder.join("inside/file"), "bytes").unwrap();
    std::os::unix::fs::symlink("inside/state", folder.join("link")).unwrap();
    let mut control = log_in(&served, Mode::Explicit, "carrack", "secret");
    assert_eq!(control.listing("NLST inside").trim(), "inside/file".rsplit('/').next().unwrap());
    for path in ["inside/state", "/inside/./state", "link"] {
        for verb in ["CWD", "RMD", "RNFR", "MDTM", "MLST"] {
            let reply = control.cmd(&format!("{verb} {path}"));
            let renames_the_link = path == "link" && verb != "CWD";
            assert!(renames_the_link || reply.code >= 500, "{verb} {path}: {reply}");
        }
        for entry in tree::names(&state) {
            control.data();
            let reply = control.cmd(&format!("RETR {path}/{entry}"));
            assert!(reply.code >= 500, "{path}/{entry}: {reply}");
            let reply = control.try_store(&format!("STOR {path}/{entry}"), b"overwritten");
            assert!(reply.code >= 500, "{path}/{entry}: {reply}");
        }
    }
    assert_eq!(control.download("inside/file"), b"bytes");
}

#[test]
fn a_password_never_stands_on_the_command_line_and_the_environment_serves() {
    let (_top, folder, state) = folders();
    let refused = Program::new(program()).args(["serve", ".", "--password", "secret"]).folder(&folder).run();
    assert_eq!(refused.status.code(), Some(2), "{}", refused.report());
    let mut command = Command::new("sh");
    let line = format!(
        "CARRACK_PASSWORD='from the environment' exec {:?} serve . --state {state:?} --explicit 127.0.0.1:0 --implicit 127.0.0.1:0 --log-format json",
        program()
    );
    let (child, logs) = spawn(command.args(["-c", &line]).current_dir(&folder));
    let (explicit, implicit) = (listening(&logs, Mode::Explicit), listening(&logs, Mode::Implicit));
    let served = Served { child, logs, printed: Arc::default(), explicit, implicit };
    log_in(&served, Mode::Implicit, "carrack", "from the environment");
    served.end();
}

#[test]
fn plaintext_on_the_command_line_refuses_limits_and_allows() {
    let (top, folder, state) = folders();
    let password = top.path().join("password");
    fs::write(&password, "secret\n").unwrap();
    fs::write(folder.join("file"), "bytes").unwrap();
    for (word, user, allowed) in [
        ("refuse", "carrack", false),
        ("limit", "carrack", false),
        ("limit", "anonymous", true),
        ("allow", "carrack", true),
    ] {
        let more = ["--plaintext", word, "--password-file", password.to_str().unwrap()];
        let served = Served::start(&folder, &state, &more);
        let mut control = Control::connect(served.explicit, &TlsClient::new(Tls::V13));
        control.wait_for(220);
        let asked = control.cmd(&format!("USER {user}"));
        let reply = if asked.code == 331 { control.cmd("PASS secret") } else { asked };
        assert_eq!(reply.code == 230, allowed, "{word} {user}: {reply}");
        if user == "anonymous" {
            control.data();
            assert_eq!(control.cmd("STOR new").code, 550);
        }
        served.end();
    }
    assert_eq!(tree::names(&folder), ["file"]);
}
