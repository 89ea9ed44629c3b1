//! Which certificate do other people's clients get, and what happens when its files change under the server?

use std::fs;
use std::path::Path;

use carrack_tests::certificates::{Authority, Identity, Kind};
use carrack_tests::control::Control;
use carrack_tests::desk::Desk;
use carrack_tests::programs::{EVERY_WAY, Program, Run, Tls, lftp_at, needs};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tls::{Sha256Fingerprint, describe};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// An identity written to files of this name.
fn write(folder: &Path, name: &str, identity: &Identity) {
    fs::write(folder.join(format!("{name}.pem")), &identity.certificate_pem).unwrap();
    fs::write(folder.join(format!("{name}.key")), &identity.key_pem).unwrap();
}

/// `[tls]` with the first of these names, and `[[tls.identity]]` with the others.
fn shows(setup: Setup, names: &[&str]) -> Setup {
    let folder = setup.scratch();
    let file = |name: &str, ending: &str| format!("{:?}", folder.join(format!("{name}.{ending}")));
    let mut setup = setup.option("tls", "certificate", &file(names[0], "pem")).option(
        "tls",
        "key",
        &file(names[0], "key"),
    );
    for name in &names[1..] {
        let (certificate, key) = (file(name, "pem"), file(name, "key"));
        setup = setup.table(&format!("\n[[tls.identity]]\ncertificate = {certificate}\nkey = {key}"));
    }
    setup
}

/// What `openssl s_client` gets with these words; it says nothing of its own.
fn s_client(server: &Server, mode: Mode, words: &[&str]) -> Run {
    let address = server.address(mode).to_string();
    let starttls: &[&str] = if mode == Mode::Explicit { &["-starttls", "ftp"] } else { &[] };
    Program::new("openssl")
        .args(["s_client", "-connect", &address])
        .args(starttls)
        .args(words)
        .input("QUIT\r\n")
        .run()
}

fn version(tls: Tls) -> &'static str {
    if tls == Tls::V12 { "-tls1_2" } else { "-tls1_3" }
}

/// The certificate that a program was shown.
fn shown(run: &Run) -> Sha256Fingerprint {
    let certificate = CertificateDer::from_pem_slice(run.stdout.as_bytes());
    describe(&certificate.unwrap_or_else(|why| panic!("{why:?}: {}", run.report()))).unwrap().fingerprint
}

fn fingerprint(identity: &Identity) -> Sha256Fingerprint {
    identity.description().fingerprint
}

#[test]
fn openssl_gets_the_certificate_of_the_name_it_asks_for_and_none_for_others() {
    if !needs(&["openssl"]) {
        return;
    }
    let (setup, authority) = (Setup::new(), Authority::new());
    let [a, b] =
        [&["a.example"][..], &["b.example", "*.c.example"]].map(|names| authority.issue(Kind::Good, names));
    write(&setup.scratch(), "a", &a);
    write(&setup.scratch(), "b", &b);
    let server = shows(setup, &["a", "b"]).start();
    for (mode, tls) in EVERY_WAY {
        let ask = |words: &[&str]| s_client(&server, mode, &[&[version(tls)], words].concat());
        assert_eq!(shown(&ask(&["-servername", "a.example"])), fingerprint(&a));
        assert_eq!(shown(&ask(&["-servername", "B.example"])), fingerprint(&b));
        assert_eq!(shown(&ask(&["-servername", "any.c.example"])), fingerprint(&b));
        assert_eq!(shown(&ask(&["-noservername"])), fingerprint(&a));
        for strange in ["www.example", "c.example", "too.deep.c.example"] {
            let run = ask(&["-servername", strange]).fails();
            assert!(run.stderr.contains("unrecognized name"), "{}", run.report());
        }
    }
}

#[test]
fn openssl_gets_the_kind_of_key_that_it_can_check() {
    let Some(desk) = Desk::new() else { return };
    let setup = Setup::new();
    let folder = setup.scratch();
    for (name, kind) in [("rsa", "rsa:2048"), ("ecdsa", "ec -pkeyopt ec_paramgen_curve:P-256")] {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        desk.openssl(&format!(
            "req -x509 -newkey {kind} -nodes -days 20 -subj /CN=a.example -addext subjectAltName=DNS:a.example -out {} -keyout {}",
            certificate.display(),
            key.display()
        ));
    }
    let of = |name: &str| {
        let pem = fs::read(folder.join(format!("{name}.pem"))).unwrap();
        describe(&CertificateDer::from_pem_slice(&pem).unwrap()).unwrap().fingerprint
    };
    let server = shows(setup, &["rsa", "ecdsa"]).start();
    for name in [&["-servername", "a.example"][..], &["-noservername"], &["-servername", "elsewhere.example"]]
    {
        let ask = |words: &[&str]| shown(&s_client(&server, Mode::Implicit, &[name, words].concat()));
        assert_eq!(ask(&["-tls1_3"]), of("ecdsa"));
        assert_eq!(ask(&["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"]), of("rsa"));
        assert_eq!(ask(&["-tls1_2"]), of("ecdsa"));
        assert_eq!(ask(&["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"]), of("rsa"));
        assert_eq!(ask(&["-tls1_2", "-sigalgs", "RSA+SHA256"]), of("rsa"));
    }
}

#[test]
fn curl_and_lftp_that_check_names_move_files_by_each_name() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let (setup, authority) = (Setup::new().listen("data_tls_reuse = \"require-own\""), Authority::new());
    let folder = setup.scratch();
    let ca = authority.file(&folder);
    for (file, name) in [("a", "a.example"), ("b", "b.example"), ("c", "localhost")] {
        write(&folder, file, &authority.issue(Kind::Good, &[name]));
    }
    let server = shows(setup, &["a", "b", "c"]).start();
    fs::write(folder.join("file"), "by name\n").unwrap();
    for (mode, tls) in EVERY_WAY {
        let scheme = if mode == Mode::Explicit { "ftp" } else { "ftps" };
        let port = server.address(mode).port();
        let curl = |host: &str| {
            Program::new("curl")
                .args(["-q", "--silent", "--show-error", "--ssl-reqd", "--cacert"])
                .arg(&ca)
                .args(["--user", &format!("{USER}:{}", server.password())])
                .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
                .args(if tls == Tls::V12 { &["--tlsv1.2", "--tls-max", "1.2"][..] } else { &["--tlsv1.3"] })
                .arg("--upload-file")
                .arg(folder.join("file"))
                .arg(format!("{scheme}://{host}:{port}/{host}"))
        };
        for host in ["a.example", "b.example"] {
            curl(host).run().ok();
            assert_eq!(fs::read(server.home().join(host)).unwrap(), b"by name\n");
            fs::remove_file(server.home().join(host)).unwrap();
        }
        let run = curl("d.example").run().fails();
        assert!(run.stderr.contains("unrecognized name"), "{}", run.report());
        // lftp checks the certificate for `localhost`, which only the third stands for.
        let script = format!("put {} -o lftp", folder.join("file").display());
        let open = format!(
            "-e \"set ssl:verify-certificate yes; set ssl:ca-file {}\" {scheme}://localhost:{port}",
            ca.display()
        );
        lftp_at(&server, &open, tls, &script).run().ok();
        assert_eq!(fs::read(server.home().join("lftp")).unwrap(), b"by name\n");
        fs::remove_file(server.home().join("lftp")).unwrap();
    }
}

#[test]
fn host_before_tls_chooses_and_behind_it_must_be_of_the_certificate() {
    let (setup, authority) = (Setup::new(), Authority::new());
    let names = [&["a.example"][..], &["b.example"], &["192.0.2.7"]];
    let made = names.map(|names| authority.issue(Kind::Good, names));
    for (name, identity) in ["a", "b", "c"].iter().zip(&made) {
        write(&setup.scratch(), name, identity);
    }
    let server =
        shows(setup.listen("hosts = [\"a.example\", \"b.example\", \"192.0.2.7\"]"), &["a", "b", "c"])
            .start();
    // An address as the server's name: the handshake names nobody.
    let nameless = TlsClient::new(Tls::V13).naming("127.0.0.1");
    for (host, identity) in [("a.example", &made[0]), ("B.example", &made[1]), ("192.0.2.7", &made[2])] {
        let mut control = Control::connect(server.explicit, &nameless.with_no_sessions());
        control.wait_for(220);
        control.expect(&format!("HOST {host}"), 220);
        control.expect("AUTH TLS", 234);
        control.secure();
        assert_eq!(Sha256Fingerprint::of(&control.wire.certificate()), fingerprint(identity));
        control.expect(&format!("HOST {host}"), 220);
        if host != "a.example" {
            control.expect("HOST a.example", 504);
        }
        control.login(USER);
        control.expect("PBSZ 0", 200);
        control.expect("PROT P", 200);
        control.upload("file", b"bytes");
    }
    // REIN takes HOST back (RFC 7151 §3.2.1).
    let mut control = Control::connect(server.explicit, &nameless.with_no_sessions());
    control.wait_for(220);
    control.expect("HOST b.example", 220);
    control.expect("REIN", 220);
    control.expect("AUTH TLS", 234);
    control.secure();
    assert_eq!(Sha256Fingerprint::of(&control.wire.certificate()), fingerprint(&made[0]));
    // What the handshake names goes before what anybody may have said in clear.
    let mut control = Control::connect(server.explicit, &TlsClient::new(Tls::V13).naming("a.example"));
    control.wait_for(220);
    control.expect("HOST b.example", 220);
    control.expect("HOST c.example", 504);
    control.expect("AUTH TLS", 234);
    control.secure();
    assert_eq!(Sha256Fingerprint::of(&control.wire.certificate()), fingerprint(&made[0]));
    control.expect("HOST b.example", 504);
    control.expect("HOST a.example", 220);
}

#[test]
fn names_of_no_certificate_are_refused_by_host_as_they_are_in_the_handshake() {
    let (setup, authority) = (Setup::new(), Authority::new());
    for (file, name) in [("a", "a.example"), ("b", "*.b.example")] {
        write(&setup.scratch(), file, &authority.issue(Kind::Good, &[name]));
    }
    let server = shows(setup, &["a", "b"]).start();
    let mut control = Control::clear(&server);
    control.expect("HOST a.example", 220);
    control.expect("HOST ftp.b.example", 220);
    control.expect("HOST b.example", 504);
    control.expect("HOST 127.0.0.1", 220);
}

#[test]
fn a_reload_changes_what_new_connections_get_and_nothing_else() {
    let (setup, authority) = (Setup::new(), Authority::new());
    let folder = setup.scratch();
    let [a, b] = ["a.example", "b.example"].map(|name| authority.issue(Kind::Good, &[name]));
    write(&folder, "a", &a);
    write(&folder, "b", &b);
    let server = shows(setup, &["a", "b"]).start();
    let client = |name| TlsClient::new(Tls::V13).naming(name);
    let gets = |name| {
        let control = Control::greeted(&server, Mode::Implicit, &client(name));
        Sha256Fingerprint::of(&control.wire.certificate())
    };
    let mut old = Control::session(&server, Mode::Explicit, &client("b.example"), USER);
    let renewed = authority.issue(Kind::Good, &["b.example"]);
    write(&folder, "b", &renewed);
    server.signal(Signal::HUP);
    let expected = fingerprint(&renewed).to_string();
    server.logged("certificate_replaced", |line| line.text("sha256") == expected);
    assert_eq!((gets("a.example"), gets("b.example")), (fingerprint(&a), fingerprint(&renewed)));
    old.upload("before", b"and after");

    // The key of another certificate: the pair in use stays.
    fs::write(folder.join("b.key"), &a.key_pem).unwrap();
    server.signal(Signal::HUP);
    let line = server.logged("certificate_refused", |_| true);
    assert!(line.text("why").contains("is not the key of the certificate"), "{}", line.raw);
    assert_eq!(gets("b.example"), fingerprint(&renewed));
    old.upload("again", b"and again");
}

/// An answer of `openssl ocsp` in the name of the authority in `CA` about the certificate in `site`.
fn ocsp(desk: &Desk, index: &str, days: &str, out: &str) {
    let serial = desk.openssl("x509 -in site/cert.pem -noout -serial");
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let status = if index == "revoked" { "R\t400101000000Z\t260101000000Z" } else { "V\t400101000000Z\t" };
    desk.write("index.txt", format!("{status}\t{serial}\tunknown\t/CN=site\n"));
    desk.openssl(&format!(
        "ocsp -index index.txt -CA CA/ca.pem -rsigner CA/ca.pem -rkey CA/ca-key.pem -issuer CA/ca.pem -cert site/cert.pem \
         -ndays {days} -respout {out}"
    ));
}

#[test]
fn openssl_gets_the_staple_it_asks_for_and_none_that_is_bad() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    desk.cert("issue --ca CA --name a.example --server --out site");
    ocsp(&desk, "good", "7", "staple.der");
    let file = |name: &str| format!("{:?}", desk.path().join(name));
    let server = Setup::new()
        .option("tls", "certificate", &file("site/cert.pem"))
        .option("tls", "key", &file("site/key.pem"))
        .option("tls", "staple", &file("staple.der"))
        .start();
    for (mode, tls) in EVERY_WAY {
        let run = s_client(&server, mode, &["-status", version(tls), "-servername", "a.example"]);
        assert!(run.stdout.contains("OCSP Response Status: successful"), "{}", run.report());
        assert!(run.stdout.contains("Cert Status: good"), "{}", run.report());
        let run = s_client(&server, mode, &[version(tls), "-servername", "a.example"]);
        assert!(!run.stdout.contains("OCSP Response Status"), "{}", run.report());
    }
    // The authority has revoked it since: that answer is not shown, the one in date is.
    ocsp(&desk, "revoked", "7", "staple.der");
    server.signal(Signal::HUP);
    let line = server.logged("staple_refused", |_| true);
    assert!(line.text("why").contains("is revoked"), "{}", line.raw);
    let run = s_client(&server, Mode::Implicit, &["-status"]);
    assert!(run.stdout.contains("Cert Status: good"), "{}", run.report());
}

#[test]
fn an_expired_certificate_serves_and_is_told_everywhere() {
    let (setup, authority) = (Setup::new(), Authority::new());
    write(&setup.scratch(), "a", &authority.issue(Kind::Expired, &["localhost"]));
    write(&setup.scratch(), "b", &authority.issue(Kind::NotYetValid, &["b.example"]));
    let setup = shows(setup, &["a", "b"]);
    let check = Program::new(program()).args(["config", "check"]).arg(setup.write()).run().ok();
    assert!(check.stderr.contains("a.pem: the certificate ended 1 day ago"), "{}", check.report());
    assert!(check.stderr.contains("b.pem: the certificate is good only in"), "{}", check.report());
    let server = setup.start();
    server.logged("certificate_expired", |line| line.text("certificate").ends_with("a.pem"));
    server.logged("certificate_ends", |line| line.text("certificate").ends_with("b.pem"));
    server.logged("configuration_warning", |line| line.text("what").contains("ended 1 day ago"));
    let mut control = Control::open(&server);
    control.upload("file", b"bytes");
}
