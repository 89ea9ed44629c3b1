//! What is left to a server once it serves: its own files, no new process, and a broker that starts what the configuration names.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, Tls, curl, lftp, needs, python, url};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::{tree, wait};
use rustix::process::{Pid, Signal, kill_process};

/// One line of `/proc/PID/status`, of each thread.
fn of_threads(pid: u32, key: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks.filter_map(|task| value(&task.path().join("status"), key)).collect()
}

fn value(status: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned()))
}

/// The process that starts programs.
fn broker(server: &Server) -> u32 {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap();
    let [broker] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("children: {children:?}")
    };
    broker.parse().unwrap()
}

fn has_landlock() -> bool {
    fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|all| all.split(',').any(|one| one == "landlock"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A script of the test's own.
fn script(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("script");
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn hook(words: &[&Path]) -> String {
    format!("\n[[hook]]\nname = \"program\"\non = [\"upload\"]\nprogram = {words:?}")
}

#[test]
fn everything_that_clients_do_goes_on_inside() {
    if !needs(&["curl", "lftp", "python3"]) {
        return;
    }
    let server = Setup::new().option("upload", "digest", "\"sha256\"").start();
    let line = server.logged("sandbox", |_| true);
    let expected = if has_landlock() { "enforced" } else { "none" };
    assert_eq!(
        (line.text("landlock").as_str(), line.text("seccomp").as_str()),
        (expected, "enforced"),
        "{}",
        line.raw
    );
    let local = tree::file(&server.scratch(), "local", 3, 400_000);
    let password = server.password();
    for (mode, tls) in EVERY_WAY {
        let port = server.address(mode).port().to_string();
        let word = if mode == Mode::Explicit { "explicit" } else { "implicit" };
        let version = if tls == Tls::V12 { "1.2" } else { "1.3" };
        let common =
            ["--port", &port, "--mode", word, "--tls", version, "--user", USER, "--password", &password];
        python("ftps.py", common.iter().chain(&["--reuse", "control", "everything", "of python"])).run().ok();
        python("ftps.py", common.iter().chain(&["active", "called back"])).run().ok();
        // Half of it is there, and curl goes on.
        fs::write(server.home().join("file"), &fs::read(&local).unwrap()[..200_000]).unwrap();
        curl(&server, mode, tls)
            .args(["-C", "-", "-T"])
            .arg(&local)
            .arg(url(&server, mode, "/file"))
            .run()
            .ok();
        let script = format!("mv file renamed\nmkdir folder\nput {local:?} -o folder/x\nls\nrm -r folder");
        lftp(&server, mode, tls, &script).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join("renamed")), tree::sha256_of(&local));
        curl(&server, mode, tls).arg(url(&server, mode, "/renamed")).run().ok();
    }
    for (key, wanted) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
        let found = of_threads(server.pid(), key);
        assert!(found.len() > 2 && found.iter().all(|value| value == wanted), "{key}: {found:?}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    assert!(
        !server.logs.lines().iter().any(|line| line.is("sandbox_refused")),
        "a server does nothing that is refused"
    );
}

#[test]
fn programs_are_started_by_the_broker_with_no_rights_less() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let told = folder.join("told");
    let text = format!(
        "cat > /dev/null; cat /proc/$PPID/comm /proc/self/status > '{0}.new'; mv '{0}.new' '{0}'",
        told.display()
    );
    let words = script(&folder, &text);
    let server = setup.table(&hook(&[&words])).start();
    Control::open(&server).upload("file", b"bytes");
    let status = wait::until("the hook", || fs::read_to_string(&told).ok());
    assert!(status.starts_with("carrack-broker\n"), "{status}");
    assert!(status.contains("\nNoNewPrivs:\t0\n") && status.contains("\nSeccomp:\t0\n"), "{status}");
    assert_eq!(
        value(Path::new(&format!("/proc/{}/comm", broker(&server)).replace("comm", "status")), "Name")
            .unwrap(),
        "carrack-broker"
    );
}

#[test]
fn a_broker_that_is_lost_is_told_and_hooks_wait_for_the_next_start() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let told = folder.join("told");
    let words = script(&folder, &format!("cat >> '{}'", told.display()));
    let mut server = setup.table(&hook(&[&words])).start();
    kill_process(Pid::from_raw(i32::try_from(broker(&server)).unwrap()).unwrap(), Signal::KILL).unwrap();
    let line = server.logged("broker_lost", |_| true);
    assert!(line.text("mend").contains("start the server again"), "{}", line.raw);
    Control::open(&server).upload("file", b"bytes");
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"bytes");
    assert!(!told.exists() && server.runs());
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    let _server = server.start_again();
    let event =
        wait::until("the hook", || fs::read_to_string(&told).ok().filter(|text| text.ends_with('\n')));
    assert!(event.contains("\"path\":\"/file\""), "{event}");
}

#[test]
fn what_the_broker_runs_ends_with_the_server() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let pid = folder.join("pid");
    let text = format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec tail -f /dev/null", pid.display());
    let words = script(&folder, &text);
    let mut server = setup.table(&hook(&[&words])).start();
    Control::open(&server).upload("file", b"bytes");
    let pid = wait::until("the hook", || fs::read_to_string(&pid).ok());
    let broker = broker(&server);
    server.kill();
    let is_gone = |pid: &str| {
        let state = value(Path::new(&format!("/proc/{pid}/status")), "State");
        // Where nobody collects it, it is a zombie.
        state.is_none_or(|state| state.starts_with('Z'))
    };
    wait::until_true("the end of the hook and of the broker", || {
        is_gone(pid.trim()) && is_gone(&broker.to_string())
    });
}

#[test]
fn a_reload_that_leads_outside_is_refused_with_the_mend() {
    if !has_landlock() {
        return;
    }
    let elsewhere = Setup::new();
    let mut server = Setup::new().start();
    let outside = elsewhere.home("other");
    fs::create_dir_all(&outside).unwrap();
    server.rewrite(|setup| setup.user_at("other", &outside, &[EVERYTHING]));
    server.signal(Signal::HUP);
    let line = server.logged("reload_refused", |_| true);
    assert_eq!(line.text("key"), "user[].home", "{}", line.raw);
    assert!(line.text("why").contains("outside the sandbox (server.sandbox)"), "{}", line.raw);
    assert!(line.text("mend").contains("start the server again"), "{}", line.raw);
    // What ran before runs on.
    Control::open(&server).upload("file", b"bytes");
    let server = server.start_again();
    let mut other = Control::session(
        &server,
        Mode::Explicit,
        &carrack_tests::tls_client::TlsClient::new(Tls::V13),
        "other",
    );
    other.upload("file", b"theirs");
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"theirs");
}

#[test]
fn a_reload_starts_no_program_that_was_not_named_at_the_start() {
    let setup = Setup::new();
    let (folder, roots) = (setup.scratch(), format!("roots = [{:?}]", setup.folder()));
    let words = script(&folder, "echo '{\"login\": false}'");
    let mut server = setup.top(&roots).start();
    server.rewrite(|setup| setup.option("users", "program", &format!("[{words:?}]")));
    server.signal(Signal::HUP);
    let line = server.logged("reload_refused", |_| true);
    assert_eq!(line.text("key"), "users.program", "{}", line.raw);
    assert!(line.text("mend").contains("carrack ctl upgrade"), "{}", line.raw);
    let ran =
        Program::new(program()).args(["ctl", "--config"]).arg(server.config()).arg("reload").run().fails();
    assert!(
        ran.stderr.contains("users.program") && ran.stderr.contains("start the server again"),
        "{}",
        ran.report()
    );
}

#[test]
fn homes_that_only_an_answer_names_need_roots() {
    let setup = Setup::new();
    let words = script(&setup.scratch(), "echo '{\"login\": false}'");
    let setup = setup.option("users", "program", &format!("[{words:?}]"));
    let config = setup.write();
    let checked = |config: &Path| Program::new(program()).args(["config", "check"]).arg(config).run();
    let refused = checked(&config).fails();
    assert!(refused.stderr.contains("roots = [\"/srv\"]"), "{}", refused.report());
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[server]\nsandbox = \"off\"\n")).unwrap();
    checked(&config).ok();
}

#[test]
fn root_becomes_the_user_that_the_configuration_names_for_good() {
    if !is_root() {
        eprintln!("skipped: only root may become somebody else");
        return;
    }
    let setup = Setup::new().option("server", "user", "\"65534\"").option("server", "group", "\"65534\"");
    let folder = setup.folder().to_owned();
    let home = setup.home(USER);
    let chowned = Command::new("chown").args(["-R", "65534:65534"]).arg(&folder).status().unwrap();
    assert!(chowned.success());
    let server = setup.start();
    assert_eq!(server.logged("sandbox", |_| true).text("uid"), "65534");
    for key in ["Uid", "Gid"] {
        let ids = of_threads(server.pid(), key);
        assert!(ids.iter().all(|ids| ids.split_whitespace().all(|id| id == "65534")), "{key}: {ids:?}");
    }
    // Ports below 1024, and nothing else of root's.
    let capabilities = of_threads(server.pid(), "CapPrm");
    assert!(
        capabilities.iter().all(|set| u64::from_str_radix(set, 16).unwrap() & !(1 << 10) == 0),
        "{capabilities:?}"
    );
    // Nobody of that user looks into its memory.
    assert_eq!(fs::metadata(format!("/proc/{}/environ", server.pid())).unwrap().uid(), 0);
    Control::open(&server).upload("file", b"bytes");
    let mut control = Control::open(&server);
    assert_eq!(control.download("file"), b"bytes");
    assert_eq!(fs::metadata(home.join("file")).unwrap().uid(), 65534);
    let said = Program::new(program()).args(["ctl", "--config"]).arg(server.config()).arg("reload").run();
    said.ok();
}

#[test]
fn a_server_that_may_not_become_that_user_does_not_start() {
    if !is_root() || !needs(&["setpriv"]) {
        return;
    }
    let setup = Setup::new().option("server", "user", "\"daemon\"");
    let config = setup.write();
    let (folder, there) = (setup.folder().to_owned(), setup.folder().join("carrack"));
    fs::copy(program(), &there).unwrap();
    assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(&folder).status().unwrap().success());
    let refused = Program::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&there)
        .args(["serve", "--config"])
        .arg(&config)
        .run()
        .fails();
    assert!(refused.stderr.contains("server.user is daemon"), "{}", refused.report());
    assert!(refused.stderr.contains("mend: start it as root or as that user"), "{}", refused.report());
}

#[test]
fn without_the_sandbox_nothing_is_kept_from_the_server_and_the_log_says_so() {
    let server =
        Setup::new().option("server", "sandbox", "\"off\"").option("server", "core_dumps", "true").start();
    let line = server.logged("sandbox", |_| true);
    assert_eq!((line.text("landlock").as_str(), line.text("seccomp").as_str()), ("off", "off"));
    for (key, wanted) in [("NoNewPrivs", "0"), ("Seccomp", "0")] {
        // A machine that runs this in a sandbox of its own says something else of everybody.
        let own = value(Path::new("/proc/self/status"), key).unwrap();
        let found = of_threads(server.pid(), key);
        assert!(found.iter().all(|value| value == wanted || *value == own), "{key}: {found:?}");
    }
    Control::open(&server).upload("file", b"bytes");
}
