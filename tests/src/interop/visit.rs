//! One visit of a client: what lies ready on both sides before it, and what its verbs have done after it.

use std::fs;
use std::path::PathBuf;

use super::{Verb, Way};
use crate::control::Control;
use crate::logs::Line;
use crate::programs::{Program, Tls, percent_encoded};
use crate::server::{Mode, Server};
use crate::setup::{Setup, USER};
use crate::tree;

const LENGTH: usize = 300_000;
/// How much of a file was there before it was cut.
const CUT: usize = 120_000;
/// What a listing and SIZE say of the interrupted upload: its length, less the byte that is always left to send.
pub(super) const OFFERED: usize = CUT - 1;
/// What the listing has to show.
const LISTED: (&str, usize) = ("Grüße", 31_337);

/// The server that one client visits in every way.
#[derive(Debug)]
pub struct Site {
    server: Server,
}

impl Site {
    /// A server for clients that speak TLS, or for one that does not.
    pub fn new(way: Way) -> Site {
        // FileZilla goes on with an upload where a listing shows it to have ended.
        let setup = Setup::new().option("upload", "partials", "\"owner\"");
        let setup = if way == Way::Plain { setup.explicit("plaintext = \"allow\"") } else { setup };
        Site { server: setup.start() }
    }

    /// A server that lets nobody in without TLS, as it does by default.
    pub fn refusing_plaintext() -> Site {
        Site { server: Setup::new().start() }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Empties both sides and lays ready what the verbs are about.
    pub fn visit(&self, way: Way) -> Visit<'_> {
        let (server, home) = (&self.server, self.server.home());
        let local = server.scratch().join("local");
        fs::create_dir_all(&local).unwrap();
        for folder in [&home, &local] {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        tree::file(&home, LISTED.0, 1, LISTED.1);
        for (seed, name) in [(2, "down"), (3, "cut"), (4, "old"), (5, "gone")] {
            tree::file(&home, name, seed, LENGTH);
        }
        tree::file(&local, "up", 6, LENGTH);
        let half = tree::file(&local, "half", 7, LENGTH);
        fs::write(local.join("cut"), &tree::bytes(3, LENGTH)[..CUT]).unwrap();
        let (before, mut control) = (server.cut_transfers(), Control::open(server));
        let mut data = control.begin("STOR half");
        data.send(&fs::read(half).unwrap()[..CUT]).unwrap();
        data.fin();
        assert!(control.reply().code >= 400);
        server.wait_for_cut_after(before);
        control.expect("QUIT", 221);
        let visit = Visit { server, way, local, before: 0 };
        visit.wait_for_the_end();
        Visit { before: server.logs.lines().len(), ..visit }
    }
}

/// A client's stay.
#[derive(Debug)]
pub struct Visit<'s> {
    /// Where it comes to.
    pub server: &'s Server,
    /// How.
    pub way: Way,
    /// The folder it works in.
    pub local: PathBuf,
    /// How many lines of the log are of earlier visits.
    before: usize,
}

impl Visit<'_> {
    /// Explicit or implicit.
    pub fn mode(&self) -> Mode {
        match self.way {
            Way::Protected(mode, _) => mode,
            Way::Plain => Mode::Explicit,
        }
    }

    /// The version of TLS that the client is to be held to, if it is to speak TLS.
    pub fn tls(&self) -> Option<Tls> {
        match self.way {
            Way::Protected(_, tls) => Some(tls),
            Way::Plain => None,
        }
    }

    /// `1.2` or `1.3`; `1.3` where there is no TLS.
    pub fn version(&self) -> &'static str {
        if self.tls() == Some(Tls::V12) { "1.2" } else { "1.3" }
    }

    /// The listener's port.
    pub fn port(&self) -> String {
        self.server.address(self.mode()).port().to_string()
    }

    /// A URL as most programs have it: `ftps` is implicit TLS, `ftp` anything else.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.mode() == Mode::Explicit { "ftp" } else { "ftps" };
        format!("{scheme}://127.0.0.1:{}/{}", self.port(), percent_encoded(path))
    }

    /// A program that works in the visit's folder. What it has no setting for, the settings of its library do: OpenSSL's
    /// and GnuTLS's are held to the visit's version, and the log tells which it was.
    pub fn program(&self, name: &str) -> Program {
        let settings = self.server.scratch();
        let (openssl, gnutls) = (settings.join("openssl.cnf"), settings.join("gnutls.conf"));
        let version = self.version();
        let held = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = settings\n[settings]\n\
             MinProtocol = TLSv{version}\nMaxProtocol = TLSv{version}\n"
        );
        fs::write(&openssl, held).unwrap();
        // Without TLS 1.2 GnuTLS 3.7 makes a ClientHello for wget that nobody understands; version 1.3 they agree on anyway.
        let older = if version == "1.2" { "[overrides]\ndisabled-version = tls1.3\n" } else { "" };
        fs::write(&gnutls, older).unwrap();
        let program = Program::new(name).folder(&self.local);
        program.env("OPENSSL_CONF", openssl).env("GNUTLS_SYSTEM_PRIORITY_FILE", gnutls)
    }

    /// Runs a program of `tests/clients/` with the arguments that all of them have, and returns what it printed.
    pub fn script(&self, interpreter: &str, before: &[&str], name: &str, behind: &[&str]) -> String {
        let mode = if self.mode() == Mode::Explicit { "explicit" } else { "implicit" };
        let script = super::top().join("tests/clients").join(name);
        let arguments = [mode, self.version(), &self.port(), USER, &self.server.password()];
        self.finish(self.program(interpreter).args(before).arg(script).args(arguments).args(behind))
    }

    /// What a client prints that shows the listing.
    pub fn listed(&self) -> String {
        format!("{} {}", LISTED.1, LISTED.0)
    }

    /// Runs a program to its end, whatever that is, and returns all that it printed.
    pub fn finish(&self, program: Program) -> String {
        let run = program.run();
        eprintln!("{}", run.report());
        run.stdout + &run.stderr
    }

    /// The log's lines about this visit, as soon as the server has seen its end.
    pub fn lines(&self) -> Vec<Line> {
        self.wait_for_the_end();
        self.so_far()
    }

    /// The log's lines about this visit so far.
    pub fn so_far(&self) -> Vec<Line> {
        self.server.logs.lines().split_off(self.before)
    }

    fn wait_for_the_end(&self) {
        let count = |lines: &[Line], event: &str| lines.iter().filter(|line| line.is(event)).count();
        self.server.logs.wait_for("the end of all sessions", |lines| {
            (count(lines, "connected") == count(lines, "disconnected")).then_some(())
        });
    }

    /// Whether the verb has done what it is there for; `printed` is all that the client said.
    pub fn has_done(&self, verb: Verb, printed: &str) -> bool {
        let home = self.server.home();
        let same = |name: &str| fs::read(home.join(name)).ok() == fs::read(self.local.join(name)).ok();
        match verb {
            Verb::List => {
                let size = LISTED.1.to_string();
                printed.lines().any(|line| line.contains(LISTED.0) && line.contains(&size))
            }
            Verb::Upload => home.join("up").exists() && same("up"),
            Verb::Download => self.local.join("down").exists() && same("down"),
            Verb::ResumeDownload => same("cut") && self.moved_a_part("cut", "download"),
            Verb::ResumeUpload => same("half") && self.moved_a_part("half", "upload"),
            Verb::Rename => home.join("new").exists() && !home.join("old").exists(),
            Verb::Delete => !home.join("gone").exists(),
        }
    }

    fn moved_a_part(&self, name: &str, direction: &str) -> bool {
        let lines = self.so_far();
        let moved = lines.iter().filter(|line| {
            line.is("transfer")
                && line.text("direction") == direction
                && line.text("path").trim_start_matches('/') == name
        });
        moved.map(|line| line.text("bytes").parse::<usize>().unwrap()).sum::<usize>() < LENGTH
    }
}
