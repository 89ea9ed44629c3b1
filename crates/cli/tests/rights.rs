//! What is said about homes and keys whose rights on the disk do not fit, before anything listens?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use carrack_tls::Identity;
use running::error;

/// A user to whom rights mean something; to root they mean nothing.
const NOBODY: u32 = 65_534;

/// The program as somebody who is not root, and the user id it has then.
fn carrack(dir: &Path) -> (Command, u32) {
    let me = rustix::process::geteuid();
    if !me.is_root() {
        return (Command::new(env!("CARGO_BIN_EXE_carrack")), me.as_raw());
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.join("program");
    let built = env!("CARGO_BIN_EXE_carrack");
    // A copy that another test's child still holds open for writing cannot be run (ETXTBSY); a link is never written.
    if fs::hard_link(built, &program).is_err() {
        fs::copy(built, &program).unwrap();
    }
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY);
    (command, NOBODY)
}

/// A configuration with one home, which has this mode.
fn configuration(dir: &Path, mode: u32, more: &str) {
    let home = dir.join("home");
    fs::create_dir(&home).unwrap();
    let text = format!(
        "state = \"state\"\n\n[[listen]]\naddress = \"127.0.0.1:0\"\n\n[[user]]\nname = \"alice\"\n\
         password = \"$argon2id$v=19$m=8,t=1,p=1$+4fpg6OqNcEye+w89WKBHg$wQqyvJlgjyuPFQxUGRaL0pRLOvWGcYFVDQXUBLbDchY\"\n\
         home = \"home\"\n{more}"
    );
    fs::write(dir.join("carrack.toml"), text).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
}

/// What `config check` says, with the folder and the user left out.
fn check(dir: &Path) -> (Option<i32>, String) {
    let (mut command, uid) = carrack(dir);
    let output = command.args(["config", "check"]).arg(dir.join("carrack.toml")).output().unwrap();
    fs::set_permissions(dir.join("home"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = error(&output).replace(dir.to_str().unwrap(), "BASE");
    let said = said.replace(&format!("(uid {uid})"), "(uid UID)").replace(&format!("u:{uid}:"), "u:UID:");
    (output.status.code(), said)
}

#[test]
fn a_home_that_cannot_be_listed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    configuration(dir.path(), 0o311, "");
    let (status, said) = check(dir.path());
    assert_eq!(status, Some(1));
    assert_eq!(
        said,
        "carrack: the configuration is wrong\n\n\
         BASE/carrack.toml:9:8: user[].home: BASE/home cannot be listed by this process (uid UID): Permission denied (os error 13)\n  \
         9 | home = \"home\"\n    |        ^^^^^^\n  \
         mend: give it the right with `setfacl -m u:UID:rx 'BASE/home'`, or run the server as the owner of the folder\n"
    );
}

#[test]
fn a_home_that_cannot_be_listed_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    configuration(dir.path(), 0o311, "");
    let (mut command, _) = carrack(dir.path());
    command.arg("serve").arg(dir.path().join("home")).arg("--state").arg(dir.path().join("state"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("cannot be listed by this process"), "{}", error(&output));
}

#[test]
fn a_home_that_cannot_be_written_is_told_where_it_matters() {
    for (permissions, told) in [("", false), ("permissions = [\"list\", \"read\", \"mkdir\"]\n", true)] {
        let dir = tempfile::tempdir().unwrap();
        configuration(dir.path(), 0o555, permissions);
        let (status, said) = check(dir.path());
        assert_eq!(status, Some(0), "{said}");
        let warning = "carrack: warning: \"alice\" may write, but this process (uid UID) cannot write to the home BASE/home: \
             uploads into it will fail (give the process the right to it, or take the permission away)\n";
        assert_eq!(said, if told { warning } else { "" });
    }
}

#[test]
fn a_key_that_others_can_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    configuration(dir.path(), 0o755, "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n");
    let made = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    fs::write(dir.path().join("cert.pem"), made.certificate_pem).unwrap();
    let key = dir.path().join("key.pem");
    fs::write(&key, made.key_pem.as_bytes()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (status, said) = check(dir.path());
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(
        said,
        "carrack: warning: the private key BASE/key.pem can be read by everybody on this machine (mode 0644); \
         `chmod 600 'BASE/key.pem'` keeps it to its owner\n"
    );
}
