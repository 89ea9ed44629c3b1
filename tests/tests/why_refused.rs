//! "Why was I refused?": every refusal that a client can meet is provoked, and the log has to name the option that it was because of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::client_certificates::{ClientAuthority, self_signed, showing, user, with_authority};
use carrack_tests::control::Control;
use carrack_tests::pages::read;
use carrack_tests::programs::{Program, Tls, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use rustix::process::Signal;

/// A refusal: the option that it is because of, the event in which the log says so, words of its reason, and how a client comes to it.
struct Row {
    option: &'static str,
    event: &'static str,
    why: &'static str,
    provoke: fn() -> Server,
}

const fn row(option: &'static str, event: &'static str, why: &'static str, provoke: fn() -> Server) -> Row {
    Row { option, event, why, provoke }
}

/// Who is let in, and how many.
const CONNECTIONS: &[Row] = &[
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
        let ctl =
            Program::new(carrack_tests::server::program()).args(["ctl", "--config"]).arg(server.config());
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
const DEADLINES: &[Row] = &[
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
const TLS: &[Row] = &[
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
    row("tls.identity.certificate", "refused", "No such host here", || {
        let server = two_names().start();
        Control::clear(&server).expect("HOST nobody.example", 504);
        server
    }),
    row("listen.hosts", "refused", "No such host here", || {
        let server = setup().listen("hosts = [\"ftp.example.com\"]").start();
        Control::clear(&server).expect("HOST nobody.example", 504);
        server
    }),
    row("listen.plaintext", "refused", "wants TLS", || {
        let server = setup().start();
        Control::clear(&server).expect(&format!("USER {USER}"), 530);
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
const LOGINS: &[Row] = &[
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
const LIMITS: &[Row] = &[
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
const RIGHTS: &[Row] = &[
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

/// What only meets who comes from another machine.
const FROM_AFAR: &[(&str, &str)] =
    &[("passive.public_address", "tests/tests/addresses.rs: a client of this machine is told where it came")];

fn setup() -> Setup {
    Setup::new().quick_logins()
}

/// Slows and bans guesses from this machine too, once the row has said when.
fn guarded() -> Setup {
    setup().option("defence", "exempt", "[]").option("defence", "ban_after", "1000")
}

fn greeted(server: &Server) -> Control {
    Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V13))
}

fn session(server: &Server, user: &str) -> Control {
    Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), user)
}

fn in_clear(server: &Server, user: &str) -> Control {
    let mut control = Control::clear(server);
    control.login(user);
    control
}

/// Connects, and hears that it is not let in.
fn knock(server: &Server, from: &str) {
    let wire = Wire::connect_from(from.parse().unwrap(), server.explicit).unwrap();
    Control::over(wire, &TlsClient::new(Tls::V13)).replies_to_end();
}

/// Somebody from another address was at the explicit listener.
fn knocked(setup: Setup) -> Server {
    let server = setup.start();
    knock(&server, "127.0.0.2");
    server
}

/// One is there, and another came.
fn crowded(setup: Setup) -> Server {
    let server = setup.start();
    let _there = Control::clear(&server);
    knock(&server, "127.0.0.1");
    server
}

fn guess(server: &Server, user: &str) {
    let mut control = greeted(server);
    control.expect(&format!("USER {user}"), 331);
    control.expect("PASS a guess", 530);
}

/// Wrong logins, several at a time, until one of them is refused because of `option`.
fn all_at_once(server: &Server, option: &str) {
    let is_told =
        || server.logs.lines().iter().any(|line| line.is("login_failed") && line.text("option") == option);
    wait::until_true("too many logins", || {
        let mut together: Vec<Control> = (0..8).map(|_| greeted(server)).collect();
        for control in &mut together {
            control.expect(&format!("USER {USER}"), 331);
        }
        together.iter_mut().for_each(|control| control.say("PASS a guess"));
        for control in &mut together {
            let _ = control.reply_or_end();
        }
        is_told()
    });
}

/// What `openssl s_client` is refused at the implicit listener.
fn s_client(server: &Server, words: &[&str]) {
    let address = server.implicit.to_string();
    Program::new("openssl")
        .args(["s_client", "-connect", &address])
        .args(words)
        .input("QUIT\r\n")
        .run()
        .fails();
}

/// Certificates for two names.
fn two_names() -> Setup {
    let (setup, authority) = (setup(), Authority::new());
    let folder = setup.scratch();
    let files = |name: &str| {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        authority.issue(Kind::Good, &[name]).files(&folder)
    };
    let (first, second) = (files("one.example"), files("two.example"));
    setup
        .option("tls", "certificate", &format!("{:?}", first.certificate))
        .option("tls", "key", &format!("{:?}", first.key))
        .table(&format!("\n[[tls.identity]]\ncertificate = {:?}\nkey = {:?}", second.certificate, second.key))
}

fn asking(setup: Setup, authority: &ClientAuthority) -> Setup {
    with_authority(setup, authority).listen("client_certificate = \"required\"")
}

/// With that list of what was revoked.
fn listing(setup: Setup, authority: &ClientAuthority, list: &str) -> Setup {
    let file = setup.scratch().join("list.pem");
    fs::write(&file, list).unwrap();
    asking(setup, authority).option("tls", "crl", &format!("[{file:?}]"))
}

/// A session whose certificate is revoked, and then all that it can still ask for.
fn revoked_meanwhile(sessions: &str) -> Server {
    let authority = ClientAuthority::named("Example CA");
    let setup = listing(setup(), &authority, &authority.list(&[], 1));
    let file = setup.scratch().join("list.pem");
    let server = setup.option("tls", "revoked_sessions", &format!("{sessions:?}")).start();
    let shown = showing(Tls::V12, &authority.issue_numbered("alice", 7));
    let mut control = Control::session(&server, Mode::Implicit, &shown, USER);
    fs::write(file, authority.list(&[7], 1)).unwrap();
    server.signal(Signal::HUP);
    server.logged("client_trust_replaced", |_| true);
    if sessions == "end" {
        control.wait_for(421);
    } else {
        control.expect("MKD folder", 530);
        control.expect(&format!("USER {USER}"), 331);
        control.expect(&format!("PASS {}", password(USER)), 530);
    }
    server
}

/// A line of the only user.
fn of_user(line: &str) -> Setup {
    setup().without(USER).user(USER, &[carrack_tests::setup::EVERYTHING, line])
}

fn of_all(key: &str, value: &str) -> Setup {
    setup().option("limits", key, value)
}

fn two_sessions(setup: Setup) -> Server {
    let server = setup.start();
    let _first = Control::open(&server);
    let mut second = greeted(&server);
    second.expect(&format!("USER {USER}"), 331);
    second.expect(&format!("PASS {}", password(USER)), 421);
    server
}

fn two_transfers(setup: Setup) -> Server {
    let server = setup.start();
    let mut first = Control::open(&server);
    let _runs = first.begin("STOR first");
    assert_eq!(Control::open(&server).try_store("STOR second", b"bytes").code, 450);
    server
}

fn two_files(setup: Setup) -> Server {
    let server = setup.start();
    let mut control = Control::open(&server);
    control.upload("first", b"bytes");
    assert_eq!(control.try_store("STOR second", b"bytes").code, 552);
    server
}

/// Nobody's password, and one folder to read.
fn anonymous() -> Setup {
    setup()
        .explicit("plaintext = \"limit\"")
        .user("anonymous", &[carrack_tests::setup::EVERYTHING])
        .table("[plaintext]\nfolders = [\"/pub\"]")
}

/// All of them.
fn rows() -> impl Iterator<Item = &'static Row> {
    [CONNECTIONS, DEADLINES, TLS, LOGINS, LIMITS, RIGHTS].into_iter().flatten()
}

/// Provokes each, and insists on the line that says why.
fn walk(rows: &[Row]) {
    if !needs(&["openssl"]) {
        return;
    }
    for Row { option, event, why, provoke } in rows {
        let server = provoke();
        let line =
            server.logged(event, |line| line.text("option") == *option && line.text("why").contains(why));
        assert!(!line.text("why").is_empty() || line.is("limit_reached"), "{}", line.raw);
    }
}

#[test]
fn connections_that_are_not_let_in() {
    walk(CONNECTIONS);
}

#[test]
fn time_that_is_over() {
    walk(DEADLINES);
}

#[test]
fn what_is_not_protected_as_it_has_to_be() {
    walk(TLS);
}

#[test]
fn logins() {
    walk(LOGINS);
}

#[test]
fn limits() {
    walk(LIMITS);
}

#[test]
fn what_a_user_may_not_do() {
    walk(RIGHTS);
}

/// Keys of the configuration, as docs/configuration.md has them.
fn keys() -> BTreeSet<String> {
    let page = read("docs/configuration.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `"));
    headings.map(|heading| heading.trim_end_matches('`').to_owned()).collect()
}

#[test]
fn every_option_that_is_named_can_be_set() {
    let keys = keys();
    for Row { option, .. } in rows() {
        let is_a_word = *option == "ban by the operator" || option.is_empty();
        assert!(is_a_word || keys.contains(*option), "there is no option {option}");
    }
}

/// The words in quotes behind `begin` in a source, up to its `end`.
fn quoted_between(source: &str, begin: &str, end: &str) -> Vec<String> {
    let text = read(source);
    let mut found = Vec::new();
    for piece in text.split(begin).skip(1) {
        let piece = piece.split(end).next().unwrap();
        found.extend(piece.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

/// Every source of a crate.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn every_refusal_of_the_source_has_its_row() {
    let walked: BTreeSet<&str> =
        rows().map(|row| row.option).chain(FROM_AFAR.iter().map(|far| far.0)).collect();
    let mut named = BTreeSet::new();
    let top = carrack_tests::pages::top();
    for folder in [
        "crates/core/src",
        "crates/net/src",
        "crates/ftp-proto/src",
        "crates/ftp-server/src",
        "crates/tls/src",
    ] {
        for source in sources(&top.join(folder)) {
            named.extend(quoted_between(&source, ".because_of(", ")"));
            named.extend(quoted_between(&source, "fn option(", "\n    }\n"));
            named.extend(quoted_between(&source, "const OF_", ";"));
        }
    }
    // Limits are named where they are read.
    named.extend(quoted_between("crates/daemon/src/limits.rs", "nearest(", "),\n        "));
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|option| !walked.contains(option.as_str())).collect();
    assert!(missing.is_empty(), "no row provokes {missing:?}");
    // Reasons that no option is behind.
    let reasons = quoted_between("crates/core/src/login.rs", "pub const fn as_str(self)", "\n    }\n");
    assert!(reasons.len() > 4);
    for reason in reasons {
        assert!(
            rows().any(|row| !row.why.is_empty() && reason.contains(row.why)),
            "no row provokes {reason:?}"
        );
    }
}
