//! Hours of everything at once: other people's clients and our own, cuts, killed clients, wrong passwords, a full quota, reloads and
//! peers that say nothing. Between rounds the server rests, and what it holds then is what is looked at. `scripts/soak` takes hours.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use carrack_tests::client::Client;
use carrack_tests::control::Control;
use carrack_tests::figures::{figure, how_many};
use carrack_tests::programs::{Program, Tls, curl, lftp, needs, python, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;
use carrack_tests::{tree, wait};
use rustix::process::Signal;

/// A user with so many bytes.
const SMALL: &str = "small";
const QUOTA: usize = 1_000_000;
/// The longest round.
const ROUND: Duration = Duration::from_secs(60);
const LEAST_ROUNDS: u32 = 3;

/// One after the other, TLS 1.2 and 1.3, explicit and implicit.
fn way(turn: usize) -> (Mode, Tls) {
    carrack_tests::programs::EVERY_WAY[turn % 4]
}

/// A worker: something that is done once, in its turn, with what went wrong.
type Worker = fn(&Server, usize) -> Result<(), String>;

const WORKERS: [(&str, Worker); 9] = [
    ("curl", by_curl),
    ("lftp", by_lftp),
    ("Python", by_python),
    ("carrack", by_carrack),
    ("a killed client", killed),
    ("a cut upload", cut),
    ("a wrong password", wrong_password),
    ("a full quota", full_quota),
    ("silence and a reload", silence_and_reload),
];

fn well(program: Program) -> Result<(), String> {
    let run = program.run();
    if run.status.success() { Ok(()) } else { Err(run.report()) }
}

fn same(expected: &[u8], got: Option<Vec<u8>>, what: &str) -> Result<(), String> {
    if got.as_deref() == Some(expected) { Ok(()) } else { Err(format!("{what}: the bytes are others")) }
}

fn by_curl(server: &Server, turn: usize) -> Result<(), String> {
    if !needs(&["curl"]) {
        return Ok(());
    }
    let (mode, tls) = way(turn);
    let bytes = tree::bytes(turn as u64, 1000 + turn * 7919 % 3_000_000);
    let (local, back) = (server.scratch().join("curl"), server.scratch().join("curl-back"));
    fs::write(&local, &bytes).unwrap();
    let at = url(server, mode, "/by-curl");
    well(curl(server, mode, tls).arg("-T").arg(&local).arg(&at))?;
    same(&bytes, fs::read(server.home().join("by-curl")).ok(), "up")?;
    well(curl(server, mode, tls).arg("-o").arg(&back).arg(&at))?;
    same(&bytes, fs::read(&back).ok(), "down")
}

fn by_lftp(server: &Server, turn: usize) -> Result<(), String> {
    if !needs(&["lftp"]) {
        return Ok(());
    }
    let (mode, tls) = way(turn);
    let (there, back) = (server.scratch().join("lftp"), server.scratch().join("lftp-back"));
    if !there.exists() {
        tree::many_small_files(&there, 12);
    }
    let _ = fs::remove_dir_all(&back);
    let script = format!("mirror -R {there:?} by-lftp\nmirror by-lftp {back:?}\nrm -r by-lftp");
    well(lftp(server, mode, tls, &script))?;
    let (expected, got) = (tree::contents(&there), tree::contents(&back));
    if expected == got { Ok(()) } else { Err(format!("{got:?} instead of {expected:?}")) }
}

fn by_python(server: &Server, turn: usize) -> Result<(), String> {
    if !needs(&["python3"]) {
        return Ok(());
    }
    let (mode, tls) = way(turn);
    let port = server.address(mode).port().to_string();
    let mode = if mode == Mode::Explicit { "explicit" } else { "implicit" };
    let tls = if tls == Tls::V12 { "1.2" } else { "1.3" };
    let password = server.password();
    let login = ["--port", &port, "--mode", mode, "--tls", tls, "--user", USER, "--password", &password];
    well(python("ftps.py", [&login[..], &["--reuse", "control", "everything", "by-python"]].concat()))
}

/// Our own client's server, as a URL.
fn own_url(server: &Server, turn: usize, name: &str) -> String {
    let (mode, _) = way(turn);
    let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
    format!("{scheme}://{USER}@{}/{name}", server.address(mode))
}

fn by_carrack(server: &Server, turn: usize) -> Result<(), String> {
    let client = Client::new(&server.password()).speaking(way(turn).1).flag("--trust-new");
    tree::many_small_files(&client.path("tree"), 12);
    let (at, beneath) = (own_url(server, turn, ""), own_url(server, turn, "tree/"));
    well(client.program(["cp", "-r", "tree", &at]))?;
    well(client.program(["cp", "-r", &beneath, "back"]))?;
    well(client.program(["rm", "-r", &own_url(server, turn, "tree")]))?;
    let (expected, got) = (tree::contents(&client.path("tree")), tree::contents(&client.path("back")));
    if expected == got { Ok(()) } else { Err(format!("{got:?} instead of {expected:?}")) }
}

/// A client that is killed in the middle goes on when it is called again.
fn killed(server: &Server, turn: usize) -> Result<(), String> {
    let client = Client::new(&server.password()).flag("--trust-new");
    let local = tree::file(client.folder(), "file", turn as u64, 4 << 20);
    let (target, at) = (server.home().join("killed"), own_url(server, turn, "killed"));
    let _ = fs::remove_file(&target);
    let running = client.program(["cp", "--limit-rate", "8M", "file", &at]).spawn();
    // Somewhere between its start and the middle of the file.
    std::thread::park_timeout(Duration::from_millis(turn as u64 * 37 % 500));
    running.kill();
    well(client.program(["cp", "file", &at]))?;
    same(&fs::read(local).unwrap(), fs::read(target).ok(), "after a kill")
}

/// An upload whose connections break somewhere goes on behind what came.
fn cut(server: &Server, turn: usize) -> Result<(), String> {
    let (mode, tls) = way(turn);
    let bytes = tree::bytes(turn as u64, 300_000);
    let at = turn * 7919 % bytes.len();
    let name = "cut";
    let client = TlsClient::new(tls);
    let mut control = Control::session(server, mode, &client, USER);
    control.cmd(&format!("DELE {name}"));
    control.cmd(&format!("DELE {name}"));
    let mut data = control.begin(&format!("STOR {name}"));
    data.send(&bytes[..at]).map_err(|why| why.to_string())?;
    if turn.is_multiple_of(2) {
        data.reset()
    } else {
        data.fin()
    }
    let reply = control.reply();
    if reply.code < 400 {
        return Err(format!("a cut upload: {reply}"));
    }
    if turn.is_multiple_of(3) {
        control.wire.reset();
        control = Control::session(server, mode, &TlsClient::new(tls), USER);
    }
    let size = control.cmd(&format!("SIZE {name}")).to_string();
    let length: usize = size.strip_prefix("213 ").map_or(0, |length| length.parse().unwrap());
    let reply = control.try_store(&format!("APPE {name}"), &bytes[length..]);
    if reply.code != 226 {
        return Err(format!("an append behind {length}: {reply}"));
    }
    same(&bytes, fs::read(server.home().join(name)).ok(), "after a cut")
}

fn wrong_password(server: &Server, turn: usize) -> Result<(), String> {
    let (mode, tls) = way(turn);
    let mut control = Control::greeted(server, mode, &TlsClient::new(tls));
    control.expect(&format!("USER {USER}"), 331);
    let reply = control.cmd("PASS wrong and long enough");
    // Slower than it could be: the log of hours is kept in memory here.
    std::thread::park_timeout(Duration::from_millis(100));
    if reply.code == 530 || reply.code == 421 { Ok(()) } else { Err(reply.to_string()) }
}

fn full_quota(server: &Server, turn: usize) -> Result<(), String> {
    let (mode, tls) = way(turn);
    let mut control = Control::session(server, mode, &TlsClient::new(tls), SMALL);
    for (length, code) in [(QUOTA / 2, 226), (QUOTA + 1, 552)] {
        let reply = control.try_store(&format!("STOR of-{length}"), &tree::bytes(1, length));
        if reply.code != code {
            let there = tree::names(&server.home_of(SMALL));
            return Err(format!("{length} of {QUOTA} bytes beside {there:?}; {control}"));
        }
        // What came of the second one is given up as well, if anything.
        control.cmd(&format!("DELE of-{length}"));
    }
    let left = tree::names(&server.home_of(SMALL));
    if left.is_empty() { Ok(()) } else { Err(format!("{left:?} is left; {control}")) }
}

fn silence_and_reload(server: &Server, turn: usize) -> Result<(), String> {
    let mut silent = Wire::connect(server.implicit);
    silent.send(&[22, 3, 1, 0x40, 0, 1, 0]).map_err(|why| why.to_string())?;
    let mut announced = Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);
    announced.passive();
    if turn.is_multiple_of(5) {
        server.signal(Signal::HUP);
    }
    announced.expect("NOOP", 200);
    std::thread::park_timeout(Duration::from_millis(200));
    Ok(())
}

/// What the server holds when nobody is there.
#[derive(Clone, Copy, Debug)]
struct Rest {
    at: Duration,
    descriptors: usize,
    resident_kib: u64,
}

/// By how much a value grows in an hour: the line that lies nearest to all of them.
fn slope_per_hour(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (mean_x, mean_y) =
        points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (mut up, mut across) = (0.0, 0.0);
    for (x, y) in points {
        up += (x - mean_x) * (y - mean_y);
        across += (x - mean_x) * (x - mean_x);
    }
    if across == 0.0 { 0.0 } else { up / across * 3600.0 }
}

#[test]
fn a_server_is_at_the_end_as_it_was_at_the_beginning() {
    let long = Duration::from_secs(how_many("CARRACK_SOAK_S", 6) as u64);
    let round = (long / LEAST_ROUNDS).min(ROUND);
    let server =
        Setup::new().quick_logins().user(SMALL, &[EVERYTHING, &format!("quota_bytes = {QUOTA}")]).start();
    let (done, errors) = (Mutex::new(BTreeMap::<&str, usize>::new()), Mutex::new(Vec::new()));
    let (began, mut rests) = (Instant::now(), Vec::<Rest>::new());
    while began.elapsed() < long || rests.len() < LEAST_ROUNDS as usize {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for (name, work) in WORKERS {
                let (server, done, errors) = (&server, &done, &errors);
                scope.spawn(move || {
                    loop {
                        let turn = done.lock().unwrap().get(name).copied().unwrap_or(0);
                        let went = catch_unwind(AssertUnwindSafe(|| work(server, turn)));
                        if let Err(why) =
                            went.unwrap_or_else(|_| Err(String::from("an answer that nobody expected")))
                        {
                            errors.lock().unwrap().push(format!("{name}, turn {turn}: {why}"));
                        }
                        *done.lock().unwrap().entry(name).or_default() += 1;
                        if begun.elapsed() >= round {
                            return;
                        }
                    }
                });
            }
        });
        // Everybody has gone; the first round has made what is made once.
        let most = rests.first().map_or(usize::MAX, |first| first.descriptors);
        let mut last = 0;
        let descriptors = wait::until("the server at rest", || {
            let now = server.descriptors();
            let is_still = now == last && now <= most;
            last = now;
            std::thread::park_timeout(Duration::from_millis(100));
            is_still.then_some(now)
        });
        let rest = Rest { at: began.elapsed(), descriptors, resident_kib: server.resident_kib() };
        // How it came to the slope.
        println!("{rest:?}");
        rests.push(rest);
    }
    let (done, errors) = (done.into_inner().unwrap(), errors.into_inner().unwrap());
    let points = |value: fn(&Rest) -> f64| {
        // Behind the first quarter, in which the heap finds its size.
        let behind = &rests[rests.len() / 4..];
        behind.iter().map(|rest| (rest.at.as_secs_f64(), value(rest))).collect::<Vec<_>>()
    };
    let (memory, descriptors) =
        (points(|rest| rest.resident_kib as f64), points(|rest| rest.descriptors as f64));
    figure("soak: hours", 24, format_args!("{:.2} ({done:?})", began.elapsed().as_secs_f64() / 3600.0));
    figure(
        "soak: MiB that it grows in an hour",
        "< 1",
        format_args!("{:.2}", slope_per_hour(&memory) / 1024.0),
    );
    figure(
        "soak: descriptors that it grows in an hour",
        0,
        format_args!("{:.1}", slope_per_hour(&descriptors)),
    );
    figure("soak: errors", 0, errors.len());
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(done.values().all(|times| *times >= LEAST_ROUNDS as usize), "{done:?}");
    let (first, last) = (rests[0], rests[rests.len() - 1]);
    assert!(last.resident_kib < first.resident_kib + (32 << 10), "{rests:?}");
}
