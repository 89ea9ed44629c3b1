//! Every client in every way into our server: what it can it is seen to do, and what it cannot it is seen to fail at.
//! docs/interop.md is made from the table that these tests hold.

use std::path::Path;

use carrack_tests::interop::{CLIENTS, Can, Client, Site, Verb, Visit, Way, page};
use carrack_tests::programs::Tls;
use carrack_tests::setup::USER;

/// A client's stay by each way that it has, held against its table.
fn visits(name: &str) {
    let client = CLIENTS.iter().find(|client| client.name == name).unwrap();
    if !client.is_here() {
        return;
    }
    let mut wrong = Vec::new();
    for plain in [false, true] {
        let ways = Way::ALL
            .into_iter()
            .zip(client.ways)
            .filter(|(way, can)| (*way == Way::Plain) == plain && matches!(can, Can::Yes | Can::No(..)));
        let ways: Vec<_> = ways.collect();
        let Some((first, _)) = ways.first() else { continue };
        let site = Site::new(*first);
        for (way, can) in ways {
            eprintln!("== {name} {way:?}");
            let visit = site.visit(way);
            let printed = (client.drive)(&visit);
            check(client, can, &visit, &printed, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Adds to `wrong` what differs from the table, in sentences.
fn check(client: &Client, way: Can, visit: &Visit<'_>, printed: &str, wrong: &mut Vec<String>) {
    let (name, by) = (client.name, visit.way);
    let lines = visit.lines();
    for verb in Verb::ALL {
        let done = visit.has_done(verb, printed);
        match client.can(verb) {
            Can::Yes if way == Can::Yes && !done => wrong.push(format!("{name} {by:?} {verb:?}: it cannot")),
            Can::Yes if way != Can::Yes && done => wrong.push(format!("{name} {by:?} {verb:?}: it can")),
            Can::No(..) | Can::Lacks(_) if done => wrong.push(format!("{name} {by:?} {verb:?}: it can")),
            _ => (),
        }
    }
    let Some(tls) = visit.tls() else { return };
    let moved: Vec<_> = lines.iter().filter(|line| line.is("transfer")).collect();
    for line in &moved {
        if line.text("tls") != format!("TLSv{}", visit.version()) {
            wrong.push(format!("{name} {by:?}: another version: {}", line.raw));
        }
    }
    let resumed = !moved.is_empty() && moved.iter().all(|line| line.text("resumed") == "true");
    if way == Can::Yes && resumed != (client.resumes[usize::from(tls == Tls::V13)] == Can::Yes) {
        wrong.push(format!("{name} {by:?}: sessions resumed: {resumed}"));
        wrong.extend(moved.iter().map(|line| format!("    {}", line.raw)));
    }
}

macro_rules! clients {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() { visits($name); })*

        #[test]
        fn every_client_has_its_test() {
            let tested = [$($name),*];
            assert_eq!(CLIENTS.map(|client| client.name), tested);
        }
    };
}

clients! {
    curl: "curl";
    lftp: "lftp";
    filezilla: "FileZilla";
    ftplib: "ftplib";
    rclone: "rclone";
    basic_ftp: "basic-ftp";
    commons_net: "commons-net";
    net_ftp: "Net::FTP";
    ruby: "net/ftp";
    php: "PHP";
    wget: "wget";
    ncftp: "NcFTP";
    tnftp: "tnftp";
}

/// Clients without TLS are not let in, and told what is missing as far as they pass it on.
#[test]
fn clients_without_tls_are_told_what_is_missing() {
    // NcFTP's programs keep the server's sentence to themselves.
    for (name, says) in [("NcFTP", "was not accepted"), ("tnftp", "AUTH TLS")] {
        let client = CLIENTS.iter().find(|client| client.name == name).unwrap();
        if !client.is_here() {
            continue;
        }
        let site = Site::refusing_plaintext();
        let visit = site.visit(Way::Plain);
        // Refused, NcFTP's other programs would come back every 20 seconds.
        let printed = if name == "NcFTP" {
            let (port, password) = (visit.port(), visit.server.password());
            let words = ["-r", "1", "-u", USER, "-p", &password, "-P", &port];
            visit.finish(visit.program("ncftpls").args(words).arg(visit.url("")))
        } else {
            (client.drive)(&visit)
        };
        for verb in Verb::ALL {
            assert!(!visit.has_done(verb, &printed), "{name} {verb:?}");
        }
        assert!(visit.lines().iter().all(|line| !line.is("login")), "{name} is logged in");
        assert!(printed.contains(says), "{name} does not say why: {printed}");
    }
}

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/interop.md");
    let made = page::page();
    if std::env::var_os("CARRACK_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == made,
        "docs/interop.md is stale; CARRACK_BLESS=1 cargo test --workspace --test all interop::"
    );
}
