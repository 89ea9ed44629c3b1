//! A small FTP server in memory whose every misbehaviour is asked for: what a test needs to see of a client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Client, DataMode, DataProtection, Login, Security, Settings, Timeouts};

/// What is under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File { bytes: Vec<u8>, modified: u64 },
    Folder,
}

/// How it behaves, and what it has.
#[derive(Default)]
pub(super) struct Site {
    pub(super) nodes: BTreeMap<String, Node>,
    /// Commands as they came, arguments and all.
    pub(super) commands: Vec<String>,
    /// Logins so far.
    pub(super) logins: usize,
    /// Control connections that are open.
    pub(super) open: usize,
    /// More than these are answered with 421.
    pub(super) most_connections: Option<usize>,
    /// The next answers to commands that begin so, in place of doing them.
    pub(super) answers: Vec<(String, String)>,
    /// Listings in place of true ones.
    pub(super) listings: BTreeMap<String, Vec<u8>>,
    /// A listing for every path.
    pub(super) every_listing: Option<Vec<u8>>,
    /// How many bytes pass on each of the next data connections before everything is cut.
    pub(super) cuts: Vec<usize>,
    /// Whether an upload shows only when it is complete.
    pub(super) hides_uploads: bool,
    /// Whether there is XSHA256, and what it says instead of the truth.
    pub(super) hashes: Option<Option<String>>,
    /// Whether it tells no times.
    pub(super) timeless: bool,
    /// The time that uploads get; each is a second later.
    pub(super) now: u64,
}

pub(super) struct Server {
    pub(super) port: u16,
    site: Arc<Mutex<Site>>,
    /// Ends with the server.
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Arc::new(Mutex::new(Site { now: 1_700_000_000, ..Site::default() }));
        site.lock().unwrap().nodes.insert(String::new(), Node::Folder);
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&site);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                connections.spawn(
                    Connection { site: Arc::clone(&shared), rest: 0, folder: "/".to_owned() }.serve(socket),
                );
            }
        });
        Server { port, site, _tasks: tasks }
    }

    pub(super) fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap()
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::new(Settings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            security: Security::Plaintext,
            data_protection: DataProtection::Private,
            login: Login { user: "alice".to_owned(), password: Some("sesame".to_owned().into()) },
            data_mode: DataMode::Passive,
            timeouts: Timeouts::default(),
            dialogue: None,
        })
    }

    pub(super) async fn client(&self) -> Client {
        Client::connect(self.settings()).await.unwrap()
    }

    /// Puts a file there, with the folders that lead to it.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let mut site = self.site();
        for (slash, _) in path.match_indices('/').skip(1) {
            site.nodes.insert(path[..slash].to_owned(), Node::Folder);
        }
        let modified = site.tick();
        site.nodes.insert(path.to_owned(), Node::File { bytes: bytes.to_vec(), modified });
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        match self.site().nodes.get(path) {
            Some(Node::File { bytes, .. }) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// How many commands began so.
    pub(super) fn count(&self, beginning: &str) -> usize {
        self.site().commands.iter().filter(|command| command.starts_with(beginning)).count()
    }
}

impl Site {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn facts(&self, node: &Node) -> String {
        match node {
            Node::Folder => "type=dir;".to_owned(),
            Node::File { bytes, .. } if self.timeless => format!("type=file;size={};", bytes.len()),
            Node::File { bytes, modified } => {
                format!("type=file;size={};modify={};", bytes.len(), time_value(*modified))
            }
        }
    }

    fn listing(&self, folder: &str) -> Option<Vec<u8>> {
        if let Some(bytes) = self.listings.get(folder).or(self.every_listing.as_ref()) {
            return Some(bytes.clone());
        }
        let folder = folder.trim_end_matches('/');
        self.nodes.get(folder).filter(|node| **node == Node::Folder)?;
        let mut listing = Vec::new();
        for (path, node) in &self.nodes {
            if let Some(name) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
                && !name.contains('/')
            {
                listing.extend_from_slice(format!("{} {name}\r\n", self.facts(node)).as_bytes());
            }
        }
        Some(listing)
    }
}

fn time_value(unix_s: u64) -> String {
    carrack_ftp_proto::client::time_value(unix_s as i64)
}

struct Connection {
    site: Arc<Mutex<Site>>,
    rest: usize,
    folder: String,
}

/// What comes of a command.
enum Outcome {
    Reply(String),
    /// Everything is cut.
    Cut,
    Quit,
}

/// What a command asks for.
enum Answer {
    Reply(String),
    Listen,
    Send(Vec<u8>),
    Receive { path: String, before: Vec<u8> },
    Quit,
}

impl Connection {
    async fn serve(mut self, socket: TcpStream) {
        let too_many = {
            let mut site = self.site.lock().unwrap();
            site.open += 1;
            site.most_connections.is_some_and(|most| site.open > most)
        };
        let mut socket = BufReader::new(socket);
        if too_many {
            let _ = socket.write_all(b"421 Too many connections.\r\n").await;
        } else {
            self.converse(&mut socket).await;
        }
        self.site.lock().unwrap().open -= 1;
    }

    async fn converse(&mut self, socket: &mut BufReader<TcpStream>) {
        if socket.write_all(b"220 Ready.\r\n").await.is_err() {
            return;
        }
        let mut data = None;
        loop {
            let mut line = Vec::new();
            if !matches!(socket.read_until(b'\n', &mut line).await, Ok(1..)) {
                return;
            }
            let line = String::from_utf8(line).unwrap().trim_end().to_owned();
            let scripted = {
                let mut site = self.site.lock().unwrap();
                site.commands.push(line.clone());
                let scripted =
                    site.answers.iter().position(|(command, _)| line.starts_with(command.as_str()));
                scripted.map(|position| site.answers.remove(position).1)
            };
            let outcome = match scripted {
                Some(answer) if answer.is_empty() => Outcome::Cut,
                Some(answer) => Outcome::Reply(answer),
                None => self.command(&line, socket, &mut data).await,
            };
            match outcome {
                Outcome::Reply(reply) => {
                    if socket.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
                Outcome::Quit => return drop(socket.write_all(b"221 Bye.\r\n").await),
                Outcome::Cut => return,
            }
        }
    }

    async fn command(
        &mut self,
        line: &str,
        socket: &mut BufReader<TcpStream>,
        data: &mut Option<TcpListener>,
    ) -> Outcome {
        match self.answer(line) {
            Answer::Reply(reply) => Outcome::Reply(reply),
            Answer::Quit => Outcome::Quit,
            Answer::Listen => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = listener.local_addr().unwrap().port();
                *data = Some(listener);
                Outcome::Reply(format!("229 Entering (|||{port}|)"))
            }
            Answer::Send(bytes) => self.send(socket, data, &bytes).await,
            Answer::Receive { path, before } => self.receive(socket, data, &path, before).await,
        }
    }

    fn answer(&mut self, line: &str) -> Answer {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let path = argument.trim_matches('"').trim_end_matches('/');
        let rest = if matches!(verb, "RETR" | "STOR") { std::mem::take(&mut self.rest) } else { 0 };
        let reply = |text: &str| Answer::Reply(text.to_owned());
        let mut site = self.site.lock().unwrap();
        match verb {
            "USER" => reply("331 Password?"),
            "PASS" => {
                site.logins += 1;
                reply("230 In.")
            }
            "FEAT" => {
                let hash = if site.hashes.is_some() { " XSHA256\r\n" } else { "" };
                Answer::Reply(format!(
                    "211-Features:\r\n MLST type*;size*;modify*;\r\n SIZE\r\n MDTM\r\n MFMT\r\n REST STREAM\r\n EPSV\r\n UTF8\r\n{hash}211 End"
                ))
            }
            "OPTS" | "TYPE" | "NOOP" => reply("200 OK."),
            "PWD" => reply("257 \"/\""),
            "CWD" => {
                self.folder = argument.to_owned();
                reply("250 OK.")
            }
            "REST" => {
                self.rest = argument.parse().unwrap();
                reply("350 OK.")
            }
            "EPSV" => Answer::Listen,
            "MLST" => match site.nodes.get(path) {
                Some(node) => {
                    Answer::Reply(format!("250-Facts\r\n {} {argument}\r\n250 End", site.facts(node)))
                }
                None => reply("550 No such file."),
            },
            "SIZE" => match site.nodes.get(path) {
                Some(Node::File { bytes, .. }) => Answer::Reply(format!("213 {}", bytes.len())),
                _ => reply("550 No such file."),
            },
            "MDTM" if site.timeless => reply("502 No."),
            "MDTM" => match site.nodes.get(path) {
                Some(Node::File { modified, .. }) => Answer::Reply(format!("213 {}", time_value(*modified))),
                _ => reply("550 No such file."),
            },
            "MFMT" => {
                let (time, path) = argument.split_once(' ').unwrap();
                let time = carrack_ftp_proto::client::moment(time.as_bytes()).unwrap().unix_s;
                match site.nodes.get_mut(path) {
                    Some(Node::File { modified, .. }) => {
                        *modified = time as u64;
                        reply("213 OK.")
                    }
                    _ => reply("550 No such file."),
                }
            }
            "XSHA256" => match (site.nodes.get(path), site.hashes.clone().flatten()) {
                (_, Some(lie)) => Answer::Reply(format!("250 {lie}")),
                (Some(Node::File { bytes, .. }), None) => {
                    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
                    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                    Answer::Reply(format!("250 {digest}"))
                }
                _ => reply("550 No such file."),
            },
            "MKD" => {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                let free = !site.nodes.contains_key(path) && site.nodes.get(parent) == Some(&Node::Folder);
                if free {
                    site.nodes.insert(path.to_owned(), Node::Folder);
                    Answer::Reply(format!("257 \"{path}\" made."))
                } else {
                    reply("550 Exists, or has no parent.")
                }
            }
            "MLSD" => match site.listing(path) {
                Some(listing) => Answer::Send(listing),
                None => reply("550 No such folder."),
            },
            "RETR" => match site.nodes.get(path).cloned() {
                Some(Node::File { bytes, .. }) => Answer::Send(bytes[rest.min(bytes.len())..].to_vec()),
                _ => reply("550 No such file."),
            },
            "STOR" | "APPE" => {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                if site.nodes.get(parent) != Some(&Node::Folder)
                    || site.nodes.get(path) == Some(&Node::Folder)
                {
                    return reply("550 Not there.");
                }
                let before = match site.nodes.get(path) {
                    Some(Node::File { bytes, .. }) if verb == "APPE" => bytes.clone(),
                    Some(Node::File { bytes, .. }) => bytes[..rest.min(bytes.len())].to_vec(),
                    _ => Vec::new(),
                };
                Answer::Receive { path: path.to_owned(), before }
            }
            "QUIT" => Answer::Quit,
            _ => reply("502 No."),
        }
    }

    async fn send(
        &self,
        socket: &mut BufReader<TcpStream>,
        data: &mut Option<TcpListener>,
        bytes: &[u8],
    ) -> Outcome {
        let Some(mut stream) = open(socket, data).await else { return Outcome::Cut };
        match self.cut() {
            Some(cut) if cut < bytes.len() => {
                let _ = stream.write_all(&bytes[..cut]).await;
                Outcome::Cut
            }
            _ => match stream.write_all(bytes).await {
                Ok(()) => Outcome::Reply("226 Done.".to_owned()),
                Err(_) => Outcome::Cut,
            },
        }
    }

    async fn receive(
        &self,
        socket: &mut BufReader<TcpStream>,
        data: &mut Option<TcpListener>,
        path: &str,
        mut bytes: Vec<u8>,
    ) -> Outcome {
        let Some(stream) = open(socket, data).await else { return Outcome::Cut };
        let cut = self.cut();
        let before = bytes.len();
        let most = cut.unwrap_or(usize::MAX);
        let received = stream.take(most as u64).read_to_end(&mut bytes).await;
        let whole = received.is_ok() && bytes.len() - before < most;
        let mut site = self.site.lock().unwrap();
        if whole || !site.hides_uploads {
            let modified = site.tick();
            site.nodes.insert(path.to_owned(), Node::File { bytes, modified });
        }
        if whole { Outcome::Reply("226 Done.".to_owned()) } else { Outcome::Cut }
    }

    fn cut(&self) -> Option<usize> {
        let mut site = self.site.lock().unwrap();
        (!site.cuts.is_empty()).then(|| site.cuts.remove(0))
    }
}

async fn open(socket: &mut BufReader<TcpStream>, data: &mut Option<TcpListener>) -> Option<TcpStream> {
    let listener = data.take()?;
    socket.write_all(b"150 Here it comes.\r\n").await.ok()?;
    Some(listener.accept().await.ok()?.0)
}
