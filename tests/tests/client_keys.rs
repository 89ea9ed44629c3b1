//! The client shows a certificate: keys in clear, encrypted, in PKCS#12, made by either program, to servers of other people
//! that demand one.

use carrack_tests::certificates::Authority;
use carrack_tests::client::Client;
use carrack_tests::desk::Desk;
use carrack_tests::peers::{Peer, Wanted};
use carrack_tests::programs::{Run, Tls};
use carrack_tests::server::Mode;

const VERSIONS: [Tls; 2] = [Tls::V12, Tls::V13];
const PASSWORD: &str = "a pass phrase";

/// A client certificate of an authority in every form: each with the flags that show it.
fn forms(desk: &Desk, authority: &Authority) -> Vec<Vec<&'static str>> {
    let own = authority.issue_client("alice");
    desk.write("cert.pem", &own.certificate_pem);
    desk.write("key.pem", &own.key_pem);
    desk.write("both.pem", format!("{}{}", own.key_pem, own.certificate_pem));
    desk.write("password", format!("{PASSWORD}\n"));
    desk.openssl("pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out locked.pem -passout file:password");
    desk.openssl("pkcs12 -export -in cert.pem -inkey key.pem -out openssl.p12 -passout file:password");
    desk.openssl("pkcs12 -export -in cert.pem -inkey key.pem -out open.p12 -passout pass:");
    desk.cert("export cert.pem --key key.pem --password-file password --out own.p12");
    [
        "--cert cert.pem --key key.pem",
        "--cert both.pem",
        "--cert cert.pem --key locked.pem --key-password-file password",
        "--cert openssl.p12 --key-password-file password",
        "--cert own.p12 --key-password-file password",
        "--cert open.p12",
    ]
    .map(|line| line.split(' ').collect())
    .into()
}

fn shown(client: &Client, desk: &Desk, flags: &[&str], url: &str) -> Run {
    client.program(["ls"]).args(flags).arg(url).folder(desk.path()).run()
}

#[test]
fn servers_that_demand_a_certificate_get_it_from_every_kind_of_file() {
    let Some(desk) = Desk::new() else { return };
    let authority = Authority::new();
    let forms = forms(&desk, &authority);
    for peer in [Peer::Vsftpd, Peer::Proftpd] {
        if !peer.is_here() || !peer.abilities().client_certificates.is_there() {
            continue;
        }
        for mode in peer.modes() {
            let server = peer.start(&Wanted::new(mode).clients_of(&authority));
            let url = server.url(if mode == Mode::Explicit { "ftpes" } else { "ftps" }, "");
            for version in VERSIONS {
                let client = Client::of(&server).speaking(version);
                for flags in &forms {
                    shown(&client, &desk, flags, &url).ok();
                }
                // By the variable, and not at all.
                let locked = ["ls", "--cert", "openssl.p12", &url];
                let run =
                    client.program(locked).env("CARRACK_KEY_PASSWORD", PASSWORD).folder(desk.path()).run();
                run.ok();
                client.run(["ls", &url]).fails();
            }
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_is_a_usage_error_before_anything_is_sent() {
    let Some(desk) = Desk::new() else { return };
    forms(&desk, &Authority::new());
    desk.cert("self-signed --name other.example --out other");
    desk.write("wrong", "not this one\n");
    desk.write("rubbish", "0rubbish");
    desk.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    desk.openssl("pkcs8 -topk8 -v2 des3 -in key.pem -out old.pem -passout file:password");
    desk.openssl("pkcs12 -export -legacy -in cert.pem -inkey key.pem -out old.p12 -passout file:password");
    let client = Client::new("x");
    // Nobody listens there: the key is read first.
    let url = "ftpes://127.0.0.1:1/";
    for (line, status, words) in [
        ("--cert cert.pem", 2, "no private key; give the file of its key as --key"),
        ("--cert cert.pem --key other/key.pem", 2, "is not the key of the certificate in cert.pem"),
        ("--cert key.pem", 2, "holds no certificate"),
        ("--cert cut.pem --key key.pem", 2, "is not valid PEM"),
        ("--cert cert.pem --key cert.pem", 2, "no private key"),
        ("--cert cert.pem --key nothing.pem", 6, "nothing.pem is not there"),
        ("--cert nothing.pem", 6, "nothing.pem is not there"),
        ("--key key.pem", 2, "--cert"),
        ("--key-password-file password", 2, "--cert"),
        ("--cert own.p12 --key key.pem", 2, "a PKCS#12 file without --key"),
        ("--cert rubbish", 2, "no PKCS#12 file, or is damaged"),
        ("--cert own.p12 --key-password-file wrong", 2, "the password is wrong, or the file is damaged"),
        ("--cert cert.pem --key locked.pem --key-password-file wrong", 2, "the password is wrong"),
        (
            "--cert own.p12",
            2,
            "no terminal to ask for its password; give it with --key-password-file FILE or CARRACK_KEY_PASSWORD",
        ),
        ("--cert cert.pem --key locked.pem", 2, "no terminal to ask for its password"),
        ("--cert cert.pem --key old.pem --key-password-file password", 2, "openssl pkcs8 -topk8"),
        ("--cert old.p12 --key-password-file password", 2, "openssl pkcs12 -legacy"),
        ("--cert both.pem", 3, "no connection was made"),
    ] {
        let run = shown(&client, &desk, &line.split(' ').collect::<Vec<_>>(), url);
        assert_eq!(run.status.code(), Some(status), "{line}: {}", run.report());
        assert!(run.stderr.contains(words), "{line}: {}", run.report());
        assert!(!run.stderr.contains(PASSWORD) && !run.stderr.contains("not this one"), "{}", run.report());
    }
    let run = client
        .program(["ls", "--cert", "own.p12", url])
        .env("CARRACK_KEY_PASSWORD", "")
        .folder(desk.path())
        .run();
    assert_eq!(run.status.code(), Some(2), "{}", run.report());
    assert!(run.stderr.contains("CARRACK_KEY_PASSWORD is empty"), "{}", run.report());
}

#[test]
fn a_certificate_that_a_server_will_not_like_is_said() {
    let Some(desk) = Desk::new() else { return };
    desk.cert("self-signed --name server.example --server --out server");
    let run = shown(
        &Client::new("x"),
        &desk,
        &["--cert", "server/cert.pem", "--key", "server/key.pem"],
        "ftpes://127.0.0.1:1/",
    );
    assert!(
        run.stderr.contains("warning: the client certificate is not for clients but for servers"),
        "{}",
        run.report()
    );
}

#[test]
fn a_renewed_certificate_keeps_its_whole_subject() {
    let Some(desk) = Desk::new() else { return };
    let made = |subject: &str, name: &str| {
        desk.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem -days 9 -subj {subject} -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:a.example"
        ));
        desk.openssl(&format!("x509 -in {name}.pem -noout -subject -nameopt RFC2253"))
    };
    let before = made("/C=DE/ST=Somewhere/O=Example/OU=Ships/CN=a.example/emailAddress=a@b.example", "whole");
    desk.cert("renew whole.pem --key whole.key");
    let after = desk.openssl("x509 -in whole.pem -noout -subject -nameopt RFC2253");
    assert_eq!(before, after);
    desk.openssl("verify -x509_strict -CAfile whole.pem -verify_hostname a.example whole.pem");
    made("/O=Example/OU=One/OU=Two/CN=a.example", "twice");
    let text = desk.read("twice.pem");
    assert!(desk.refused(1, "renew twice.pem --key twice.key").contains("more than once"));
    assert_eq!(desk.read("twice.pem"), text, "it is untouched");
}
