//! What a server under test is started with: folders, users and the configuration file, written piece by piece.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use carrack_core::password::{Cost, hash_with};
use tempfile::TempDir;

use crate::loopback;
use crate::programs::Program;
use crate::server::{self, Server};

/// The user that every server has, unless a test says otherwise.
pub const USER: &str = "carrack";

/// Every permission there is.
pub const EVERYTHING: &str =
    r#"permissions = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]"#;

/// The password of a user: made from the name, with a space and a letter outside ASCII on purpose, and long enough for
/// FIPS 140-3.
pub fn password(user: &str) -> String {
    format!("{user}s own wörd")
}

/// A server's settings before it starts. Listeners are explicit and implicit, on 127.0.0.1 unless said otherwise, on ports the system picks.
///
/// Deadlines are far away unless a test sets them, so that a busy machine never runs into one.
#[derive(Debug)]
pub struct Setup {
    folder: TempDir,
    address: IpAddr,
    listen: Vec<String>,
    explicit: Vec<String>,
    implicit: Vec<String>,
    top: Vec<String>,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    users: Vec<User>,
    logins: Logins,
    /// Of the explicit and the implicit listener.
    ports: [u16; 2],
    tables: Vec<String>,
    /// The command that runs the server's, if another does.
    pub(crate) under: Vec<String>,
    pub(crate) environment: Vec<(String, OsString)>,
}

/// What a login costs the server.
#[derive(Clone, Copy, Debug)]
enum Logins {
    /// As much as `carrack user hash` makes it.
    Real,
    /// Next to nothing.
    Quick,
}

#[derive(Debug)]
struct User {
    name: String,
    home: PathBuf,
    lines: Vec<String>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::new()
    }
}

impl Setup {
    /// One user, [`USER`], who may do everything in a home of their own.
    pub fn new() -> Setup {
        let setup = Setup {
            folder: tempfile::Builder::new().prefix("carrack-test-").tempdir().unwrap(),
            address: Ipv4Addr::LOCALHOST.into(),
            listen: Vec::new(),
            explicit: Vec::new(),
            implicit: Vec::new(),
            top: Vec::new(),
            sections: BTreeMap::new(),
            users: Vec::new(),
            logins: Logins::Real,
            ports: [0, 0],
            tables: Vec::new(),
            under: Vec::new(),
            environment: Vec::new(),
        };
        let setup = match server::leaks_are_watched() {
            true => setup.option("server", "sandbox", "\"off\"").option("timeouts", "drain_s", "1"),
            false => setup,
        };
        setup
            .option("timeouts", "tls_s", "120")
            .option("timeouts", "login_s", "120")
            .option("timeouts", "idle_s", "600")
            .option("timeouts", "data_accept_s", "120")
            .option("timeouts", "data_stall_s", "120")
            .option("log", "format", "\"json\"")
            .user(USER, &[EVERYTHING])
    }

    /// A folder of the test's own, beside what the server serves.
    pub fn scratch(&self) -> PathBuf {
        let scratch = self.folder.path().join("scratch");
        fs::create_dir_all(&scratch).unwrap();
        scratch
    }

    /// The home of a user on the disk.
    pub fn home(&self, user: &str) -> PathBuf {
        self.folder.path().join("homes").join(user)
    }

    /// Both listeners at another address than 127.0.0.1.
    pub fn at(mut self, address: IpAddr) -> Setup {
        self.address = address;
        self
    }

    /// A line for both `[[listen]]` tables.
    pub fn listen(mut self, line: &str) -> Setup {
        self.listen.push(line.to_owned());
        self
    }

    /// A line for the explicit listener only.
    pub fn explicit(mut self, line: &str) -> Setup {
        self.explicit.push(line.to_owned());
        self
    }

    /// A line for the implicit listener only.
    pub fn implicit(mut self, line: &str) -> Setup {
        self.implicit.push(line.to_owned());
        self
    }

    /// A line before all tables.
    pub fn top(mut self, line: &str) -> Setup {
        self.top.push(line.to_owned());
        self
    }

    /// Sets `[section] key = value`, replacing what stood there.
    pub fn option(mut self, section: &str, key: &str, value: &str) -> Setup {
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// The ports of both listeners, in place of those that the system picks.
    pub fn ports(mut self, explicit: u16, implicit: u16) -> Setup {
        self.ports = [explicit, implicit];
        self
    }

    /// The network namespace that the server runs in.
    pub fn within(self, namespace: &str) -> Setup {
        self.under(&["ip", "netns", "exec", namespace])
    }

    /// The program, with arguments, that runs the server and becomes it, or has its process id.
    pub fn under(mut self, command: &[&str]) -> Setup {
        self.under = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// A variable of the server's environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Setup {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// A whole table with its header.
    pub fn table(mut self, text: &str) -> Setup {
        self.tables.push(text.to_owned());
        self
    }

    /// Hashes that are as weak as can be: for tests with so many logins that they would only test argon2.
    pub fn quick_logins(mut self) -> Setup {
        self.logins = Logins::Quick;
        self
    }

    /// One data port for all sessions, which nobody else has.
    pub fn one_data_port(self) -> Setup {
        let port = loopback::free_port();
        self.option("passive", "ports", &port.to_string())
    }

    /// Adds a user with [`password`]`(name)` and these lines beside; a name given again replaces the earlier user.
    pub fn user(self, name: &str, lines: &[&str]) -> Setup {
        let home = self.home(name);
        self.user_at(name, &home, lines)
    }

    /// Takes a user out again.
    pub fn without(mut self, name: &str) -> Setup {
        self.users.retain(|user| user.name != name);
        self
    }

    /// [`Setup::user`] with a home of the test's choosing, which several users may share.
    pub fn user_at(mut self, name: &str, home: &Path, lines: &[&str]) -> Setup {
        fs::create_dir_all(home).unwrap();
        self.users.retain(|earlier| earlier.name != name);
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        self.users.push(User { name: name.to_owned(), home: home.to_owned(), lines });
        self
    }

    /// The configuration file's text.
    fn text(&self) -> String {
        let folder = self.folder.path();
        let mut text = format!("state = {:?}\n", folder.join("state"));
        let mut add = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        if server::under_fips() {
            add("fips = true");
        }
        self.top.iter().for_each(|line| add(line));
        let [explicit, implicit] = self.ports;
        for (mode, own, port) in
            [("explicit", &self.explicit, explicit), ("implicit", &self.implicit, implicit)]
        {
            let address = SocketAddr::new(self.address, port);
            add(&format!("\n[[listen]]\nmode = \"{mode}\"\naddress = \"{address}\""));
            self.listen.iter().chain(own).for_each(|line| add(line));
        }
        for (section, options) in &self.sections {
            add(&format!("\n[{section}]"));
            options.iter().for_each(|(key, value)| add(&format!("{key} = {value}")));
        }
        self.tables.iter().for_each(|table| add(table));
        for User { name, home, lines } in &self.users {
            let hash = match self.logins {
                Logins::Real => password_hash(&password(name)),
                Logins::Quick => quick_hash(&password(name)),
            };
            add(&format!("\n[[user]]\nname = {name:?}\npassword = {hash:?}\nhome = {home:?}"));
            lines.iter().for_each(|line| add(line));
        }
        text
    }

    /// Writes the configuration and says where.
    pub fn write(&self) -> PathBuf {
        let path = self.folder.path().join("carrack.toml");
        fs::write(&path, self.text()).unwrap();
        path
    }

    /// Starts the server and waits until it listens.
    pub fn start(self) -> Server {
        let config = self.write();
        Server::start(self, &config)
    }

    /// Where the log goes, where it goes to a file.
    pub(crate) fn log_file(&self) -> Option<PathBuf> {
        let file = self.sections.get("log")?.get("file")?;
        Some(PathBuf::from(file.trim_matches('"')))
    }

    /// The folder that holds everything of this server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A hash that costs next to nothing, as of [`Setup::quick_logins`].
pub fn quick_hash(password: &str) -> String {
    let cost = if server::under_fips() {
        Cost::Pbkdf2 { rounds: 1_000 }
    } else {
        Cost::Argon2id { memory_kib: 8, passes: 1, lanes: 1 }
    };
    hash_with(password.as_bytes(), cost).unwrap()
}

/// The hash that `carrack user hash` makes of a password; the same password is hashed once per process.
pub fn password_hash(password: &str) -> String {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    if let Some(hash) = known.get(password) {
        return hash.clone();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{password}\n")).unwrap();
    let mode = server::under_fips().then_some("--fips");
    let hash = Program::new(server::program()).args(mode).args(["user", "hash", "--password-file"]);
    let run = hash.arg(&file).run();
    let hash = run.ok().stdout.trim().to_owned();
    known.insert(password.to_owned(), hash.clone());
    hash
}
