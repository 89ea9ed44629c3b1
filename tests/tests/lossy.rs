//! Bad lines: packets are lost, late and overtaken, and there is little room. Uploads and downloads come to their end with the right
//! bytes all the same, and where the line goes dead nothing is acknowledged. `scripts/lossy` has the worst lines.

use std::fs;
use std::net::Ipv6Addr;
use std::path::Path;
use std::time::Instant;

use carrack_tests::client::Client;
use carrack_tests::figures::{figure, how_many};
use carrack_tests::hosts::{FAR, Host, Hosts, Line};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::Server;
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::{tree, wait};
use rustix::process::Signal;

/// The lines of the long form; `./test` has the first with less to carry.
const LINES: [Line; 4] = [
    Line { loss: 1, delay_ms: 25, reorder: 1, kilobits_per_s: 20_000, seed: 1 },
    Line { loss: 2, delay_ms: 50, reorder: 2, kilobits_per_s: 5_000, seed: 2 },
    Line { loss: 5, delay_ms: 100, reorder: 2, kilobits_per_s: 2_000, seed: 3 },
    Line { loss: 3, delay_ms: 200, reorder: 5, kilobits_per_s: 256, seed: 4 },
];

fn far_away(hosts: &Hosts) -> Server {
    let setup = Setup::new().quick_logins().within(&hosts.namespace(Host::Server));
    setup.at(Ipv6Addr::UNSPECIFIED.into()).ports(2121, 2990).start()
}

/// A transfer by each client in each direction: how it is called, and which file it makes on the client's side.
fn transfers(
    hosts: &Hosts,
    client: &Client,
    local: &Path,
    scratch: &Path,
) -> Vec<(&'static str, Program, Program)> {
    let word = password(USER);
    let curl = |url: &str, tls: &str| {
        let user = format!("{USER}:{word}");
        let always = ["-sS", "-k", "--ssl-reqd", "--tls-max", tls, "-u", &user];
        hosts.run(Host::Client, "curl").args(always).arg(url)
    };
    let lftp = |script: String| {
        let script = format!(
            "set ssl:verify-certificate no\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset cmd:fail-exit yes\n\
             set ssl:ca-file /dev/null\nset net:timeout 100\nset xfer:clobber yes\nopen -u {USER},'{word}' ftp://{FAR}:2121\n{script}\nbye\n"
        );
        hosts.run(Host::Client, "lftp").args(["--norc", "-f", "/dev/stdin"]).input(script)
    };
    let own = |from: &str, to: &str| client.on((hosts, Host::Client), ["cp", "--trust-new", from, to]);
    let back = |name: &str| scratch.join(name).display().to_string();
    let (explicit, implicit) = (format!("ftp://{FAR}:2121"), format!("ftps://{FAR}:2990"));
    let (from, at) = (local.to_str().unwrap(), format!("ftpes://{USER}@{FAR}:2121/by-carrack"));
    vec![
        (
            "curl-1.3",
            curl(&format!("{explicit}/by-curl-1.3"), "1.3").args(["-T", from]),
            curl(&format!("{explicit}/by-curl-1.3"), "1.3").args(["-o", &back("by-curl-1.3")]),
        ),
        (
            "curl-1.2",
            curl(&format!("{implicit}/by-curl-1.2"), "1.2").args(["-T", from]),
            curl(&format!("{implicit}/by-curl-1.2"), "1.2").args(["-o", &back("by-curl-1.2")]),
        ),
        (
            "lftp",
            lftp(format!("put {from:?} -o by-lftp")),
            lftp(format!("get by-lftp -o {:?}", back("by-lftp"))),
        ),
        ("carrack", own(from, &at), own(&at, &back("by-carrack"))),
    ]
}

#[test]
fn transfers_over_bad_lines_end_with_the_right_bytes() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let Some(mut hosts) = Hosts::new() else { return };
    let server = far_away(&hosts);
    let lines = how_many("CARRACK_LOSSY_LINES", 1).min(LINES.len());
    let length = how_many("CARRACK_LOSSY_KIB", 100) << 10;
    let local = tree::file(&server.scratch(), "local", 21, length);
    let hash = tree::sha256_of(&local);
    let client = Client::new(&server.password());
    for line in &LINES[..lines] {
        hosts.bad_line(line);
        let began = Instant::now();
        let mut well = 0;
        let all = transfers(&hosts, &client, &local, &server.scratch());
        let number = all.len() * 2;
        // All at once: they share the line. First all uploads, then all downloads.
        let (ups, downs): (Vec<_>, Vec<_>) =
            all.into_iter().map(|(name, up, down)| ((name, up), (name, down))).unzip();
        for (programs, folder) in [(ups, server.home()), (downs, server.scratch())] {
            let running: Vec<_> =
                programs.into_iter().map(|(name, program)| (name, program.spawn())).collect();
            for (name, running) in running {
                running.wait().ok();
                let file = folder.join(format!("by-{name}"));
                assert_eq!(tree::sha256_of(&file), hash, "{line:?}: {name} in {}", folder.display());
                well += 1;
            }
        }
        // Nothing of this line's is taken for the next one's.
        for folder in [server.home(), server.scratch()] {
            for name in tree::names(&folder).iter().filter(|name| name.starts_with("by-")) {
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
        let packets = hosts.end_line().unwrap();
        assert!(packets.contains(" lost"), "{packets}");
        let Line { loss, delay_ms, reorder, kilobits_per_s, .. } = line;
        figure(
            format_args!(
                "{length} bytes both ways by four clients, {loss} % lost, {delay_ms} ms each way, {reorder} % overtaken, \
                 {kilobits_per_s} kbit/s: right"
            ),
            format_args!("{number} of {number}"),
            format_args!("{well} of {number} ({} s, {packets})", began.elapsed().as_secs()),
        );
    }
}

#[test]
fn a_line_that_goes_dead_acknowledges_nothing() {
    let Some(mut hosts) = Hosts::new() else { return };
    let mut server = far_away(&hosts);
    let dead = Line { loss: 100, delay_ms: 1, reorder: 0, kilobits_per_s: 1000, seed: 1 };
    hosts.bad_line(&Line { loss: 0, kilobits_per_s: 4000, ..dead });
    let local = tree::file(&server.scratch(), "local", 22, 2 << 20);
    let client = Client::new(&server.password()).flag("--trust-new");
    let at = format!("ftpes://{USER}@{FAR}:2121/file");
    let running = client.on((&hosts, Host::Client), ["cp", local.to_str().unwrap(), &at]).spawn();
    wait::until_true("bytes at rest", || !tree::names(&server.home()).is_empty());
    hosts.bad_line(&dead);
    // The server knows nothing of it and is ended.
    server.signal(Signal::TERM);
    server.logged("draining", |_| true);
    server.signal(Signal::TERM);
    server.wait();
    assert!(running.kill().fails().stdout.is_empty());
    assert!(!server.home().join("file").exists());
    // Where the line is good again, it goes on.
    let server = server.start_again();
    hosts.bad_line(&Line { loss: 0, kilobits_per_s: 40_000, ..dead });
    client.on((&hosts, Host::Client), ["cp", local.to_str().unwrap(), &at]).run().ok();
    assert_eq!(tree::sha256_of(&server.home().join("file")), tree::sha256_of(&local));
}
