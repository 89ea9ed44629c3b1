//! An FTPS server that keeps to the protocol except for one named misbehaviour, over real sockets.
//!
//! It serves a few files from memory ([`FILE`], [`FOLDER`]), remembers every line that it was told and whether that line
//! was under TLS, and holds a trap at another address that nobody has a reason to dial.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::certificates::{Authority, Identity, Kind};
use crate::programs::percent_encoded;
use crate::server::Mode;
use crate::setup::{USER, password};
use crate::{loopback, tree};

pub use listings::beside_the_file;
pub use misbehaviour::{Fault, Format, Misbehaviour, Stage};

mod connection;
mod listings;
mod misbehaviour;
mod session;

/// The file at the top of every hostile server.
pub const FILE: &str = "/file";
/// Its length: several TLS records, and more than fits into one write.
pub const FILE_LENGTH: usize = 300_000;
/// A folder at the top with two small files, `one` and `two`.
pub const FOLDER: &str = "/folder";

/// One line that the server was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Without its end.
    pub line: String,
    /// Was it under TLS?
    pub protected: bool,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    mode: Mode,
    address: Ipv4Addr,
    misbehaviour: Misbehaviour,
    identity: Mutex<Identity>,
    heard: Mutex<Vec<Heard>>,
    /// Bytes that came over data connections without TLS.
    clear_data: Mutex<Vec<u8>>,
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    trap: Trap,
    stop: AtomicBool,
}

/// Listeners at an address that only a lying PASV reply names.
#[derive(Debug)]
struct Trap {
    address: Ipv4Addr,
    listeners: Mutex<Vec<TcpListener>>,
}

/// The server; it takes no more connections when dropped.
#[derive(Debug)]
pub struct HostileServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who signed its certificate, which names the address and `localhost`.
    pub authority: Authority,
    shared: Arc<Shared>,
}

impl HostileServer {
    /// Listens for explicit TLS.
    pub fn start(misbehaviour: Misbehaviour) -> HostileServer {
        HostileServer::start_in(Mode::Explicit, misbehaviour)
    }

    /// Listens in that mode.
    pub fn start_in(mode: Mode, misbehaviour: Misbehaviour) -> HostileServer {
        let address = loopback::unused();
        let listener = TcpListener::bind((address, 0)).unwrap();
        let authority = Authority::new();
        let identity = authority.issue(Kind::Good, &["localhost", &address.to_string()]);
        let files = [
            (FILE.to_owned(), tree::bytes(7, FILE_LENGTH)),
            (format!("{FOLDER}/one"), tree::bytes(1, 1000)),
            (format!("{FOLDER}/two"), tree::bytes(2, 2000)),
        ];
        let shared = Arc::new(Shared {
            mode,
            address,
            misbehaviour,
            identity: Mutex::new(identity),
            heard: Mutex::default(),
            clear_data: Mutex::default(),
            files: Mutex::new(files.into()),
            trap: Trap { address: loopback::unused(), listeners: Mutex::default() },
            stop: AtomicBool::new(false),
        });
        let server =
            HostileServer { address: listener.local_addr().unwrap(), authority, shared: shared.clone() };
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = shared.clone();
                // How a session ends is the client's affair.
                std::thread::spawn(move || drop(session::serve(socket, shared)));
            }
        });
        server
    }

    /// Shows another certificate from the next connection on.
    pub fn set_identity(&self, identity: Identity) {
        *self.shared.identity.lock().unwrap() = identity;
    }

    /// The certificate and key that it shows.
    pub fn identity(&self) -> Identity {
        self.shared.identity.lock().unwrap().clone()
    }

    /// The names that its certificates are for.
    pub fn names(&self) -> [String; 2] {
        [String::from("localhost"), self.shared.address.to_string()]
    }

    /// Its authority's certificate in a file of that folder.
    pub fn authority_file(&self, folder: &Path) -> PathBuf {
        self.authority.file(folder)
    }

    /// A URL for a path that begins with `/`, from the login folder on.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.mode == Mode::Explicit { "ftpes" } else { "ftps" };
        format!("{scheme}://{USER}@{}{}", self.address, percent_encoded(path))
    }

    /// The password that it takes.
    pub fn password(&self) -> String {
        password(USER)
    }

    /// Every line so far, of all connections.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// How often a command was heard.
    pub fn count(&self, verb: &str) -> usize {
        self.heard().iter().filter(|heard| heard.line.split(' ').next() == Some(verb)).count()
    }

    /// Bytes that came over data connections without TLS.
    pub fn clear_data(&self) -> Vec<u8> {
        self.shared.clear_data.lock().unwrap().clone()
    }

    /// The bytes of a file as they are now.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.files.lock().unwrap().get(path).cloned()
    }

    /// Puts a file there.
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        self.shared.files.lock().unwrap().insert(path.to_owned(), bytes);
    }

    /// Has anybody connected to where only a lying PASV reply leads?
    pub fn trap_was_dialled(&self) -> bool {
        let listeners = self.shared.trap.listeners.lock().unwrap();
        listeners.iter().any(|listener| listener.accept().is_ok())
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees the word to stop.
        drop(TcpStream::connect(self.address));
        if std::thread::panicking() {
            eprintln!("the hostile server heard: {:#?}", self.heard());
        }
    }
}
