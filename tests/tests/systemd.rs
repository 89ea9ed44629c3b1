//! A server as a service of systemd: sockets that are handed to it, what it tells, and its unit files.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};

use carrack_tests::control::Control;
use carrack_tests::logs::Logs;
use carrack_tests::loopback;
use carrack_tests::programs::{Program, Tls, needs};
use carrack_tests::server::{Mode, listening, program, spawn};
use carrack_tests::setup::Setup;
use carrack_tests::systemd::{Notified, with_sockets};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use rustix::process::{Pid, Signal, kill_process};

/// A process that is ended when dropped.
struct Service {
    child: Child,
    logs: Logs,
}

impl Service {
    fn start(command: &mut Command) -> Service {
        let (child, logs) = spawn(command);
        Service { child, logs }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ends_well(&mut self) -> bool {
        wait::until("the end of the server", || self.child.try_wait().unwrap()).success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unit(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn sockets_of_systemd_go_to_the_listeners_of_their_address_or_name() {
    let setup = Setup::new().ports(loopback::free_port(), 0);
    let config = setup.write();
    let text = fs::read_to_string(&config).unwrap();
    let explicit =
        text.lines().find_map(|line| line.strip_prefix("address = ")).unwrap().trim_matches('"').to_owned();
    let sockets = ["implicit=127.0.0.1:0".to_owned(), format!("carrack.socket={explicit}")];
    let mut service = Service::start(&mut with_sockets(&sockets, &config));
    let opened: Vec<String> =
        BufReader::new(service.child.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    let at = [listening(&service.logs, Mode::Implicit), listening(&service.logs, Mode::Explicit)];
    assert_eq!(at.map(|address| address.to_string()), opened[..]);
    let mut control = Control::connect(at[1], &TlsClient::new(Tls::V13));
    control.wait_for(220);
    service.signal(Signal::TERM);
    control.wait_for(421);
    assert!(service.ends_well());
}

#[test]
fn a_socket_that_nothing_would_serve_is_refused() {
    let config = Setup::new();
    let config_file = config.write();
    for (socket, said) in
        [("other=127.0.0.1:0", "that of no listener"), ("datagram=127.0.0.1:0", "no listening TCP socket")]
    {
        let mut command = with_sockets(&[socket.to_owned()], &config_file);
        let run = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains("mend:"), "{stderr}");
    }
}

#[test]
fn the_manager_hears_of_the_start_of_reloads_of_life_and_of_the_end() {
    let setup = Setup::new();
    let (config, notified) = (setup.write(), Notified::within(&setup.scratch()));
    let mut command = Command::new(program());
    command.args(["serve", "--config"]).arg(&config);
    command.env("NOTIFY_SOCKET", &notified.path).env("WATCHDOG_USEC", "200000");
    let mut service = Service::start(&mut command);
    let ready = notified.wait_for("READY=1");
    assert!(ready.contains(&"STATUS=serving on 2 listeners".to_owned()), "{ready:?}");
    for _ in 0..3 {
        notified.wait_for("WATCHDOG=1");
    }
    service.signal(Signal::HUP);
    let reloading = notified.wait_for("RELOADING=1");
    assert!(reloading.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading:?}");
    notified.wait_for("READY=1");
    // A file that is refused leaves a server that is ready.
    fs::write(&config, "nonsense = 1\n").unwrap();
    service.signal(Signal::HUP);
    notified.wait_for("RELOADING=1");
    notified.wait_for("READY=1");
    service.logs.wait_for_line("the refusal", |line| line.is("reload_refused"));
    service.signal(Signal::TERM);
    notified.wait_for("STOPPING=1");
    assert!(service.ends_well());
}

#[test]
fn the_unit_files_are_right_and_hardened() {
    if !needs(&["systemd-analyze"]) {
        return;
    }
    let setup = Setup::new();
    let folder = setup.scratch();
    // systemd looks whether the programs are there.
    let here = program().to_str().unwrap();
    fs::write(folder.join("carrack.service"), unit("carrack.service").replace("/usr/bin/carrack", here))
        .unwrap();
    fs::write(folder.join("carrack.socket"), unit("carrack.socket")).unwrap();
    let analyze = |arguments: &[&str]| Program::new("systemd-analyze").args(arguments).folder(&folder).run();
    let verified = analyze(&["verify", "--man=no", "./carrack.service", "./carrack.socket"]).ok();
    assert_eq!(verified.stderr, "", "{}", verified.report());
    // From 0 to 100; what is above 20 is exposed more than it has to be.
    analyze(&["security", "--offline=yes", "--no-pager", "--threshold=20", "./carrack.service"]).ok();
}

#[test]
fn the_socket_unit_and_a_server_with_its_addresses_fit() {
    let opened: Vec<_> = unit("carrack.socket")
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream="))
        .map(str::to_owned)
        .collect();
    assert_eq!(opened, ["0.0.0.0:21"]);
    assert!(unit("carrack.service").contains("CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"));
}
