//! The refusals, by what is asked for.

use std::fs;

use carrack_tests::client_certificates::{ClientAuthority, self_signed, showing, user, with_authority};
use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::virtual_servers::{enter, with_server};
use carrack_tests::wire::Wire;

use super::ways::*;

/// A refusal: the option that it is because of, the event in which the log says so, words of its reason, and how a client comes to it.
pub(super) struct Row {
    pub(super) option: &'static str,
    pub(super) event: &'static str,
    pub(super) why: &'static str,
    pub(super) provoke: fn() -> Server,
}

const fn row(option: &'static str, event: &'static str, why: &'static str, provoke: fn() -> Server) -> Row {
    Row { option, event, why, provoke }
}

/// Who is let in, and how many.
pub(super) const CONNECTIONS: &[Row] = &[
    row("access.deny", "connection_refused", "not served here", || {
        knocked(setup().option("access", "deny", "[\"127.0.0.2\"]"))
    }),
    row("access.allow", "connection_refused", "not served here", || {
        knocked(setup().option("access", "allow", "[\"127.0.0.1\"]"))
    }),
    row("listen.deny", "connection_refused", "not served here", || {
        knocked(setup().explicit("deny = [\"127.0.0.2\"]"))
    }),
    row("listen.allow", "connection_refused", "not served here", || {
        knocked(setup().explicit("allow = [\"127.0.0.1\"]"))
    }),
    row("limits.sessions", "connection_refused", "too many", || {
        crowded(setup().option("limits", "sessions", "1"))
    }),
    row("listen.sessions", "connection_refused", "too many", || crowded(setup().explicit("sessions = 1"))),
    row("limits.sessions_per_source", "connection_refused", "too many sessions from your address", || {
        crowded(setup().option("limits", "sessions_per_source", "1"))
    }),
    row("limits.startups", "connection_refused", "wait for their login", || {
        let server = setup().option("limits", "startups", "\"1:100:2\"").start();
        let _waits = Control::clear(&server);
        knock(&server, "127.0.0.1");
        server
    }),
    row("defence.ban_after", "connection_refused", "is banned", || {
        let server = guarded().option("defence", "ban_after", "2").start();
        (0..2).for_each(|_| guess(&server, USER));
        server.logged("banned", |_| true);
        knock(&server, "127.0.0.1");
        server
    }),
    row("ban by the operator", "connection_refused", "is banned", || {
        let server = setup().start();
        let ctl = Program::new(program()).args(["ctl", "--config"]).arg(server.config());
        ctl.args(["ban", "127.0.0.2"]).run().ok();
        knock(&server, "127.0.0.2");
        server
    }),
    row("listen.proxy_protocol", "connection_refused", "no PROXY header came", || {
        let server = setup().listen("proxy_protocol = [\"127.0.0.1\"]").start();
        Wire::connect(server.explicit).send(b"USER carrack\r\n").unwrap();
        server
    }),
    row("listen.proxy_protocol", "disconnected", "PROXY header", || {
        let server = setup().start();
        Control::clear(&server).say("PROXY TCP4 192.0.2.1 192.0.2.2 1 21");
        server
    }),
];

/// How long.
pub(super) const DEADLINES: &[Row] = &[
    row("timeouts.tls_s", "disconnected", "no TLS in time", || {
        let server = setup().option("timeouts", "tls_s", "1").start();
        Control::clear(&server).replies_to_end();
        server
    }),
    row("timeouts.tls_s", "tls_handshake_failed", "too long", || {
        let server = setup().option("timeouts", "tls_s", "1").start();
        let mut half = Wire::connect(server.implicit);
        half.send(b"\x16\x03\x01").unwrap();
        half.read_to_end();
        server
    }),
    row("timeouts.login_s", "disconnected", "no login in time", || {
        let server = setup().option("timeouts", "login_s", "1").start();
        greeted(&server).replies_to_end();
        server
    }),
    row("timeouts.idle_s", "disconnected", "idle for too long", || {
        let server = setup().option("timeouts", "idle_s", "1").start();
        Control::open(&server).replies_to_end();
        server
    }),
    row("timeouts.data_accept_s", "refused", "No data connection came in time", || {
        let server = setup().option("timeouts", "data_accept_s", "1").start();
        let mut control = Control::open(&server);
        control.passive();
        control.expect("STOR file", 150);
        control.wait_for(425);
        server
    }),
    row("timeouts.data_stall_s", "refused", "stood still", || {
        let server = setup().option("timeouts", "data_stall_s", "1").start();
        let mut control = Control::open(&server);
        let _stalls = control.begin("STOR file");
        control.wait_for(426);
        server
    }),
];

/// What has to be spoken.
pub(super) const TLS: &[Row] = &[
    row("listen.mode", "disconnected", "from the first byte", || {
        let server = setup().start();
        Wire::connect(server.implicit).send(b"USER carrack\r\n").unwrap();
        server
    }),
    row("tls.minimum_version", "tls_handshake_failed", "", || {
        let server = setup().option("tls", "minimum_version", "\"1.3\"").start();
        assert!(Wire::connect(server.implicit).secure(&TlsClient::new(Tls::V12)).is_err());
        server
    }),
    row("tls.suites", "tls_handshake_failed", "", || {
        let server = setup()
            .option("tls", "minimum_version", "\"1.3\"")
            .option("tls", "suites", "[\"TLS_AES_128_GCM_SHA256\"]")
            .start();
        s_client(&server, &["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"]);
        server
    }),
    row("tls.groups", "tls_handshake_failed", "", || {
        let server = setup().option("tls", "groups", "[\"secp384r1\"]").start();
        s_client(&server, &["-tls1_3", "-groups", "P-521"]);
        server
    }),
    row("tls.certificate", "tls_handshake_failed", "", || {
        let server = setup().start();
        s_client(&server, &["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"]);
        server
    }),
    row(
        "tls.identity.certificate",
        "tls_handshake_failed",
        "for which this server has no certificate",
        || {
            let server = two_names().start();
            s_client(&server, &["-servername", "nobody.example"]);
            server
        },
    ),
    row("tls.identity.certificate", "host_refused", "No such host here", || {
        let server = two_names().start();
        Control::clear(&server).expect("HOST nobody.example", 504);
        server
    }),
    row("listen.hosts", "host_refused", "No such host here", || {
        let server = setup().listen("hosts = [\"ftp.example.com\"]").start();
        Control::clear(&server).expect("HOST nobody.example", 504);
        server
    }),
    row("listen.plaintext", "refused", "wants TLS", || {
        let server = setup().start();
        Control::clear(&server).expect(&format!("USER {USER}"), 530);
        server
    }),
    row("virtual_server.plaintext", "refused", "wants TLS", || {
        let setup = setup().explicit("plaintext = \"allow\"");
        let server = with_server(setup, "a.example", "plaintext = \"refuse\"").start();
        let mut control = Control::clear(&server);
        control.expect("HOST a.example", 220);
        control.expect("USER alice", 530);
        server
    }),
    row("virtual_server.data_protection", "refused", "not granted here", || {
        let setup = setup().explicit("data_protection = \"optional\"");
        let server = with_server(setup, "a.example", "data_protection = \"require\"").start();
        let tls = TlsClient::new(Tls::V13).naming("a.example");
        let mut control = Control::greeted(&server, Mode::Explicit, &tls);
        enter(&mut control, "a.example");
        control.expect("PBSZ 0", 200);
        control.expect("PROT C", 534);
        server
    }),
    row("user.plaintext", "refused", "may not log in without TLS", || {
        let server =
            setup().explicit("plaintext = \"allow\"").user("alice", &["plaintext = \"refuse\""]).start();
        Control::clear(&server).expect("USER alice", 530);
        server
    }),
    row("listen.data_protection", "refused", "not granted here", || {
        let server = setup().start();
        Control::open(&server).expect("PROT C", 534);
        server
    }),
    row("user.folder.data_protection", "refused", "Nothing is transferred", || {
        let server = of_user("[[user.folder]]\npath = \"/in\"\ndata_protection = \"refuse\"").start();
        fs::create_dir(server.home().join("in")).unwrap();
        let mut control = Control::open(&server);
        assert_eq!(control.try_store("STOR in/file", b"bytes").code, 534);
        server
    }),
    row("listen.ccc", "refused", "stays under TLS", || {
        let server = setup().start();
        Control::open(&server).expect("CCC", 534);
        server
    }),
    row("listen.data_tls_reuse", "refused", "", || {
        let server = setup().listen("data_tls_reuse = \"require\"").start();
        let mut control = Control::open(&server);
        let mut data = control.data();
        control.expect("STOR file", 150);
        let _ = data.secure(&TlsClient::new(Tls::V13));
        control.wait_for(522);
        server
    }),
    row("listen.data_close", "refused", "close_notify", || {
        let server = setup().start();
        let mut control = Control::open(&server);
        let mut data = control.begin("STOR file");
        data.send(b"and no end").unwrap();
        data.fin();
        control.wait_for(426);
        server
    }),
];

/// Who logs in.
pub(super) const LOGINS: &[Row] = &[
    row("user.name", "login_failed", "unknown user", || {
        let server = setup().start();
        guess(&server, "nobody");
        server
    }),
    row("user.password", "login_failed", "wrong password", || {
        let server = setup().start();
        guess(&server, USER);
        server
    }),
    row("", "login_failed", "password too long", || {
        let server = setup().start();
        let mut control = greeted(&server);
        control.expect(&format!("USER {USER}"), 331);
        control.expect(&format!("PASS {}", "x".repeat(1500)), 530);
        server
    }),
    row("user.networks", "login_failed", "not from this address", || {
        let server = setup().user("alice", &["networks = [\"192.0.2.0/24\"]"]).start();
        let mut control = greeted(&server);
        control.expect("USER alice", 331);
        control.expect(&format!("PASS {}", password("alice")), 530);
        server
    }),
    row("user.disabled", "login_failed", "disabled", || {
        let server = setup().user("alice", &["disabled = true"]).start();
        let mut control = greeted(&server);
        control.expect("USER alice", 331);
        control.expect(&format!("PASS {}", password("alice")), 530);
        server
    }),
    row("users.program", "login_failed", "says whoever was asked", || {
        let server = outside().option("users", "program", r#"["/bin/echo", "{\"login\": false}"]"#).start();
        guess(&server, "somebody");
        server
    }),
    row("users.program", "login_failed", "nobody has answered", || {
        let server = outside().option("users", "program", r#"["/bin/false"]"#).start();
        let mut control = greeted(&server);
        control.expect("USER somebody", 331);
        control.expect("PASS of hers", 421);
        server
    }),
    row("limits.login_failures", "disconnected", "too many failed logins", || {
        let server = setup().option("limits", "login_failures", "1").start();
        let mut control = greeted(&server);
        control.expect(&format!("USER {USER}"), 331);
        control.expect("PASS wrong", 421);
        server
    }),
    row("limits.login_queue", "login_failed", "too many logins at once", || {
        let server = Setup::new().option("limits", "login_queue", "1").start();
        all_at_once(&server, "limits.login_queue");
        server
    }),
    row("defence.delay_max_s", "login_failed", "too many failed logins before it", || {
        let server =
            guarded().option("defence", "slow_after", "1").option("defence", "delay_max_s", "1").start();
        all_at_once(&server, "defence.delay_max_s");
        server
    }),
    row("user.login", "login_failed", "no certificate of this user", || {
        let authority = ClientAuthority::named("Example CA");
        let setup = with_authority(setup(), &authority).listen("client_certificate = \"optional\"");
        let server = user(setup, "alice", "login = \"certificate\"\nspki_sha256 = []\n[[user.certificate]]\nissuer = \"CN=Example CA\"\ndns = \"alice\"").start();
        guess(&server, "alice");
        server
    }),
    row("listen.client_certificate", "client_certificate_refused", "showed no certificate", || {
        let server = asking(setup(), &ClientAuthority::named("Example CA")).start();
        assert!(Wire::connect(server.implicit).secure(&TlsClient::new(Tls::V12)).is_err());
        server
    }),
    row("virtual_server.client_certificate", "client_certificate_refused", "showed no certificate", || {
        let setup = with_authority(setup(), &ClientAuthority::named("Example CA"));
        let server = with_server(setup, "a.example", "client_certificate = \"required\"").start();
        let tls = TlsClient::new(Tls::V12).naming("a.example");
        assert!(Wire::connect(server.implicit).secure(&tls).is_err());
        server
    }),
    row("tls.client_ca", "client_certificate_refused", "self-signed", || {
        let server = asking(setup(), &ClientAuthority::named("Example CA")).start();
        let shown = showing(Tls::V12, &self_signed("alice", |_| {}));
        assert!(Wire::connect(server.implicit).secure(&shown).is_err());
        server
    }),
    row("tls.crl", "client_certificate_refused", "revoked", || {
        let authority = ClientAuthority::named("Example CA");
        let server = listing(setup(), &authority, &authority.list(&[7], 1)).start();
        let shown = showing(Tls::V12, &authority.issue_numbered("alice", 7));
        assert!(Wire::connect(server.implicit).secure(&shown).is_err());
        server
    }),
    row("tls.unknown_revocation", "client_certificate_refused", "stale", || {
        let authority = ClientAuthority::named("Example CA");
        let server = listing(setup(), &authority, &authority.list(&[], -1)).start();
        let shown = showing(Tls::V12, &authority.issue_numbered("alice", 7));
        assert!(Wire::connect(server.implicit).secure(&shown).is_err());
        server
    }),
    row("tls.revoked_sessions", "disconnected", "was revoked", || revoked_meanwhile("end")),
    row("tls.client_ca", "refused", "no longer accepted", || revoked_meanwhile("keep")),
    row("tls.client_ca", "login_failed", "no longer accepted", || revoked_meanwhile("keep")),
];

/// How much.
pub(super) const LIMITS: &[Row] = &[
    row("user.sessions", "limit_reached", "", || two_sessions(of_user("sessions = 1"))),
    row("limits.sessions_per_user", "limit_reached", "", || two_sessions(of_all("sessions_per_user", "1"))),
    row("user.transfers", "limit_reached", "", || two_transfers(of_user("transfers = 1"))),
    row("limits.transfers_per_user", "limit_reached", "", || {
        two_transfers(of_all("transfers_per_user", "1"))
    }),
    row("user.files_per_session", "limit_reached", "", || two_files(of_user("files_per_session = 1"))),
    row("limits.files_per_session", "limit_reached", "", || two_files(of_all("files_per_session", "1"))),
    row("user.bytes_per_session", "limit_reached", "", || two_files(of_user("bytes_per_session = 9"))),
    row("limits.bytes_per_session", "limit_reached", "", || two_files(of_all("bytes_per_session", "9"))),
    row("user.quota_bytes", "limit_reached", "", || two_files(of_user("quota_bytes = 9"))),
    row("passive.ports", "refused", "No passive port is free", || {
        let server =
            setup().at("127.84.0.1".parse().unwrap()).option("passive", "ports", "\"50000-50003\"").start();
        let mut held: Vec<Control> = (0..5).map(|_| Control::open(&server)).collect();
        for control in &mut held[..4] {
            control.passive();
        }
        held[4].expect("EPSV", 425);
        server
    }),
];

/// Who may do what.
pub(super) const RIGHTS: &[Row] = &[
    row("user.permissions", "refused", "not permitted to this user", || {
        let server = setup().user("alice", &["permissions = [\"list\"]"]).start();
        let mut control = session(&server, "alice");
        assert_eq!(control.try_store("STOR file", b"bytes").code, 550);
        server
    }),
    row("user.folder.permissions", "refused", "not permitted to this user", || {
        let server = of_user("[[user.folder]]\npath = \"/closed\"\npermissions = []").start();
        Control::open(&server).expect("MKD closed/folder", 550);
        server
    }),
    row("user.home", "refused", "not permitted to this user", || {
        let server = setup().start();
        Control::open(&server).expect("RMD /", 550);
        server
    }),
    row("plaintext.folders", "refused", "not permitted to this user", || {
        let server = anonymous().start();
        in_clear(&server, "anonymous").expect("CWD /elsewhere", 550);
        server
    }),
    row("plaintext.permissions", "refused", "not permitted to this user", || {
        let server = anonymous().start();
        in_clear(&server, "anonymous").expect("MKD /pub/folder", 550);
        server
    }),
    row("user.charset", "refused", "Names are UTF-8", || {
        let server = setup().start();
        Control::open(&server).expect("OPTS UTF8 OFF", 504);
        server
    }),
    row("listen.deflate", "refused", "switched off", || {
        let server = setup().start();
        Control::open(&server).expect("MODE Z", 504);
        server
    }),
    row("fxp.partners", "refused", "exchanges no files", || {
        let server = setup().start();
        Control::open(&server).expect("SSCN ON", 502);
        server
    }),
    row("fxp.partners", "refused", "Only your own address", || {
        let server = setup().start();
        Control::open(&server).expect("PORT 192,0,2,1,200,1", 504);
        server
    }),
    row("fxp.ca", "refused", "no authority", || {
        let server = setup().table("[fxp]\npartners = [\"192.0.2.1\"]").start();
        Control::open(&server).expect("SSCN ON", 534);
        server
    }),
];
