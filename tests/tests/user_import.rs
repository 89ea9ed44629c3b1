//! Users of other servers, taken over from files that their own programs have made, and logged in by curl.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_tests::pages::top;
use carrack_tests::programs::{Program, Run, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server, program, under_fips};
use carrack_tests::setup::Setup;

const PASSWORD: &str = "correct horse!";

fn import(arguments: &[&str], file: &Path) -> Program {
    Program::new(program()).args(["user", "import"]).args(arguments).arg(file)
}

/// A server whose users file is what an import has printed.
fn serving(tables: &str) -> Server {
    let setup = Setup::new().option("users", "file", "\"users.toml\"");
    fs::write(setup.folder().join("users.toml"), tables).unwrap();
    setup.start()
}

/// What a user of that name reads by curl; `None` where it is not let in.
fn read(server: &Server, user: &str, password: &str, path: &str) -> Option<String> {
    let login = format!("{user}:{password}");
    let run = curl(server, Mode::Explicit, Tls::V13).args(["--user", &login]);
    let run: Run = run.arg(url(server, Mode::Explicit, path)).run();
    run.status.success().then_some(run.stdout)
}

fn home(folder: &Path, user: &str) -> PathBuf {
    let home = folder.join("homes").join(user);
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("file"), format!("of {user}")).unwrap();
    home
}

/// A program of target/peers (scripts/peers), where it was unpacked.
fn peer(path: &str) -> Option<PathBuf> {
    let found = top().join("target/peers/usr").join(path);
    if found.is_file() && !under_fips() {
        return Some(found);
    }
    eprintln!("left out: no {path} (scripts/peers), or under FIPS");
    None
}

#[test]
fn users_of_pure_ftpd_log_in() {
    let (true, Some(pure_pw)) = (needs(&["curl"]), peer("bin/pure-pw")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pureftpd.passwd");
    let add = |user: &str, more: &[&str]| {
        let program = Program::new(&pure_pw)
            .args(["useradd", user, "-f"])
            .arg(&file)
            .args(["-u", "1000", "-g", "1000"]);
        let program = program.arg("-d").arg(home(folder.path(), user)).args(more);
        program.input(format!("{PASSWORD}\n{PASSWORD}\n")).run().ok();
    };
    add("alice", &["-t", "1000", "-N", "1", "-y", "3", "-r", "127.0.0.0/8", "-z", "0800-1800"]);
    add("bob", &["-r", "192.0.2.0/24"]);
    let run = import(&["--from", "pure-ftpd"], &file).run().ok();
    for line in ["download_bytes_per_s = 1024000", "quota_bytes = 1048576", "sessions = 3"] {
        assert!(run.stdout.contains(line), "{line}: {}", run.report());
    }
    assert!(
        run.stderr.contains("alice: it had hours at which alone it may log in (800-1800)"),
        "{}",
        run.report()
    );
    let server = serving(&run.stdout);
    assert_eq!(read(&server, "alice", PASSWORD, "/file").as_deref(), Some("of alice"));
    assert_eq!(read(&server, "alice", "wrong", "/file"), None);
    assert_eq!(read(&server, "bob", PASSWORD, "/file"), None, "it may not come from here");
    server.logged("login_failed", |line| line.text("option") == "user.networks");
}

#[test]
fn users_of_proftpd_log_in_and_those_with_old_hashes_are_told() {
    let (true, Some(ftpasswd)) = (needs(&["curl", "perl"]), peer("sbin/ftpasswd")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ftpd.passwd");
    for (user, hash) in [("alice", "--sha512"), ("bob", "--sha256"), ("carol", "--md5"), ("dora", "--des")] {
        let program = Program::new("perl").arg(&ftpasswd).args(["--passwd", "--stdin", "--name", user, hash]);
        let program =
            program.args(["--uid", "1000", "--shell", "/bin/false", "--home"]).arg(home(folder.path(), user));
        program.arg("--file").arg(&file).input(format!("{PASSWORD}\n")).run().ok();
    }
    let run = import(&["--from", "proftpd"], &file).run().fails();
    for said in
        ["carol: its password is hashed by MD5", "dora: its password is hashed by DES", "`carrack user hash`"]
    {
        assert!(run.stderr.contains(said), "{said}: {}", run.report());
    }
    assert!(run.stdout.contains("# name = \"carol\""), "{}", run.report());
    let server = serving(&run.stdout);
    for user in ["alice", "bob"] {
        assert_eq!(read(&server, user, PASSWORD, "/file"), Some(format!("of {user}")));
        assert_eq!(read(&server, user, "wrong", "/file"), None);
    }
    assert_eq!(read(&server, "carol", PASSWORD, "/file"), None);
}

#[test]
fn virtual_users_of_vsftpd_log_in() {
    if !needs(&["curl", "htpasswd", "openssl", "mkpasswd"]) || under_fips() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let homes = folder.path().join("homes/%u");
    let homes = homes.to_str().unwrap();
    // What pam_pwdfile reads.
    let file = folder.path().join("passwd");
    Program::new("htpasswd").args(["-cbB"]).arg(&file).args(["alice", PASSWORD]).run().ok();
    let hash = Program::new("openssl").args(["passwd", "-6", PASSWORD]).run().ok().stdout;
    let yescrypt = Program::new("mkpasswd").args(["-m", "yescrypt", PASSWORD]).run().ok().stdout;
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\nbob:{}\ncarol:{}\n", text.trim(), hash.trim(), yescrypt.trim())).unwrap();
    // What db_load reads.
    let pairs = folder.path().join("logins.txt");
    fs::write(&pairs, format!("dora\n{PASSWORD}\n")).unwrap();
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    let settings = format!(
        "local_root={}\nwrite_enable=YES\nanon_upload_enable=YES\n",
        home(folder.path(), "dora").display()
    );
    fs::write(own.join("dora"), settings).unwrap();
    for user in ["alice", "bob", "carol"] {
        home(folder.path(), user);
    }
    let none = import(&["--from", "vsftpd"], &file).run().fails();
    assert!(
        none.stderr.contains("alice: it has no home; say where homes are with --home"),
        "{}",
        none.report()
    );
    let hashed = import(&["--from", "vsftpd", "--home", homes], &file).run().ok().stdout;
    let clear =
        import(&["--from", "vsftpd", "--user-config-dir", own.to_str().unwrap()], &pairs).run().ok().stdout;
    assert!(!clear.contains(PASSWORD), "{clear}");
    let server = serving(&[hashed, clear].concat());
    for user in ["alice", "bob", "carol", "dora"] {
        assert_eq!(read(&server, user, PASSWORD, "/file"), Some(format!("of {user}")));
        assert_eq!(read(&server, user, "wrong", "/file"), None, "{user}");
    }
    let put = |user: &str| {
        let login = format!("{user}:{PASSWORD}");
        let curl = curl(&server, Mode::Explicit, Tls::V13).args(["--user", &login, "--upload-file"]);
        curl.arg(&pairs).arg(url(&server, Mode::Explicit, "/new")).run().status.success()
    };
    assert!(put("dora") && !put("alice"), "only one of them may upload");
}

#[test]
fn files_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "alice:x:1\n").unwrap();
    for from in ["proftpd", "pure-ftpd"] {
        let run = import(&["--from", from], &file).run().fails();
        assert!(run.stderr.contains("line 1 is none of a"), "{}", run.report());
    }
    fs::write(&file, b"\xff\x00").unwrap();
    let run = import(&["--from", "vsftpd"], &file).run().fails();
    assert!(
        run.stderr.contains("is not text; name the file that the database is made of"),
        "{}",
        run.report()
    );
}
