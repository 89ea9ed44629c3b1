//! Client certificates with real programs at the other end: who comes in by which, and who does not, and what is logged.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_tests::certificates::{Files, Identity};
use carrack_tests::client_certificates::{ClientAuthority, self_signed, user, valid_days, with_authority};
use carrack_tests::programs::{EVERY_WAY, Program, Run, Tls, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, password};
use carrack_tests::tree;
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, SanType};

/// The name of the authority that servers here believe.
const CA: &str = "Example CA";

/// A server whose listeners ask for certificates of that authority.
fn asking(setup: Setup, demand: &str, authority: &ClientAuthority) -> Setup {
    with_authority(setup, authority).listen(&format!("client_certificate = {demand:?}"))
}

/// The files of a client.
fn files(folder: &Path, name: &str, identity: &Identity) -> Files {
    let folder: PathBuf = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    identity.files(&folder)
}

/// `openssl s_client` that shows a certificate, or none, and says these lines.
fn s_client(server: &Server, mode: Mode, tls: Tls, shown: Option<&Files>, lines: &[&str]) -> Run {
    let version = if tls == Tls::V12 { "-tls1_2" } else { "-tls1_3" };
    let mut client = Program::new("openssl").args(["s_client", "-quiet", "-nocommands", version, "-connect"]);
    client = client.arg(server.address(mode).to_string());
    if mode == Mode::Explicit {
        client = client.args(["-starttls", "ftp"]);
    }
    if let Some(shown) = shown {
        client = client.arg("-cert").arg(&shown.certificate).arg("-key").arg(&shown.key);
    }
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    client.input(lines).run()
}

/// curl as that user, with that certificate.
fn curl(tls: Tls, mode: Mode, user: &str, shown: Option<&Files>) -> Program {
    let mut curl = Program::new("curl").args(["-q", "--silent", "--show-error", "--insecure", "--user"]);
    curl = curl.arg(user).args(match tls {
        Tls::V12 => &["--tlsv1.2", "--tls-max", "1.2"][..],
        Tls::V13 => &["--tlsv1.3"],
    });
    if mode == Mode::Explicit {
        curl = curl.arg("--ssl-reqd");
    }
    match shown {
        Some(shown) => curl.arg("--cert").arg(&shown.certificate).arg("--key").arg(&shown.key),
        None => curl,
    }
}

/// How many refused certificates the log tells of, for reasons with these words.
fn refusals(server: &Server, why: &str) -> usize {
    let lines = server.logs.lines();
    lines
        .iter()
        .filter(|line| line.is("client_certificate_refused") && line.text("why").contains(why))
        .count()
}

/// That the handshake is refused in every way, and why is logged.
fn is_refused(server: &Server, what: &str, shown: Option<&Files>, why: &str) {
    for (mode, tls) in EVERY_WAY {
        let before = refusals(server, why);
        let run = s_client(server, mode, tls, shown, &["USER alice", "QUIT"]);
        for said in ["232 ", "331 ", "221 "] {
            assert!(!run.stdout.contains(said), "{what} {mode:?} {tls:?}: {}", run.report());
        }
        assert!(run.stderr.contains("alert"), "{what} {mode:?} {tls:?}: {}", run.report());
        server.logs.wait_for(&format!("{what}: {why}"), |lines| {
            let refused = lines
                .iter()
                .filter(|line| line.is("client_certificate_refused") && line.text("why").contains(why));
            (refused.count() > before).then_some(())
        });
    }
}

/// What is answered to USER and PASS of that user.
fn codes(server: &Server, shown: Option<&Files>, user: &str, secret: &str) -> Vec<String> {
    let said = s_client(
        server,
        Mode::Explicit,
        Tls::V13,
        shown,
        &[&format!("USER {user}"), &format!("PASS {secret}"), "QUIT"],
    );
    let codes = said.stdout.lines().filter_map(|line| line.get(..3)).map(str::to_owned);
    codes.skip_while(|code| code == "220" || code == "234").collect()
}

#[test]
fn curl_logs_in_by_certificate_and_moves_files_in_every_way() {
    if !needs(&["curl"]) {
        return;
    }
    let authority = ClientAuthority::named(CA);
    let alice = authority.issue("Alice", |params| {
        params.subject_alt_names =
            vec![SanType::Rfc822Name(Ia5String::try_from("alice@example.com").unwrap())];
    });
    let setup = asking(Setup::new(), "required", &authority);
    let lines = format!(
        "login = \"certificate\"\n[[user.certificate]]\nissuer = \"CN={CA}\"\nemail = \"alice@example.com\"\n"
    );
    let server = user(setup, "alice", &lines).start();
    let shown = files(&server.scratch(), "alice", &alice);
    let bytes = tree::bytes(3, 100_000);
    for (mode, tls) in EVERY_WAY {
        let local = server.scratch().join("up");
        fs::write(&local, &bytes).unwrap();
        let at = url(&server, mode, "/up");
        curl(tls, mode, "alice:", Some(&shown)).arg("-T").arg(&local).arg(&at).run().ok();
        let back = server.scratch().join("back");
        curl(tls, mode, "alice:", Some(&shown)).arg("-o").arg(&back).arg(&at).run().ok();
        assert_eq!(fs::read(&back).unwrap(), bytes, "{mode:?} {tls:?}");
        fs::remove_file(server.home_of("alice").join("up")).unwrap();
        let refused = curl(tls, mode, "alice:x", None).arg(&at).run().fails();
        assert!(!refused.stdout.contains("230"), "{}", refused.report());
    }
    let line = server.logged("login", |line| line.text("user") == "alice");
    assert_eq!((line.text("subject"), line.text("issuer")), ("CN=Alice".to_owned(), format!("CN={CA}")));
    let key = alice.description().spki_fingerprint.to_string().replace(':', "").to_lowercase();
    assert_eq!(line.text("spki_sha256"), key);
    server.logged("client_certificate_refused", |line| line.text("why").contains("showed no certificate"));
}

#[test]
fn a_bad_certificate_is_refused_in_every_way_and_the_log_says_why() {
    if !needs(&["openssl"]) {
        return;
    }
    let authority = ClientAuthority::named(CA);
    let setup = asking(Setup::new(), "optional", &authority);
    let list = setup.scratch().join("ca.crl");
    fs::write(&list, authority.list(&[66], 10)).unwrap();
    let pinned = self_signed("pinned", |params| valid_days(params, -10, -1));
    let pin = pinned.description().spki_fingerprint;
    let server = user(
        setup.option("tls", "crl", &format!("[{list:?}]")),
        "alice",
        &format!("login = \"certificate\"\nspki_sha256 = [\"{pin}\"]\n"),
    )
    .start();
    let dns = |name: &str| vec![SanType::DnsName(Ia5String::try_from(name).unwrap())];
    let folder = server.scratch();
    for (what, identity, why) in [
        (
            "for servers",
            authority.issue("alice", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "not for clients, but for servers",
        ),
        ("expired", authority.issue("alice", |params| valid_days(params, -10, -1)), "it expired at"),
        ("early", authority.issue("alice", |params| valid_days(params, 1, 10)), "it is not valid before"),
        ("unknown", ClientAuthority::named("Other CA").issue("alice", |_| ()), "none of the authorities"),
        ("same-name", ClientAuthority::named(CA).issue("alice", |_| ()), "and another key"),
        ("self-signed", self_signed("alice", |_| ()), "it is self-signed"),
        ("revoked", authority.issue_numbered("alice", 66), "it was revoked"),
        (
            "nul",
            authority.issue("alice", |params| params.subject_alt_names = dns("alice\0.evil.example")),
            "control character",
        ),
        ("nul-in-subject", authority.issue("alice\0evil", |_| ()), "control character"),
        (
            "wildcard",
            authority.issue("alice", |params| params.subject_alt_names = dns("*.example.com")),
            "wildcard",
        ),
        ("wildcard-in-subject", authority.issue("*", |_| ()), "wildcard"),
        (
            "authority",
            authority.issue("alice", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "an authority's own",
        ),
        ("pinned-and-expired", pinned, "it expired at"),
    ] {
        is_refused(&server, what, Some(&files(&folder, what, &identity)), why);
    }
    // Good ones come in: nothing above was refused for another reason.
    let good = files(&folder, "good", &authority.issue_numbered("alice", 1));
    for (mode, tls) in EVERY_WAY {
        let run = s_client(&server, mode, tls, Some(&good), &["USER alice", "QUIT"]);
        assert!(run.stdout.contains("331 ") && run.stdout.contains("221 "), "{}", run.report());
    }
}

#[test]
fn who_shows_no_certificate_is_refused_where_one_is_required() {
    if !needs(&["openssl"]) {
        return;
    }
    let authority = ClientAuthority::named(CA);
    let server = asking(Setup::new(), "required", &authority).start();
    is_refused(&server, "none", None, "showed no certificate");
}

#[test]
fn every_rule_logs_its_user_in_and_nobody_else() {
    if !needs(&["openssl"]) {
        return;
    }
    let authority = ClientAuthority::named(CA);
    let other = ClientAuthority::named("Other CA");
    let names = |params: &mut rcgen::CertificateParams| {
        let text = |name: &str| Ia5String::try_from(name).unwrap();
        params.subject_alt_names = vec![
            SanType::Rfc822Name(text("alice@example.com")),
            SanType::DnsName(text("alice.example")),
            SanType::URI(text("spiffe://example/alice")),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "alice@corp".into())),
        ];
    };
    let (alice, impostor) = (authority.issue("Alice", names), other.issue("Alice", names));
    let pinned = self_signed("alice", names);
    let mut setup = asking(Setup::new().quick_logins(), "optional", &authority);
    // Both authorities are believed, so the issuer has to tell two Alices apart.
    fs::write(setup.scratch().join("ca.pem"), authority.pem() + &other.pem()).unwrap();
    let rules = [
        ("email", "alice@example.com"),
        ("dns", "alice.example"),
        ("uri", "spiffe://example/alice"),
        ("upn", "alice@corp"),
        ("subject", "CN=Alice"),
    ];
    for (kind, name) in rules {
        let lines = format!(
            "login = \"certificate\"\n[[user.certificate]]\nissuer = \"CN={CA}\"\n{kind} = {name:?}\n"
        );
        setup = user(setup, kind, &lines);
    }
    let pin = pinned.description().spki_fingerprint.to_string().replace(':', "").to_lowercase();
    setup = user(setup, "key", &format!("login = \"certificate\"\nspki_sha256 = [{pin:?}]\n"));
    let server = setup.start();
    let folder = server.scratch();
    let alice = files(&folder, "alice", &alice);
    let impostor = files(&folder, "impostor", &impostor);
    let pinned = files(&folder, "pinned", &pinned);
    for (kind, _) in rules {
        assert_eq!(codes(&server, Some(&alice), kind, "x"), ["232", "202", "221"], "{kind}");
        for (who, shown) in [("another issuer", &impostor), ("names of one's own", &pinned)] {
            assert_eq!(codes(&server, Some(shown), kind, "x"), ["331", "530", "221"], "{kind}: {who}");
        }
        assert_eq!(codes(&server, None, kind, "x"), ["331", "530", "221"], "{kind}: none");
    }
    assert_eq!(codes(&server, Some(&pinned), "key", "x"), ["232", "202", "221"]);
    assert_eq!(codes(&server, Some(&alice), "key", "x"), ["331", "530", "221"]);
    server.logged("login_failed", |line| {
        line.text("user") == "email"
            && line.text("issuer") == "CN=Other CA"
            && line.text("why") == "no certificate of this user"
    });
}

#[test]
fn both_and_either_mean_what_they_say() {
    if !needs(&["openssl"]) {
        return;
    }
    let authority = ClientAuthority::named(CA);
    let (alice, bob) = (authority.issue("Alice", |_| ()), authority.issue("Bob", |_| ()));
    let key = alice.description().spki_fingerprint;
    let mut setup = asking(Setup::new().quick_logins(), "optional", &authority);
    for login in ["both", "either"] {
        let (rule, pin) = (format!("login = {login:?}"), format!("spki_sha256 = [\"{key}\"]"));
        setup = setup.user(login, &[EVERYTHING, &rule, &pin]);
    }
    let server = setup.start();
    let folder = server.scratch();
    let (alice, bob) = (files(&folder, "alice", &alice), files(&folder, "bob", &bob));
    for (user, shown, secret, expected) in [
        ("both", Some(&alice), "right", ["331", "230", "221"]),
        ("both", Some(&alice), "wrong", ["331", "530", "221"]),
        ("both", Some(&bob), "right", ["331", "530", "221"]),
        ("both", None, "right", ["331", "530", "221"]),
        ("either", Some(&alice), "wrong", ["232", "202", "221"]),
        ("either", Some(&bob), "right", ["331", "230", "221"]),
        ("either", None, "right", ["331", "230", "221"]),
        ("either", Some(&bob), "wrong", ["331", "530", "221"]),
        // A password's user has no use for a certificate, and it does no harm.
        ("carrack", Some(&alice), "right", ["331", "230", "221"]),
        ("nobody", Some(&alice), "right", ["331", "530", "221"]),
    ] {
        let secret = if secret == "right" { password(user) } else { "wrong".to_owned() };
        assert_eq!(codes(&server, shown, user, &secret), expected, "{user} {shown:?} {secret}");
    }
}

#[test]
fn stale_and_missing_lists_are_refused_unless_the_operator_says_otherwise() {
    if !needs(&["openssl"]) {
        return;
    }
    let (authority, other) = (ClientAuthority::named(CA), ClientAuthority::named("Other CA"));
    for accepts in [false, true] {
        for (what, list, why) in [
            ("stale", authority.list(&[66], -1), "a revocation list is stale"),
            ("missing", other.list(&[], 10), "no revocation list given in tls.crl is its issuer's"),
        ] {
            let mut setup = asking(Setup::new(), "optional", &authority);
            let file = setup.scratch().join("ca.crl");
            fs::write(&file, list).unwrap();
            setup = setup.option("tls", "crl", &format!("[{file:?}]"));
            if accepts {
                setup = setup.option("tls", "unknown_revocation", "\"accept\"");
            }
            let server = setup.start();
            let good = files(&server.scratch(), "good", &authority.issue_numbered("alice", 1));
            if accepts {
                let run = s_client(&server, Mode::Implicit, Tls::V13, Some(&good), &["USER alice", "QUIT"]);
                assert!(run.stdout.contains("331 "), "{what}: {}", run.report());
                server.logged("client_certificate_unsure", |line| line.text("why").contains(why));
                if what == "stale" {
                    let revoked = files(&server.scratch(), "revoked", &authority.issue_numbered("alice", 66));
                    is_refused(&server, "stale but revoked", Some(&revoked), "it was revoked");
                }
            } else {
                is_refused(&server, what, Some(&good), why);
            }
        }
    }
}
