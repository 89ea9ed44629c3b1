//! `openssl s_client` by hand: the handshakes that an administrator tries first, and a data connection of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use carrack_tests::programs::{EVERY_WAY, Program, Tls, needs};
use carrack_tests::server::{self, Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::{tree, wait};

fn version(tls: Tls) -> &'static str {
    if tls == Tls::V12 { "-tls1_2" } else { "-tls1_3" }
}

/// A control connection through `openssl s_client`, typed at line by line.
struct Typed {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Typed {
    fn start(server: &Server, mode: Mode, tls: Tls, more: &[&str]) -> Typed {
        let address = server.address(mode).to_string();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-nocommands", version(tls), "-connect", &address]).args(more);
        if mode == Mode::Explicit {
            command.args(["-starttls", "ftp"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Typed { child, to, from }
    }

    /// The reply that begins with that code, and everything said before it.
    fn until(&mut self, code: &str) -> String {
        let (mut said, last) = (String::new(), format!("{code} "));
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "no {code} after {said}");
            said.push_str(&line);
            if line.starts_with(&last) {
                return said;
            }
        }
    }

    fn cmd(&mut self, line: &str, code: &str) -> String {
        self.to.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.until(code)
    }

    /// The port in a 229 reply.
    fn passive(&mut self) -> u16 {
        let said = self.cmd("EPSV", "229");
        said.split("(|||").nth(1).and_then(|rest| rest.split('|').next()).unwrap().parse().unwrap()
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn shakes_hands_and_logs_in_in_every_way() {
    if !needs(&["openssl"]) {
        return;
    }
    let server = Setup::new().start();
    for (mode, tls) in EVERY_WAY {
        let mut typed = Typed::start(&server, mode, tls, &[]);
        if mode == Mode::Implicit {
            typed.until("220");
        }
        typed.cmd(&format!("USER {USER}"), "331");
        typed.cmd(&format!("PASS {}", server.password()), "230");
        assert!(typed.cmd("FEAT", "211").contains("\r\n UTF8\r\n"));
        typed.cmd("PWD", "257");
        typed.cmd("QUIT", "221");
        wait::until("the end of s_client", || typed.child.try_wait().unwrap());
    }
}

#[test]
fn moves_bytes_over_data_connections_that_resume_the_session_on_disk() {
    if !needs(&["openssl"]) {
        return;
    }
    let server = Setup::new().listen("data_tls_reuse = \"require-own\"").start();
    let bytes = tree::bytes(5, 200_000);
    for (mode, tls) in EVERY_WAY {
        let session = server.scratch().join(format!("session-{mode:?}-{tls:?}"));
        let mut typed = Typed::start(&server, mode, tls, &["-sess_out", session.to_str().unwrap()]);
        if mode == Mode::Implicit {
            typed.until("220");
        }
        typed.cmd(&format!("USER {USER}"), "331");
        typed.cmd(&format!("PASS {}", server.password()), "230");
        typed.cmd("PBSZ 0", "200");
        typed.cmd("PROT P", "200");
        typed.cmd("TYPE I", "200");
        fs::write(server.home().join("down"), &bytes).unwrap();
        let port = typed.passive();
        typed.to.write_all(b"RETR down\r\n").unwrap();
        let mut data = Command::new("openssl")
            .args(["s_client", "-quiet", "-nocommands", version(tls), "-sess_in"])
            .arg(&session)
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut received = Vec::new();
        data.stdout.take().unwrap().read_to_end(&mut received).unwrap();
        let _ = data.kill();
        data.wait().unwrap();
        typed.until("226");
        assert!(received == bytes, "{mode:?} {tls:?}: {} of {} bytes", received.len(), bytes.len());

        let port = typed.passive();
        typed.to.write_all(b"STOR up\r\n").unwrap();
        let upload = Program::new("openssl")
            .args(["s_client", "-quiet", "-nocommands", "-no_ign_eof", version(tls), "-sess_in"])
            .arg(&session)
            .args(["-connect", &format!("127.0.0.1:{port}")])
            .input(bytes.clone());
        upload.run();
        typed.until("226");
        assert_eq!(tree::sha256_of(&server.home().join("up")), tree::sha256(&bytes), "{mode:?} {tls:?}");
        fs::remove_file(server.home().join("up")).unwrap();
    }
}

#[test]
fn sees_the_certificate_whose_fingerprint_the_certificate_tool_prints() {
    if !needs(&["openssl"]) {
        return;
    }
    let setup = Setup::new();
    let folder = setup.scratch().join("identity");
    let make = ["cert", "self-signed", "--name", "localhost", "--name", "127.0.0.1", "--out"];
    Program::new(server::program()).args(make).arg(&folder).run().ok();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let printed =
        Program::new(server::program()).args(["cert", "fingerprint"]).arg(&certificate).run().ok().stdout;
    let server = setup
        .option("tls", "certificate", &format!("{certificate:?}"))
        .option("tls", "key", &format!("{key:?}"))
        .start();
    let seen = Program::new("openssl")
        .args(["s_client", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"])
        .arg(&certificate)
        .args(["-connect", &server.implicit.to_string()])
        .run()
        .ok()
        .stdout;
    let arguments = ["x509", "-noout", "-fingerprint", "-sha256"];
    let fingerprint = Program::new("openssl").args(arguments).input(seen).run().ok().stdout;
    let fingerprint = fingerprint.trim().split('=').nth(1).unwrap().to_owned();
    assert!(printed.contains(&fingerprint), "{fingerprint} in {printed}");
}
