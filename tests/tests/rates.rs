//! Limits on the rate: nothing is faster than its budget, nothing that waits for its turn is stalled, and nothing that waits holds a
//! thread. Times are bounded from below alone.

use std::fs;
use std::time::{Duration, Instant};

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls, curl, lftp, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wait;

/// The rate of most tests, in bytes a second.
const RATE: usize = 200_000;

/// How long so many bytes take at least: what may be ahead of the clock is an eighth of a second's worth.
fn at_least(bytes: usize, bytes_per_s: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64 - 0.125)
}

/// How long something takes.
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = what();
    (done, begin.elapsed())
}

fn assert_slow(took: Duration, bytes: usize, bytes_per_s: usize) {
    let least = at_least(bytes, bytes_per_s);
    assert!(took >= least, "{bytes} bytes took {took:?}, which is less than {least:?}");
}

#[test]
fn one_transfer_is_no_faster_than_a_transfer_may_be() {
    let rates = format!("transfer_upload_bytes_per_s = {RATE}\ntransfer_download_bytes_per_s = {RATE}");
    let server = Setup::new().user(USER, &[EVERYTHING, &rates]).start();
    let bytes = tree::bytes(1, 150_000);
    for (mode, tls) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(tls), USER);
        let ((), up) = timed(|| control.upload("file", &bytes));
        assert_slow(up, bytes.len(), RATE);
        assert!(fs::read(server.home().join("file")).unwrap() == bytes);
        let (back, down) = timed(|| control.download("file"));
        assert_slow(down, bytes.len(), RATE);
        assert!(back == bytes, "{mode:?} {tls:?}");
    }
}

#[test]
fn clear_and_compressed_transfers_and_text_are_limited_alike() {
    let server = Setup::new()
        .explicit("data_protection = \"optional\"\ndeflate = true")
        .option("limits", "transfer_download_bytes_per_s", &RATE.to_string())
        .start();
    let bytes = tree::bytes(2, 150_000);
    fs::write(server.home().join("file"), &bytes).unwrap();
    fs::write(server.home().join("text"), "a line\n".repeat(20_000)).unwrap();
    let mut control = Control::open(&server);
    control.expect("TYPE A", 200);
    let (text, took) = timed(|| control.download("text"));
    assert_eq!(text.len(), 160_000);
    assert_slow(took, text.len(), RATE);
    control.expect("TYPE I", 200);
    control.expect("MODE Z", 200);
    // What does not get smaller: the limit is on what crosses the network.
    let (compressed, took) = timed(|| control.download("file"));
    assert_slow(took, compressed.len(), RATE);
    control.expect("MODE S", 200);
    control.expect("PROT C", 200);
    let mut data = control.data();
    let (received, took) = timed(|| {
        control.expect("RETR file", 150);
        let received = data.read_to_end().0;
        drop(data);
        control.wait_for(226);
        received
    });
    assert!(received == bytes);
    assert_slow(took, bytes.len(), RATE);
}

/// Downloads and uploads a file in sessions of these users at the same time; how long it took until the last had ended.
fn side_by_side(server: &Server, users: &[&str], upload: bool, bytes: &[u8]) -> Duration {
    let mut sessions: Vec<Control> = users
        .iter()
        .map(|user| Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), user))
        .collect();
    let ((), took) = timed(|| {
        std::thread::scope(|scope| {
            for (number, session) in sessions.iter_mut().enumerate() {
                scope.spawn(move || match upload {
                    true => session.upload(&format!("up-{number}"), bytes),
                    false => assert!(session.download("file") == bytes),
                });
            }
        });
    });
    took
}

#[test]
fn all_sessions_of_a_user_share_the_users_budget() {
    let rates = format!("upload_bytes_per_s = {RATE}\ndownload_bytes_per_s = {RATE}");
    let server = Setup::new().user(USER, &[EVERYTHING, &rates]).start();
    let bytes = tree::bytes(3, 80_000);
    fs::write(server.home().join("file"), &bytes).unwrap();
    for upload in [false, true] {
        let took = side_by_side(&server, &[USER; 4], upload, &bytes);
        assert_slow(took, 4 * bytes.len(), RATE);
    }
}

#[test]
fn all_users_share_the_servers_budget_and_each_has_the_default_of_users() {
    let server = Setup::new()
        .option("limits", "upload_bytes_per_s", &RATE.to_string())
        .option("limits", "download_bytes_per_s", &RATE.to_string())
        .option("limits", "user_download_bytes_per_s", &(RATE / 2).to_string())
        .user("alice", &[EVERYTHING])
        .user("bob", &[EVERYTHING])
        .start();
    let bytes = tree::bytes(4, 120_000);
    for user in [USER, "alice", "bob"] {
        fs::write(server.home_of(user).join("file"), &bytes).unwrap();
    }
    for upload in [false, true] {
        let took = side_by_side(&server, &[USER, "alice", "bob"], upload, &bytes);
        assert_slow(took, 3 * bytes.len(), RATE);
    }
    let took = side_by_side(&server, &[USER], false, &bytes);
    assert_slow(took, bytes.len(), RATE / 2);
}

#[test]
fn hours_say_what_a_rate_is_now() {
    let hours =
        format!("[[limits.hours]]\nfrom = \"00:00\"\nto = \"24:00\"\nuser_download_bytes_per_s = {RATE}");
    let server = Setup::new().table(&hours).start();
    let bytes = tree::bytes(5, 150_000);
    fs::write(server.home().join("file"), &bytes).unwrap();
    let took = side_by_side(&server, &[USER], false, &bytes);
    assert_slow(took, bytes.len(), RATE);
}

#[test]
fn who_waits_for_a_turn_is_not_stalled_and_can_be_stopped() {
    let server = Setup::new()
        .option("timeouts", "data_stall_s", "3")
        // So many bytes do not come in that time, but for the time that the limit takes.
        .option("timeouts", "data_stall_bytes", "1000000")
        .option("limits", "download_bytes_per_s", "1024")
        .start();
    fs::write(server.home().join("file"), tree::bytes(6, 5000)).unwrap();
    fs::write(server.home().join("large"), tree::bytes(6, 5_000_000)).unwrap();
    let mut control = Control::open(&server);
    assert!(control.download("file") == tree::bytes(6, 5000));
    let data = control.begin("RETR large");
    control.expect("NOOP", 200);
    control.say("ABOR");
    control.wait_for(426);
    control.wait_for(226);
    drop(data);
    // The transfer that was stopped left nothing booked behind it that would hold up the next for long.
    control.expect("NOOP", 200);
    // A listing is not limited: this one has more bytes than a minute would carry.
    for number in 0..1000 {
        fs::write(server.home().join(format!("{number:0>60}")), "").unwrap();
    }
    assert!(control.listing("LIST").lines().count() > 1000);
}

#[test]
fn transfers_that_wait_for_their_turns_hold_no_threads() {
    const TRANSFERS: usize = 40;
    let server = Setup::new().option("limits", "download_bytes_per_s", "20000").quick_logins().start();
    fs::write(server.home().join("file"), tree::bytes(7, 20_000_000)).unwrap();
    let mut held: Vec<_> = (0..TRANSFERS)
        .map(|_| {
            let mut control = Control::open(&server);
            let data = control.begin("RETR file");
            (control, data)
        })
        .collect();
    for (_, data) in &mut held {
        let mut some = [0; 400];
        data.read(&mut some).unwrap();
    }
    wait::until_true("the threads to be given back", || disk_threads(&server) < TRANSFERS / 4);
    for (control, _) in &mut held {
        control.expect("NOOP", 200);
    }
}

/// How many of the server's threads are the disk's.
fn disk_threads(server: &Server) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let names = tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
    names.filter(|name| name.trim_end() == "disk").count()
}

#[test]
fn curl_and_lftp_are_no_faster_than_they_may_be() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let rates = format!("upload_bytes_per_s = {RATE}\ndownload_bytes_per_s = {RATE}");
    let server = Setup::new().user(USER, &[EVERYTHING, &rates]).start();
    let local = tree::file(&server.scratch(), "local", 8, 150_000);
    let back = server.scratch().join("back");
    for (mode, tls) in EVERY_WAY {
        let at = url(&server, mode, "/by-curl");
        let run = || curl(&server, mode, tls);
        let (_, up) = timed(|| run().arg("-T").arg(&local).arg(&at).run().ok());
        let (_, down) = timed(|| run().arg("-o").arg(&back).arg(&at).run().ok());
        assert_slow(up, 150_000, RATE);
        assert_slow(down, 150_000, RATE);
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&back), "{mode:?} {tls:?}");
        let script = format!("put {local:?} -o by-lftp\nget by-lftp -o {:?}", server.scratch().join("lftp"));
        let (_, both) = timed(|| lftp(&server, mode, tls, &script).run().ok());
        // Two budgets, one after the other.
        assert!(both >= 2 * at_least(150_000, RATE), "{both:?}");
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&server.scratch().join("lftp")));
        fs::remove_file(server.scratch().join("lftp")).unwrap();
    }
    let several = format!("mirror -P 3 /three {:?}", server.scratch().join("three"));
    for name in ["a", "b", "c"] {
        tree::file(&server.home().join("three"), name, 9, 60_000);
    }
    let (_, took) = timed(|| lftp(&server, Mode::Explicit, Tls::V13, &several).run().ok());
    assert_slow(took, 3 * 60_000, RATE);
    tree::assert_same(&server.home().join("three"), &server.scratch().join("three"));
}
