//! What holds at a virtual server: its policy from its name on, its users' certificates and limits, and what the operator sees and changes.

use carrack_tests::client_certificates::{ClientAuthority, showing, with_authority};
use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::USER;
use carrack_tests::tls_client::TlsClient;
use carrack_tests::virtual_servers::{
    ALICE, BOTH, behind_one_certificate, clear, enter, home_at, is_not_the_other, nameless, password_at,
    setup, with_server, with_user,
};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn what_is_stricter_at_a_server_holds_from_its_name_on() {
    let authority = ClientAuthority::named("Example CA");
    let setup = with_authority(setup(), &authority)
        .explicit("plaintext = \"allow\"\ndata_protection = \"optional\"")
        .implicit("data_protection = \"require\"");
    let strict = "plaintext = \"refuse\"\ndata_protection = \"require\"\nclient_certificate = \"required\"";
    let server = with_server(with_server(setup, "a.example", strict), "b.example", "").start();

    // In clear: until the name is said, and at servers that say nothing, it is as the listener has it.
    let mut control = clear(&server, &nameless(Tls::V13));
    control.login(USER);
    control.expect("REIN", 220);
    control.expect("HOST b.example", 220);
    enter(&mut control, "b.example");
    control.expect("REIN", 220);
    control.expect("HOST a.example", 220);
    let refused = control.expect(&format!("USER {ALICE}"), 530).to_string();
    assert!(refused.contains("AUTH TLS"), "{refused}");
    control.expect("PASS whatever", 530);

    let known = authority.issue("alice", |_| {});
    for tls in [Tls::V12, Tls::V13] {
        // Whoever has named the server without a certificate does not come in.
        for mode in [Mode::Explicit, Mode::Implicit] {
            let mut control =
                Control::connect(server.address(mode), &TlsClient::new(tls).naming("a.example"));
            if mode == Mode::Explicit {
                control.wait_for(220);
                control.expect("AUTH TLS", 234);
            }
            let client = control.tls.clone();
            // Under TLS 1.3 the client's side of the handshake is over before it is judged.
            assert!(control.wire.secure(&client).is_err() || control.reply_or_end().is_err(), "{control}");
        }
        // Not by the back door either: HOST behind a handshake that asked for none.
        let mut control = Control::greeted(&server, Mode::Explicit, &nameless(tls));
        let refused = control.expect("HOST a.example", 504).to_string();
        assert!(refused.contains("certificate in the TLS handshake"), "{refused}");
        let mut control = clear(&server, &nameless(tls));
        control.expect("HOST a.example", 220);
        control.expect("AUTH TLS", 234);
        let client = control.tls.clone();
        assert!(control.wire.secure(&client).is_err() || control.reply_or_end().is_err(), "{control}");

        // With one it does; data stay protected there, and may be clear at the other.
        let client = showing(tls, &known).naming("a.example");
        let mut control = Control::greeted(&server, Mode::Explicit, &client);
        enter(&mut control, "a.example");
        control.expect("PBSZ 0", 200);
        control.expect("PROT C", 534);
        control.expect("PROT P", 200);
        assert_eq!(control.download("where"), b"a.example");
        let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(tls).naming("b.example"));
        enter(&mut control, "b.example");
        control.expect("PBSZ 0", 200);
        control.expect("PROT C", 200);
    }
    let line = server.logged("client_certificate_refused", |_| true);
    assert!(line.text("why").contains("showed no certificate"), "{}", line.raw);
    let line = server.logged("host_refused", |_| true);
    assert_eq!(line.text("option"), "virtual_server.client_certificate");
}

#[test]
fn a_certificate_logs_in_the_user_of_the_server_that_was_named() {
    let authority = ClientAuthority::named("Example CA");
    let setup = with_authority(setup(), &authority).listen("client_certificate = \"optional\"");
    let issuer = "CN=Example CA";
    let setup = setup.table("\n[[virtual_server]]\nnames = [\"a.example\"]");
    let setup = with_user(
        setup,
        "a.example",
        &format!("login = \"either\"\n[[user.certificate]]\nissuer = {issuer:?}\nsubject = \"CN=alice\""),
    );
    let server = with_server(setup, "b.example", "").start();
    let known = authority.issue("alice", |_| {});
    let greeted = |name| Control::greeted(&server, Mode::Implicit, &showing(Tls::V13, &known).naming(name));
    greeted("a.example").expect(&format!("USER {ALICE}"), 232);
    let mut control = greeted("b.example");
    control.expect(&format!("USER {ALICE}"), 331);
    control.expect(&format!("PASS {}", password_at("a.example")), 530);
    greeted("localhost").expect(&format!("USER {ALICE}"), 331);
}

#[test]
fn anonymous_access_is_granted_at_the_server_that_has_it() {
    let setup = behind_one_certificate(setup().explicit("plaintext = \"limit\""));
    let home = home_at(setup.folder(), "a.example");
    let setup = setup
        .table("\n[plaintext]\nvirtual_server = \"a.example\"\nfolders = [\"/\"]")
        .table(&format!("\n[[user]]\nname = \"anonymous\"\nvirtual_server = \"a.example\"\nhome = {home:?}"));
    let server = setup.start();
    let mut control = clear(&server, &nameless(Tls::V13));
    for named in ["HOST b.example", "REIN"] {
        control.expect("HOST a.example", 220);
        control.expect("USER anonymous", 331);
        control.expect("PASS me@example.org", 230);
        control.expect("TYPE I", 200);
        control.expect("SIZE where", 213);
        control.expect("DELE where", 550);
        control.expect("REIN", 220);
        control.expect(named, 220);
        control.expect("USER anonymous", 530);
    }
}

#[test]
fn one_users_sessions_and_failures_are_not_those_of_its_namesake() {
    let setup = behind_one_certificate(setup().option("limits", "sessions_per_user", "1"));
    let server = setup.start();
    let greeted = |name| {
        let client = TlsClient::new(Tls::V13).naming(name);
        Control::greeted(&server, Mode::Explicit, &client)
    };
    let mut first = greeted("a.example");
    enter(&mut first, "a.example");
    let mut elsewhere = greeted("b.example");
    enter(&mut elsewhere, "b.example");
    let mut second = greeted("a.example");
    second.expect(&format!("USER {ALICE}"), 331);
    second.expect(&format!("PASS {}", password_at("a.example")), 421);
    let line = server.logged("limit_reached", |_| true);
    assert_eq!(line.text("virtual_server"), "a.example");
    first.expect("QUIT", 221);
    let line = server.logged("session_end", |_| true);
    assert_eq!((line.text("user"), line.text("virtual_server")), (ALICE.into(), "a.example".into()));
}

#[test]
fn the_operator_sees_and_ends_the_sessions_of_one_server() {
    let server = behind_one_certificate(setup()).start();
    let mut sessions = BOTH.map(|name| {
        let client = TlsClient::new(Tls::V13).naming(name);
        let mut control = Control::greeted(&server, Mode::Explicit, &client);
        enter(&mut control, name);
        control
    });
    let ctl = |words: &[&str]| {
        Program::new(program()).args(["ctl", "--config"]).arg(server.config()).args(words).run()
    };
    let told: Value = serde_json::from_str(&ctl(&["sessions", "--json"]).ok().stdout).unwrap();
    let at = |index: usize| told["sessions"][index]["virtual_server"].as_str().unwrap().to_owned();
    assert_eq!([at(0), at(1)], BOTH);
    let table = ctl(&["sessions"]).ok().stdout;
    assert!(table.contains("alice@a.example") && table.contains("alice@b.example"), "{table}");
    let nobody = ctl(&["kick", "user", ALICE]).fails();
    assert!(nobody.stderr.contains("has no session"), "{}", nobody.report());
    ctl(&["kick", "user", ALICE, "--virtual-server", "a.example"]).ok();
    sessions[0].wait_for(421);
    sessions[1].expect("PWD", 257);
    let line = server.logged("kicked", |_| true);
    assert_eq!((line.text("user"), line.text("virtual_server")), (ALICE.into(), "a.example".into()));
}

#[test]
fn a_reload_takes_servers_in_and_out_and_a_wrong_one_is_refused() {
    let mut server = with_server(setup(), "a.example", "").start();
    let greeted = |server: &Server, name| {
        Control::greeted(server, Mode::Implicit, &TlsClient::new(Tls::V13).naming(name))
    };
    let mut old = greeted(&server, "a.example");
    enter(&mut old, "a.example");
    let mut stranger = greeted(&server, "b.example");
    is_not_the_other(&mut stranger, "a.example");

    server.rewrite(|setup| with_server(setup, "b.example", ""));
    server.signal(Signal::HUP);
    server.logged("reloaded", |_| true);
    enter(&mut greeted(&server, "b.example"), "b.example");
    is_not_the_other(&mut greeted(&server, "b.example"), "b.example");
    old.expect("PBSZ 0", 200);
    old.expect("PROT P", 200);
    assert_eq!(old.download("where"), b"a.example");

    // A server that is there twice.
    server.rewrite(|setup| setup.table("\n[[virtual_server]]\nnames = [\"B.example\"]"));
    server.signal(Signal::HUP);
    let line = server.logged("reload_refused", |_| true);
    assert!(line.text("why").contains("b.example is a virtual server's name already"), "{}", line.raw);
    enter(&mut greeted(&server, "b.example"), "b.example");
}
