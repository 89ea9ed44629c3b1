//! Each scenario of `examples/` does what its page says: set up by the commands of the page, served, and tried by real clients.

use std::fs;
use std::path::Path;

use carrack_tests::client::Client;
use carrack_tests::examples::{Example, RunningExample};
use carrack_tests::hosts::{Host, Hosts, INSIDE, OUTSIDE};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::{Mode, under_fips};
use carrack_tests::setup::password;
use carrack_tests::wait;

const EXPLICIT: Mode = Mode::Explicit;
const IMPLICIT: Mode = Mode::Implicit;

/// What curl says of a path that it may not have, and of an upload that it may not do. Where it finds the data port closed already, it asks for
/// another and takes the refusal for a bad answer to that (13).
const DENIED: [i32; 5] = [9, 13, 19, 25, 78];

fn start(name: &str, local: &[(&str, &str)]) -> Option<RunningExample> {
    (needs(&["curl", "bash"]) && !under_fips()).then(|| Example::new(name, local).start())
}

#[track_caller]
fn denied(run: &carrack_tests::programs::Run) {
    let status = run.status.code();
    assert!(status.is_some_and(|status| DENIED.contains(&status)), "{}", run.report());
}

#[test]
fn every_scenario_is_named_and_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let tests = include_str!("examples.rs");
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        assert!(page.contains(&format!("| [{name}]({name}/) |")), "README.md does not name {name}");
        assert!(tests.contains(&format!("(\"{name}\"")), "{name} is not tried");
    }
}

#[test]
fn a_public_mirror_is_read_by_everybody_and_written_by_its_publisher() {
    let Some(mirror) = start("public-mirror", &[]) else { return };
    mirror.put("site/pub/file", "for everybody");
    for fetched in [
        mirror.plain_curl(EXPLICIT, "anonymous", "/pub/file", &[]),
        mirror.curl(EXPLICIT, "anonymous", "/pub/file", &[]),
    ] {
        assert_eq!(fetched.ok().stdout, "for everybody");
    }
    let upload = &["-T", "site/pub/file"];
    denied(&mirror.plain_curl(EXPLICIT, "anonymous", "/pub/new", upload));
    denied(&mirror.curl(EXPLICIT, "anonymous", "/pub/new", upload));
    mirror.curl(EXPLICIT, "publisher", "/pub/new", upload).ok();
    assert_eq!(mirror.read("site/pub/new"), "for everybody");
    let in_clear = mirror.plain_curl(EXPLICIT, "publisher", "/pub/new", &[]);
    assert_eq!(in_clear.status.code(), Some(67), "no login without TLS: {}", in_clear.report());
}

#[test]
fn a_team_has_homes_and_a_folder_that_some_share() {
    let Some(team) = start("team", &[]) else { return };
    team.put("mine", "alice's");
    for mode in [EXPLICIT, IMPLICIT] {
        team.curl(mode, "alice", "/mine", &["-T", "mine"]).ok();
        assert_eq!(team.read("homes/alice/mine"), "alice's");
        denied(&team.curl(mode, "bob", "/mine", &[]));
        team.curl(mode, "editor", "/shared", &["-T", "mine"]).ok();
        assert_eq!(team.curl(mode, "reader", "/shared", &[]).ok().stdout, "alice's");
        denied(&team.curl(mode, "reader", "/shared", &["-T", "mine"]));
    }
}

#[test]
fn two_organisations_share_a_port_and_nothing_else() {
    let Some(both) = start("virtual-servers", &[]) else { return };
    let of = |mode, name: &str, ca: &str, path: &str| {
        let port = both.address(mode).port();
        let scheme = if mode == EXPLICIT { "ftp" } else { "ftps" };
        Program::new("curl")
            .args(["-q", "--silent", "--show-error", "--verbose", "--ssl-reqd", "--cacert"])
            .arg(both.path(ca))
            .args(["--user", &format!("alice:{}", password("alice"))])
            .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
            .arg(format!("{scheme}://{name}:{port}/{path}"))
            .run()
    };
    both.put("org/alice/file", "of org");
    both.put("net/alice/file", "of net");
    for mode in [EXPLICIT, IMPLICIT] {
        for (name, folder) in
            [("ftp.example.org", "org"), ("files.example.net", "net"), ("any.files.example.net", "net")]
        {
            let fetched = of(mode, name, &format!("tls/{folder}/cert.pem"), "file").ok();
            assert_eq!(fetched.stdout, format!("of {folder}"));
            let greeting = name.trim_start_matches("any.");
            assert!(fetched.stderr.contains(greeting), "{}", fetched.report());
        }
        let stranger = of(mode, "www.example.com", "tls/org/cert.pem", "file").fails();
        assert!(stranger.stderr.contains("unrecognized name"), "{}", stranger.report());
        let nameless = both.curl(mode, "alice", "/file", &[]);
        assert_eq!(nameless.status.code(), Some(67), "{}", nameless.report());
    }
}

#[test]
fn a_drop_box_shows_its_senders_nothing() {
    let Some(dropped) = start("drop-box", &[]) else { return };
    dropped.put("report", "in");
    dropped.curl(EXPLICIT, "sender", "/report", &["-T", "report"]).ok();
    denied(&dropped.curl(EXPLICIT, "sender", "/report", &["-T", "report"]));
    denied(&dropped.curl(EXPLICIT, "sender", "/report", &[]));
    denied(&dropped.curl(EXPLICIT, "sender", "/", &["--list-only"]));
    assert_eq!(dropped.curl(EXPLICIT, "collector", "/", &["--list-only"]).ok().stdout.trim(), "report");
    assert_eq!(dropped.curl(EXPLICIT, "collector", "/report", &["-Q", "-DELE report"]).ok().stdout, "in");
    assert!(!dropped.path("inbox/report").exists());
}

#[test]
fn behind_nat_clients_are_told_the_address_that_they_can_reach() {
    if !needs(&["curl", "bash"]) || under_fips() {
        return;
    }
    let Some(mut hosts) = Hosts::new() else { return };
    hosts.forward(&[2121, 50000, 50001, 50002, 50003]);
    // Who is inside comes from the server's own address here.
    let local = [
        ("203.0.113.7", OUTSIDE),
        ("192.168.0.0/16", INSIDE),
        ("192.168.1.20", INSIDE),
        ("50000-50099", "50000-50003"),
    ];
    let nat = Example::new("behind-nat", &local).within(hosts.namespace(Host::Server)).start();
    nat.address(EXPLICIT);
    nat.put("files/file", "through");
    for (host, address, told) in [(Host::Client, OUTSIDE, "198,51,100,1"), (Host::Server, INSIDE, "10,7,0,2")]
    {
        let curl = hosts.run(host, "curl").args(["-q", "--silent", "--insecure", "--ssl-reqd", "--verbose"]);
        let curl = curl.args(["--disable-epsv", "--no-ftp-skip-pasv-ip", "--user"]);
        let curl = curl.arg(format!("alice:{}", password("alice")));
        let fetched = curl.arg(format!("ftp://{address}:2121/file")).run().ok();
        assert_eq!(fetched.stdout, "through");
        let reply = format!("227 Entering Passive Mode ({told},");
        assert!(fetched.stderr.contains(&reply), "{}", fetched.stderr);
    }
}

#[test]
fn behind_a_load_balancer_the_log_has_the_clients_own_address() {
    if !needs(&["curl", "bash", "haproxy"]) || under_fips() {
        return;
    }
    let Some(hosts) = Hosts::new() else { return };
    let (balancer, client) = ("10.7.0.1", "198.51.100.2");
    let local = [("10.0.0.20", INSIDE), ("10.0.0.5", balancer)];
    let served = Example::new("behind-a-load-balancer", &local).within(hosts.namespace(Host::Server)).start();
    served.address(EXPLICIT);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/behind-a-load-balancer/haproxy.cfg");
    let text = fs::read_to_string(file).unwrap();
    let text = local.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours));
    fs::write(served.path("haproxy.cfg"), text.replace("192.0.2.10", OUTSIDE)).unwrap();
    let _haproxy =
        hosts.run(Host::Router, "haproxy").arg("-db").arg("-f").arg(served.path("haproxy.cfg")).spawn();
    served.put("files/file", "through");
    let fetch = |url: &str| {
        let curl = hosts.run(Host::Client, "curl").args(["-q", "--silent", "--show-error", "--insecure"]);
        let curl =
            curl.args(["--ssl-reqd", "--verbose", "--disable-epsv", "--no-ftp-skip-pasv-ip", "--user"]);
        curl.arg(format!("alice:{}", password("alice"))).arg(url).run()
    };
    for url in [format!("ftp://{OUTSIDE}/file"), format!("ftps://{OUTSIDE}/file")] {
        let fetched = wait::until("haproxy", || Some(fetch(&url)).filter(|run| run.status.success()));
        assert_eq!(fetched.stdout, "through");
        assert!(fetched.stderr.contains("227 Entering Passive Mode (198,51,100,1,"), "{}", fetched.stderr);
    }
    let line = served.logs.wait_for_line("the transfer", |line| line.is("transfer"));
    assert!(line.text("peer").starts_with(&format!("{client}:")), "{}", line.raw);
    // Whoever comes from the balancer without its word is refused.
    let direct = hosts.run(Host::Router, "curl").args(["-q", "--silent", "--max-time", "20", "--user"]);
    let direct = direct.arg(format!("alice:{}", password("alice"))).arg(format!("ftps://{INSIDE}:2990/file"));
    assert!(!direct.arg("--insecure").run().status.success());
    served.logs.wait_for_line("the refusal", |line| {
        line.is("connection_refused") && line.text("option") == "listen.proxy_protocol"
    });
}

#[test]
fn old_devices_only_put_files_in_and_only_from_their_network() {
    let network = "192.168.10.0/24";
    let Some(office) = start("old-devices", &[(network, "127.0.0.0/8")]) else { return };
    office.put("scan", "a page");
    office.plain_curl(EXPLICIT, "scanner", "/scan", &["-T", "scan"]).ok();
    denied(&office.plain_curl(EXPLICIT, "scanner", "/scan", &[]));
    denied(&office.plain_curl(EXPLICIT, "scanner", "/", &[]));
    assert_eq!(office.curl(IMPLICIT, "office", "/scan", &[]).ok().stdout, "a page");
    let in_clear = office.plain_curl(EXPLICIT, "office", "/scan", &[]);
    assert_eq!(in_clear.status.code(), Some(67), "people use TLS: {}", in_clear.report());
    drop(office);

    let Some(office) = start("old-devices", &[(network, "127.0.0.7")]) else { return };
    office.put("scan", "a page");
    let from_elsewhere = office.plain_curl(EXPLICIT, "scanner", "/scan", &["-T", "scan"]);
    assert!(!from_elsewhere.status.success(), "{}", from_elsewhere.report());
    office.logs.wait_for_line("the refusal", |line| {
        line.is("connection_refused") && line.text("option").contains("allow")
    });
    let elsewhere = office.curl(IMPLICIT, "scanner", "/scan", &["-T", "scan"]);
    assert_eq!(elsewhere.status.code(), Some(67), "its password is of no use: {}", elsewhere.report());
    office.plain_curl(EXPLICIT, "scanner", "/scan", &["--interface", "127.0.0.7", "-T", "scan"]).ok();
}

#[test]
fn partners_exchange_a_file_directly() {
    if !needs(&["bash"]) || under_fips() {
        return;
    }
    let here = ("198.51.100.20", "127.0.0.1");
    let pair = [Example::new("fxp-partners", &[here]), Example::new("fxp-partners", &[here])];
    let [one, other] = &pair;
    for (of, to) in [(one, other), (other, one)] {
        fs::copy(of.path("identity/cert.pem"), to.path("partners.pem")).unwrap();
    }
    let certificates =
        [one, other].map(|example| fs::read_to_string(example.path("identity/cert.pem")).unwrap());
    let [one, other] = pair.map(Example::start);
    one.put("files/cargo", "from one to the other");
    let client = Client::new(&password("operator"));
    fs::write(client.path("both.pem"), certificates.concat()).unwrap();
    let url = |server: &RunningExample, path: &str| {
        format!("ftpes://operator@localhost:{}/{path}", server.address(EXPLICIT).port())
    };
    client.run(["cp", "--ca", "both.pem", &url(&one, "cargo"), &url(&other, "")]).ok();
    assert_eq!(other.read("files/cargo"), "from one to the other");
    let line = other.logs.wait_for_line("the transfer", |line| line.is("transfer"));
    assert_eq!(line.text("fxp"), "127.0.0.1", "{}", line.raw);
}

#[test]
fn compliance_takes_certificates_and_nothing_else() {
    if !needs(&["curl", "bash"]) {
        return;
    }
    let kept = Example::new("compliance", &[]).start();
    kept.put("records/record", "kept");
    let certificate = &["--cert", "auditor/cert.pem", "--key", "auditor/key.pem"];
    assert_eq!(kept.curl(IMPLICIT, "auditor", "/record", certificate).ok().stdout, "kept");
    let without = kept.curl(IMPLICIT, "auditor", "/record", &[]);
    assert!(!without.status.success(), "{}", without.report());
    kept.logs.wait_for_line("the refusal", |line| line.is("client_certificate_refused"));
    denied(&kept.curl(IMPLICIT, "auditor", "/new", &[certificate, &["-T", "records/record"][..]].concat()));
}
