//! The server is killed again and again while real clients upload: what was acknowledged is there whole, and nothing that is not
//! whole is in sight. `scripts/kills` kills it 200 times.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use carrack_tests::client::{Client, objects};
use carrack_tests::control::Control;
use carrack_tests::figures::{figure, how_many};
use carrack_tests::programs::{Program, Run, Running, Tls, curl, lftp, needs, python, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;
use carrack_tests::{tree, wait};
use rustix::process::Signal;

/// How many files other people's programs and our own client are given to send between two kills: more than they come to.
const FILES: usize = 120;

/// The bytes that a file of that name must have.
fn content(name: &str) -> Vec<u8> {
    let seed = name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    tree::bytes(seed, 500 + (seed % 60_000) as usize)
}

/// Uploads small files until the connection breaks; every acknowledged name goes to `acknowledged`.
fn upload_until_it_breaks(mut control: Control, round: usize, acknowledged: &Acknowledged) {
    for name in (0..).map(|number| format!("raw-{number}")) {
        if upload(&mut control, &folder(round), &name).is_none() {
            return;
        }
        acknowledged.add("raw", round, name);
    }
}

/// One upload whose every step may fail; `Some` when the server has acknowledged it.
fn upload(control: &mut Control, folder: &str, name: &str) -> Option<()> {
    control.wire.send(b"EPSV\r\n").ok()?;
    let at = control.reply_or_end().ok()?.to_string();
    let port = at.split("(|||").nth(1)?.split('|').next()?.parse().ok()?;
    let mut data = Wire::over(std::net::TcpStream::connect(("127.0.0.1", port)).ok()?);
    control.wire.send(format!("STOR {folder}/{name}\r\n").as_bytes()).ok()?;
    control.reply_or_end().ok().filter(|reply| reply.code == 150)?;
    data.secure(&control.tls.clone()).ok()?;
    data.send(&content(name)).ok()?;
    data.finish().ok()?;
    control.reply_or_end().ok().filter(|reply| reply.code == 226)?;
    Some(())
}

fn folder(round: usize) -> String {
    format!("round-{round}")
}

/// What clients were told is there, by the kind of client and the round.
#[derive(Default)]
struct Acknowledged(Mutex<BTreeMap<(&'static str, usize), Vec<String>>>);

impl Acknowledged {
    fn add(&self, kind: &'static str, round: usize, name: String) {
        self.0.lock().unwrap().entry((kind, round)).or_default().push(name);
    }

    /// How many were acknowledged in all and which are not whole, of one round or of all.
    fn check(&self, home: &Path, only: Option<usize>) -> (usize, Vec<String>) {
        let (mut count, mut lost) = (0, Vec::new());
        for ((_, round), names) in &*self.0.lock().unwrap() {
            if only.is_none_or(|only| only == *round) {
                count += names.len();
                let is_lost = |name: &&String| {
                    fs::read(home.join(folder(*round)).join(name)).ok() != Some(content(name))
                };
                lost.extend(names.iter().filter(is_lost).map(|name| format!("{}/{name}", folder(*round))));
            }
        }
        (count, lost)
    }

    fn by_kind(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for ((kind, _), names) in &*self.0.lock().unwrap() {
            *kinds.entry(*kind).or_default() += names.len();
        }
        kinds
    }
}

/// Somebody's program with files to send, and how it tells which were acknowledged.
struct Sender {
    kind: &'static str,
    running: Running,
    told: fn(&Run) -> Vec<String>,
}

/// What all programs send: a folder for each, and the list of its files.
fn files_to_send(scratch: &Path, kind: &str) -> Vec<PathBuf> {
    let folder = scratch.join("to-send").join(kind);
    fs::create_dir_all(&folder).unwrap();
    let names = (0..FILES).map(|number| format!("{kind}-{number}"));
    names
        .map(|name| {
            let path = folder.join(&name);
            if !path.exists() {
                fs::write(&path, content(&name)).unwrap();
            }
            path
        })
        .collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Every other round in TLS 1.2.
fn senders(server: &Server, client: &Client, round: usize) -> Vec<Sender> {
    let tls = if round.is_multiple_of(2) { Tls::V13 } else { Tls::V12 };
    let mode = if round % 4 < 2 { Mode::Explicit } else { Mode::Implicit };
    let to = url(server, mode, &format!("/{}/", folder(round)));
    let at = server.address(mode).port().to_string();
    let mut senders = Vec::new();
    let mut add = |kind, program: Program, told| {
        senders.push(Sender { kind, running: program.spawn(), told });
    };
    if needs(&["curl"]) {
        let files = files_to_send(&server.scratch(), "curl");
        let list = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",");
        let program =
            curl(server, mode, tls).args(["--fail-early", "-w", "%{response_code} %{url_effective}\n"]);
        add("curl", program.arg("-T").arg(format!("{{{list}}}")).arg(&to), |run| {
            let said = run.stdout.lines().filter_map(|line| line.strip_prefix("226 "));
            said.map(|url| name_of(Path::new(url))).collect()
        });
    }
    if needs(&["python3"]) {
        files_to_send(&server.scratch(), "python");
        let (mode, tls) = (
            if mode == Mode::Explicit { "explicit" } else { "implicit" },
            if tls == Tls::V12 { "1.2" } else { "1.3" },
        );
        let mut arguments = vec!["--port", &at, "--mode", mode, "--tls", tls, "--user", USER];
        let (password, folder) = (server.password(), folder(round));
        let from = server.scratch().join("to-send/python");
        arguments.extend(["--password", &password, "--folder", &folder, "send", from.to_str().unwrap()]);
        add("python", python("ftps.py", arguments), |run| {
            run.stdout.lines().filter_map(|line| line.strip_prefix("sent ")).map(str::to_owned).collect()
        });
    }
    files_to_send(&server.scratch(), "carrack");
    let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
    let to = format!("{scheme}://{USER}@{}/{}/", server.address(mode), folder(round));
    let from = format!("{}/", server.scratch().join("to-send/carrack").display());
    add("carrack", client.program(["cp", "-r", "--json", "--retries", "0", &from, &to]), |run| {
        let done = objects(&run.stdout).into_iter().filter(|object| object["event"] == "done");
        done.map(|object| name_of(Path::new(object["source"].as_str().unwrap()))).collect()
    });
    if needs(&["lftp"]) {
        let files = files_to_send(&server.scratch(), "lftp");
        let puts = files.iter().map(|path| format!("put {path:?} && echo done {}\n", name_of(path)));
        let script = format!("cd {}\n{}", folder(round), puts.collect::<String>());
        add("lftp", lftp(server, mode, tls, &script), |run| {
            run.stdout.lines().filter_map(|line| line.strip_prefix("done ")).map(str::to_owned).collect()
        });
    }
    senders
}

/// Lets everybody upload until `wanted` files are there and a moment more (µs), kills the server, and waits for everybody's end.
fn upload_and_kill(server: &Server, round: usize, wanted: usize, moment: u64, acknowledged: &Acknowledged) {
    let here = server.home().join(folder(round));
    fs::create_dir(&here).unwrap();
    let killed = AtomicBool::new(false);
    let client = Client::new(&server.password()).flag("--trust-new");
    // One large upload is always on its way, so that the kill comes in mid upload.
    let mut large = Control::open(server);
    let mut data = large.begin(&format!("STOR {}/large", folder(round)));
    // Whatever goes wrong meanwhile, nobody waits for ever.
    struct Kill<'a>(&'a Server, &'a AtomicBool);
    impl Drop for Kill<'_> {
        fn drop(&mut self) {
            self.1.store(true, Ordering::SeqCst);
            self.0.signal(Signal::KILL);
        }
    }
    let kill = Kill(server, &killed);
    std::thread::scope(|scope| {
        let kill = kill;
        scope.spawn(|| {
            let piece = tree::bytes(1, 20_000);
            while data.send(&piece).is_ok() {
                std::thread::park_timeout(std::time::Duration::from_millis(2));
            }
            assert!(killed.load(Ordering::SeqCst), "the large upload broke before the kill");
        });
        let senders = senders(server, &client, round);
        let published = |of: &str| tree::names(&here).iter().filter(|name| name.starts_with(of)).count();
        wait::until_true("a file of everybody", || senders.iter().all(|sender| published(sender.kind) > 0));
        let raw = Control::session(server, Mode::Explicit, &TlsClient::asking_for_tickets(1), USER);
        scope.spawn(|| upload_until_it_breaks(raw, round, acknowledged));
        wait::until_true("uploads", || published("") >= wanted);
        std::thread::park_timeout(std::time::Duration::from_micros(moment));
        drop(kill);
        for sender in senders {
            // lftp would look for the server for a while. What it was told it has printed.
            let run = if sender.kind == "lftp" { sender.running.kill() } else { sender.running.wait() };
            for name in (sender.told)(&run) {
                acknowledged.add(sender.kind, round, name);
            }
        }
    });
}

/// What a listing shows of a round that is not whole. The upload that was cut is given up, so that many rounds fill no disk.
fn not_whole_but_visible(server: &Server, round: usize) -> Vec<String> {
    let mut control = Control::open(server);
    let listed = control.listing(&format!("MLSD {}", folder(round)));
    let names =
        listed.lines().filter(|line| line.contains("Type=file")).filter_map(|line| line.split_once(' '));
    let here = server.home().join(folder(round));
    let is_whole = |name: &str| fs::read(here.join(name)).is_ok_and(|bytes| bytes == content(name));
    let mut shown: Vec<_> =
        names.map(|(_, name)| name).filter(|name| !is_whole(name)).map(str::to_owned).collect();
    shown.extend(control.listing("NLST").lines().filter(|name| !name.contains("round-")).map(str::to_owned));
    control.cmd(&format!("DELE {}/large", folder(round)));
    shown
}

#[test]
fn kill_nine_in_mid_upload_leaves_acknowledged_files_whole_and_shows_no_partial() {
    let kills = how_many("CARRACK_KILLS", 3);
    let mut server = Setup::new().quick_logins().start();
    let acknowledged = Acknowledged::default();
    let (mut lost, mut shown) = (Vec::new(), Vec::new());
    let random =
        |seed: usize, below: u64| u64::from_le_bytes(tree::bytes(seed as u64, 8).try_into().unwrap()) % below;
    for round in 0..kills {
        upload_and_kill(
            &server,
            round,
            40 + random(round, 160) as usize,
            random(kills + round, 20_000),
            &acknowledged,
        );
        server = server.start_again();
        lost.extend(acknowledged.check(&server.home(), Some(round)).1);
        shown.extend(not_whole_but_visible(&server, round));
    }
    // Neither did a later end or start take any.
    let (count, later) = acknowledged.check(&server.home(), None);
    lost.extend(later);
    let kinds = acknowledged.by_kind();
    figure("kills under upload load", 200, kills);
    figure("files acknowledged", "20,000", format!("{count} ({kinds:?})"));
    figure("acknowledged files lost", 0, lost.len());
    figure("partial files in a listing", 0, shown.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(shown.is_empty(), "visible and not whole: {shown:?}");
    assert!(count >= 5 * kills, "{kinds:?}");
}
