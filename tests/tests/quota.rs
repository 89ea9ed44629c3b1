//! `user.quota_bytes`: what the files of a home may have, whichever way they come and go.

use std::fs;

use carrack_tests::control::{Control, Reply};
use carrack_tests::programs::{Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{tree, wait};
use rustix::process::Signal;

/// The quota in all of these tests.
const QUOTA: usize = 1_000_000;

fn setup() -> Setup {
    Setup::new().user(USER, &[EVERYTHING, "quota_bytes = 1_000_000"])
}

/// A server that knows what is in its home.
fn start() -> Server {
    let server = setup().start();
    counted(&server, 0);
    server
}

fn counted(server: &Server, bytes: u64) {
    server.logged("home_counted", |line| line.text("bytes") == bytes.to_string());
}

/// What is left, as the server says.
fn left(control: &mut Control) -> usize {
    control.expect("AVBL", 213).to_string()[4..].trim().parse().unwrap()
}

fn assert_over_quota(server: &Server, reply: &Reply, left: usize) {
    assert_eq!(reply.code, 552, "{reply}");
    assert!(reply.to_string().contains(&format!("{left} are left")), "{reply}");
    assert!(reply.to_string().contains("quota_bytes"), "{reply}");
    server.logged("limit_reached", |line| {
        line.text("option") == "user.quota_bytes" && line.text("user") == USER
    });
}

/// What is on the disk, with what no listing shows.
fn on_disk(server: &Server) -> usize {
    let files = fs::read_dir(server.home()).unwrap();
    files.map(|file| usize::try_from(file.unwrap().metadata().unwrap().len()).unwrap()).sum()
}

fn store(control: &mut Control, name: &str, length: usize) -> Reply {
    control.try_store(&format!("STOR {name}"), &vec![7; length])
}

#[test]
fn a_home_is_filled_to_the_last_byte_and_no_further() {
    if !needs(&["curl"]) {
        return;
    }
    let server = start();
    let whole = tree::file(&server.scratch(), "whole", 1, QUOTA);
    let more = tree::file(&server.scratch(), "more", 2, QUOTA + 1);
    for (mode, tls) in [(Mode::Explicit, Tls::V13), (Mode::Implicit, Tls::V12)] {
        let upload = |file| curl(&server, mode, tls).arg("-T").arg(file).arg(url(&server, mode, "/"));
        let refused = upload(&more).run().fails();
        assert!(refused.stderr.contains("Exceeded storage allocation"), "{}", refused.report());
        assert_eq!(on_disk(&server), 0, "what does not fit holds no room");
        upload(&whole).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join("whole")), tree::sha256_of(&whole));
        let mut control = Control::open(&server);
        assert_eq!(left(&mut control), 0);
        for command in ["STOR one", "STOU"] {
            control.data();
            assert_over_quota(&server, &control.cmd(command), 0);
        }
        let appended = control.try_store("APPE whole", b"1");
        assert_over_quota(&server, &appended, 0);
        assert_eq!(tree::names(&server.home()), ["whole"]);
        control.expect("DELE whole", 250);
        assert_eq!(left(&mut control), QUOTA);
    }
}

#[test]
fn what_is_announced_is_refused_before_its_first_byte_where_it_does_not_fit() {
    let server = start();
    let mut control = Control::open(&server);
    let mut announced = |bytes: usize, command: &str| {
        control.expect(&format!("ALLO {bytes}"), 202);
        control.data();
        let reply = control.cmd(command);
        if reply.code == 150 {
            control.expect("ABOR", 426);
            control.wait_for(226);
        }
        reply
    };
    for command in ["STOR new", "STOU new"] {
        assert_over_quota(&server, &announced(QUOTA + 1, command), QUOTA);
        assert_eq!(announced(QUOTA, command).code, 150);
    }
    assert_eq!(on_disk(&server), 0);
    // It is about the next upload alone, and promises nothing.
    control.expect("ALLO 5000000", 202);
    control.expect("DELE nothing", 550);
    control.data();
    control.expect("STOR new", 552);
    control.upload("new", &[1; 600_000]);
    // In the place of another one.
    control.expect("ALLO 1000000", 202);
    control.upload("new", &[2; 1_000_000]);
    control.expect("ALLO 1", 202);
    let reply = store(&mut control, "other", 1);
    assert_over_quota(&server, &reply, 0);
}

#[test]
fn curl_sends_nothing_of_a_file_that_it_has_announced_and_that_does_not_fit() {
    if !needs(&["curl"]) {
        return;
    }
    let server = start();
    let whole = tree::file(&server.scratch(), "whole", 1, QUOTA);
    let upload = |announced: usize| {
        curl(&server, Mode::Explicit, Tls::V13)
            .args(["-Q", &format!("ALLO {announced}"), "-T"])
            .arg(&whole)
            .arg(url(&server, Mode::Explicit, "/"))
            .run()
    };
    let refused = upload(QUOTA + 1).fails();
    assert!(refused.stderr.contains("552"), "{}", refused.report());
    assert!(!server.logs.lines().iter().any(|line| line.is("transfer")));
    upload(QUOTA).ok();
    upload(QUOTA).ok();
    assert_eq!(tree::sha256_of(&server.home().join("whole")), tree::sha256_of(&whole));
}

#[test]
fn uploads_at_a_time_share_what_there_is() {
    let server = start();
    let (mut one, mut other) = (Control::open(&server), Control::open(&server));
    let mut data = one.begin("STOR one");
    data.send(&[1; 600_000]).unwrap();
    wait::until_true("the first upload's bytes", || on_disk(&server) == 600_000);
    let reply = store(&mut other, "other", 400_001);
    assert_over_quota(&server, &reply, 400_000);
    assert_eq!(left(&mut other), 400_000);
    other.upload("other", &[2; 400_000]);
    data.finish().unwrap();
    one.wait_for(226);
    assert_eq!((on_disk(&server), left(&mut other)), (QUOTA, 0));
}

#[test]
fn a_file_is_replaced_by_one_that_fits_in_its_place() {
    for publish in ["atomic", "in-place"] {
        let server = setup().option("upload", "publish", &format!("{publish:?}")).start();
        counted(&server, 0);
        let mut control = Control::open(&server);
        control.upload("beside", &[1; 300_000]);
        control.upload("file", &[2; 600_000]);
        control.upload("file", &[3; 700_000]);
        assert_eq!((on_disk(&server), left(&mut control)), (QUOTA, 0), "{publish}");
        if publish == "atomic" {
            let reply = store(&mut control, "file", 700_001);
            assert_over_quota(&server, &reply, 700_000);
            assert_eq!(fs::read(server.home().join("file")).unwrap(), vec![3; 700_000], "the old one stays");
        }
        control.upload("file", &[4; 100_000]);
        assert_eq!(left(&mut control), 600_000, "{publish}");
        // From an offset: a copy of the beginning, in the place of the whole.
        control.expect("REST 50000", 350);
        control.upload("file", &[5; 100_000]);
        let appended = control.try_store("APPE file", &[6; 50_000]);
        assert_eq!((appended.code, left(&mut control)), (226, 500_000), "{publish}");
    }
}

#[test]
fn what_goes_is_given_back() {
    let server = start();
    let mut control = Control::open(&server);
    for name in ["one", "two"] {
        control.upload(name, &[1; 200_000]);
    }
    control.expect("RNFR one", 350);
    control.expect("RNTO two", 250);
    assert_eq!(left(&mut control), 800_000);
    control.upload("part", &[2; 100_000]);
    control.expect("COMB two part", 250);
    assert_eq!((on_disk(&server), left(&mut control)), (300_000, 700_000));
    // It needs the room for both while it works.
    control.upload("part", &[3; 600_000]);
    let reply = control.cmd("COMB two part");
    assert_eq!(reply.code, 552, "{reply}");
    assert_eq!((on_disk(&server), left(&mut control)), (900_000, 100_000));
    // Unfinished uploads go with their folder, or by their name.
    control.expect("MKD folder", 257);
    for (path, removed) in [("folder/cut", "RMD folder"), ("cut", "DELE cut")] {
        let mut other = Control::open(&server);
        let mut data = other.begin(&format!("STOR {path}"));
        data.send(&[4; 50_000]).unwrap();
        drop(data);
        assert_eq!(other.reply().code, 426);
        assert_eq!(left(&mut control), 50_000);
        control.expect(removed, 250);
        assert_eq!(left(&mut control), 100_000);
    }
    control.expect("DELE part", 250);
    assert_eq!(left(&mut control), 700_000);
}

#[test]
fn an_upload_that_was_cut_goes_on_within_the_quota() {
    if !needs(&["curl"]) {
        return;
    }
    let server = start();
    let whole = tree::file(&server.scratch(), "file", 3, QUOTA);
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(&fs::read(&whole).unwrap()[..600_000]).unwrap();
    drop(data);
    assert_eq!(control.reply().code, 426);
    assert_eq!(left(&mut control), 400_000, "unfinished uploads count");
    let reply = store(&mut control, "other", 400_001);
    assert_over_quota(&server, &reply, 400_000);
    let to = url(&server, Mode::Explicit, "/");
    curl(&server, Mode::Explicit, Tls::V13).args(["-C", "-", "-T"]).arg(&whole).arg(to).run().ok();
    assert_eq!(tree::sha256_of(&server.home().join("file")), tree::sha256_of(&whole));
    assert_eq!((on_disk(&server), left(&mut control)), (QUOTA, 0));
}

#[test]
fn a_crash_costs_no_byte_of_the_count() {
    let mut server = start();
    let mut control = Control::open(&server);
    control.upload("whole", &[1; 500_000]);
    let mut data = control.begin("STOR cut");
    data.send(&[2; 200_000]).unwrap();
    wait::until_true("the second upload's bytes", || on_disk(&server) == 700_000);
    server.kill();
    let server = server.start_again();
    counted(&server, 700_000);
    let mut control = Control::open(&server);
    let reply = store(&mut control, "more", 300_001);
    assert_over_quota(&server, &reply, 300_000);
    control.upload("more", &[3; 300_000]);
    assert_eq!(left(&mut control), 0);
}

#[test]
fn a_stop_in_order_leaves_what_is_known_and_a_reload_counts_anew() {
    let mut server = start();
    Control::open(&server).upload("file", &[1; 400_000]);
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    let left_behind = fs::read_to_string(server.state().join("usage")).unwrap();
    assert!(left_behind.contains("400000"), "{left_behind}");
    let server = server.start_again();
    assert_eq!(fs::read(server.state().join("usage")).unwrap(), b"", "after a crash it would be believed");
    let mut control = Control::open(&server);
    assert_eq!(left(&mut control), 600_000);
    // Somebody else's files are seen when they are counted.
    fs::create_dir(server.home().join("folder")).unwrap();
    fs::write(server.home().join("folder/other"), vec![2; 100_000]).unwrap();
    server.signal(Signal::HUP);
    counted(&server, 500_000);
    assert_eq!(left(&mut control), 500_000);
}

#[test]
fn users_of_one_home_fill_it_together() {
    let setup = setup();
    let home = setup.home(USER);
    let server = setup.user_at("free", &home, &[EVERYTHING]).start();
    counted(&server, 0);
    let session = |user| Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), user);
    let (mut free, mut limited) = (session("free"), session(USER));
    free.upload("theirs", &[1; 1_200_000]);
    limited.data();
    assert_over_quota(&server, &limited.cmd("STOR mine"), 0);
    // What takes the place of something and is no larger makes nothing worse.
    limited.upload("theirs", &[2; 1_100_000]);
    free.expect("DELE theirs", 250);
    limited.upload("mine", &[3; QUOTA]);
}
