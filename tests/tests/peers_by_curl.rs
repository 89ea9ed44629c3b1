//! The test rig itself: other people's servers serve curl in every mode and version, and lftp in active mode; the hostile
//! server without a misbehaviour does too. What then fails with our client is our client's doing.

use std::fs;

use carrack_tests::hostile_server::{FILE, FOLDER, HostileServer, Misbehaviour};
use carrack_tests::peers::{Peer, RunningPeer, Wanted};
use carrack_tests::programs::{Program, Run, Tls, needs};
use carrack_tests::server::Mode;
use carrack_tests::setup::USER;
use carrack_tests::tree;

const VERSIONS: [(Tls, &[&str]); 2] =
    [(Tls::V12, &["--tlsv1.2", "--tls-max", "1.2"]), (Tls::V13, &["--tlsv1.3"])];

/// curl with the right password, trusting the server's authority alone.
fn curl(mode: Mode, password: &str, authority: &std::path::Path) -> Program {
    let required: &[&str] = if mode == Mode::Explicit { &["--ssl-reqd"] } else { &[] };
    Program::new("curl")
        .args(["-q", "--silent", "--show-error", "--max-time", "60", "--user"])
        .arg(format!("{USER}:{password}"))
        .arg("--cacert")
        .arg(authority)
        .args(required)
}

fn scheme(mode: Mode) -> &'static str {
    if mode == Mode::Explicit { "ftp" } else { "ftps" }
}

fn at(running: &RunningPeer, path: &str) -> String {
    format!("{}://{}/{path}", scheme(running.mode), running.address)
}

fn moves_files(peer: Peer) {
    if !needs(&["curl", "openssl"]) || !peer.is_here() {
        return;
    }
    for mode in peer.modes() {
        let running = peer.start(&Wanted::new(mode));
        let authority = running.authority.file(&running.scratch());
        let run = |arguments: &[&str]| -> Run {
            curl(mode, &running.password(), &authority).args(arguments).run().ok()
        };
        for size in [0, 65_537, 5 << 20] {
            let local = tree::file(&running.scratch(), "up", size as u64, size);
            let (there, back) = (running.home().join("there"), running.scratch().join("back"));
            let url = at(&running, "there");
            // Debian's curl leaves the tickets of TLS 1.3 unread when it uploads, and then loses a tail now and then.
            run(&[VERSIONS[0].1, &["-T", local.to_str().unwrap(), &url]].concat());
            assert_eq!(tree::sha256_of(&there), tree::sha256_of(&local), "{mode:?} {size} up");
            for (version, words) in VERSIONS {
                let _ = fs::remove_file(&back);
                run(&[words, &["-o", back.to_str().unwrap(), &url]].concat());
                assert_eq!(
                    tree::sha256_of(&back),
                    tree::sha256_of(&local),
                    "{mode:?} {version:?} {size} down"
                );
            }
        }
        let wrong = curl(mode, "wrong", &authority).arg(at(&running, "there")).run().fails();
        assert_eq!(wrong.status.code(), Some(67), "{}", wrong.report());
    }
}

#[test]
fn vsftpd_moves_files() {
    moves_files(Peer::Vsftpd);
}

#[test]
fn proftpd_moves_files() {
    moves_files(Peer::Proftpd);
}

#[test]
fn pure_ftpd_moves_files() {
    moves_files(Peer::PureFtpd);
}

#[test]
fn pyftpdlib_moves_files() {
    moves_files(Peer::Pyftpdlib);
}

#[test]
fn aioftp_moves_files() {
    moves_files(Peer::Aioftp);
}

#[test]
fn our_own_moves_files() {
    moves_files(Peer::Carrack);
}

#[test]
fn servers_require_resumption_or_not_as_they_say() {
    if !needs(&["curl", "openssl"]) {
        return;
    }
    for peer in Peer::ALL.into_iter().filter(|peer| peer.is_here()) {
        for mode in peer.modes() {
            let running = peer.start(&Wanted::new(mode));
            let authority = running.authority.file(&running.scratch());
            for (version, words) in VERSIONS {
                let url = at(&running, "");
                let curl = || curl(mode, &running.password(), &authority).args(words);
                let run = curl().arg("--no-sessionid").arg(&url).run();
                let (name, required) = (peer.name(), peer.abilities().requires_reuse.is_there());
                assert_eq!(!run.status.success(), required, "{name} {mode:?} {version:?}: {}", run.report());
                curl().arg(&url).run().ok();
            }
        }
    }
}

/// By lftp, because Debian's curl leaves active data connections in clear.
#[test]
fn servers_take_active_mode() {
    if !needs(&["lftp", "openssl"]) {
        return;
    }
    let able = |peer: &Peer| peer.abilities().active.is_there();
    for peer in Peer::ALL.into_iter().filter(able).filter(|peer| peer.is_here()) {
        for mode in peer.modes() {
            let running = peer.start(&Wanted::new(mode));
            let local = tree::file(&running.home(), "file", 1, 100_000);
            running.give_home_away();
            let back = running.scratch().join("back");
            let script = format!(
                "set cmd:fail-exit yes\nset net:max-retries 1\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\n\
                 set ssl:verify-certificate no\nset ssl:ca-file /dev/null\nset ftp:passive-mode no\n\
                 set ftp:prefer-epsv yes\nopen -u \"{USER},{}\" {}\nget file -o {back:?}\n",
                running.password(),
                at(&running, "")
            );
            let run = Program::new("lftp").args(["--norc", "-f", "/dev/stdin"]).input(script).run();
            assert!(run.status.success(), "{} {mode:?}: {}", peer.name(), run.report());
            assert_eq!(tree::sha256_of(&back), tree::sha256_of(&local), "{} {mode:?}", peer.name());
        }
    }
}

#[test]
fn servers_are_held_to_one_version() {
    if !needs(&["curl", "openssl"]) {
        return;
    }
    for peer in Peer::ALL.into_iter().filter(|peer| peer.is_here()) {
        let mode = peer.modes()[0];
        for (version, _) in VERSIONS {
            if version == Tls::V12 && !peer.abilities().held_to_tls12.is_there() {
                continue;
            }
            let running = peer.start(&Wanted::new(mode).only(version));
            let authority = running.authority.file(&running.scratch());
            for (tried, words) in VERSIONS {
                let run = curl(mode, &running.password(), &authority).args(words).arg(at(&running, "")).run();
                let name = peer.name();
                assert_eq!(
                    run.status.success(),
                    tried == version,
                    "{name} held to {version:?}: {}",
                    run.report()
                );
            }
        }
    }
}

#[test]
fn the_hostile_server_can_behave() {
    if !needs(&["curl"]) {
        return;
    }
    for mode in [Mode::Explicit, Mode::Implicit] {
        let server = HostileServer::start_in(mode, Misbehaviour::None);
        let folder = tempfile::tempdir().unwrap();
        let authority = server.authority_file(folder.path());
        let at = |path: &str| format!("{}://{}{path}", scheme(mode), server.address);
        for (_, words) in VERSIONS {
            let run = |arguments: &[&str]| {
                curl(mode, &server.password(), &authority).args(words).args(arguments).run().ok()
            };
            let back = folder.path().join("back");
            run(&["-o", back.to_str().unwrap(), &at(FILE)]);
            assert!(fs::read(&back).unwrap() == server.file(FILE).unwrap());
            let listed = run(&[&at(&format!("{FOLDER}/"))]).stdout;
            assert!(listed.contains("1000 Jan  2  2026 one\n"), "{listed}");
            run(&["-T", back.to_str().unwrap(), &at("/new")]);
            assert!(server.file("/new") == server.file(FILE));
        }
        assert!(!server.trap_was_dialled());
        assert!(server.heard().iter().all(|heard| heard.protected == (heard.line != "AUTH SSL")));
    }
}
