//! The wall clock steps a day on and back while sessions live (libfaketime): nobody's time runs out, nobody's ban ends, transfers go
//! on, and what is judged by the date is judged by the new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use carrack_tests::client_certificates::{ClientAuthority, showing, user, with_authority};
use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};
use rustix::process::Signal;

/// Whose guesses get an address banned.
const STRANGER: &str = "127.0.0.2";

/// Where Debian's package has the library, for this machine's kind.
fn libfaketime() -> Option<PathBuf> {
    if std::env::var("CARRACK_TESTS").is_ok_and(|which| which == "quick") {
        eprintln!("left out: a quick run has no real programs");
        return None;
    }
    let found = fs::read_dir("/usr/lib").unwrap().filter_map(|entry| {
        let library = entry.unwrap().path().join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    });
    let found = found.last();
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "libfaketime is not installed");
        eprintln!("left out: libfaketime is not installed");
    }
    found
}

/// The server's wall clock.
struct Clock(PathBuf);

impl Clock {
    /// A server that sees it, right at first.
    fn given(setup: Setup, library: &Path) -> (Setup, Clock) {
        let file = setup.scratch().join("clock");
        fs::write(&file, "+0").unwrap();
        let setup = setup
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        (setup, Clock(file))
    }

    /// Sets it so many days before or behind the right time, and sees to it that the server has it so.
    fn set(&self, days: i64, server: &Server) {
        // In place of the old one at once: half a line would be another time.
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{days:+}d")).unwrap();
        fs::rename(&next, &self.0).unwrap();
        let date =
            Command::new("date").args(["-u", "-d", &format!("{days:+} days"), "+%F"]).output().unwrap();
        let visitor = std::net::TcpStream::connect(server.explicit).unwrap();
        let peer = visitor.local_addr().unwrap().to_string();
        let line = server.logged("connected", |line| line.text("peer") == peer);
        drop(visitor);
        let date = String::from_utf8(date.stdout).unwrap();
        // Around midnight the days may differ by one.
        assert!(line.text("time").starts_with(&date[..8]) || days.abs() < 2, "{} on {date}", line.raw);
        assert_eq!(line.text("time").starts_with(&today()), days == 0, "{} with {days:+} days", line.raw);
    }
}

fn today() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim_end().to_owned()
}

fn is_banned(server: &Server) -> bool {
    let wire = Wire::connect_from(STRANGER.parse().unwrap(), server.explicit).unwrap();
    Control::over(wire, &TlsClient::new(Tls::V13)).reply_or_end().is_ok_and(|reply| reply.code == 421)
}

fn get_banned(server: &Server) {
    for _ in 0..5 {
        let wire = Wire::connect_from(STRANGER.parse().unwrap(), server.implicit).unwrap();
        let mut control = Control::over(wire, &TlsClient::new(Tls::V13));
        control.secure();
        control.wait_for(220);
        control.expect(&format!("USER {USER}"), 331);
        control.expect("PASS a guess", 530);
    }
    server.logged("banned", |line| line.text("network") == STRANGER);
}

#[test]
fn a_step_of_a_day_ends_no_session_no_transfer_and_no_ban() {
    let Some(library) = libfaketime() else { return };
    let setup = Setup::new()
        .quick_logins()
        .option("defence", "exempt", "[]")
        .option("defence", "slow_after", "100")
        .option("defence", "ban_after", "5");
    let (setup, clock) = Clock::given(setup, &library);
    let server = setup.start();
    get_banned(&server);
    let bytes = tree::bytes(61, 20_000_000);
    fs::write(server.home().join("down"), &bytes).unwrap();
    // From right to a day on, from there two days back, and to right again.
    for days in [1, -1, 0] {
        let session = |tls| Control::session(&server, Mode::Explicit, &TlsClient::new(tls), USER);
        let mut idle = [session(Tls::V12), session(Tls::V13)];
        let mut stranger = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V13));
        let mut clear = Control::clear(&server);
        let mut uploading = Control::open(&server);
        let mut up = uploading.begin("STOR up");
        up.send(&bytes[..1_000_000]).unwrap();
        let mut downloading = Control::open(&server);
        let mut down = downloading.begin("RETR down");
        let mut announcing = Control::open(&server);
        let mut data = announcing.data();
        announcing.expect("STOR late", 150);
        assert!(is_banned(&server));

        clock.set(days, &server);

        for control in &mut idle {
            control.expect("NOOP", 200);
            // A ticket of before the step shows whose the data connection is.
            control.upload("idle", b"bytes");
        }
        clear.expect("NOOP", 200);
        stranger.login(USER);
        up.send(&bytes[1_000_000..2_000_000]).unwrap();
        up.finish().unwrap();
        uploading.wait_for(226);
        let (got, end) = down.read_to_end();
        assert!(got == bytes && end == End::Clean, "{days:+}: {} bytes, {end:?}", got.len());
        drop(down.finish());
        downloading.wait_for(226);
        data.secure(&announcing.tls.clone()).unwrap();
        data.send(b"late").unwrap();
        data.finish().unwrap();
        announcing.wait_for(226);
        assert!(is_banned(&server), "{days:+}");
        let mut newcomer = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V12), USER);
        assert!(newcomer.download("up") == bytes[..2_000_000]);
        assert_eq!(newcomer.download("late"), b"late");
        server.signal(Signal::HUP);
    }
    let out_of_time: Vec<_> =
        server.logs.lines().into_iter().filter(|line| line.text("why").contains("timeouts.")).collect();
    assert!(out_of_time.is_empty(), "{out_of_time:?}");
}

#[test]
fn a_certificate_is_judged_by_the_date_of_the_moment() {
    let Some(library) = libfaketime() else { return };
    let authority = ClientAuthority::named("Example CA");
    let setup = with_authority(Setup::new(), &authority).listen("client_certificate = \"optional\"");
    let rule =
        "login = \"certificate\"\n[[user.certificate]]\nissuer = \"CN=Example CA\"\nsubject = \"CN=alice\"\n";
    let (setup, clock) = Clock::given(user(setup.user(USER, &[EVERYTHING]), "alice", rule), &library);
    let server = setup.start();
    // For ten days.
    let alice = authority.issue_numbered("alice", 7);
    for tls in [Tls::V12, Tls::V13] {
        let comes_in = || {
            let mut control = Control::connect(server.implicit, &showing(tls, &alice));
            let client = control.tls.clone();
            control.wire.secure(&client).is_ok()
                && control.reply_or_end().is_ok_and(|reply| reply.code == 220)
                && control.cmd("USER alice").code == 232
        };
        let mut other = Control::open(&server);
        assert!(comes_in(), "{tls:?}");
        clock.set(40, &server);
        assert!(!comes_in(), "{tls:?}");
        server.logged("client_certificate_refused", |line| line.text("why").contains("expired"));
        // It costs nobody else anything.
        other.upload("file", b"bytes");
        clock.set(0, &server);
        assert!(comes_in(), "{tls:?}");
    }
}
