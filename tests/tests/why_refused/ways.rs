//! How does a client come to a refusal?

use std::fs;

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::client_certificates::{ClientAuthority, showing, with_authority};
use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use rustix::process::Signal;

pub(super) fn setup() -> Setup {
    Setup::new().quick_logins()
}

/// Slows and bans guesses from this machine too, once the row has said when.
pub(super) fn guarded() -> Setup {
    setup().option("defence", "exempt", "[]").option("defence", "ban_after", "1000")
}

pub(super) fn greeted(server: &Server) -> Control {
    Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V13))
}

pub(super) fn session(server: &Server, user: &str) -> Control {
    Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), user)
}

pub(super) fn in_clear(server: &Server, user: &str) -> Control {
    let mut control = Control::clear(server);
    control.login(user);
    control
}

/// Connects, and hears that it is not let in.
pub(super) fn knock(server: &Server, from: &str) {
    let wire = Wire::connect_from(from.parse().unwrap(), server.explicit).unwrap();
    Control::over(wire, &TlsClient::new(Tls::V13)).replies_to_end();
}

/// Somebody from another address was at the explicit listener.
pub(super) fn knocked(setup: Setup) -> Server {
    let server = setup.start();
    knock(&server, "127.0.0.2");
    server
}

/// One is there, and another came.
pub(super) fn crowded(setup: Setup) -> Server {
    let server = setup.start();
    let _there = Control::clear(&server);
    knock(&server, "127.0.0.1");
    server
}

/// For users that a program knows: their homes have to lie somewhere.
pub(super) fn outside() -> Setup {
    let setup = setup();
    let roots = format!("roots = [{:?}]", setup.folder());
    setup.top(&roots)
}

pub(super) fn guess(server: &Server, user: &str) {
    let mut control = greeted(server);
    control.expect(&format!("USER {user}"), 331);
    control.expect("PASS a guess", 530);
}

/// Wrong logins, several at a time, until one of them is refused because of `option`.
pub(super) fn all_at_once(server: &Server, option: &str) {
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
pub(super) fn s_client(server: &Server, words: &[&str]) {
    let address = server.implicit.to_string();
    Program::new("openssl")
        .args(["s_client", "-connect", &address])
        .args(words)
        .input("QUIT\r\n")
        .run()
        .fails();
}

/// Certificates for two names.
pub(super) fn two_names() -> Setup {
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

pub(super) fn asking(setup: Setup, authority: &ClientAuthority) -> Setup {
    with_authority(setup, authority).listen("client_certificate = \"required\"")
}

/// With that list of what was revoked.
pub(super) fn listing(setup: Setup, authority: &ClientAuthority, list: &str) -> Setup {
    let file = setup.scratch().join("list.pem");
    fs::write(&file, list).unwrap();
    asking(setup, authority).option("tls", "crl", &format!("[{file:?}]"))
}

/// A session whose certificate is revoked, and then all that it can still ask for.
pub(super) fn revoked_meanwhile(sessions: &str) -> Server {
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
pub(super) fn of_user(line: &str) -> Setup {
    setup().without(USER).user(USER, &[EVERYTHING, line])
}

pub(super) fn of_all(key: &str, value: &str) -> Setup {
    setup().option("limits", key, value)
}

pub(super) fn two_sessions(setup: Setup) -> Server {
    let server = setup.start();
    let _first = Control::open(&server);
    let mut second = greeted(&server);
    second.expect(&format!("USER {USER}"), 331);
    second.expect(&format!("PASS {}", password(USER)), 421);
    server
}

pub(super) fn two_transfers(setup: Setup) -> Server {
    let server = setup.start();
    let mut first = Control::open(&server);
    let _runs = first.begin("STOR first");
    assert_eq!(Control::open(&server).try_store("STOR second", b"bytes").code, 450);
    server
}

pub(super) fn two_files(setup: Setup) -> Server {
    let server = setup.start();
    let mut control = Control::open(&server);
    control.upload("first", b"bytes");
    assert_eq!(control.try_store("STOR second", b"bytes").code, 552);
    server
}

/// Nobody's password, and one folder to read.
pub(super) fn anonymous() -> Setup {
    setup()
        .explicit("plaintext = \"limit\"")
        .user("anonymous", &[EVERYTHING])
        .table("[plaintext]\nfolders = [\"/pub\"]")
}
