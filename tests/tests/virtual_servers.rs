//! Servers that clients name by SNI and HOST: each has its users, its greeting and its policy, and none reaches another's.

use std::fs;

use carrack_tests::certificates::Authority;
use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, Tls, needs, python};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::USER;
use carrack_tests::tls_client::TlsClient;
use carrack_tests::virtual_servers::{
    ALICE, BOTH, behind_one_certificate, behind_their_own, clear, enter, home_at, is_not_the_other, nameless,
    other, password_at, secure, setup, with_server, with_user,
};

/// That files go to and from the home of the user of that server.
fn has_its_home(control: &mut Control, server: &Server, name: &str) {
    for command in ["PBSZ 0", "PROT P", "TYPE I"] {
        control.expect(command, 200);
    }
    assert_eq!(control.download("where"), name.as_bytes());
    control.upload("up", name.as_bytes());
    let folder = server.config().parent().unwrap().to_owned();
    assert_eq!(fs::read(home_at(&folder, name).join("up")).unwrap(), name.as_bytes());
    assert!(!home_at(&folder, other(name)).join("up").exists());
    control.expect("DELE up", 250);
}

#[test]
fn the_name_in_the_handshake_selects_users_homes_and_greeting() {
    for one_certificate in [true, false] {
        let setup = if one_certificate {
            behind_one_certificate(setup())
        } else {
            behind_their_own(setup(), &Authority::new())
        };
        let server = setup.start();
        for (mode, tls) in EVERY_WAY {
            for name in BOTH {
                let mut control = Control::connect(server.address(mode), &TlsClient::new(tls).naming(name));
                let banner = format!("Here is {name}.");
                if mode == Mode::Implicit {
                    control.secure();
                    assert_eq!(control.wait_for(220).lines, [format!("220 {banner}")]);
                } else {
                    assert!(!control.wait_for(220).to_string().contains("example"), "{control}");
                    secure(&mut control);
                }
                is_not_the_other(&mut control, name);
                let welcome = enter(&mut control, name);
                // On an explicit listener the login's reply is the first that has room for it.
                assert_eq!(welcome.contains(&banner), mode == Mode::Explicit, "{welcome}");
                has_its_home(&mut control, &server, name);
                // A greeting that was said is not said again.
                assert!(!enter(&mut control, name).contains(&banner), "{control}");
            }
        }
        let line = server.logged("login", |line| line.text("user") == ALICE);
        assert!(BOTH.contains(&line.text("virtual_server").as_str()), "{}", line.raw);
        let line = server.logged("login_failed", |_| true);
        assert!(BOTH.contains(&line.text("virtual_server").as_str()), "{}", line.raw);
    }
}

#[test]
fn who_names_nobody_or_another_is_at_none_of_them() {
    let server = behind_one_certificate(setup()).start();
    for (mode, tls) in EVERY_WAY {
        for client in [TlsClient::new(tls), nameless(tls)] {
            let mut control = Control::greeted(&server, mode, &client);
            for name in BOTH {
                is_not_the_other(&mut control, name);
            }
            control.login(USER);
            control.expect("PBSZ 0", 200);
            control.expect("PROT P", 200);
            control.upload("file", b"at none");
        }
        // Nor is the user who belongs to none of them known at any.
        let mut control = Control::greeted(&server, mode, &TlsClient::new(tls).naming(BOTH[0]));
        control.expect(&format!("USER {USER}"), 331);
        control.expect(&format!("PASS {}", server.password()), 530);
    }
    let line = server.logged("login", |line| line.text("user") == USER);
    assert_eq!(line.field("virtual_server"), None, "{}", line.raw);
}

#[test]
fn curl_that_checks_certificates_reaches_each_server_and_its_user_alone() {
    if !needs(&["curl"]) {
        return;
    }
    let (setup, authority) = (setup(), Authority::new());
    let ca = authority.file(&setup.scratch());
    let server = behind_their_own(setup, &authority).start();
    for (mode, tls) in EVERY_WAY {
        let scheme = if mode == Mode::Explicit { "ftp" } else { "ftps" };
        let port = server.address(mode).port();
        let curl = |name: &str, password: &str| {
            Program::new("curl")
                .args(["-q", "--silent", "--show-error", "--ssl-reqd", "--cacert"])
                .arg(&ca)
                .args(["--user", &format!("{ALICE}:{password}")])
                .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
                .args(if tls == Tls::V12 { &["--tlsv1.2", "--tls-max", "1.2"][..] } else { &["--tlsv1.3"] })
                .arg(format!("{scheme}://{name}:{port}/where"))
                .run()
        };
        for name in BOTH {
            assert_eq!(curl(name, &password_at(name)).ok().stdout, name);
            let refused = curl(name, &password_at(other(name))).fails();
            assert!(refused.stderr.contains("530"), "{}", refused.report());
        }
    }
}

#[test]
fn openssl_gets_no_session_of_one_server_resumed_at_the_other() {
    if !needs(&["openssl"]) {
        return;
    }
    let setup = setup();
    let file = setup.scratch().join("session");
    let server = behind_one_certificate(setup).start();
    for version in ["-tls1_2", "-tls1_3"] {
        let ask = |name: &str, session: &str| {
            let address = server.implicit.to_string();
            Program::new("openssl")
                .args(["s_client", "-ign_eof", "-nocommands", "-connect", &address, version])
                .args(["-servername", name, session])
                .arg(&file)
                .input("QUIT\r\n")
                .run()
        };
        let first = ask(BOTH[0], "-sess_out");
        assert!(first.stdout.contains("Here is a.example.") && file.exists(), "{}", first.report());
        let second = ask(BOTH[1], "-sess_in");
        assert!(second.stdout.contains("Here is b.example."), "{}", second.report());
        assert!(!second.stdout.contains("Reused, "), "{}", second.report());
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn host_before_auth_selects_certificate_users_and_greeting() {
    let (setup, authority) = (setup(), Authority::new());
    let server = behind_their_own(setup, &authority).start();
    for tls in [Tls::V12, Tls::V13] {
        for name in BOTH {
            let mut control = clear(&server, &nameless(tls));
            let accepted = control.expect(&format!("HOST {}", name.to_uppercase()), 220);
            assert_eq!(accepted.lines, [format!("220-Here is {name}."), "220 Host accepted.".to_owned()]);
            control.expect(&format!("USER {ALICE}"), 530);
            secure(&mut control);
            let shown = carrack_tls::describe(&control.wire.certificate()).unwrap();
            assert_eq!(shown.names, [name]);
            is_not_the_other(&mut control, name);
            assert_eq!(enter(&mut control, name), "230 Logged in.");
            has_its_home(&mut control, &server, name);
            control.expect(&format!("HOST {}", other(name)), 503);
        }
    }
}

#[test]
fn python_that_says_host_reaches_each_server_and_its_user_alone() {
    if !needs(&["python3"]) {
        return;
    }
    let server = behind_one_certificate(setup()).start();
    let port = server.explicit.port().to_string();
    for when in ["before", "behind"] {
        for name in BOTH {
            let run = python("host.py", [&port, name, &password_at(name), when]).run().ok();
            assert!(run.stdout.contains(&format!("220-Here is {name}.")), "{}", run.report());
            assert!(run.stdout.contains(&format!("read {name}")), "{}", run.report());
            let run = python("host.py", [&port, name, &password_at(other(name)), when]).run().fails();
            assert!(run.stderr.contains("530 Login incorrect."), "{}", run.report());
        }
    }
}

#[test]
fn host_behind_auth_selects_where_the_certificate_is_for_the_name() {
    let server = behind_one_certificate(setup()).start();
    for (mode, tls) in EVERY_WAY {
        for name in BOTH {
            let mut control = Control::greeted(&server, mode, &nameless(tls));
            // The last one counts (RFC 7151 §3), also behind USER.
            control.expect(&format!("HOST {}", other(name)), 220);
            control.expect(&format!("USER {ALICE}"), 331);
            let accepted = control.expect(&format!("HOST {name}"), 220).to_string();
            assert!(accepted.contains(&format!("Here is {name}.")), "{accepted}");
            control.expect(&format!("PASS {}", password_at(name)), 503);
            is_not_the_other(&mut control, name);
            enter(&mut control, name);
            has_its_home(&mut control, &server, name);
        }
    }
    let apart = behind_their_own(setup(), &Authority::new()).start();
    let mut control = Control::greeted(&apart, Mode::Explicit, &nameless(Tls::V13));
    let refused = control.expect("HOST a.example", 504).to_string();
    assert!(refused.contains("send HOST before AUTH"), "{refused}");
    control.login(USER);
    let line = apart.logged("host_refused", |_| true);
    assert_eq!(
        (line.text("name"), line.text("option")),
        ("a.example".into(), "tls.identity.certificate".into())
    );
}

#[test]
fn host_that_contradicts_the_handshake_is_refused_and_changes_nothing() {
    for server in
        [behind_one_certificate(setup()).start(), behind_their_own(setup(), &Authority::new()).start()]
    {
        for (mode, tls) in EVERY_WAY {
            for name in BOTH {
                let mut control = Control::greeted(&server, mode, &TlsClient::new(tls).naming(name));
                for host in [other(name), "localhost", "127.0.0.1"] {
                    control.expect(&format!("HOST {host}"), 504);
                }
                is_not_the_other(&mut control, name);
                enter(&mut control, name);
                // REIN forgets HOST, not the handshake.
                control.expect("REIN", 220);
                control.expect(&format!("HOST {name}"), 220);
                control.expect("REIN", 220);
                enter(&mut control, name);
            }
        }
        // What anybody may have said in clear gives way to the handshake.
        let mut control = clear(&server, &TlsClient::new(Tls::V13).naming("a.example"));
        control.expect("HOST b.example", 220);
        secure(&mut control);
        is_not_the_other(&mut control, "a.example");
        enter(&mut control, "a.example");
        let line = server.logged("host_refused", |line| line.text("name") == "b.example");
        assert!(line.text("why").contains("another name"), "{}", line.raw);
    }
}

#[test]
fn a_refused_host_and_rein_lead_back_to_where_nobody_is_named() {
    let setup = behind_one_certificate(setup()).listen("hosts = [\"localhost\"]");
    let server = setup.start();
    let mut control = Control::greeted(&server, Mode::Explicit, &nameless(Tls::V13));
    for undo in ["HOST elsewhere.example", "REIN"] {
        control.expect("HOST a.example", 220);
        control.expect(undo, if undo == "REIN" { 220 } else { 504 });
        control.expect(&format!("USER {ALICE}"), 331);
        control.expect(&format!("PASS {}", password_at("a.example")), 530);
    }
    control.login(USER);
    control.expect("REIN", 220);
    control.expect("HOST a.example", 220);
    enter(&mut control, "a.example");
    let line = server.logged("host_refused", |_| true);
    assert_eq!(
        (line.text("name"), line.text("option")),
        ("elsewhere.example".to_owned(), "listen.hosts".to_owned())
    );
}

#[test]
fn a_wildcard_leads_to_its_server_and_a_name_before_it() {
    let setup = with_server(setup(), "b.example", "");
    let setup = with_user(
        setup.table("\n[[virtual_server]]\nnames = [\"a.example\", \"*.example\"]"),
        "a.example",
        "",
    );
    let server = setup.start();
    for (name, leads_to) in [("any.example", "a.example"), ("b.example", "b.example")] {
        let client = TlsClient::new(Tls::V13).naming(name);
        let mut control = Control::greeted(&server, Mode::Implicit, &client);
        enter(&mut control, leads_to);
    }
    let mut control = clear(&server, &TlsClient::new(Tls::V13));
    control.expect("HOST too.deep.example", 220);
    secure(&mut control);
    control.login(USER);
}

#[test]
fn a_ticket_of_one_server_is_worth_nothing_at_the_other() {
    for one_port in [false, true] {
        let setup = behind_one_certificate(setup().listen("data_tls_reuse = \"require\""));
        let server = if one_port { setup.one_data_port() } else { setup }.start();
        for (mode, tls) in EVERY_WAY {
            // Handshakes that name nobody: rustls offers its sessions by the server's name.
            let at = |client: &TlsClient, name: &str| {
                let mut control = Control::greeted(&server, mode, client);
                control.expect(&format!("HOST {name}"), 220);
                enter(&mut control, name);
                for command in ["PBSZ 0", "PROT P", "TYPE I"] {
                    control.expect(command, 200);
                }
                control
            };
            let (hers, others) = (nameless(tls), nameless(tls));
            let mut first = at(&hers, "a.example");
            let mut second = at(&others, "b.example");
            second.upload("own", b"own session");
            second.tls = hers.clone();
            let mut data = second.data();
            second.expect("STOR stolen", 150);
            // The server may end it before the handshake has.
            let _ = data.secure(&hers).and_then(|_| data.send(b"stolen"));
            drop(data);
            if one_port {
                // There it comes to the session that it names, which waits for nothing.
                second.expect("ABOR", 426);
                second.wait_for(226);
            } else {
                let refused = second.reply();
                assert!(refused.code == 522 || refused.code == 425, "{second}");
            }
            first.expect("STAT", 211);
            first.expect("SIZE where", 213);
            // At the same server it is that of a sibling, where it has any left.
            if tls == Tls::V12 {
                let mut sibling = at(&nameless(tls), "a.example");
                sibling.tls = hers.clone();
                sibling.upload("sibling", b"the same user");
            }
        }
        assert!(!server.config().with_file_name("homes").join("b.example/stolen").exists());
    }
}
