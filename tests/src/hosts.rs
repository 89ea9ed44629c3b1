//! Two hosts and a router between them, as network namespaces that end with the test.
//!
//! ```text
//!   client 198.51.100.2 ──── 198.51.100.1 router 10.7.0.1 ──── 10.7.0.2 server
//!          2001:db8:7::1 ───────────────────────────────────── 2001:db8:7::2
//! ```
//!
//! The router forwards the server's ports and nothing else, so IPv4 is as behind a home router. IPv6 goes directly. A test may lay a
//! bad line beside, 192.0.2.1 to 192.0.2.2, on which packets are lost and late.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::programs::{Program, needs, python_path};

/// The server's own address.
pub const INSIDE: &str = "10.7.0.2";
/// The router's inner address, from which clients outside come in.
pub const ROUTER: &str = "10.7.0.1";
/// The router's outer address, by which clients reach the server.
pub const OUTSIDE: &str = "198.51.100.1";
/// The client's IPv6 address.
pub const CLIENT_V6: &str = "2001:db8:7::1";
/// The server's IPv6 address.
pub const INSIDE_V6: &str = "2001:db8:7::2";

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Outside, behind no router of its own.
    Client,
    /// Forwards ports.
    Router,
    /// Inside.
    Server,
}

/// The server's address at the end of a bad line.
pub const FAR: &str = "192.0.2.2";

/// How bad a line is.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Packets of a hundred that are lost, in each direction.
    pub loss: u32,
    /// How long a packet takes one way.
    pub delay_ms: u32,
    /// Packets of a hundred that are overtaken by others.
    pub reorder: u32,
    /// How much goes through in each direction.
    pub kilobits_per_s: u32,
    /// Which packets these are.
    pub seed: u64,
}

/// The hosts; gone when dropped.
#[derive(Debug)]
pub struct Hosts {
    /// Which of this process's it is.
    number: usize,
    relay: Option<Child>,
    /// The bad line, and what it says.
    line: Option<(Child, BufReader<ChildStdout>)>,
}

impl Hosts {
    /// Makes them; `None` where this process may not, or where programs for it are missing, which is said.
    pub fn new() -> Option<Hosts> {
        if !needs(&["ip", "python3"]) {
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: only root may make network namespaces");
            return None;
        }
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let hosts = Hosts { number: NUMBER.fetch_add(1, Ordering::Relaxed), relay: None, line: None };
        for host in [Host::Client, Host::Router, Host::Server] {
            if !ip(&["netns", "add", &hosts.namespace(host)]) {
                assert!(std::env::var_os("CI").is_none(), "no network namespaces here");
                eprintln!("left out: no network namespaces here");
                return None;
            }
            hosts.up(host, "lo");
        }
        hosts.cable((Host::Client, "outer", "198.51.100.2/24"), (Host::Router, "outer", "198.51.100.1/24"));
        hosts.cable((Host::Router, "inner", "10.7.0.1/24"), (Host::Server, "inner", "10.7.0.2/24"));
        hosts.cable((Host::Client, "six", "2001:db8:7::1/64"), (Host::Server, "six", "2001:db8:7::2/64"));
        Some(hosts)
    }

    /// Lets the router forward these ports to the server.
    pub fn forward(&mut self, ports: &[u16]) {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace(Host::Router), "python3"])
            .arg(python_path("relay.py"));
        command.args([OUTSIDE, INSIDE]).args(ports.iter().map(u16::to_string));
        self.relay = Some(begin(&mut command).0);
    }

    /// A bad line between the client and the server, who is at [`FAR`] there, in place of the one before.
    pub fn bad_line(&mut self, line: &Line) {
        self.end_line();
        let (client, server) = (self.namespace(Host::Client), self.namespace(Host::Server));
        let mut command = Command::new("python3");
        command.arg(python_path("lossy.py")).args([&client, "192.0.2.1/30", &server, &format!("{FAR}/30")]);
        let Line { loss, delay_ms, reorder, kilobits_per_s, seed } = line;
        for (option, value) in [
            ("--seed", seed.to_string()),
            ("--loss", loss.to_string()),
            ("--delay", delay_ms.to_string()),
            ("--reorder", reorder.to_string()),
            ("--rate", kilobits_per_s.to_string()),
        ] {
            command.args([option, &value]);
        }
        self.line = Some(begin(command.stdin(Stdio::piped())));
    }

    /// Takes the bad line away; what it says of the packets that it was given.
    pub fn end_line(&mut self) -> Option<String> {
        let (mut line, mut says) = self.line.take()?;
        drop(line.stdin.take());
        let mut said = String::new();
        says.read_to_string(&mut said).unwrap();
        line.wait().unwrap();
        Some(said.trim_end().to_owned())
    }

    /// A host's name among those of all tests that run on this machine.
    pub fn namespace(&self, host: Host) -> String {
        format!("carrack-{}-{}-{host:?}", std::process::id(), self.number).to_lowercase()
    }

    /// A program that runs on a host.
    pub fn run(&self, host: Host, program: impl AsRef<OsStr>) -> Program {
        Program::new("ip").args(["netns", "exec", &self.namespace(host)]).arg(program)
    }

    fn cable(&self, one: (Host, &str, &str), other: (Host, &str, &str)) {
        let far = self.namespace(other.0);
        let add = ["link", "add", one.1, "type", "veth", "peer", "name", other.1, "netns", &far];
        assert!(ip(&[&["-n", &self.namespace(one.0)], &add[..]].concat()), "{one:?} {other:?}");
        for (host, link, address) in [one, other] {
            let mut add = vec!["address", "add", address, "dev", link];
            if address.contains(':') {
                // Nobody else has it: no wait for that to be found out.
                add.push("nodad");
            }
            assert!(ip(&[&["-n", &self.namespace(host)], &add[..]].concat()), "{address}");
            self.up(host, link);
        }
    }

    fn up(&self, host: Host, link: &str) {
        assert!(ip(&["-n", &self.namespace(host), "link", "set", link, "up"]), "{host:?} {link}");
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let line = self.line.take().map(|(child, _)| child);
        for mut child in self.relay.take().into_iter().chain(line) {
            let _ = child.kill();
            let _ = child.wait();
        }
        for host in [Host::Client, Host::Router, Host::Server] {
            ip(&["netns", "delete", &self.namespace(host)]);
        }
    }
}

/// Starts a program of `tests/programs` and waits until it says that it is ready.
fn begin(command: &mut Command) -> (Child, BufReader<ChildStdout>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut says, mut ready) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    says.read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    (child, says)
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
