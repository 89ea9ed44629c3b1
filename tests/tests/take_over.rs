//! `carrack serve --take-over`: another process takes a server's place, nobody is refused, and a failure changes nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use carrack_tests::control::Control;
use carrack_tests::logs::Logs;
use carrack_tests::programs::{Program, Run, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server, listening, program, spawn};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
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
        more(fetched.load(Ordering::Relaxed) + 2);
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

#[test]
fn what_cannot_be_handed_over_is_said() {
    let server = Setup::new().one_data_port().start();
    let mut next = Next::start(&server, &server.config());
    assert_eq!(wait::until("its end", || next.child.try_wait().unwrap()).code(), Some(1));
    next.logs.wait_for("the reason", |lines| {
        lines
            .iter()
            .any(|line| line.raw.contains("keeps its place") && line.raw.contains("passive.ports"))
            .then_some(())
    });
    Control::open(&server).expect("NOOP", 200);
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
