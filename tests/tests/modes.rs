//! Mode and group of what users make.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls, lftp, needs};
use carrack_tests::server::{Mode, program};
use carrack_tests::setup::{EVERYTHING, Setup};
use carrack_tests::tls_client::TlsClient;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A group that this process is in, and that files do not get by themselves where there is a choice.
fn group() -> u32 {
    let own = rustix::process::getegid().as_raw();
    if rustix::process::geteuid().is_root() {
        return 4711;
    }
    let groups = rustix::process::getgroups().unwrap();
    groups.iter().map(|group| group.as_raw()).find(|group| *group != own).unwrap_or(own)
}

#[test]
fn what_a_user_makes_has_its_mode_and_group_however_it_comes() {
    for publish in ["atomic", "in-place"] {
        let setup = Setup::new()
            .option("upload", "publish", &format!("{publish:?}"))
            .option("upload", "file_mode", "\"0604\"")
            .option("upload", "dir_mode", "\"0705\"")
            .option("upload", "group", &format!("\"{}\"", group()))
            .user("strict", &["file_mode = \"0600\"\ndir_mode = \"2700\"", EVERYTHING]);
        let server = setup.start();
        let home = server.home();
        let mut control = Control::open(&server);
        control.upload("small", b"bytes");
        control.upload("large", &vec![b'x'; 3_000_000]);
        control.expect("MKD folder", 257);
        for (name, expected) in [("small", 0o604), ("large", 0o604), ("folder", 0o705)] {
            assert_eq!(mode(&home.join(name)), expected, "{name}, {publish}");
            assert_eq!(fs::metadata(home.join(name)).unwrap().gid(), group(), "{name}, {publish}");
        }
        // What replaces another has that one's, and what was set is not set back.
        fs::set_permissions(home.join("small"), fs::Permissions::from_mode(0o640)).unwrap();
        control.upload("small", b"others");
        assert_eq!(mode(&home.join("small")), 0o640, "{publish}");
        control.expect("SITE CHMOD 600 large", 200);
        assert_eq!(mode(&home.join("large")), 0o600, "{publish}");
        // An upload that was cut and is continued.
        let mut data = control.begin("STOR cut");
        data.send(b"begun").unwrap();
        drop(data);
        assert!(control.reply().code >= 400);
        control.expect("REST 0", 350);
        control.upload("cut", b"whole");
        assert_eq!(mode(&home.join("cut")), 0o604, "{publish}");
        let mut strict = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "strict");
        strict.upload("file", b"bytes");
        strict.expect("MKD folder", 257);
        let home = server.home_of("strict");
        assert_eq!([mode(&home.join("file")), mode(&home.join("folder"))], [0o600, 0o2700], "{publish}");
    }
}

#[test]
fn folders_keep_what_they_inherit() {
    let server = Setup::new().option("upload", "dir_mode", "\"0750\"").start();
    fs::set_permissions(server.home(), fs::Permissions::from_mode(0o2755)).unwrap();
    let mut control = Control::open(&server);
    control.expect("MKD folder", 257);
    assert_eq!(mode(&server.home().join("folder")), 0o2750);
}

#[test]
fn lftp_mirrors_into_them() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new()
        .option("upload", "file_mode", "\"0664\"")
        .option("upload", "dir_mode", "\"0775\"")
        .start();
    let tree = server.scratch().join("tree");
    fs::create_dir_all(tree.join("deep")).unwrap();
    fs::write(tree.join("deep/file"), "bytes").unwrap();
    let script = format!("mirror --reverse --no-perms --no-umask {} tree", tree.display());
    lftp(&server, Mode::Explicit, Tls::V13, &script).run().ok();
    let home = server.home();
    assert_eq!([mode(&home.join("tree/deep")), mode(&home.join("tree/deep/file"))], [0o775, 0o664]);
}

#[test]
fn modes_that_keep_the_server_out_and_groups_that_are_not_its_are_refused() {
    let setup = Setup::new()
        .option("upload", "file_mode", "\"0060\"")
        .option("upload", "dir_mode", "\"4755\"")
        .option("upload", "group", "\"no such group\"");
    let check = Program::new(program()).args(["config", "check"]).arg(setup.write()).run().fails();
    for said in [
        "upload.file_mode: \"0060\" keeps the server out, which needs 0600 at least",
        "upload.dir_mode: \"4755\" has bits that may not be given; 3777 has all that may",
        "upload.group: there is no group \"no such group\" in /etc/group",
    ] {
        assert!(check.stderr.contains(said), "{said}: {}", check.report());
    }
}
