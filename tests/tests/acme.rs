//! Are certificates ordered, proved, shown and renewed by ACME, and does the server go on whatever the authority does?

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use carrack_tests::acme::{Accounts, AcmeServer, EXTERNAL, NAME, certificate};
use carrack_tests::acme_refusing::{Behaviour, Refusing};
use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Run};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use rustix::process::Signal;

/// Three months, as most authorities have it.
const SEASON_S: u64 = 90 * 24 * 3600;

/// A listing by curl, which believes `root` alone and asks for the server by [`NAME`].
fn listing(server: &Server, mode: Mode, root: &Path) -> Run {
    let address = server.address(mode);
    let (scheme, port) = (if mode == Mode::Explicit { "ftp" } else { "ftps" }, address.port());
    Program::new("curl")
        .args(["-q", "--silent", "--show-error", "--ssl-reqd", "--cacert"])
        .arg(root)
        .args(["--user", &format!("{USER}:{}", server.password())])
        .args(["--resolve", &format!("{NAME}:{port}:{}", address.ip())])
        .arg(format!("{scheme}://{NAME}:{port}/"))
        .run()
}

/// What the server shows now, as OpenSSL sees it.
fn shown(server: &Server) -> String {
    shown_as(server, NAME)
}

/// What it shows to those who ask for that name.
fn shown_as(server: &Server, name: &str) -> String {
    let run = Program::new("openssl")
        .args(["s_client", "-connect", &server.implicit.to_string(), "-servername", name])
        .run();
    let pem = run.stdout.split_inclusive("-----END CERTIFICATE-----").next().unwrap_or_default().to_owned();
    let run =
        Program::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256"]).input(pem).run().ok();
    run.stdout.trim().rsplit('=').next().unwrap().to_owned()
}

/// The lines before the first of that event.
fn before(server: &Server, event: &str) -> Vec<String> {
    let lines = server.logs.lines();
    lines.iter().take_while(|line| !line.is(event)).map(|line| line.text("event")).collect()
}

fn is_served_with_a_certificate_from(acme: &mut AcmeServer, setup: Setup, names: &[&str]) {
    let server = setup.table(&certificate(names)).start();
    let issued = server.logged("acme_issued", |_| true);
    let replaced = server.logged("certificate_replaced", |_| true);
    assert_eq!(issued.text("sha256"), replaced.text("sha256"));
    let root = acme.root();
    for mode in [Mode::Explicit, Mode::Implicit] {
        listing(&server, mode, &root).ok();
    }
    assert_eq!(shown(&server), issued.text("sha256"));

    // A third of a season is left for trouble.
    let renewal: u64 = issued.text("renewal_in_s").parse().unwrap();
    assert!((SEASON_S / 24 * 15 - 60..SEASON_S / 3 * 2).contains(&renewal), "{renewal}");

    // A restart orders nothing, and needs nobody.
    acme.stop();
    let server = server.start_again();
    assert_eq!(shown(&server), issued.text("sha256"));
    listing(&server, Mode::Implicit, &root).ok();
    assert!(!server.logs.lines().iter().any(|line| line.is("acme_ordering")));
    let folder = server.scratch().parent().unwrap().join("state/acme");
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[test]
fn a_name_is_proved_by_http() {
    let Some(mut acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let setup = acme.setup("http-01");
    is_served_with_a_certificate_from(&mut acme, setup, &[NAME, "www.example.org"]);
}

#[test]
fn a_name_is_proved_by_tls() {
    let Some(mut acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let setup = acme.setup("tls-alpn-01").option("acme", "key_type", "\"rsa-2048\"");
    is_served_with_a_certificate_from(&mut acme, setup, &[NAME, "www.example.org"]);
}

#[test]
fn a_name_and_a_wildcard_are_proved_through_the_dns() {
    let Some(mut acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let setup = acme.setup("dns-01");
    is_served_with_a_certificate_from(&mut acme, setup, &["*.example.org", "example.org"]);
    let (present, cleanup) = ("present _acme-challenge.example.org", "cleanup _acme-challenge.example.org");
    assert_eq!(acme.hook_calls(), [present, present, cleanup, cleanup]);
}

#[test]
fn certificates_are_ordered_one_by_one_and_shown_by_name_beside_settings_of_tls() {
    const OTHER: &str = "files.example.org";
    let Some(acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let server = acme
        .setup("http-01")
        .option("tls", "minimum_version", "\"1.3\"")
        .table(&certificate(&[NAME, "www.example.org"]))
        .table(&certificate(&[OTHER]))
        .start();
    let issued = [NAME, OTHER].map(|name| {
        let sha256 = server.logged("acme_issued", |line| line.text("name") == name).text("sha256");
        server.logged("certificate_replaced", |line| line.text("sha256") == sha256);
        sha256
    });
    assert_ne!(issued[0], issued[1]);
    assert_eq!([NAME, OTHER].map(|name| shown_as(&server, name)), issued);
    assert_eq!(shown_as(&server, "www.example.org"), issued[0]);
    let old = Program::new("openssl")
        .args(["s_client", "-connect", &server.implicit.to_string(), "-servername", NAME, "-tls1_2"])
        .run();
    assert!(!old.stdout.contains("BEGIN CERTIFICATE"), "{}", old.stdout);

    // A restart finds both.
    let server = server.start_again();
    assert_eq!([NAME, OTHER].map(|name| shown_as(&server, name)), issued);
    assert!(!server.logs.lines().iter().any(|line| line.is("acme_ordering")));
}

#[test]
fn another_directory_orders_anew_and_the_old_certificate_is_shown_until_then() {
    let Some(staging) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let mut production = AcmeServer::prepared(Accounts::Open, SEASON_S).unwrap();
    let server = staging.setup("http-01").table(&certificate(&[NAME])).start();
    let first = server.logged("acme_issued", |_| true).text("sha256");
    server.logged("certificate_replaced", |_| true);

    let server = server.start_again_with(|setup| production.known_to(setup, "http-01"));
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains("cannot be asked"), "{}", failed.raw);
    assert_eq!(shown(&server), first);
    production.run();
    server.signal(Signal::HUP);
    let second = server.logged("acme_issued", |_| true).text("sha256");
    server.logged("certificate_replaced", |line| line.text("sha256") == second);
    listing(&server, Mode::Implicit, &production.root()).ok();

    let server = server.start_again();
    assert_eq!(shown(&server), second);
    assert!(!server.logs.lines().iter().any(|line| line.is("acme_ordering")));
}

#[test]
fn an_account_elsewhere_is_bound_where_the_authority_demands_one() {
    let Some(acme) = AcmeServer::start(Accounts::External, SEASON_S) else { return };
    let setup = acme.setup("http-01").table(&certificate(&[NAME]));
    let server = setup.start();
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains("externalAccountRequired"), "{}", failed.raw);
    assert!(failed.text("mend").contains("eab_kid"), "{}", failed.raw);
    drop(server);
    let setup = acme
        .setup("http-01")
        .option("acme", "eab_kid", &format!("{:?}", EXTERNAL.0))
        .option("acme", "eab_key_file", &format!("{:?}", acme.external_key()))
        .table(&certificate(&[NAME]));
    let server = setup.start();
    server.logged("acme_issued", |_| true);
}

#[test]
fn a_certificate_is_renewed_in_time_and_connections_go_on() {
    let Some(acme) = AcmeServer::start(Accounts::Open, 9) else { return };
    let server = acme.setup("http-01").table(&certificate(&[NAME])).start();
    let first = server.logged("acme_issued", |_| true).text("sha256");
    let mut held = Control::open(&server);
    let second = server.logged("acme_issued", |line| line.text("sha256") != first).text("sha256");
    server.logged("certificate_replaced", |line| line.text("sha256") == second);
    held.expect("NOOP", 200);
    // One account, however often it orders.
    let accounts = server.logs.lines().iter().filter(|line| line.is("acme_account_made")).count();
    assert_eq!(accounts, 1);
}

#[test]
fn a_name_that_is_not_proved_is_tried_again_later_and_not_at_each_start() {
    let Some(acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    // Not where Pebble asks.
    let setup = acme.setup("http-01").option("acme", "http_address", &format!("\"{}:5999\"", acme.ip));
    let server = setup.table(&certificate(&[NAME])).start();
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains(&format!("could not validate {NAME}: ")), "{}", failed.raw);
    assert!(failed.text("mend").contains("port 80"), "{}", failed.raw);
    assert_eq!(failed.text("failures"), "1");
    assert!(failed.text("again_in_s").parse::<u64>().unwrap() > 890, "{}", failed.raw);
    // The clients are served meanwhile.
    let own = shown(&server);
    assert_eq!(own.len(), 95, "{own}");

    let server = server.start_again();
    assert_eq!(shown(&server), own);
    server.signal(Signal::HUP);
    let again = server.logged("acme_failed", |_| true);
    assert_eq!(again.text("failures"), "2");
    let earlier = before(&server, "reloading");
    assert!(!earlier.iter().any(|event| event == "acme_ordering"), "{earlier:?}");
}

#[test]
fn an_authority_that_is_down_keeps_nobody_out() {
    let Some(mut acme) = AcmeServer::prepared(Accounts::Open, SEASON_S) else { return };
    let server = acme.setup("http-01").table(&certificate(&[NAME])).start();
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains("cannot be asked"), "{}", failed.raw);
    assert_eq!(shown(&server).len(), 95);
    acme.run();
    server.signal(Signal::HUP);
    server.logged("certificate_replaced", |_| true);
    listing(&server, Mode::Implicit, &acme.root()).ok();
}

#[test]
fn an_acme_server_that_nobody_vouches_for_is_told_nothing() {
    let Some(acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let other = AcmeServer::prepared(Accounts::Open, SEASON_S).unwrap();
    let stranger = format!("{:?}", other.external_key().with_file_name("authority.pem"));
    let server = acme.setup("http-01").option("acme", "ca", &stranger).table(&certificate(&[NAME])).start();
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains("certificate is not trusted"), "{}", failed.raw);
}

#[test]
fn a_bad_nonce_is_mended_at_once_and_a_limit_is_respected() {
    const DAY_S: u64 = 24 * 3600;
    let folder = tempfile::tempdir().unwrap();
    let refusing = Refusing::start(folder.path(), Behaviour::Refuses(DAY_S));
    let server = Setup::new()
        .option("acme", "directory", &format!("\"https://{}/dir\"", refusing.address))
        .option("acme", "ca", &format!("{:?}", refusing.authority()))
        .option("acme", "terms_agreed", "true")
        .option("acme", "http_address", "\"127.0.0.1:0\"")
        .table(&certificate(&[NAME]))
        .start();
    let failed = server.logged("acme_failed", |_| true);
    assert_eq!(
        *refusing.nonces.lock().unwrap(),
        ["first", "second"],
        "RFC 8555 §6.5: the nonce of the refusal"
    );
    assert!(failed.text("why").contains("too many accounts"), "{}", failed.raw);
    assert!(failed.text("mend").contains("when the authority allows it"), "{}", failed.raw);
    assert!(failed.text("again_in_s").parse::<u64>().unwrap() > DAY_S - 60, "{}", failed.raw);
    // Whoever calls is told, and the authority is left alone.
    server.signal(Signal::HUP);
    let waits = server.logged("acme_waits", |_| true);
    assert!(waits.text("again_in_s").parse::<u64>().unwrap() > DAY_S - 60, "{}", waits.raw);
    assert_eq!(refusing.nonces.lock().unwrap().len(), 2);
}

#[test]
fn a_call_during_an_order_does_not_repeat_that_order() {
    let folder = tempfile::tempdir().unwrap();
    let asking = Refusing::start(folder.path(), Behaviour::AsksAbout(NAME));
    let gate = folder.path().join("gate");
    Program::new("mkfifo").arg(&gate).run().ok();
    // `present` ends when a line comes through the gate; `cleanup` is of no interest.
    let hook = format!("case $1 in present) read line < '{}'; exit 3 ;; esac", gate.display());
    // For both directions: neither side waits for the other to open it.
    let mut gate = fs::File::options().read(true).write(true).open(&gate).unwrap();
    let server = Setup::new()
        .option("acme", "directory", &format!("\"https://{}/dir\"", asking.address))
        .option("acme", "ca", &format!("{:?}", asking.authority()))
        .option("acme", "terms_agreed", "true")
        .option("acme", "challenge", "\"dns-01\"")
        .option("acme", "dns_hook", &format!("[\"/bin/sh\", \"-c\", {hook:?}, \"hook\"]"))
        .table(&certificate(&[NAME]))
        .start();
    server.logged("acme_ordering", |_| true);
    server.signal(Signal::HUP);
    server.logged("reloading", |_| true);
    gate.write_all(b"go\n").unwrap();
    server.logged("acme_failed", |line| line.text("failures") == "1");
    server.signal(Signal::HUP);
    server.logs.wait_for("the second call", |lines| {
        (lines.iter().filter(|line| line.is("reloading")).count() == 2).then_some(())
    });
    gate.write_all(b"go\n").unwrap();
    server.logged("acme_failed", |line| line.text("failures") == "2");
    let events: Vec<_> = server.logs.lines().iter().map(|line| line.text("event")).collect();
    let wanted = ["acme_ordering", "reloading", "acme_failed"];
    let events: Vec<_> = events.iter().filter(|event| wanted.contains(&event.as_str())).collect();
    assert_eq!(events, [wanted[0], wanted[1], wanted[2], wanted[1], wanted[0], wanted[2]]);
}

#[test]
fn a_name_that_nobody_ordered_reaches_no_program() {
    let folder = tempfile::tempdir().unwrap();
    let strange = Refusing::start(folder.path(), Behaviour::AsksAbout("elsewhere.example"));
    let called = folder.path().join("called");
    let server = Setup::new()
        .option("acme", "directory", &format!("\"https://{}/dir\"", strange.address))
        .option("acme", "ca", &format!("{:?}", strange.authority()))
        .option("acme", "terms_agreed", "true")
        .option("acme", "challenge", "\"dns-01\"")
        .option(
            "acme",
            "dns_hook",
            &format!("[\"/bin/sh\", \"-c\", {:?}]", format!("touch {}", called.display())),
        )
        .table(&certificate(&[NAME]))
        .start();
    let failed = server.logged("acme_failed", |_| true);
    assert!(failed.text("why").contains("\"elsewhere.example\", which nobody ordered"), "{}", failed.raw);
    assert!(!called.exists());
}

#[test]
fn a_program_that_fails_is_told_with_what_it_said() {
    let Some(acme) = AcmeServer::start(Accounts::Open, SEASON_S) else { return };
    let hook = "[\"/bin/sh\", \"-c\", \"echo no such zone >&2; exit 3\"]";
    let server = acme.setup("dns-01").option("acme", "dns_hook", hook).table(&certificate(&[NAME])).start();
    let failed = server.logged("acme_failed", |_| true);
    let why = failed.text("why");
    assert!(why.contains(&format!("present the record _acme-challenge.{NAME}")), "{why}");
    assert!(why.contains("exit status: 3: no such zone"), "{why}");
}

#[test]
fn a_port_that_is_taken_is_told_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let setup = Setup::new()
        .option("acme", "terms_agreed", "true")
        .option("acme", "challenge", "\"tls-alpn-01\"")
        .option("acme", "tls_alpn_address", &format!("\"{address}\""))
        .table(&certificate(&[NAME]));
    let config = setup.write();
    let run =
        Program::new(carrack_tests::server::program()).args(["serve", "--config"]).arg(config).run().fails();
    let said = format!("cannot listen on {address}, where certificate authorities ask: ");
    assert!(run.stderr.contains(&said) && run.stderr.contains("tls_alpn_address"), "{}", run.stderr);
}
