//! What authorities have taken back is refused: by the answer that a server staples, and by lists that the user gives.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use carrack_tests::certificates::{Authority, Identity, Kind};
use carrack_tests::client::{Client, objects};
use carrack_tests::desk::Desk;
use carrack_tests::hostile_server::{HostileServer, Misbehaviour};
use carrack_tests::programs::{Program, Run, Tls, needs};
use carrack_tests::responder::{Said, answer};
use carrack_tests::server::{Mode, program};
use serde_json::Value;

const VERSIONS: [Tls; 2] = [Tls::V12, Tls::V13];

fn issued(server: &HostileServer, kind: Kind) -> Identity {
    let names = server.names();
    server.authority.issue(kind, &[&names[0], &names[1]])
}

/// Nobody has logged in.
fn refused(server: &HostileServer, run: &Run, words: &str) {
    assert_eq!(run.status.code(), Some(4), "{}", run.report());
    assert!(run.stderr.contains(words), "{words}: {}", run.report());
    assert_eq!(server.count("USER") + server.count("PASS"), 0, "{}", run.report());
}

#[test]
fn a_staple_speaks_for_the_authority() {
    if !needs(&["openssl"]) {
        return;
    }
    for (mode, version) in [Mode::Explicit, Mode::Implicit].into_iter().flat_map(|m| VERSIONS.map(|v| (m, v)))
    {
        let server = HostileServer::start_in(mode, Misbehaviour::None);
        let (shown, authority) = (issued(&server, Kind::Good), server.authority.identity());
        let delegate = server.authority.issue(Kind::Responder, &["ocsp.example"]);
        let show = |said, signer: &Identity| {
            let staple = answer(said, &shown, &authority, signer);
            server.set_identity(Identity { staple, ..shown.clone() });
        };
        let client = Client::victim(&server).speaking(version);
        for signer in [&authority, &delegate] {
            show(Said::Good, signer);
            let run = client.run(["ls", "-vv", &server.url("/")]).ok();
            assert!(run.stderr.contains("* OCSP staple: not revoked, good until 20"), "{}", run.report());
        }
        // Whoever is not certified for it does not speak for the authority; the certificate is as good as without a staple.
        show(Said::Revoked, &server.authority.issue(Kind::Good, &["other.example"]));
        let run = client.run(["ls", "-vv", &server.url("/")]).ok();
        assert!(run.stderr.contains("passed over, as it is signed neither"), "{}", run.report());

        let before = server.count("USER");
        for signer in [&authority, &delegate] {
            show(Said::Revoked, signer);
            let run = client.ends_with(4, ["ls", &server.url("/")]);
            let words =
                "\"CN=Carrack test authority\", has revoked it at 2024-01-02T03:04:05Z (key-compromise)";
            assert!(run.stderr.contains(words), "{}", run.report());
            show(Said::Unknown, signer);
            let run = client.ends_with(4, ["ls", &server.url("/")]);
            assert!(run.stderr.contains("knows no such certificate"), "{}", run.report());
        }
        assert_eq!(server.count("USER"), before, "nobody has logged in");

        // A fingerprint or a key is the user's own word.
        show(Said::Revoked, &authority);
        let pin = shown.description().fingerprint.to_string();
        let own = Client::new(&server.password()).speaking(version).flag("--pin").flag(&pin);
        own.run(["ls", &server.url("/")]).ok();
    }
}

#[test]
fn a_certificate_that_is_to_have_a_staple_is_refused_without() {
    if !needs(&["openssl"]) {
        return;
    }
    for version in VERSIONS {
        let server = HostileServer::start(Misbehaviour::None);
        let (shown, authority) = (issued(&server, Kind::MustStaple), server.authority.identity());
        let client = Client::victim(&server).speaking(version);
        server.set_identity(shown.clone());
        refused(
            &server,
            &client.run(["ls", &server.url("/")]),
            "(must-staple), and the server has sent none",
        );
        server.set_identity(Identity { staple: b"rubbish".to_vec(), ..shown.clone() });
        refused(&server, &client.run(["ls", &server.url("/")]), "is damaged or something else");
        let other = answer(Said::Good, &issued(&server, Kind::Good), &authority, &authority);
        server.set_identity(Identity { staple: other, ..shown.clone() });
        refused(&server, &client.run(["ls", &server.url("/")]), "does not speak of this certificate");
        let staple = answer(Said::Good, &shown, &authority, &authority);
        server.set_identity(Identity { staple, ..shown });
        client.run(["ls", &server.url("/")]).ok();
    }
}

#[test]
fn a_list_of_the_authority_is_asked_where_it_is_given() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    desk.cert("ca init --dir Other --name Example_other");
    for version in VERSIONS {
        for mode in [Mode::Explicit, Mode::Implicit] {
            let server = HostileServer::start_in(mode, Misbehaviour::None);
            let out = format!("{version:?}-{mode:?}");
            desk.cert(&format!("issue --ca CA --name localhost --name {} --out {out}", server.names()[1]));
            let identity = |folder: &str| Identity {
                certificate_pem: desk.read(&format!("{folder}/cert.pem")),
                key_pem: desk.read(&format!("{folder}/key.pem")),
                staple: Vec::new(),
            };
            server.set_identity(identity(&out));
            let at = |name: &str| desk.path().join(name);
            let client = |lists: &[&str]| {
                let client =
                    Client::new(&server.password()).speaking(version).flag("--ca").flag(at("CA/ca.pem"));
                lists.iter().fold(client, |client, list| client.flag("--crl").flag(at(list)))
            };
            desk.cert("crl --ca CA --out list.pem");
            desk.cert("crl --ca Other --out other.pem");
            let url = server.url("/");
            refused(
                &server,
                &client(&["other.pem"]).run(["ls", &url]),
                "no revocation list given is by its authority",
            );
            // By the right name and another key.
            desk.cert(&format!("ca init --dir {out}-same --name Example_CA"));
            desk.cert(&format!("crl --ca {out}-same --out forged.pem"));
            refused(&server, &client(&["forged.pem"]).run(["ls", &url]), "is not signed by the authority");
            client(&["list.pem"]).run(["ls", &url]).ok();
            client(&["other.pem", "list.pem"]).run(["ls", &url]).ok();

            desk.cert(&format!("revoke --ca CA --reason superseded {out}/cert.pem"));
            desk.cert("crl --ca CA --out list.pem");
            desk.openssl("crl -in list.pem -outform DER -out list.der");
            let before = server.count("USER");
            for list in ["list.pem", "list.der"] {
                let run = client(&[list]).ends_with(4, ["ls", &url]);
                let words = "\"CN=Example CA\", has revoked it at 20";
                assert!(
                    run.stderr.contains(words) && run.stderr.contains("(superseded)"),
                    "{}",
                    run.report()
                );
            }
            assert_eq!(server.count("USER"), before, "nobody has logged in");
            // Without a list nobody asks.
            client(&[]).run(["ls", &url]).ok();

            // What was remembered is the user's own word, and it is said that the list is not asked.
            let friend = Client::new(&server.password()).speaking(version);
            friend.run(["ls", "--trust-new", &url]).ok();
            let run = friend.flag("--crl").flag(at("list.pem")).run(["ls", &url]).ok();
            assert!(run.stderr.contains("--crl is not asked"), "{}", run.report());
        }
    }
}

#[test]
fn a_list_that_cannot_be_used_ends_the_command() {
    let server = HostileServer::start(Misbehaviour::None);
    let client = Client::victim(&server);
    fs::write(client.path("rubbish"), "0rubbish").unwrap();
    fs::write(client.path("empty"), "").unwrap();
    fs::write(client.path("cut"), "-----BEGIN X509 CRL-----\nMIIB\n").unwrap();
    for (file, status, words) in [
        ("nothing", 6, "cannot be read"),
        ("rubbish", 2, "revocation list that cannot be used"),
        ("empty", 2, "holds no revocation list"),
        ("cut", 2, "is not valid PEM"),
    ] {
        let run = client.ends_with(status, ["ls", "--crl", file, &server.url("/")]);
        assert!(run.stderr.contains(words) && run.stderr.contains(file), "{}", run.report());
    }
    let pin = server.identity().description().fingerprint.to_string();
    Client::new("x").ends_with(2, ["ls", "--crl", "x", "--pin", &pin, &server.url("/")]);
    assert_eq!(server.count("USER"), 0);
}

/// `openssl s_server` on a port of its own.
struct OpenSsl(Child, u16);

impl OpenSsl {
    fn start(desk: &Desk, arguments: &str) -> OpenSsl {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev"])
            .args(arguments.split(' '))
            .current_dir(desk.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
        OpenSsl(child, port.unwrap())
    }

    fn shown(&self, desk: &Desk, command: &str) -> String {
        desk.run(program(), &format!("cert {command} ftps://127.0.0.1:{}", self.1)).ok().stdout
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn what_a_server_of_openssl_shows_is_shown_trusted_or_not() {
    let Some(desk) = Desk::new() else { return };
    let authority = Authority::new();
    let shown = authority.issue(Kind::Good, &["127.0.0.1"]);
    desk.write("cert.pem", &shown.certificate_pem);
    desk.write("key.pem", &shown.key_pem);
    desk.write("ca.pem", authority.pem());
    let base = "-cert cert.pem -key key.pem -cert_chain ca.pem";
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let plain = OpenSsl::start(&desk, &format!("{base} {flag} -Verify 1 -groups P-256 -alpn ftp"));
        let text = plain.shown(&desk, "show");
        // It demands a certificate, which the handshake of TLS 1.2 does not end without.
        if flag == "-tls1_3" {
            assert!(text.contains(&format!("agreed       {version}, ")), "{text}");
            assert!(text.contains(", secp256r1, ALPN ftp\n"), "{text}");
        } else {
            assert!(text.contains("agreed       nothing: the server demands a client certificate"), "{text}");
        }
        assert!(
            text.contains("staple       none\n") && text.contains("trusted      not by this machine's"),
            "{text}"
        );
        assert!(
            text.contains("subject      CN=127.0.0.1\n") && text.contains("subject      CN=Carrack test"),
            "{text}"
        );
        drop(plain);

        for (said, words, word) in [
            (Said::Good, "staple       not revoked, good until 20", "good"),
            (Said::Revoked, "staple       revoked at 2024-01-02T03:04:05Z (key-compromise)", "revoked"),
        ] {
            desk.write("staple.der", answer(said, &shown, &authority.identity(), &authority.identity()));
            let stapling = OpenSsl::start(&desk, &format!("{base} {flag} -status_file staple.der"));
            let text = stapling.shown(&desk, "show");
            assert!(text.contains(words) && text.contains(version), "{text}");
            let said: Vec<Value> = objects(&stapling.shown(&desk, "show --json"));
            assert_eq!(said[0]["event"], "handshake");
            assert_eq!((&said[0]["staple"], &said[0]["version"]), (&word.into(), &version.into()));
            assert_eq!((&said[0]["trusted"], &said[1]["event"]), (&false.into(), &"certificate".into()));
            let fingerprint = shown.description().fingerprint.to_string();
            assert_eq!(said[1]["sha256"], Value::from(fingerprint));
            if word == "revoked" {
                let url = format!("ftps://127.0.0.1:{}", stapling.1);
                let run = Program::new(program())
                    .args(["ls", "--ca", "ca.pem", "--state", "state", &url])
                    .folder(desk.path())
                    .run();
                assert_eq!(run.status.code(), Some(4), "{}", run.report());
                assert!(run.stderr.contains("has revoked it at 2024-01-02"), "{}", run.report());
            }
        }
    }
}

#[test]
fn lists_are_shown() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    desk.cert("issue --ca CA --name a.example --out a");
    desk.cert("revoke --ca CA --reason key-compromise a/cert.pem");
    desk.cert("crl --ca CA --out list.pem");
    desk.openssl("crl -in list.pem -outform DER -out list.der");
    let serial = desk.openssl("x509 -in a/cert.pem -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=").to_lowercase();
    for file in ["list.pem", "list.der"] {
        let text = desk.cert(&format!("show {file}"));
        for words in
            ["list of      CN=Example CA\n", "number       1\n", "revoked      1\n", " key-compromise\n"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.replace(':', "").contains(&serial), "{serial}: {text}");
        let said = objects(&desk.cert(&format!("show --json {file}")));
        assert_eq!((&said[0]["event"], &said[0]["number"]), (&"revocation list".into(), &"1".into()));
        assert_eq!((&said[1]["event"], &said[1]["reason"]), (&"revoked".into(), &"key-compromise".into()));
    }
    desk.openssl("x509 -in a/cert.pem -outform DER -out a.der");
    assert!(desk.cert("show a.der").contains("names        a.example\n"));
    desk.write("bad.der", b"0\x03bad");
    assert!(desk.refused(1, "show bad.der").contains("not a certificate revocation list"));
    desk.write("bad.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    assert!(desk.refused(1, "show bad.pem").contains("bad.pem"));
}
