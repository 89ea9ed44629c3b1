//! What a client gets that does not ask for TLS, by listener and by user.

use std::fs;
use std::time::{Duration, Instant};

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::{Tls, curl_protecting, needs, url};
use carrack_tests::server::{Mode, Server, under_fips};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

const LIMIT: &str = "plaintext = \"limit\"";
const ALLOW: &str = "plaintext = \"allow\"";
const REFUSE: &str = "plaintext = \"refuse\"";

/// Anonymous reads, a scanner drops, and a named user reads and writes at a rate.
const GRANTS: &str = "[plaintext]\nuser = \"anonymous\"\nfolders = [\"/pub\"]\n\
    [[plaintext.grant]]\nuser = \"scanner\"\nfolders = [\"/in\"]\npermissions = [\"write\"]\n\
    [[plaintext.grant]]\nuser = \"named\"\nfolders = [\"/\"]\nwrite = true\nupload_bytes_per_s = 100000\n\
    download_bytes_per_s = 100000\n";

fn setup(listener: &str) -> Setup {
    Setup::new()
        .explicit(listener)
        .table(GRANTS)
        .user("anonymous", &[EVERYTHING])
        .user("scanner", &[EVERYTHING])
        .user("named", &[EVERYTHING])
}

fn clear(server: &Server, user: &str) -> Control {
    let mut control = Control::clear(server);
    control.login(user);
    control.expect("TYPE I", 200);
    control
}

/// What `USER` is answered in clear.
fn introduce(server: &Server, user: &str) -> Reply {
    Control::clear(server).cmd(&format!("USER {user}"))
}

fn store(control: &mut Control, path: &str, bytes: &[u8]) -> Reply {
    let mut data = control.data();
    let reply = control.cmd(&format!("STOR {path}"));
    if reply.code != 150 {
        return reply;
    }
    data.send(bytes).unwrap();
    data.finish().unwrap();
    control.reply()
}

fn retrieve(control: &mut Control, path: &str) -> Result<Vec<u8>, Reply> {
    let mut data = control.data();
    let reply = control.cmd(&format!("RETR {path}"));
    if reply.code != 150 {
        return Err(reply);
    }
    let bytes = data.read_to_end().0;
    drop(data);
    control.wait_for(226);
    Ok(bytes)
}

fn fill(server: &Server) {
    for user in ["anonymous", "scanner", "named"] {
        for folder in ["pub", "in"] {
            fs::create_dir(server.home_of(user).join(folder)).unwrap();
            fs::write(server.home_of(user).join(folder).join("file"), "bytes").unwrap();
        }
    }
}

#[test]
fn several_users_may_come_in_clear_and_each_has_its_grant() {
    if under_fips() {
        return;
    }
    let server = setup(LIMIT).start();
    fill(&server);
    let mut reader = clear(&server, "anonymous");
    assert_eq!(retrieve(&mut reader, "pub/file").unwrap(), b"bytes");
    assert_eq!(retrieve(&mut reader, "in/file").unwrap_err().code, 550);
    assert_eq!(store(&mut reader, "pub/new", b"bytes").code, 550);

    let mut scanner = clear(&server, "scanner");
    assert_eq!(store(&mut scanner, "in/scan", b"a scan").code, 226);
    assert_eq!(store(&mut scanner, "in/file", b"another").code, 550, "a drop box replaces nothing");
    assert_eq!(retrieve(&mut scanner, "in/file").unwrap_err().code, 550);
    assert_eq!(store(&mut scanner, "pub/scan", b"a scan").code, 550);
    scanner.data();
    scanner.expect("LIST in", 550);
    assert_eq!(fs::read(server.home_of("scanner").join("in/file")).unwrap(), b"bytes");

    // Under TLS a user who has a password has everything.
    let mut secured = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "scanner");
    assert_eq!(secured.download("pub/file"), b"bytes");
    // Nobody else comes in, and no name is told.
    for user in [USER, "nobody-known"] {
        let reply = introduce(&server, user);
        assert_eq!(reply.code, 530, "{reply}");
        assert!(reply.to_string().contains("AUTH TLS") && !reply.to_string().contains("scanner"), "{reply}");
    }
}

#[test]
fn a_grant_has_a_rate_of_its_own() {
    if under_fips() {
        return;
    }
    let server = setup(LIMIT).start();
    let bytes = tree::bytes(1, 100_000);
    let least = Duration::from_millis(875);
    let mut named = clear(&server, "named");
    for _ in 0..2 {
        let begin = Instant::now();
        assert_eq!(store(&mut named, "file", &bytes).code, 226);
        assert!(begin.elapsed() >= least, "up in {:?}", begin.elapsed());
    }
    let begin = Instant::now();
    assert!(retrieve(&mut named, "file").unwrap() == bytes);
    assert!(begin.elapsed() >= least, "down in {:?}", begin.elapsed());
    if needs(&["curl"]) {
        let local = tree::file(&server.scratch(), "local", 1, 100_000);
        let at = url(&server, Mode::Explicit, "/by-curl");
        let begin = Instant::now();
        let curl = curl_protecting(&server, Tls::V13, &[]).args(["--user"]);
        curl.arg(format!("named:{}", password("named"))).arg("-T").arg(&local).arg(&at).run().ok();
        assert!(begin.elapsed() >= least, "curl in {:?}", begin.elapsed());
    }
}

#[test]
fn a_user_may_be_kept_to_tls_or_to_a_grant_where_others_are_not() {
    if under_fips() {
        return;
    }
    let server =
        setup(ALLOW).user("careful", &[EVERYTHING, REFUSE]).user("named", &[EVERYTHING, LIMIT]).start();
    fill(&server);
    let reply = introduce(&server, "careful");
    assert_eq!(reply.code, 530, "{reply}");
    Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V12), "careful").upload("file", b"bytes");
    assert_eq!(store(&mut clear(&server, USER), "file", b"bytes").code, 226);
    // Where plaintext is allowed a grant counts for those alone who say so.
    assert_eq!(store(&mut clear(&server, "scanner"), "pub/new", b"bytes").code, 226);
    let begin = Instant::now();
    assert_eq!(store(&mut clear(&server, "named"), "new", &[0; 100_000]).code, 226);
    assert!(begin.elapsed() >= Duration::from_millis(875));
}

#[test]
fn a_user_may_have_everything_where_others_have_a_grant() {
    if under_fips() {
        return;
    }
    let server = setup(LIMIT).user("device", &[EVERYTHING, ALLOW]).start();
    assert_eq!(store(&mut clear(&server, "device"), "file", b"bytes").code, 226);
    assert_eq!(introduce(&server, USER).code, 530);
}

#[test]
fn a_listener_that_refuses_plaintext_refuses_it_to_everybody() {
    if under_fips() {
        return;
    }
    // The other listener lets them in, so that the users' words have a meaning.
    let elsewhere = "[[listen]]\nmode = \"explicit\"\naddress = \"127.0.0.1:0\"\nplaintext = \"limit\"";
    let server = setup(REFUSE).table(elsewhere).user("device", &[EVERYTHING, ALLOW]).start();
    for user in ["anonymous", "scanner", "device", USER] {
        let reply = introduce(&server, user);
        assert_eq!(reply.code, 530, "{reply}");
        assert!(reply.to_string().contains("AUTH TLS"), "{reply}");
    }
}
