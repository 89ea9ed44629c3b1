//! Users in a file of their own: read again by itself, refused whole where it is wrong, and what becomes of who is gone.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password, password_hash};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use rustix::process::Signal;

const FILE: &str = "users.toml";

/// A `[[user]]` of that name, with a home beside the file.
fn user(folder: &Path, name: &str, more: &str) -> String {
    fs::create_dir_all(folder.join(name)).unwrap();
    let hash = password_hash(&password(name));
    format!("[[user]]\nname = {name:?}\npassword = {hash:?}\nhome = {name:?}\n{EVERYTHING}\n{more}\n")
}

/// A server with one user of the configuration, and a file with these.
fn with_users(users: &[&str]) -> (Server, PathBuf) {
    let setup = Setup::new().option("users", "file", &format!("{FILE:?}"));
    let file = setup.folder().join(FILE);
    let text: String = users.iter().map(|name| user(setup.folder(), name, "")).collect();
    fs::write(&file, text).unwrap();
    (setup.start(), file)
}

fn folder(server: &Server) -> PathBuf {
    server.config().parent().unwrap().to_owned()
}

/// Writes the file anew as editors and programs do, by a rename, and waits until the server has looked at it.
fn rewrite(server: &Server, file: &Path, text: &str, outcome: &str) {
    let said = || {
        let is_it = |line: &&carrack_tests::logs::Line| line.is(outcome) && line.text("file").ends_with(FILE);
        server.logs.lines().iter().filter(is_it).count()
    };
    let before = said();
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, file).unwrap();
    wait::until_true(outcome, || said() > before);
}

fn log_in(server: &Server, user: &str) -> u16 {
    let mut control = Control::greeted(server, Mode::Implicit, &TlsClient::new(Tls::V13));
    control.expect(&format!("USER {user}"), 331);
    control.cmd(&format!("PASS {}", password(user))).code
}

#[test]
fn users_come_and_go_with_the_file_alone() {
    let (server, file) = with_users(&["old"]);
    let folder = folder(&server);
    assert_eq!([log_in(&server, "old"), log_in(&server, USER), log_in(&server, "new")], [230, 230, 530]);
    rewrite(&server, &file, &user(&folder, "new", ""), "reloaded");
    assert_eq!([log_in(&server, "old"), log_in(&server, USER), log_in(&server, "new")], [530, 230, 230]);
    // What else has changed meanwhile waits for its reload.
    assert!(!server.logs.lines().iter().any(|line| line.is("reloading")));
}

#[test]
fn who_is_gone_or_disabled_is_out_and_all_others_stay() {
    let (server, file) = with_users(&["gone", "disabled", "kept"]);
    let folder = folder(&server);
    let session = |user: &str| Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), user);
    let (mut gone, mut disabled, mut kept) = (session("gone"), session("disabled"), session("kept"));
    // It was there before the file changed, and is not logged in yet.
    let mut waiting = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    waiting.expect("USER gone", 331);
    let users = [user(&folder, "disabled", "disabled = true"), user(&folder, "kept", "")].concat();
    rewrite(&server, &file, &users, "reloaded");
    gone.wait_for(421);
    disabled.wait_for(421);
    kept.upload("file", b"bytes");
    assert_eq!(waiting.cmd(&format!("PASS {}", password("gone"))).code, 530);
    assert_eq!(log_in(&server, "disabled"), 530);
    server.logged("user_gone", |line| line.text("user") == "gone");
    let line = server.logged("login_failed", |line| line.text("user") == "disabled");
    assert_eq!([line.text("option"), line.text("why")], ["user.disabled", "this user is disabled"]);
    rewrite(&server, &file, &user(&folder, "disabled", ""), "reloaded");
    assert_eq!(log_in(&server, "disabled"), 230);
}

#[test]
fn a_bad_file_leaves_the_users_of_before() {
    let (server, file) = with_users(&["old"]);
    let folder = folder(&server);
    let bad = [user(&folder, "new", ""), user(&folder, USER, ""), user(&folder, "worse", "permission = []")];
    rewrite(&server, &file, &bad.concat(), "reload_refused");
    let line = server.logged("reload_refused", |line| line.text("key") == "user[].permission");
    assert_eq!(line.text("line"), "18");
    assert!(line.text("file").ends_with(FILE), "{}", line.raw);
    assert_eq!(line.text("mend"), "did you mean `permissions`?");
    rewrite(&server, &file, &bad[..2].concat(), "reload_refused");
    let line = server.logged("reload_refused", |line| line.text("key") == "user[].name");
    assert!(line.text("why").contains("stands in the configuration file, too"), "{}", line.raw);
    assert_eq!([log_in(&server, "old"), log_in(&server, "new"), log_in(&server, USER)], [230, 530, 230]);
    // A reload of everything is refused for the same reason, and one by the control socket prints it.
    let ctl =
        Program::new(program()).args(["ctl", "--config"]).arg(server.config()).arg("reload").run().fails();
    assert!(ctl.stderr.contains(&format!("{FILE}:8:")), "{}", ctl.report());
    fs::remove_file(&file).unwrap();
    server.logged("reload_refused", |line| line.text("why") == "there is no such file");
    assert_eq!(log_in(&server, "old"), 230);
    rewrite(&server, &file, &bad[0], "reloaded");
    assert_eq!([log_in(&server, "old"), log_in(&server, "new")], [530, 230]);
}

#[test]
fn a_reload_of_everything_reads_the_file_and_may_name_another() {
    let (mut server, file) = with_users(&["old"]);
    let folder = folder(&server);
    fs::write(file.with_file_name("others.toml"), user(&folder, "other", "")).unwrap();
    server.rewrite(|setup| setup.option("users", "file", "\"others.toml\""));
    server.signal(Signal::HUP);
    server.logged("reloaded", |line| line.text("file").ends_with("carrack.toml"));
    assert_eq!([log_in(&server, "old"), log_in(&server, "other")], [530, 230]);
    let others = file.with_file_name("others.toml");
    fs::write(&others, user(&folder, "third", "")).unwrap();
    server.logged("reloaded", |line| line.text("file").ends_with("others.toml"));
    assert_eq!(log_in(&server, "third"), 230);
}

#[test]
fn curl_reads_as_a_user_of_the_file() {
    if !needs(&["curl"]) {
        return;
    }
    let (server, _) = with_users(&["old"]);
    fs::write(folder(&server).join("old/file"), "bytes").unwrap();
    let login = format!("old:{}", password("old"));
    for tls in [Tls::V12, Tls::V13] {
        let curl = curl(&server, Mode::Explicit, tls).args(["--user", &login]);
        assert_eq!(curl.arg(url(&server, Mode::Explicit, "/file")).run().ok().stdout, "bytes");
    }
}
