//! Which TLS stacks there are, and how a client of each is sent to a server: as it comes, or held to TLS 1.2.
//!
//! What is agreed is read from the server's log, so it is the same for all of them. [`page`] makes the tables of docs/tls.md.

use std::path::PathBuf;

use crate::client::Client;
use crate::logs::Line;
use crate::programs::{Program, needs};
use crate::server::Server;
use crate::setup::USER;

pub mod page;

/// Which versions a client may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Those that it speaks as it comes.
    AsItComes,
    /// TLS 1.2 alone.
    To12,
}

/// An implementation of TLS, and a client that uses it.
#[derive(Debug)]
pub struct Stack {
    /// What its authors call it.
    pub name: &'static str,
    /// The client, for the page.
    pub client: &'static str,
    /// Programs that it needs.
    pub programs: &'static [&'static str],
    /// A command that prints the version of the stack, and what stands before the number there.
    pub version: (&'static [&'static str], &'static str),
    /// Fetches the file `down` where the client speaks FTP, else only shakes hands; all that it printed.
    drive: fn(&Call<'_>) -> String,
}

/// Every stack, in the order of the page.
pub static STACKS: [Stack; 9] = [
    Stack {
        name: "OpenSSL",
        client: "`curl`",
        programs: &["curl"],
        version: (&["curl", "--version"], "OpenSSL/"),
        drive: curl,
    },
    Stack {
        name: "GnuTLS",
        client: "`lftp`",
        programs: &["lftp"],
        version: (&["lftp", "--version"], "GnuTLS "),
        drive: lftp,
    },
    Stack { name: "rustls", client: "`carrack`", programs: &[], version: (&[], ""), drive: carrack },
    Stack {
        name: "Java",
        client: "commons-net (JSSE)",
        programs: &["java", "javac"],
        version: (&["java", "--version"], "openjdk "),
        drive: java,
    },
    Stack {
        name: "Python/OpenSSL",
        client: "`ftplib`",
        programs: &["python3"],
        version: (&["python3", "-c", "import ssl; print(ssl.OPENSSL_VERSION)"], "OpenSSL "),
        drive: python,
    },
    Stack {
        name: "Node/OpenSSL",
        client: "basic-ftp",
        programs: &["node"],
        version: (&["node", "-p", "'OpenSSL ' + process.versions.openssl"], "OpenSSL "),
        drive: node,
    },
    Stack {
        name: "Go",
        client: "`rclone`",
        programs: &["rclone"],
        version: (&["rclone", "version"], "go/version: go"),
        drive: rclone,
    },
    Stack {
        name: "NSS",
        client: "`tstclnt`",
        programs: &["tstclnt", "dpkg-query"],
        version: (&["dpkg-query", "-W", "-f", "NSS ${Version}", "libnss3"], ":"),
        drive: tstclnt,
    },
    Stack {
        name: "Botan",
        client: "`botan`",
        programs: &["botan"],
        version: (&["botan", "version"], ""),
        drive: botan,
    },
];

impl Stack {
    /// Whether its client can be run here. Where it cannot, it is left out and says so; where `CI` is set that is a failure.
    pub fn is_here(&self) -> bool {
        needs(self.programs) && (self.name != "Node/OpenSSL" || crate::pages::top().join(MODULES).exists())
    }

    /// Whether its client knows TLS but no FTP, so that it has no data connections.
    pub fn knows_no_ftp(&self) -> bool {
        ["NSS", "Botan"].contains(&self.name)
    }

    /// How far it came.
    pub fn reached(&self, answer: &Answer) -> Reached {
        match (answer.control(), answer.data()) {
            (None, _) => Reached::Nothing,
            (Some(_), None) if !self.knows_no_ftp() => Reached::Control,
            (Some(_), _) => Reached::All,
        }
    }

    /// The first two numbers of its version, as in `3.0`.
    pub fn version_here(&self) -> String {
        let (command, before) = self.version;
        let Some((program, arguments)) = command.split_first() else { return rustls_version() };
        let printed = Program::new(program).args(arguments).run().ok().stdout;
        let at = printed.find(before).unwrap_or_else(|| panic!("{before:?} is not in {printed:?}"));
        let number: String =
            printed[at + before.len()..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        number.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// Sends its client to a server.
    pub fn call(&self, server: &Server, held: Held) -> Answer {
        let local = tempfile::Builder::new().prefix("carrack-stack-").tempdir().unwrap();
        let before = server.logs.lines().len();
        let printed = (self.drive)(&Call { server, held, local: local.path().to_owned() });
        let count = |lines: &[Line], event: &str| lines.iter().filter(|line| line.is(event)).count();
        let lines = server.logs.wait_for("the end of all sessions", |lines| {
            let own = &lines[before..];
            let (begun, ended) = (count(own, "connected"), count(own, "disconnected"));
            (begun > 0 && begun == ended).then(|| own.to_vec())
        });
        Answer { printed, lines }
    }
}

/// The version that the lock file names.
fn rustls_version() -> String {
    let lock = crate::pages::read("Cargo.lock");
    let (_, behind) = lock.split_once("name = \"rustls\"\nversion = \"").unwrap();
    behind.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// How far a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// No TLS was agreed.
    Nothing,
    /// The control connection came under TLS, and no file was moved.
    Control,
    /// What it was to do is done.
    All,
}

/// What came of a call.
#[derive(Debug)]
pub struct Answer {
    /// What the client printed.
    pub printed: String,
    /// What the server logged of it.
    pub lines: Vec<Line>,
}

impl Answer {
    /// What the control connection agreed on, where it came under TLS.
    pub fn control(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.is("secured"))
    }

    /// What the first transfer's data connection agreed on.
    pub fn data(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.is("transfer") && line.text("complete") == "true")
    }
}

/// A client on its way to a server.
struct Call<'s> {
    server: &'s Server,
    held: Held,
    local: PathBuf,
}

impl Call<'_> {
    fn program(&self, name: &str) -> Program {
        Program::new(name).folder(&self.local)
    }

    /// Runs it to its end, whatever that is.
    fn finish(&self, program: Program) -> String {
        let run = program.run();
        eprintln!("{}", run.report());
        run.stdout + &run.stderr
    }

    /// Some words where it is held to TLS 1.2, and others where it is not.
    fn held<'w>(&self, to_12: &'w [&'w str], as_it_comes: &'w [&'w str]) -> &'w [&'w str] {
        if self.held == Held::To12 { to_12 } else { as_it_comes }
    }

    fn url(&self) -> String {
        format!("ftp://{}/down", self.server.explicit)
    }

    /// A program of `tests/clients/` on the explicit port.
    fn script(&self, interpreter: &str, before: &[&str], name: &str, behind: &[&str]) -> String {
        let script = crate::pages::top().join("tests/clients").join(name);
        let (port, password) = (self.server.explicit.port().to_string(), self.server.password());
        let version = self.held(&["1.2"], &["any"]);
        let arguments = ["explicit", version[0], &port, USER, &password];
        self.finish(self.program(interpreter).args(before).arg(script).args(arguments).args(behind))
    }
}

fn curl(call: &Call<'_>) -> String {
    let user = format!("{USER}:{}", call.server.password());
    let curl = call.program("curl").args(["-q", "--silent", "--show-error", "--insecure", "--ssl-reqd"]);
    let curl = curl.args(["--user", &user, "-o", "down"]).args(call.held(&["--tls-max", "1.2"], &[]));
    call.finish(curl.arg(call.url()))
}

fn lftp(call: &Call<'_>) -> String {
    let priority = call.held(&["set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS1.2"], &[""])[0];
    let script = format!(
        "set net:max-retries 1\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ssl:verify-certificate no\n\
         set ssl:ca-file /dev/null\n{priority}\nopen -u \"{USER},{}\" ftp://{}\nget down\n",
        call.server.password(),
        call.server.explicit
    );
    call.finish(call.program("lftp").args(["--norc", "-f", "/dev/stdin"]).input(script))
}

fn carrack(call: &Call<'_>) -> String {
    let client = Client::new(&call.server.password());
    let url = format!("ftpes://{USER}@{}/down", call.server.explicit);
    let arguments = ["cp", "--trust-new", &url, "down"];
    call.finish(client.program(arguments).args(call.held(&["--tls", "1.2"], &[])))
}

fn java(call: &Call<'_>) -> String {
    let jar = "/usr/share/java/commons-net.jar";
    call.script("java", &["-XX:TieredStopAtLevel=1", "-cp", jar], "CommonsNet.java", &[])
}

fn python(call: &Call<'_>) -> String {
    call.script("python3", &[], "ftplib_stock.py", &[])
}

/// Where npm's libraries lie.
const MODULES: &str = "target/clients/node_modules";

fn node(call: &Call<'_>) -> String {
    let modules = crate::pages::top().join(MODULES);
    call.script("node", &[], "basic_ftp.mjs", &[modules.to_str().unwrap()])
}

fn rclone(call: &Call<'_>) -> String {
    let password = call.program("rclone").args(["obscure", &call.server.password()]).run().ok().stdout;
    let (host, port) = ("127.0.0.1", call.server.explicit.port().to_string());
    let flags = ["--ftp-host", host, "--ftp-port", &port, "--ftp-user", USER, "--ftp-pass", password.trim()];
    let rclone =
        call.program("rclone").args(flags).args(["--ftp-no-check-certificate", "--ftp-explicit-tls"]);
    let rclone = rclone.args(call.held(&["--ftp-disable-tls13"], &[])).args(["--retries", "1"]);
    let rclone = rclone.args(["--low-level-retries", "1", "copyto", ":ftp:down", "down"]);
    call.finish(rclone)
}

fn tstclnt(call: &Call<'_>) -> String {
    let port = call.server.implicit.port().to_string();
    let versions = call.held(&["-V", "tls1.2:tls1.2"], &[]);
    let tstclnt =
        call.program("tstclnt").args(["-h", "127.0.0.1", "-p", &port, "-o", "-D", "-Q"]).args(versions);
    call.finish(tstclnt)
}

fn botan(call: &Call<'_>) -> String {
    let port = call.server.implicit.port().to_string();
    let botan = call.program("botan").args(["tls_client", "127.0.0.1", &format!("--port={port}")]);
    call.finish(botan.arg("--skip-system-cert-store").input("QUIT\r\n"))
}
