//! Transfers that were broken off: the client killed at several points, both ways, against every server, goes on where it
//! stopped and ends with the same bytes; what only looks like a beginning is never continued.

use std::fs::{self, File};
use std::path::Path;

use carrack_tests::client::{Client, summary};
use carrack_tests::peers::{Peer, RunningPeer, Wanted};
use carrack_tests::programs::Tls;
use carrack_tests::proxy::{Cut, How, Proxy, Way};
use carrack_tests::server::Mode;
use carrack_tests::setup::Setup;
use carrack_tests::{tree, wait};
use rustix::process::{Pid, Signal, kill_process};

const LENGTH: usize = 8 << 20;
/// Slow enough to be caught in the middle, fast enough to be there soon.
const RATE: &str = "8M";
/// Just behind where the journal begins, in the middle, and shortly before the end.
const POINTS: [u64; 3] = [(1 << 20) + 1, 4 << 20, 7 << 20];

fn url(server: &RunningPeer, path: &str) -> String {
    let scheme = if server.mode == Mode::Explicit { "ftpes" } else { "ftps" };
    server.url(scheme, path)
}

/// The bytes of all files in a folder, whatever they are called while they grow.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|found| found.is_file())
        .map(|found| found.len())
        .sum()
}

/// How a client is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Kill,
    Interrupt,
}

/// Starts a copy and stops it when so many bytes have come to `folder`.
fn stopped_at(client: &Client, stop: Stop, point: u64, folder: &Path, from: &str, to: &str) {
    let running = client.program(["cp", "--limit-rate", RATE, from, to]).spawn();
    wait::until_true("the bytes before the stop", || bytes_in(folder) >= point);
    if stop == Stop::Kill {
        running.kill();
        return;
    }
    kill_process(Pid::from_raw(running.pid() as i32).unwrap(), Signal::INT).unwrap();
    let run = running.wait();
    assert_eq!(run.status.code(), Some(7), "{}", run.report());
    assert!(run.stderr.contains("goes on"), "{}", run.report());
}

/// Goes on; how many transfers did not begin anew.
fn goes_on(client: &Client, from: &str, to: &str) -> u64 {
    let run = client.run(["cp", "-v", "--json", from, to]).ok();
    // Shown where the test fails.
    eprintln!("{}", run.report());
    summary(&run.stdout)["resumed"].as_u64().unwrap()
}

fn survives_stops(peer: Peer) {
    if !peer.is_here() {
        return;
    }
    for mode in peer.modes() {
        let server = peer.start(&Wanted::new(mode));
        let (there, remote) = (server.home().join("file"), url(&server, "file"));
        for (stop, points) in [(Stop::Kill, &POINTS[..]), (Stop::Interrupt, &POINTS[1..2])] {
            for &point in points {
                let client = Client::of(&server);
                let what = format!("{} {mode:?} {stop:?} at {point}", peer.name());
                let local = tree::file(client.folder(), "local/file", point, LENGTH);
                let _ = fs::remove_file(&there);
                stopped_at(&client, stop, point, &server.home(), "local/file", &remote);
                let resumed = goes_on(&client, "local/file", &remote);
                assert_eq!(tree::sha256_of(&local), tree::sha256_of(&there), "{what} up");
                assert_eq!(resumed > 0, peer.abilities().restart_uploads.is_there(), "{what} up");
                fs::create_dir(client.path("down")).unwrap();
                stopped_at(&client, stop, point, &client.path("down"), &remote, "down/");
                assert!(!client.path("down/file").exists(), "{what}: a part under the name of the whole");
                let resumed = goes_on(&client, &remote, "down/");
                assert_eq!(
                    tree::sha256_of(&local),
                    tree::sha256_of(&client.path("down/file")),
                    "{what} down"
                );
                assert_eq!(resumed > 0, peer.abilities().restart_downloads.is_there(), "{what} down");
                assert_eq!(tree::names(&client.path("down")), ["file"], "{what}");
            }
        }
    }
}

#[test]
fn vsftpd_goes_on() {
    survives_stops(Peer::Vsftpd);
}

#[test]
fn proftpd_goes_on() {
    survives_stops(Peer::Proftpd);
}

#[test]
fn pure_ftpd_goes_on() {
    survives_stops(Peer::PureFtpd);
}

#[test]
fn pyftpdlib_goes_on() {
    survives_stops(Peer::Pyftpdlib);
}

#[test]
fn aioftp_goes_on() {
    survives_stops(Peer::Aioftp);
}

#[test]
fn carrack_goes_on() {
    survives_stops(Peer::Carrack);
}

#[test]
fn an_older_shorter_target_is_never_continued() {
    for peer in Peer::ALL.into_iter().filter(|peer| peer.is_here()) {
        let server = peer.start(&Wanted::new(peer.modes()[0]));
        let (client, remote) = (Client::of(&server), url(&server, "file"));
        // Up: an older file of the same name lies there, shorter.
        let local = tree::file(client.folder(), "file", 1, LENGTH);
        tree::file(&server.home(), "file", 2, LENGTH / 2);
        server.give_home_away();
        assert_eq!(goes_on(&client, "file", &remote), 0);
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&server.home().join("file")), "{}", peer.name());
        // Down: the same on this side.
        tree::file(client.folder(), "file", 3, LENGTH / 2);
        assert_eq!(goes_on(&client, &remote, "file"), 0);
        assert_eq!(tree::sha256_of(&server.home().join("file")), tree::sha256_of(&local), "{}", peer.name());
    }
}

#[test]
fn a_source_that_has_changed_is_begun_anew() {
    for peer in Peer::ALL.into_iter().filter(|peer| peer.is_here()) {
        let server = peer.start(&Wanted::new(peer.modes()[0]));
        let (client, remote) = (Client::of(&server), url(&server, "file"));
        let there = server.home().join("file");
        let point = POINTS[1];
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let local = tree::file(client.folder(), "local/file", 1, LENGTH);
        stopped_at(&client, Stop::Kill, point, &server.home(), "local/file", &remote);
        tree::file(client.folder(), "local/file", 2, LENGTH);
        File::options().write(true).open(&local).unwrap().set_modified(later).unwrap();
        assert_eq!(goes_on(&client, "local/file", &remote), 0, "{} up", peer.name());
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&there), "{} up", peer.name());
        fs::create_dir(client.path("down")).unwrap();
        stopped_at(&client, Stop::Kill, point, &client.path("down"), &remote, "down/");
        tree::file(&server.home(), "file", 3, LENGTH);
        File::options().write(true).open(&there).unwrap().set_modified(later).unwrap();
        server.give_home_away();
        let resumed = goes_on(&client, &remote, "down/");
        assert_eq!(
            tree::sha256_of(&client.path("down/file")),
            tree::sha256_of(&there),
            "{} down",
            peer.name()
        );
        assert_eq!(resumed, 0, "{} down", peer.name());
    }
}

#[test]
fn the_words_of_the_user_go_before_the_journal() {
    let server = Peer::Carrack.start(&Wanted::new(Mode::Explicit));
    let (client, remote) = (Client::of(&server), url(&server, "file"));
    let whole = tree::bytes(1, LENGTH);
    fs::write(server.home().join("file"), &whole).unwrap();
    // --resume: whatever is there is the beginning.
    fs::write(client.path("file"), &whole[..LENGTH / 3]).unwrap();
    let printed = client.prints(["cp", "--resume", "--json", &remote, "file"]);
    assert_eq!(summary(&printed)["resumed"], 1, "{printed}");
    assert!(fs::read(client.path("file")).unwrap() == whole);
    fs::write(server.home().join("file"), &whole[..LENGTH / 3]).unwrap();
    client.prints(["cp", "--resume", "file", &remote]);
    assert!(fs::read(server.home().join("file")).unwrap() == whole);
    // --no-resume: nothing is.
    fs::create_dir(client.path("down")).unwrap();
    stopped_at(&client, Stop::Kill, POINTS[1], &client.path("down"), &remote, "down/");
    let printed = client.prints(["cp", "--no-resume", "--json", &remote, "down/"]);
    assert_eq!(summary(&printed)["resumed"], 0, "{printed}");
    assert!(fs::read(client.path("down/file")).unwrap() == whole);
}

/// A connection that breaks is taken up again within the same run.
#[test]
fn a_broken_connection_is_no_end() {
    for version in [Tls::V12, Tls::V13] {
        for how in [How::Fin, How::Reset] {
            let mut proxy = Proxy::reserve();
            let server = Setup::new().option("passive", "ports", &proxy.passive_ports()).start();
            let address = proxy.forward(server.explicit);
            let client = Client::new(&server.password()).speaking(version).flag("--trust-new");
            let remote = format!("ftpes://carrack@{address}/file");
            let local = tree::file(client.folder(), "file", 1, LENGTH);
            for (way, from, to) in [(Way::Up, "file", remote.as_str()), (Way::Down, remote.as_str(), "back")]
            {
                proxy.cut_next(Cut { way, after: LENGTH as u64 / 2, how });
                let run = client.run(["cp", from, to]).ok();
                assert!(proxy.was_used(), "{way:?} {how:?} {version:?}: {}", run.report());
            }
            let there = server.home().join("file");
            assert_eq!(tree::sha256_of(&local), tree::sha256_of(&there), "{how:?} {version:?} up");
            assert_eq!(
                tree::sha256_of(&local),
                tree::sha256_of(&client.path("back")),
                "{how:?} {version:?} down"
            );
        }
    }
}
