//! Who is told what happened: programs and web servers, in order, again until they take it, and also after a crash.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::control::Control;
use carrack_tests::loopback;
use carrack_tests::pages::top;
use carrack_tests::programs::needs;
use carrack_tests::server::{Mode, program};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{programs::Tls, wait};
use serde_json::Value;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Everything that is told when all goes well.
const ALL: &str =
    r#"["login", "upload", "download", "delete", "rename", "make_directory", "remove_directory"]"#;

/// The receiver of the manual.
struct Receiver {
    child: Child,
    port: u16,
    events: PathBuf,
}

impl Receiver {
    fn start(folder: &Path, port: u16, identity: &[PathBuf]) -> Receiver {
        let (secret, events) = (secret(folder), folder.join("events"));
        let mut python = Command::new("python3");
        python.arg(top().join("docs/hooks/receiver.py")).args(["127.0.0.1", &port.to_string()]);
        python.arg(secret).arg(&events).args(identity).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Receiver { child, port: line.trim().parse().unwrap(), events }
    }

    /// The events, once there are that many.
    fn wait_for(&self, count: usize) -> Vec<Value> {
        wait::until("events at the receiver", || {
            let events = events(&self.events);
            (events.len() >= count).then_some(events)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn events(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

fn secret(folder: &Path) -> PathBuf {
    let file = folder.join("secret");
    fs::write(&file, SECRET).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// A script of the test's own.
fn script(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("script");
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// A hook that sends to a port of this machine.
fn to_port(folder: &Path, port: u16, on: &str, further: &str) -> String {
    let secret = secret(folder);
    format!(
        "\n[[hook]]\nname = \"web\"\non = {on}\nurl = \"http://127.0.0.1:{port}/events\"\nsecret_file = {secret:?}\n{further}"
    )
}

fn to_program(words: &[&Path], on: &str, further: &str) -> String {
    format!("\n[[hook]]\nname = \"program\"\non = {on}\nprogram = {words:?}\n{further}")
}

fn text<'e>(event: &'e Value, field: &str) -> &'e str {
    event["data"][field].as_str().unwrap_or_default()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn a_web_server_is_told_in_order_over_tls_with_a_signature() {
    if !needs(&["python3"]) {
        return;
    }
    let setup = Setup::new();
    let folder = setup.scratch();
    let authority = Authority::new();
    let files = authority.issue(Kind::Good, &["127.0.0.1"]).files(&folder);
    let receiver = Receiver::start(&folder, 0, &[files.certificate, files.key]);
    let (secret, ca, port) = (secret(&folder), authority.file(&folder), receiver.port);
    let hook = format!(
        "\n[[hook]]\nname = \"web\"\non = {ALL}\nurl = \"https://127.0.0.1:{port}/events\"\nsecret_file = {secret:?}\nca = {ca:?}"
    );
    let server = setup.table(&hook).start();
    let mut control = Control::open(&server);
    control.expect("MKD folder", 257);
    control.upload("a \"b\"\u{e4}", b"bytes");
    control.download("a \"b\"\u{e4}");
    control.expect("RNFR a \"b\"\u{e4}", 350);
    control.expect("RNTO folder/c", 250);
    control.expect("DELE folder/c", 250);
    control.expect("RMD folder", 250);
    let events = receiver.wait_for(7);
    let order = ["login", "make_directory", "upload", "download", "rename", "delete", "remove_directory"];
    assert_eq!(types(&events), order);
    let upload = &events[2];
    assert_eq!((text(upload, "path"), text(upload, "user")), ("/a \"b\"\u{e4}", USER));
    assert_eq!((upload["data"]["bytes"].as_u64(), text(upload, "tls")), (Some(5), "TLSv1.3"));
    assert_eq!((text(&events[4], "path"), text(&events[4], "to")), ("/a \"b\"\u{e4}", "/folder/c"));
    // Where files rest is nobody's business on other machines.
    assert!(events.iter().all(|event| event["data"].get("file").is_none()));
}

#[test]
fn a_receiver_that_is_not_believed_gets_nothing() {
    if !needs(&["python3"]) {
        return;
    }
    let setup = Setup::new();
    let folder = setup.scratch();
    let files = Authority::new().issue(Kind::Good, &["127.0.0.1"]).files(&folder);
    let receiver = Receiver::start(&folder, 0, &[files.certificate, files.key]);
    let (secret, port) = (secret(&folder), receiver.port);
    let hook = format!(
        "\n[[hook]]\nname = \"web\"\non = [\"login\"]\nurl = \"https://127.0.0.1:{port}/\"\nsecret_file = {secret:?}\nretry_s = 0"
    );
    let server = setup.table(&hook).start();
    let _control = Control::open(&server);
    let told = server.logged("hook_undelivered", |_| true);
    assert!(told.text("why").contains("certificate"), "{}", told.raw);
    assert!(events(&receiver.events).is_empty());
}

#[test]
fn a_receiver_that_is_down_is_told_when_it_is_back_and_no_reply_waits_for_it() {
    if !needs(&["python3"]) {
        return;
    }
    let setup = Setup::new();
    let (folder, port) = (setup.scratch(), loopback::free_port());
    let server = setup.table(&to_port(&folder, port, ALL, "")).start();
    let mut control = Control::open(&server);
    control.upload("one", b"1");
    control.upload("two", b"2");
    let failed = server.logged("hook_failed", |_| true);
    assert_eq!((failed.text("hook").as_str(), failed.text("what").as_str()), ("web", "login"));
    let receiver = Receiver::start(&folder, port, &[]);
    let events = receiver.wait_for(3);
    assert_eq!(types(&events), ["login", "upload", "upload"]);
    assert_eq!((text(&events[1], "path"), text(&events[2], "path")), ("/one", "/two"));
}

#[test]
fn a_receiver_that_fails_is_asked_again_and_then_the_event_is_put_away() {
    if !needs(&["python3"]) {
        return;
    }
    let setup = Setup::new();
    let folder = setup.scratch();
    let wrong = folder.join("wrong");
    fs::create_dir(&wrong).unwrap();
    let receiver = Receiver::start(&folder, 0, &[]);
    // Signed with another secret: the receiver answers 403.
    let hook = to_port(&wrong, receiver.port, "[\"upload\"]", "retry_s = 2");
    fs::write(wrong.join("secret"), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let setup = setup.table(&hook);
    let undelivered = setup.folder().join("state/hooks/web/undelivered");
    let server = setup.start();
    Control::open(&server).upload("file", b"bytes");
    let failed = server.logged("hook_failed", |_| true);
    assert!(failed.text("why").contains("403"), "{}", failed.raw);
    let told = server.logged("hook_undelivered", |_| true);
    assert_eq!((told.text("id"), told.text("what")), (failed.text("id"), "upload".to_owned()));
    assert!(told.field("attempts").is_some_and(|attempts| attempts.as_u64() >= Some(2)), "{}", told.raw);
    let kept = events(&undelivered);
    assert_eq!((kept.len(), text(&kept[0], "path")), (1, "/file"));
    assert!(events(&receiver.events).is_empty());
}

#[test]
fn what_was_published_before_a_crash_is_told_after_it() {
    if !needs(&["python3"]) {
        return;
    }
    let setup = Setup::new();
    let (folder, port) = (setup.scratch(), loopback::free_port());
    let setup = setup.table(&to_port(&folder, port, "[\"upload\"]", ""));
    let outbox = setup.folder().join("state/hooks/web/00000000000000000000.events");
    let mut server = setup.start();
    Control::open(&server).upload("file", b"bytes");
    let written = wait::until("the outbox", || events(&outbox).pop());
    server.kill();
    let receiver = Receiver::start(&folder, port, &[]);
    let server = server.start_again();
    Control::open(&server).upload("later", b"bytes");
    let told = receiver.wait_for(2);
    assert_eq!(told[0], written);
    assert_eq!((text(&told[0], "path"), text(&told[1], "path")), ("/file", "/later"));
}

#[test]
fn the_shell_script_of_the_manual_takes_each_event_with_a_clean_environment() {
    let setup = Setup::new();
    let spool = setup.scratch().join("spool; $(id)");
    fs::create_dir(&spool).unwrap();
    let script = top().join("docs/hooks/on-event.sh");
    let hook = to_program(&[&script, &spool], ALL, "");
    let server = setup.table(&hook).start();
    let mut control = Control::open(&server);
    control.upload("in $(touch x)", b"bytes");
    let file = server.home().join("in $(touch x)");
    let taken = wait::until("the event", || {
        let names = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path());
        names.into_iter().find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("upload-evt_") && name.ends_with(".json")
        })
    });
    let event: Value = serde_json::from_str(&fs::read_to_string(taken).unwrap()).unwrap();
    assert_eq!((text(&event, "path"), text(&event, "file")), ("/in $(touch x)", file.to_str().unwrap()));
    let noted = fs::read_to_string(spool.join("uploads.txt")).unwrap();
    assert_eq!(noted, format!("{USER} uploaded {}\n", file.display()));
}

#[test]
fn a_program_has_the_events_values_in_its_environment_and_nothing_else() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let seen = folder.join("seen");
    let run = script(
        &folder,
        &format!("tr '\\0' '\\n' < /proc/$$/environ > '{0}.new' && mv '{0}.new' '{0}'", seen.display()),
    );
    let server = setup.table(&to_program(&[&run], "[\"login\"]", "")).start();
    let _control = Control::open(&server);
    let text = wait::until("the environment", || fs::read_to_string(&seen).ok());
    let names: Vec<&str> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["CARRACK_EVENT", "CARRACK_EVENT_ID", "CARRACK_PEER", "CARRACK_USER"]);
}

#[test]
fn a_program_that_hangs_is_ended_and_holds_up_its_own_events_alone() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let (hang, taken) = (folder.join("hang"), folder.join("taken"));
    fs::write(&hang, "").unwrap();
    let text = format!("[ -e '{}' ] && exec sleep 1000\ncat >> '{}'", hang.display(), taken.display());
    let run = script(&folder, &text);
    let hook = to_program(&[&run], "[\"upload\"]", "timeout_s = 1");
    let server = setup.table(&hook).start();
    let mut control = Control::open(&server);
    for name in ["one", "two", "three"] {
        control.upload(name, b"bytes");
    }
    let failed = server.logged("hook_failed", |_| true);
    assert!(failed.text("why").contains("timeout_s"), "{}", failed.raw);
    assert!(!taken.exists());
    fs::remove_file(&hang).unwrap();
    let events = wait::until("all events", || Some(events(&taken)).filter(|events| events.len() == 3));
    let paths: Vec<&str> = events.iter().map(|event| self::text(event, "path")).collect();
    assert_eq!(paths, ["/one", "/two", "/three"]);
}

#[test]
fn a_failed_upload_is_told_only_to_those_who_ask_for_it() {
    let setup = Setup::new();
    let folder = setup.scratch();
    let run = |name: &str, on: &str| {
        let taken = folder.join(name);
        let words = format!("[\"/bin/sh\", \"-c\", 'cat >> \"$0\"', {taken:?}]");
        (format!("\n[[hook]]\nname = \"{name}\"\non = {on}\nprogram = {words}\n"), taken)
    };
    let (good, published) = run("good", "[\"upload\"]");
    let (bad, broken) = run("bad", "[\"upload_failed\", \"refusal\"]");
    let server =
        setup.table(&good).table(&bad).user("reader", &["permissions = [\"list\", \"read\"]"]).start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR cut");
    data.send(b"half").unwrap();
    data.fin();
    control.reply();
    control.upload("whole", b"bytes");
    let mut reader = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "reader");
    reader.passive();
    reader.expect("STOR forbidden", 550);
    let told = wait::until("both", || Some(events(&broken)).filter(|events| events.len() == 2));
    assert_eq!(types(&told), ["upload_failed", "refusal"]);
    assert_eq!((text(&told[0], "path"), text(&told[0], "user")), ("/cut", USER));
    assert!(text(&told[0], "why").contains("close_notify"), "{told:?}");
    assert_eq!((text(&told[1], "what"), text(&told[1], "user")), ("operation", "reader"));
    let told = wait::until("the upload", || Some(events(&published)).filter(|events| !events.is_empty()));
    assert_eq!((told.len(), text(&told[0], "path")), (1, "/whole"));
}

#[test]
fn what_makes_no_sense_is_refused_before_the_start() {
    for (hook, why) in [
        ("name = \"a\"\non = [\"upload\"]", "neither program nor url"),
        ("name = \"a\"\non = []\nprogram = [\"/bin/true\"]", "told nothing"),
        ("name = \"a\"\non = [\"upload\"]\nprogram = [\"/nowhere\"]", "no program"),
        ("name = \"a\"\non = [\"upload\"]\nurl = \"https://h.example/\"", "secret_file"),
        ("name = \"a\"\non = [\"upload\"]\nurl = \"http://h.example/\"\nsecret_file = \"s\"", "in clear"),
        ("name = \"a\"\non = [\"uplaod\"]\nprogram = [\"/bin/true\"]", "did you mean \"upload\""),
        ("name = \"../a\"\non = [\"upload\"]\nprogram = [\"/bin/true\"]", "lower-case"),
    ] {
        let setup = Setup::new().table(&format!("[[hook]]\n{hook}"));
        let mut check = Command::new(program());
        let run = check.args(["config", "check"]).arg(setup.write()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && said.contains(why), "{hook}\n{said}");
    }
}
