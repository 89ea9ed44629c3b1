//! A crowd: many transfers at once, peers that say nothing at every stage, sessions that come and go. All that is asked for is done
//! right, others are let in meanwhile, and nothing is left behind. `scripts/load` has the large numbers; idle sessions are
//! `bench/scale`'s.

use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carrack_tests::control::Control;
use carrack_tests::figures::{figure, how_many};
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;
use carrack_tests::{tree, wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The beginning of a ClientHello.
const HALF_A_HELLO: [u8; 9] = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
/// How often somebody logs in for a figure.
const LOGINS: usize = 31;

fn crowded() -> Server {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    Setup::new()
        .quick_logins()
        .option("limits", "sessions", "20000")
        .option("limits", "sessions_per_source", "20000")
        .option("passive", "ports", "\"12000-31999\"")
        .start()
}

fn session(server: &Server, number: usize) -> Control {
    let (mode, tls) = [
        (Mode::Explicit, Tls::V13),
        (Mode::Explicit, Tls::V12),
        (Mode::Implicit, Tls::V13),
        (Mode::Implicit, Tls::V12),
    ][number % 4];
    Control::session(server, mode, &TlsClient::new(tls), USER)
}

#[test]
fn transfers_at_once_are_all_right() {
    let number = how_many("CARRACK_LOAD_TRANSFERS", 24);
    let server = crowded();
    let (everybody, home) = (Barrier::new(number), server.home());
    let right: usize = std::thread::scope(|scope| {
        let transfer = |number: usize| {
            let mut control = session(&server, number);
            let (name, bytes) = (format!("file-{number}"), tree::bytes(number as u64, 200_000 + number));
            let mut data = control.begin(&format!("STOR {name}"));
            data.send(&bytes[..100_000]).unwrap();
            // Nobody goes on before all are in the middle of a transfer.
            everybody.wait();
            data.send(&bytes[100_000..]).unwrap();
            data.finish().unwrap();
            control.wait_for(226);
            let at_rest = std::fs::read(home.join(&name)).unwrap();
            let mut data = control.begin(&format!("RETR {name}"));
            everybody.wait();
            let (back, _) = data.read_to_end();
            drop(data.finish());
            control.wait_for(226);
            usize::from(at_rest == bytes && back == bytes)
        };
        let threads: Vec<_> = (0..number).map(|number| scope.spawn(move || transfer(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    figure("transfers at once, up and then down, right", "1000 of 1000", format_args!("{right} of {number}"));
    assert_eq!(right, number);
}

/// Where a peer stops.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It connects.
    Tcp,
    /// It begins the TLS handshake.
    Handshake,
    /// It says no name.
    BeforeLogin,
    /// It announces an upload and does not connect.
    DataAccept,
    /// It connects and begins the data connection's handshake.
    DataHandshake,
    /// It sends a byte of an upload.
    DataStall,
}

const STAGES: [Stage; 6] = [
    Stage::Tcp,
    Stage::Handshake,
    Stage::BeforeLogin,
    Stage::DataAccept,
    Stage::DataHandshake,
    Stage::DataStall,
];

/// A peer that went so far. Every other one says a byte now and then.
struct Peer {
    control: Option<Control>,
    wire: Option<Wire>,
}

impl Peer {
    fn at(server: &Server, stage: Stage, number: usize) -> Peer {
        let (mut control, mut wire) = (None, None);
        match stage {
            Stage::Tcp => wire = Some(Wire::connect(server.explicit)),
            Stage::Handshake => {
                let mut begun = Wire::connect(server.implicit);
                begun.send(&HALF_A_HELLO).unwrap();
                wire = Some(begun);
            }
            Stage::BeforeLogin => {
                control = Some(Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V13)));
            }
            Stage::DataAccept | Stage::DataHandshake | Stage::DataStall => {
                let mut there = session(server, number);
                let command = format!("STOR never-{number}");
                match stage {
                    Stage::DataAccept => {
                        there.passive();
                        there.expect(&command, 150);
                    }
                    Stage::DataHandshake => {
                        let mut data = there.data();
                        there.expect(&command, 150);
                        data.send(&HALF_A_HELLO).unwrap();
                        wire = Some(data);
                    }
                    _ => {
                        let mut data = there.begin(&command);
                        data.send(b"x").unwrap();
                        wire = Some(data);
                    }
                }
                control = Some(there);
            }
        }
        Peer { control, wire }
    }

    fn drip(&mut self) {
        // What is on its way to be closed may be closed.
        let _ = match (&mut self.wire, &mut self.control) {
            (Some(wire), _) => wire.send(b"N"),
            (None, Some(control)) => control.wire.send(b"N"),
            (None, None) => Ok(()),
        };
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a login takes, from the first packet to `230`: the middle of several. Meanwhile every other peer says a byte now and then.
fn login_time(server: &Server, peers: &mut [Peer]) -> Duration {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut dripping: Vec<_> = peers.iter_mut().step_by(2).collect();
            while !is_over.load(Ordering::Relaxed) {
                for peer in &mut dripping {
                    peer.drip();
                    std::thread::park_timeout(Duration::from_millis(2));
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        // Ended whatever becomes of the logins.
        let _over = Over(&is_over);
        let login = || {
            let began = Instant::now();
            let mut control = Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V13));
            control.login(USER);
            let took = began.elapsed();
            control.expect("QUIT", 221);
            took
        };
        let mut times: Vec<_> = (0..LOGINS).map(|_| login()).collect();
        times.sort();
        times[LOGINS / 2]
    })
}

#[test]
fn peers_that_say_nothing_at_any_stage_keep_nobody_out() {
    let number = how_many("CARRACK_LOAD_PEERS", 10);
    let server = crowded();
    login_time(&server, &mut []);
    let at_first = server.descriptors();
    for stage in STAGES {
        let alone = login_time(&server, &mut []);
        let mut peers: Vec<_> = (0..number).map(|number| Peer::at(&server, stage, number)).collect();
        let beside = login_time(&server, &mut peers);
        // Whoever is there is served too.
        let mut control = session(&server, 0);
        control.upload("file", b"bytes");
        assert_eq!(control.download("file"), b"bytes");
        control.expect("QUIT", 221);
        drop(peers);
        wait::until_true("the peers to be gone", || server.descriptors() <= at_first);
        figure(
            format_args!("a login beside {number} slow or silent peers at {stage:?}, beside one without"),
            "2.0",
            format_args!(
                "{:.1} ({:.1} ms, {:.1} ms)",
                beside.as_secs_f64() / alone.as_secs_f64(),
                beside.as_secs_f64() * 1e3,
                alone.as_secs_f64() * 1e3
            ),
        );
    }
}

/// One session that comes and goes, each in another way.
fn come_and_go(server: &Server, number: usize) {
    match number % 8 {
        0 => drop(TcpStream::connect(server.explicit).unwrap()),
        1 => Wire::connect(server.implicit).reset(),
        2 => {
            let mut begun = Wire::connect(server.implicit);
            begun.send(&HALF_A_HELLO).unwrap();
        }
        3 => Control::greeted(server, Mode::Explicit, &TlsClient::new(Tls::V12)).wire.reset(),
        4 => {
            session(server, number / 8).expect("QUIT", 221);
        }
        5 => session(server, number / 8).wire.reset(),
        6 => {
            let mut control = session(server, number / 8);
            let _never = control.passive();
        }
        _ => {
            let mut control = session(server, number / 8);
            let mut data = control.begin("STOR never");
            data.send(b"bytes").unwrap();
            data.reset();
            // Over, so that the next one of the name does not wait for it.
            assert!(control.reply().code >= 400);
            control.expect("DELE never", 250);
        }
    }
}

#[test]
fn sessions_that_come_and_go_leave_nothing() {
    let number = how_many("CARRACK_LOAD_SESSIONS", 240);
    let server = crowded();
    let all = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            come_and_go(&server, number);
        }
    };
    // What is made once is there before it is counted.
    all(0..number / 5);
    let settled = || {
        let mut control = Control::open(&server);
        control.expect("QUIT", 221);
        let mut last = 0;
        wait::until("the sessions to be gone", || {
            let now = server.descriptors();
            let same = now == last;
            last = now;
            same.then_some(now)
        })
    };
    let (descriptors, memory) = (settled(), server.resident_kib());
    all(0..number);
    wait::until_true("the sessions to be gone", || settled() <= descriptors);
    let grown = server.resident_kib().saturating_sub(memory);
    figure(format_args!("sessions that came and went, {number}: descriptors left"), 0, 0);
    figure(format_args!("sessions that came and went, {number}: KiB left"), "< 24576", grown);
    assert!(grown < 24 << 10, "{grown} KiB more than {memory}");
    assert_eq!(tree::names(&server.home()), Vec::<String>::new());
}
