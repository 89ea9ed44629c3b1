//! Other people's FTP servers, and our own, as processes for the client to talk to.
//!
//! `scripts/peers` puts them below `target/peers`. Each runs at a loopback address of its own, so that no port is ever
//! taken, with one user and a home folder of its own. A test that needs one begins with
//! `if !peer.is_here() { return; }`.

use std::fs::{self, Permissions};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::certificates::{Authority, Files, Identity, Kind};
use crate::programs::{Tls, needs, percent_encoded};
use crate::server::{Mode, Server};
use crate::setup::{USER, password};
use crate::{loopback, wait};

pub use abilities::{Abilities, Ability};

mod abilities;
mod aioftp;
mod carrack;
pub mod page;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod vsftpd;
mod walled;

/// Where a peer listens; the address is its own.
const EXPLICIT_PORT: u16 = 2121;
const IMPLICIT_PORT: u16 = 2990;

/// A server to talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// vsftpd (Debian).
    Vsftpd,
    /// ProFTPD with mod_tls and mod_digest (Debian).
    Proftpd,
    /// Pure-FTPd (Debian).
    PureFtpd,
    /// pyftpdlib (PyPI).
    Pyftpdlib,
    /// aioftp (PyPI).
    Aioftp,
    /// Our own.
    Carrack,
}

impl Peer {
    /// Every server.
    pub const ALL: [Peer; 6] =
        [Peer::Vsftpd, Peer::Proftpd, Peer::PureFtpd, Peer::Pyftpdlib, Peer::Aioftp, Peer::Carrack];

    /// What its authors call it.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Vsftpd => "vsftpd",
            Peer::Proftpd => "ProFTPD",
            Peer::PureFtpd => "Pure-FTPd",
            Peer::Pyftpdlib => "pyftpdlib",
            Peer::Aioftp => "aioftp",
            Peer::Carrack => "Carrack",
        }
    }

    /// What it can do, and why it cannot do the rest.
    pub fn abilities(self) -> &'static Abilities {
        match self {
            Peer::Vsftpd => &vsftpd::ABILITIES,
            Peer::Proftpd => &proftpd::ABILITIES,
            Peer::PureFtpd => &pure_ftpd::ABILITIES,
            Peer::Pyftpdlib => &pyftpdlib::ABILITIES,
            Peer::Aioftp => &aioftp::ABILITIES,
            Peer::Carrack => &carrack::ABILITIES,
        }
    }

    /// The modes that it has.
    pub fn modes(self) -> Vec<Mode> {
        let abilities = self.abilities();
        let modes = [(abilities.explicit, Mode::Explicit), (abilities.implicit, Mode::Implicit)];
        modes.into_iter().filter(|(ability, _)| ability.is_there()).map(|(_, mode)| mode).collect()
    }

    /// Whether it can be started here. Where it cannot, the test is left out and says so; where `CI` is set that is a
    /// failure. `CARRACK_TESTS=quick` leaves out every server but our own.
    pub fn is_here(self) -> bool {
        if self == Peer::Carrack {
            return true;
        }
        if std::env::var("CARRACK_TESTS").is_ok_and(|which| which == "quick") {
            eprintln!("left out: a quick run has no real servers");
            return false;
        }
        let why = match self {
            _ if !self.program().is_file() => "not there, see scripts/peers",
            _ if self.is_walled() && !rustix::process::geteuid().is_root() => "wants to be started by root",
            _ => return !self.is_walled() || needs(&["unshare", "openssl"]),
        };
        assert!(std::env::var_os("CI").is_none(), "{}: {why}", self.name());
        eprintln!("left out: {}: {why}", self.name());
        false
    }

    /// Runs in namespaces of its own, as its own user.
    fn is_walled(self) -> bool {
        matches!(self, Peer::Vsftpd | Peer::Proftpd | Peer::PureFtpd)
    }

    /// Starts it and waits until it listens.
    pub fn start(self, wanted: &Wanted) -> RunningPeer {
        RunningPeer::start(self, wanted)
    }

    fn program(self) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/peers");
        folder.join(match self {
            Peer::Vsftpd => "usr/sbin/vsftpd",
            Peer::Proftpd => "usr/sbin/proftpd",
            Peer::PureFtpd => "usr/sbin/pure-ftpd",
            Peer::Pyftpdlib | Peer::Aioftp => "py/bin/python",
            Peer::Carrack => return crate::server::program().to_owned(),
        })
    }
}

/// What a test wants of a server.
#[derive(Clone, Debug)]
pub struct Wanted {
    mode: Mode,
    only: Option<Tls>,
    certificate: Kind,
    clients: Option<String>,
    partners: Option<String>,
}

impl Wanted {
    /// A listener of that mode with both versions of TLS and a good certificate.
    pub fn new(mode: Mode) -> Wanted {
        Wanted { mode, only: None, certificate: Kind::Good, clients: None, partners: None }
    }

    /// Held to one version of TLS, for a peer whose abilities say that it can be.
    pub fn only(self, version: Tls) -> Wanted {
        Wanted { only: Some(version), ..self }
    }

    /// Another certificate than a good one.
    pub fn certificate(self, kind: Kind) -> Wanted {
        Wanted { certificate: kind, ..self }
    }

    /// Exchanges files with other servers whose certificates are of that authority; ProFTPD alone.
    pub fn partners_of(self, authority: &Authority) -> Wanted {
        Wanted { partners: Some(authority.pem()), ..self }
    }

    /// Only clients with a certificate of that authority, for a peer whose abilities say that it asks for them.
    pub fn clients_of(self, authority: &Authority) -> Wanted {
        Wanted { clients: Some(authority.pem()), ..self }
    }
}

/// Everything that a peer's own module needs to know to start it.
struct Site<'a> {
    mode: Mode,
    only: Option<Tls>,
    address: SocketAddr,
    /// The folder for configuration, logs and whatever else the server writes beside the home.
    work: &'a Path,
    home: &'a Path,
    files: Files,
    /// Authorities of the clients that may come, where they need a certificate.
    clients: Option<PathBuf>,
    /// Authorities of the servers that files are exchanged with.
    partners: Option<PathBuf>,
}

impl Site<'_> {
    /// Writes a file of configuration and says where it is.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.work.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Settings for OpenSSL that hold a server to one version which has no setting of its own for it.
    fn openssl_settings(&self) -> PathBuf {
        let version = match self.only {
            None => String::new(),
            Some(Tls::V12) => String::from("MinProtocol = TLSv1.2\nMaxProtocol = TLSv1.2\n"),
            Some(Tls::V13) => String::from("MinProtocol = TLSv1.3\n"),
        };
        let text = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = settings\n[settings]\n{version}"
        );
        self.write("openssl.cnf", &text)
    }
}

#[derive(Debug)]
enum Process {
    Foreign(Child),
    Ours(Box<Server>),
}

/// A server that runs; ended with all its children when dropped.
#[derive(Debug)]
pub struct RunningPeer {
    /// Which one.
    pub peer: Peer,
    /// The mode of its listener.
    pub mode: Mode,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who signed its certificate, if it is a good one.
    pub authority: Authority,
    /// Its certificate and key.
    pub identity: Identity,
    wanted: Wanted,
    folder: TempDir,
    process: Option<Process>,
}

impl RunningPeer {
    fn start(peer: Peer, wanted: &Wanted) -> RunningPeer {
        let folder = tempfile::Builder::new().prefix("carrack-peer-").tempdir().unwrap();
        // The servers go down to their user before they look for the home.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
        for name in ["home", "work", "scratch"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let port = if wanted.mode == Mode::Explicit { EXPLICIT_PORT } else { IMPLICIT_PORT };
        let address = SocketAddr::new(IpAddr::V4(loopback::unused()), port);
        let authority = Authority::new();
        let names = ["localhost", "127.0.0.1", &address.ip().to_string()];
        let identity = authority.issue(wanted.certificate, &names);
        let (wanted, mode) = (wanted.clone(), wanted.mode);
        let mut running =
            RunningPeer { peer, mode, address, authority, identity, wanted, folder, process: None };
        running.give_home_away();
        running.run();
        running
    }

    /// The same server again, at the same address with the same files, showing another certificate.
    pub fn with_identity(mut self, identity: Identity) -> RunningPeer {
        self.identity = identity;
        if let Some(Process::Ours(server)) = &self.process {
            self.identity.files(&self.folder.path().join("work"));
            carrack::reload(server, &self.identity);
            return self;
        }
        self.end();
        self.run();
        self
    }

    fn run(&mut self) {
        let (work, home) = (self.folder.path().join("work"), self.home());
        let clients = self.wanted.clients.as_ref().map(|pem| {
            let path = work.join("clients.pem");
            fs::write(&path, pem).unwrap();
            path
        });
        let partners = self.wanted.partners.as_ref().map(|pem| {
            let path = work.join("partners.pem");
            fs::write(&path, pem).unwrap();
            path
        });
        let files = self.identity.files(&work);
        let (mode, only, address) = (self.mode, self.wanted.only, self.address);
        let site = Site { mode, only, address, work: &work, home: &home, files, clients, partners };
        let command = match self.peer {
            Peer::Vsftpd => vsftpd::command(&site),
            Peer::Proftpd => proftpd::command(&site),
            Peer::PureFtpd => pure_ftpd::command(&site),
            Peer::Pyftpdlib => pyftpdlib::command(&site),
            Peer::Aioftp => aioftp::command(&site),
            Peer::Carrack => {
                let server = carrack::start(&site);
                self.address = server.address(mode);
                self.process = Some(Process::Ours(Box::new(server)));
                return;
            }
        };
        let child = self.spawn(command);
        self.process = Some(Process::Foreign(child));
        let name = self.peer.name();
        wait::until_true(&format!("{name} to listen"), || {
            let Some(Process::Foreign(child)) = &mut self.process else { return false };
            let status = child.try_wait().unwrap();
            assert!(status.is_none(), "{name} ended, {status:?}:\n{}", self.log());
            TcpStream::connect(self.address).is_ok()
        });
    }

    fn spawn(&self, mut command: Command) -> Child {
        let output = fs::File::create(self.folder.path().join("work/output.log")).unwrap();
        command.current_dir(self.folder.path().join("work"));
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"))
    }

    /// The user's folder on the disk.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A folder of the test's own, beside what the server serves.
    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// Makes the user the owner of everything in the home, after the test has put files there.
    pub fn give_home_away(&self) {
        if self.peer.is_walled() {
            give_away(&self.home());
        }
    }

    /// The address as a URL has it, without a port: an IP address.
    pub fn host(&self) -> String {
        self.address.ip().to_string()
    }

    /// A URL for a path below the home, which is percent-encoded as needed.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{USER}@{}/{}", self.address, percent_encoded(path))
    }

    /// The user's password.
    pub fn password(&self) -> String {
        password(USER)
    }

    /// Everything that the server has said and logged so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let entries = fs::read_dir(self.folder.path().join("work")).unwrap().map(Result::unwrap);
        for path in entries.map(|entry| entry.path()).filter(|path| path.extension() == Some("log".as_ref()))
        {
            text += &format!("== {}\n", path.display());
            text += &String::from_utf8_lossy(&fs::read(path).unwrap_or_default());
        }
        if let Some(Process::Ours(server)) = &self.process {
            text.extend(server.logs.lines().into_iter().map(|line| line.raw + "\n"));
        }
        text
    }

    fn end(&mut self) {
        match self.process.take() {
            Some(Process::Foreign(mut child)) => {
                let _ = child.kill();
                let _ = child.wait();
                // The children of a walled server end with it, a moment later.
                wait::until_true("the end of a server", || TcpStream::connect(self.address).is_err());
            }
            Some(Process::Ours(server)) => drop(server),
            None => (),
        }
    }
}

impl Drop for RunningPeer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}'s log:\n{}", self.peer.name(), self.log());
        }
        self.end();
    }
}

/// Makes the user of a walled server the owner of a file, or a folder with everything in it.
fn give_away(path: &Path) {
    lchown(path, Some(walled::USER_ID), Some(walled::USER_ID)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}
