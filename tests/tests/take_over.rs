//! `carrack serve --take-over`: another process takes a server's place, nobody is refused, and a failure changes nothing.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use carrack_tests::acme::{Accounts, AcmeServer, NAME, certificate};
use carrack_tests::control::Control;
use carrack_tests::logs::{Line, Logs};
use carrack_tests::programs::{EVERY_WAY, Program, Run, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server, listening, program, spawn};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use rustix::process::{Pid, Signal, kill_process};

/// The process that takes over; ended when dropped.
struct Next {
    child: Child,
    logs: Logs,
}

impl Next {
    fn start(server: &Server, config: &Path) -> Next {
        let mut command = Command::new(program());
        command
            .args(["serve", "--config"])
            .arg(config)
            .arg("--take-over")
            .arg(server.state().join("ctl.sock"));
        let (child, logs) = spawn(&mut command);
        Next { child, logs }
    }

    fn took_over(&self) {
        self.logs.wait_for_line("the take-over", |line| line.is("took_over"));
    }

    fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(wait::until("its end", || self.child.try_wait().unwrap()).success());
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(server: &Server) -> String {
    Program::new(program()).args(["ctl", "--config"]).arg(server.config()).arg("status").run().ok().stdout
}

#[test]
fn nobody_is_refused_and_an_upload_goes_on() {
    if !needs(&["curl"]) {
        return;
    }
    let mut server = Setup::new().quick_logins().option("timeouts", "drain_s", "600").start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let session = |mode| Control::session(&server, mode, &TlsClient::new(Tls::V13), USER);
    let (mut idle, mut busy) = (session(Mode::Implicit), session(Mode::Explicit));
    let mut data = busy.begin("STOR upload");
    data.send(b"before, ").unwrap();
    let (is_over, fetched) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut next = std::thread::scope(|scope| {
        let fetching = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let run =
                    curl(&server, Mode::Explicit, Tls::V13).arg(url(&server, Mode::Explicit, "/file")).run();
                assert_eq!(run.ok().stdout, "bytes");
                fetched.fetch_add(1, Ordering::Relaxed);
            }
        });
        // And a crowd that comes and goes all the time.
        for (mode, tls) in EVERY_WAY {
            let (server, is_over, fetched) = (&server, &is_over, &fetched);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let mut control = Control::session(server, mode, &TlsClient::new(tls), USER);
                    assert_eq!(control.download("file"), b"bytes");
                    control.expect("QUIT", 221);
                    fetched.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Ended whatever becomes of the rest.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let over = Over(&is_over);
        let more = |than: usize| {
            wait::until_true("more downloads", || {
                fetching.is_finished() || fetched.load(Ordering::Relaxed) > than
            })
        };
        more(1);
        let next = Next::start(&server, &server.config());
        next.took_over();
        more(fetched.load(Ordering::Relaxed) + 40);
        drop(over);
        fetching.join().unwrap();
        next
    });
    // The same addresses, in another process.
    assert_eq!(listening(&next.logs, Mode::Explicit), server.explicit);
    assert_eq!(listening(&next.logs, Mode::Implicit), server.implicit);
    assert!(status(&server).contains(&format!("process {}", next.child.id())));
    idle.wait_for(421);
    data.send(b"behind").unwrap();
    data.finish().unwrap();
    busy.wait_for(226);
    busy.wait_for(421);
    assert!(server.wait().success());
    assert_eq!(fs::read(server.home().join("upload")).unwrap(), b"before, behind");
    next.logs.wait_for_line("the end of the one before", |line| line.is("predecessor_ended"));
    assert!(status(&server).contains(&format!("process {}", next.child.id())));
    // The state folder is the new one's.
    let third = Program::new(program()).args(["serve", "--config"]).arg(server.config()).run().fails();
    assert!(
        third.stderr.contains(&format!("in use by another carrack (process {})", next.child.id())),
        "{}",
        third.report()
    );
    next.end();
    assert!(!server.state().join("ctl.sock").exists());
}

#[test]
fn what_the_one_before_appends_is_kept_by_the_next() {
    let mut server = Setup::new().quick_logins().option("timeouts", "drain_s", "600").start();
    let file = server.home().join("log");
    fs::write(&file, "first, ").unwrap();
    let mut control = Control::open(&server);
    let mut data = control.begin("APPE log");
    data.send(b"second, ").unwrap();
    wait::until_true("the bytes", || fs::read(&file).unwrap() == b"first, second, ");
    let mut next = Next::start(&server, &server.config());
    next.took_over();
    data.send(b"third").unwrap();
    data.finish().unwrap();
    control.wait_for(226);
    assert!(server.wait().success());
    next.logs.wait_for_line("the end of the one before", |line| line.is("predecessor_ended"));
    kill_process(Pid::from_child(&next.child), Signal::HUP).unwrap();
    next.logs.wait_for_line("a reload", |line| line.is("reloaded"));
    assert_eq!(fs::read(&file).unwrap(), b"first, second, third");
    next.end();
    let again = server.start_again();
    assert_eq!(fs::read(again.home().join("log")).unwrap(), b"first, second, third");
}

#[test]
fn a_process_that_does_not_come_up_changes_nothing() {
    let mut server = Setup::new().quick_logins().start();
    let mut stays = Control::open(&server);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[[listen]]\naddress = \"{}\"", taken.local_addr().unwrap());
    server.rewrite(|setup| setup.table(&listen));
    let mut next = Next::start(&server, &server.config());
    assert_eq!(wait::until("its end", || next.child.try_wait().unwrap()).code(), Some(1));
    server.logged("hand_over_failed", |_| true);
    stays.expect("NOOP", 200);
    stays.upload("file", b"bytes");
    Control::open(&server).expect("NOOP", 200);
    assert!(status(&server).contains(&format!("process {}", server.pid())));
    // And the next one may try.
    drop(taken);
    let next = Next::start(&server, &server.config());
    next.took_over();
    stays.wait_for(421);
    assert!(server.wait().success());
}

/// Waits for a data connection: its command was said, and no one has come yet.
fn waiting(control: &mut Control, command: &str) -> SocketAddr {
    let at = control.passive();
    control.say(command);
    at
}

/// Comes, and sends what was asked for.
fn comes(control: &mut Control, at: SocketAddr, bytes: &[u8]) {
    let mut data = Wire::connect(at);
    control.wait_for(150);
    data.secure(&control.tls).unwrap();
    data.send(bytes).unwrap();
    data.finish().unwrap();
    control.wait_for(226);
}

/// The same for clear data.
fn comes_in_clear(control: &mut Control, at: SocketAddr) {
    let mut data = Wire::connect(at);
    control.wait_for(150);
    data.send(b"in clear").unwrap();
    data.finish().unwrap();
    control.wait_for(226);
}

#[test]
fn a_connection_to_the_shared_data_port_finds_the_process_of_its_session() {
    for version in [Tls::V12, Tls::V13] {
        let mut server = Setup::new()
            .quick_logins()
            .one_data_port()
            .explicit("data_protection = \"optional\"")
            .option("timeouts", "drain_s", "600")
            .start();
        let session =
            |server: &Server| Control::session(server, Mode::Explicit, &TlsClient::new(version), USER);
        let mut old: Vec<_> = (0..2).map(|_| session(&server)).collect();
        let at: Vec<_> =
            old.iter_mut().enumerate().map(|(n, old)| waiting(old, &format!("STOR old{n}"))).collect();
        let mut next = Next::start(&server, &server.config());
        next.took_over();
        // Nobody of the address waits in the new process, and then two do.
        comes(&mut old[0], at[0], b"alone");
        let (mut one, mut two) = (session(&server), session(&server));
        let of_one = waiting(&mut one, "STOR one");
        two.passive();
        comes(&mut old[1], at[1], b"among others");
        comes(&mut one, of_one, b"new");
        two.upload("two", b"newer");
        old.iter_mut().for_each(|old| drop(old.wait_for(421)));
        assert!(server.wait().success());
        // Who names no session, or no TLS at all, is the only one's who waits.
        one.tls = one.tls.with_no_sessions();
        one.upload("unnamed", b"alone again");
        one.expect("PROT C", 200);
        let of_one = waiting(&mut one, "STOR clear");
        comes_in_clear(&mut one, of_one);
        for (name, bytes) in [
            ("old0", "alone"),
            ("old1", "among others"),
            ("one", "new"),
            ("two", "newer"),
            ("unnamed", "alone again"),
            ("clear", "in clear"),
        ] {
            assert_eq!(fs::read_to_string(server.home().join(name)).unwrap(), bytes, "{name}");
        }
        next.end();
    }
}

#[test]
fn clear_data_finds_the_only_session_that_waits_in_either_process() {
    let mut server = Setup::new()
        .quick_logins()
        .one_data_port()
        .explicit("data_protection = \"optional\"")
        .option("timeouts", "drain_s", "600")
        .start();
    let clear = || {
        let mut control = Control::open(&server);
        control.expect("PROT C", 200);
        control
    };
    let (mut old, mut busy) = (clear(), Control::open(&server));
    let at = waiting(&mut old, "STOR old");
    let mut data = busy.begin("STOR busy");
    let next = Next::start(&server, &server.config());
    next.took_over();
    comes_in_clear(&mut old, at);
    old.wait_for(421);
    // The old process is there still, and nobody waits in it.
    let mut new = clear();
    let at = waiting(&mut new, "STOR new");
    comes_in_clear(&mut new, at);
    data.send(b"enough").unwrap();
    data.finish().unwrap();
    busy.wait_for(226);
    assert!(server.wait().success());
    for name in ["old", "new"] {
        assert_eq!(fs::read_to_string(server.home().join(name)).unwrap(), "in clear", "{name}");
    }
}

/// The events that a program was told, in their order.
fn told(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let path = |event: serde_json::Value| event["data"]["path"].as_str().unwrap().to_owned();
    text.lines().filter_map(event).map(path).collect()
}

#[test]
fn events_that_wait_for_hooks_are_told_in_order_by_whoever_is_left() {
    let setup = Setup::new().quick_logins().option("timeouts", "drain_s", "600");
    let (script, file) = (setup.scratch().join("hook"), setup.scratch().join("told"));
    // It takes nothing for as long as there is no such file.
    fs::write(&script, format!("#!/bin/sh\ntest -e {0} && cat >>{0}\n", file.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let hook = format!("\n[[hook]]\nname = \"program\"\non = [\"upload\"]\nprogram = [{script:?}]\n");
    let mut server = setup.table(&hook).start();
    let mut old = Control::open(&server);
    old.upload("first", b"bytes");
    let data = old.begin("STOR second");
    server.logged("hook_failed", |_| true);
    let mut next = Next::start(&server, &server.config());
    next.took_over();
    let mut new = Control::open(&server);
    new.upload("other", b"bytes");
    data.finish().unwrap();
    old.wait_for(226);
    old.wait_for(421);
    assert!(server.wait().success());
    fs::write(&file, "").unwrap();
    let all = wait::until("the events", || Some(told(&file)).filter(|told| told.len() == 3));
    assert_eq!(all, ["/first", "/second", "/other"]);
    new.upload("last", b"bytes");
    let all = wait::until("the last", || Some(told(&file)).filter(|told| told.len() == 4));
    assert_eq!(all[3], "/last");
    next.end();
}

#[test]
fn certificates_are_ordered_by_whoever_has_the_place() {
    let Some(mut acme) = AcmeServer::prepared(Accounts::Open, 90 * 24 * 3600) else { return };
    let mut server = acme.setup("http-01").table(&certificate(&[NAME])).start();
    server.logged("acme_failed", |_| true);
    let mut next = Next::start(&server, &server.config());
    next.took_over();
    assert!(server.wait().success());
    acme.run();
    kill_process(Pid::from_child(&next.child), Signal::HUP).unwrap();
    let issued = next.logs.wait_for_line("the certificate", |line| line.is("acme_issued"));
    next.logs.wait_for_line("its use", |line| line.is("certificate_replaced"));
    assert_eq!(issued.text("name"), NAME);
    next.end();
}

#[test]
fn what_cannot_be_taken_over_is_said() {
    let mut server = Setup::new().quick_logins().option("timeouts", "drain_s", "600").start();
    let mut busy = Control::open(&server);
    let data = busy.begin("STOR upload");
    let mut second = Next::start(&server, &server.config());
    second.took_over();
    let mut third = Next::start(&server, &server.config());
    assert_eq!(wait::until("its end", || third.child.try_wait().unwrap()).code(), Some(1));
    third.logs.wait_for("the reason", |lines| {
        let says =
            |line: &Line| line.raw.contains("keeps its place") && line.raw.contains("has not ended yet");
        lines.iter().any(says).then_some(())
    });
    Control::open(&server).expect("NOOP", 200);
    data.finish().unwrap();
    busy.wait_for(226);
    assert!(server.wait().success());
    second.end();
    let nowhere = server.scratch().join("ctl.sock");
    let run = Program::new(program())
        .args(["serve", "--config"])
        .arg(server.config())
        .arg("--take-over")
        .arg(nowhere)
        .run();
    assert!(run.fails().stderr.contains("no server answers"));
}

/// The process that an upgrade has started, which nobody else ends.
struct Upgraded(u32);

impl Upgraded {
    fn end(&self) {
        let process = Pid::from_raw(i32::try_from(self.0).unwrap()).unwrap();
        let _ = kill_process(process, Signal::TERM);
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        self.end();
    }
}

fn upgrade(server: &Server) -> Run {
    Program::new(program()).args(["ctl", "--config"]).arg(server.config()).args(["upgrade", "--json"]).run()
}

#[test]
fn a_server_starts_the_one_that_takes_its_place() {
    let mut server = Setup::new().quick_logins().option("timeouts", "drain_s", "600").start();
    let mut busy = Control::open(&server);
    let mut data = busy.begin("STOR upload");
    data.send(b"before, ").unwrap();
    let process = |run: &Run| {
        let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        Upgraded(u32::try_from(said["upgraded"]["process"].as_u64().unwrap()).unwrap())
    };
    let next = process(&upgrade(&server).ok());
    assert!(status(&server).contains(&format!("process {}", next.0)));
    server.logged("handed_over", |line| line.text("process") == next.0.to_string());
    Control::open(&server).expect("NOOP", 200);
    // While the first still drains nobody else comes.
    let why = upgrade(&server).fails().stdout;
    assert!(why.contains("this one serves on"), "{why}");
    data.send(b"behind").unwrap();
    data.finish().unwrap();
    busy.wait_for(226);
    assert!(server.wait().success());
    assert_eq!(fs::read(server.home().join("upload")).unwrap(), b"before, behind");
    server.logged("predecessor_ended", |_| true);
    // What has taken a place gives it on.
    let third = process(&upgrade(&server).ok());
    assert_ne!(third.0, next.0);
    third.end();
    wait::until_true("the end", || !server.state().join("ctl.sock").exists());
}

#[test]
fn an_upgrade_that_fails_changes_nothing() {
    let server = Setup::new().quick_logins().start();
    let mut stays = Control::open(&server);
    let file = fs::read_to_string(server.config()).unwrap();
    fs::write(server.config(), format!("{file}\n[limits]\nsesions = 1\n")).unwrap();
    // The state folder is named, as the file is wrong.
    let run = Program::new(program()).args(["ctl", "upgrade", "--state"]).arg(server.state()).run().fails();
    assert!(run.stderr.contains("did not come up (exit status: 1)"), "{}", run.report());
    stays.upload("file", b"bytes");
    Control::open(&server).expect("NOOP", 200);
    fs::write(server.config(), file).unwrap();
    assert!(status(&server).contains(&format!("process {}", server.pid())));
}
