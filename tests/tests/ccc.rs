//! Does CCC clear the control connection without losing or keeping a byte, and nothing else with it? (RFC 4217 §5)

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls, curl_protecting, needs, python, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::End;

const GRANTED: &[u8] = b"200 Control connection goes on in clear behind TLS's end.\r\n";

/// A server that grants CCC, and insists on data connections that resume their own control connection's session.
fn granting() -> Server {
    Setup::new().explicit("ccc = \"allow\"").listen("data_tls_reuse = \"require-own\"").start()
}

#[test]
fn bytes_behind_the_end_of_tls_in_the_same_segment_are_read_in_clear() {
    let server = granting();
    for version in [Tls::V12, Tls::V13] {
        let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(version), USER);
        let said = control.wire.end_tls(b"CCC\r\n", b"NOOP\r\nPWD\r\nNO").unwrap();
        assert_eq!(String::from_utf8_lossy(&said), String::from_utf8_lossy(GRANTED), "{version:?}");
        control.wait_for(200);
        control.wait_for(257);
        control.send(b"OP\r\n");
        control.wait_for(200);
        // Data connections are as protected as before, and tied to the session that has ended here.
        control.upload("file", b"private still");
        assert_eq!(control.download("file"), b"private still");
        let status = control.expect("STAT", 211).to_string();
        assert!(status.contains("clear, behind CCC") && !status.contains("Protected by"), "{status}");
        control.expect("DELE file", 250);
        server.logged("control_connection_cleared", |_| true);
    }
}

#[test]
fn no_secret_and_no_change_of_protection_follows_in_clear() {
    let server = granting();
    let mut control = Control::open(&server);
    control.wire.end_tls(b"CCC\r\n", b"").unwrap();
    for refused in ["USER carrack", "AUTH TLS", "CCC", "PBSZ 0", "PROT C", "PASS x"] {
        let reply = control.cmd(refused);
        assert!(matches!(reply.code, 503 | 533 | 534), "{refused}: {reply}");
    }
    control.upload("file", b"still logged in");
    control.expect("REIN", 421);
    assert_eq!(control.reply_or_end().unwrap_err(), End::Clean);
}

#[test]
fn a_byte_in_clear_before_the_end_of_tls_ends_the_connection() {
    let server = granting();
    for version in [Tls::V12, Tls::V13] {
        let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(version), USER);
        control.expect("CCC", 200);
        // Below TLS: what somebody on the path would put in.
        std::io::Write::write_all(&mut control.wire.socket(), b"DELE file\r\n").unwrap();
        assert!(control.reply_or_end().is_err(), "{version:?}: {control}");
        server.logged("disconnected", |line| line.raw.contains("bytes behind CCC"));
    }
}

#[test]
fn a_command_under_tls_behind_ccc_ends_the_connection() {
    let server = granting();
    let mut control = Control::open(&server);
    control.send(b"CCC\r\nPWD\r\n");
    control.wait_for(421);
    assert!(control.reply_or_end().is_err(), "{control}");
    let mut control = Control::open(&server);
    control.expect("CCC", 200);
    control.say("PWD");
    assert!(control.reply_or_end().is_err(), "{control}");
}

#[test]
fn without_the_option_and_on_implicit_listeners_tls_stays() {
    let stock = Setup::new().start();
    let granting = granting();
    for (server, mode) in [(&stock, Mode::Explicit), (&stock, Mode::Implicit), (&granting, Mode::Implicit)] {
        let mut control = Control::session(server, mode, &TlsClient::new(Tls::V13), USER);
        control.expect("CCC", 534);
        control.upload("file", b"bytes");
        assert!(!control.expect("FEAT", 211).to_string().contains("CCC"));
    }
}

/// curl in mode `passive` waits for the server's close_notify and then goes on in clear without one of its own, which
/// RFC 5246 §7.2.1 demands: nobody could tell it from somebody on the path.
#[test]
fn curl_clears_the_control_connection_if_it_ends_tls_itself() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().explicit("ccc = \"allow\"").start();
    let local = server.scratch().join("local");
    std::fs::write(&local, vec![7; 300_000]).unwrap();
    for tls in [Tls::V12, Tls::V13] {
        let at = url(&server, Mode::Explicit, "/file");
        let ccc = |side| ["--ssl-reqd", "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", side];
        curl_protecting(&server, tls, &ccc("active")).arg("-T").arg(&local).arg(&at).run().ok();
        assert_eq!(std::fs::read(server.home().join("file")).unwrap(), vec![7; 300_000], "{tls:?}");
        let back = server.scratch().join("back");
        curl_protecting(&server, tls, &ccc("active")).arg("-o").arg(&back).arg(&at).run().ok();
        assert_eq!(std::fs::read(&back).unwrap(), vec![7; 300_000], "{tls:?}");
        curl_protecting(&server, tls, &ccc("passive")).arg("-o").arg(&back).arg(&at).run().fails();
    }
    server.logged("control_connection_cleared", |_| true);
    server.logged("disconnected", |line| line.raw.contains("bytes behind CCC"));
}

#[test]
fn python_does_everything_behind_ccc() {
    if !needs(&["python3"]) {
        return;
    }
    let server = granting();
    let port = server.explicit.port().to_string();
    for (_, tls) in EVERY_WAY.into_iter().filter(|(mode, _)| *mode == Mode::Explicit) {
        let version = if tls == Tls::V12 { "1.2" } else { "1.3" };
        let password = server.password();
        let arguments = [
            "--port",
            &port,
            "--mode",
            "explicit",
            "--tls",
            version,
            "--user",
            USER,
            "--password",
            &password,
        ];
        let more = ["--reuse", "control", "--ccc", "everything", "cleared"];
        let said = python("ftps.py", arguments.iter().chain(&more)).run().ok().stdout;
        assert!(said.contains("cleared 200"), "{said}");
    }
}
