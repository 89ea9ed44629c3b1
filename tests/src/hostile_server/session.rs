//! One session of the hostile server: commands in, replies and data out, and the misbehaviour at its place.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::ServerConfig;

use super::connection::{Connection, tls};
use super::listings::{Found, Pieces, TIME};
use super::misbehaviour::{Fault, Format, Misbehaviour, Stage};
use super::{Heard, Shared};
use crate::certificates::{Authority, Kind};
use crate::server::Mode;

struct Session {
    shared: Arc<Shared>,
    /// `None` once it has been broken.
    control: Option<Connection>,
    control_tls: Arc<ServerConfig>,
    data_tls: Arc<ServerConfig>,
    passive: Option<TcpListener>,
    active: Option<SocketAddr>,
    private: bool,
    restart: usize,
    folder: String,
    renamed: String,
}

/// Serves one client to the end.
pub(super) fn serve(socket: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let control_tls = tls(&shared.identity.lock().unwrap());
    let data_tls = if matches!(shared.misbehaviour, Misbehaviour::OtherDataCertificate) {
        let name = shared.address.to_string();
        tls(&Authority::new().issue(Kind::SelfSigned, &["localhost", &name]))
    } else {
        // A client that reads nothing on an upload closes by a reset where tickets lie unread, and loses its tail.
        let mut without_tickets = (*control_tls).clone();
        without_tickets.send_tls13_tickets = 0;
        Arc::new(without_tickets)
    };
    let private = shared.mode == Mode::Implicit;
    let mut session = Session {
        control: Some(Connection::new(socket)),
        shared,
        control_tls,
        data_tls,
        passive: None,
        active: None,
        private,
        restart: 0,
        folder: String::from("/"),
        renamed: String::new(),
    };
    session.run()
}

impl Session {
    fn run(&mut self) -> io::Result<()> {
        if self.shared.mode == Mode::Implicit {
            self.secure()?;
        }
        self.at(Stage::Greeting)?;
        match self.shared.misbehaviour {
            Misbehaviour::GreetingWithoutEnd => loop {
                self.control()?.send(&[b'2'; 65_536])?;
            },
            Misbehaviour::BehindGreeting(bytes) => {
                self.control()?.send(&[b"220 ready\r\n", bytes].concat())?;
            }
            _ => self.say("220 ready")?,
        }
        while let Some(line) = self.control()?.line()? {
            let protected = self.control()?.is_protected();
            self.shared.heard.lock().unwrap().push(Heard { line: line.clone(), protected });
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            if self.obey(&verb.to_ascii_uppercase(), argument)? == Next::End {
                break;
            }
        }
        Ok(())
    }

    fn obey(&mut self, verb: &str, argument: &str) -> io::Result<Next> {
        if let Misbehaviour::Answers { verb: about, by } = self.shared.misbehaviour
            && about == verb
        {
            self.control()?.send(by)?;
            if verb == "AUTH" && by.windows(3).any(|code| code == b"234") {
                self.secure()?;
            }
            return Ok(Next::Go);
        }
        match verb {
            "AUTH" => {
                self.at(Stage::Auth)?;
                self.say("234 go ahead")?;
                self.secure()?;
            }
            "USER" => {
                self.at(Stage::User)?;
                self.say("331 and the password")?;
            }
            "PASS" => {
                self.at(Stage::Pass)?;
                self.say("230 come in")?;
            }
            "PROT" => {
                self.private = argument == "P";
                self.say("200 so be it")?;
            }
            "FEAT" => self.features()?,
            "PWD" => self.say(&format!("257 \"{}\"", self.folder))?,
            "CWD" => {
                let path = self.path(argument);
                match self.shared.find(&path) {
                    Some(Found::Folder) => {
                        self.folder = path;
                        self.say("250 there")?;
                    }
                    _ => self.say("550 no such folder")?,
                }
            }
            "PBSZ" | "TYPE" | "OPTS" | "MODE" | "STRU" | "NOOP" | "ALLO" => self.say("200 fine")?,
            "SYST" => self.say("215 UNIX Type: L8")?,
            "EPSV" | "PASV" => self.listen(verb)?,
            "EPRT" => {
                let mut parts = argument.split('|').skip(2);
                let port = parts.nth(1).and_then(|port| port.parse().ok());
                let peer = self.control()?.socket().peer_addr()?.ip();
                self.active = port.map(|port| SocketAddr::new(peer, port));
                self.say("200 I shall come")?;
            }
            "REST" => {
                self.restart = argument.parse().unwrap_or(0);
                self.say("350 from there")?;
            }
            "RETR" | "STOR" | "APPE" | "MLSD" | "LIST" | "NLST" => self.transfer(verb, argument)?,
            "SIZE" | "MDTM" | "MLST" => self.facts(verb, argument)?,
            "RNFR" => {
                self.renamed = self.path(argument);
                self.say("350 and to")?;
            }
            "RNTO" => {
                let to = self.path(argument);
                let bytes = self.shared.files.lock().unwrap().remove(&self.renamed);
                match bytes {
                    Some(bytes) => {
                        self.shared.files.lock().unwrap().insert(to, bytes);
                        self.say("250 renamed")?;
                    }
                    None => self.say("550 no such file")?,
                }
            }
            "DELE" => {
                let path = self.path(argument);
                let gone = self.shared.files.lock().unwrap().remove(&path);
                self.say(if gone.is_some() { "250 gone" } else { "550 no such file" })?;
            }
            "MKD" | "RMD" => self.say("550 the folders are what they are")?,
            "QUIT" => {
                self.say("221 bye")?;
                self.control.take().map(Connection::finish).transpose()?;
                return Ok(Next::End);
            }
            _ => self.say("502 not here")?,
        }
        Ok(Next::Go)
    }

    fn features(&mut self) -> io::Result<()> {
        match self.shared.misbehaviour {
            Misbehaviour::ReplyWithoutEnd => {
                self.say("211-on and on")?;
                loop {
                    self.control()?.send(&b" X-FEATURE\r\n".repeat(1000))?;
                }
            }
            Misbehaviour::ReplyLines(count) => {
                self.say("211-many")?;
                for _ in 0..count / 1000 {
                    self.control()?.send(&b" X-FEATURE\r\n".repeat(1000))?;
                }
                self.say("211 end")
            }
            _ => {
                let facts = if self.shared.has_facts() { " MLST type*;size*;modify*;\r\n" } else { "" };
                let rest = " AUTH TLS\r\n PBSZ\r\n PROT\r\n EPSV\r\n EPRT\r\n SIZE\r\n MDTM\r\n REST STREAM\r\n UTF8";
                self.say(&format!("211-these\r\n{facts}{rest}\r\n211 end"))
            }
        }
    }

    fn facts(&mut self, verb: &str, argument: &str) -> io::Result<()> {
        let path = self.path(argument);
        let found = if path == "/" { Some(Found::Folder) } else { self.shared.find(&path) };
        let Some(found) = found else { return self.say("550 no such thing") };
        match (verb, &found) {
            ("SIZE", Found::File(bytes)) => self.say(&format!("213 {}", self.shared.said_size(bytes))),
            ("MDTM", Found::File(_)) => self.say(&format!("213 {TIME}")),
            ("MLST", _) if self.shared.has_facts() => {
                let line = self.shared.line(Format::Facts, &path, &found);
                self.say(&format!("250-this\r\n {line}\r\n250 end"))
            }
            _ => self.say("550 not of that"),
        }
    }

    /// A passive port. The trap listens at the same port of another address.
    fn listen(&mut self, verb: &str) -> io::Result<()> {
        self.at(Stage::Passive)?;
        let elsewhere = matches!(self.shared.misbehaviour, Misbehaviour::PassiveElsewhere);
        if elsewhere && verb == "EPSV" {
            return self.say("500 not known");
        }
        let listener = TcpListener::bind((self.shared.address, 0))?;
        let port = listener.local_addr()?.port();
        self.passive = Some(listener);
        if verb == "EPSV" {
            return self.say(&format!("229 come (|||{port}|)"));
        }
        let mut address = self.shared.address;
        if elsewhere {
            address = self.shared.trap.address;
            let trap = TcpListener::bind((address, port))?;
            trap.set_nonblocking(true)?;
            self.shared.trap.listeners.lock().unwrap().push(trap);
        }
        let [a, b, c, d] = address.octets();
        self.say(&format!("227 come ({a},{b},{c},{d},{},{})", port >> 8, port & 255))
    }

    fn transfer(&mut self, verb: &str, argument: &str) -> io::Result<()> {
        let restart = std::mem::take(&mut self.restart);
        let option = verb == "LIST" && argument.starts_with('-');
        let path = self.path(if option { "" } else { argument });
        let sends = match (verb, self.shared.find(&path)) {
            ("STOR" | "APPE", _) => None,
            ("RETR", Some(Found::File(bytes))) => Some(self.shared.download(&bytes, restart)),
            ("MLSD", Some(Found::Folder)) if self.shared.has_facts() => {
                Some(self.shared.listing(Format::Facts, &path))
            }
            ("LIST", Some(Found::Folder)) => Some(self.shared.listing(Format::Long, &path)),
            _ => return self.say("550 no such thing"),
        };
        self.at(Stage::Transfer)?;
        self.say("150 here it comes")?;
        self.at(Stage::After150)?;
        if let Some(data) = self.data()? {
            let whole = match sends {
                Some(pieces) => {
                    self.send(data, pieces);
                    true
                }
                None => self.receive(data, path, (verb == "STOR").then_some(restart)),
            };
            if !whole {
                return self.say("426 that was cut");
            }
        }
        self.at(Stage::FinalReply)?;
        match self.shared.misbehaviour {
            Misbehaviour::AfterData(reply) => self.control()?.send(reply),
            _ => self.say("226 done"),
        }
    }

    /// The data connection, under TLS as agreed; `None` where it was broken before.
    fn data(&mut self) -> io::Result<Option<Connection>> {
        let socket = match (self.passive.take(), self.active.take()) {
            (Some(listener), _) => listener.accept()?.0,
            (None, Some(address)) => TcpStream::connect(address)?,
            (None, None) => {
                self.say("425 where?")?;
                return Err(io::ErrorKind::NotConnected.into());
            }
        };
        let data = Connection::new(socket);
        if let Some(fault) = self.fault(Stage::DataTls) {
            data.break_by(fault);
            return Ok(None);
        }
        if !self.private || matches!(self.shared.misbehaviour, Misbehaviour::ClearData) {
            return Ok(Some(data));
        }
        // A client that does not like what it is shown ends the data connection and may say so on the other.
        Ok(data.secure(&self.data_tls).ok())
    }

    /// How a client ends that has everything, or wants no more, is its own affair.
    fn send(&self, mut data: Connection, pieces: Pieces) {
        for (number, piece) in pieces.enumerate() {
            if number == 1
                && let Some(fault) = self.fault(Stage::Data)
            {
                return data.break_by(fault);
            }
            if data.send(&piece).is_err() {
                return;
            }
        }
        match (self.fault(Stage::DataEnd), &self.shared.misbehaviour) {
            (Some(fault), _) => data.break_by(fault),
            (None, Misbehaviour::NoCloseNotify) => drop(data.cut()),
            (None, _) => drop(data.finish()),
        }
    }

    /// Keeps an upload, from that byte of the file on or behind all of it. `false` where it was cut.
    fn receive(&self, mut data: Connection, path: String, from: Option<usize>) -> bool {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 65_536]);
        let ended = loop {
            match data.read(&mut buffer) {
                Ok(0) => break true,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(_) => break false,
            }
            if let Some(fault) = self.fault(Stage::Data) {
                data.break_by(fault);
                return true;
            }
        };
        if !data.is_protected() {
            self.shared.clear_data.lock().unwrap().extend_from_slice(&bytes);
        }
        if let Some(fault) = self.fault(Stage::DataEnd) {
            data.break_by(fault);
            return true;
        }
        if ended {
            drop(data.finish());
        }
        let mut files = self.shared.files.lock().unwrap();
        let file = files.entry(path).or_default();
        file.truncate(from.unwrap_or(usize::MAX));
        file.extend_from_slice(&bytes);
        ended
    }

    fn path(&self, argument: &str) -> String {
        let joined = if argument.starts_with('/') {
            argument.to_owned()
        } else {
            format!("{}/{argument}", self.folder.trim_end_matches('/'))
        };
        let parts: Vec<&str> = joined.split('/').filter(|part| !part.is_empty()).collect();
        format!("/{}", parts.join("/"))
    }

    fn fault(&self, at: Stage) -> Option<Fault> {
        match self.shared.misbehaviour {
            Misbehaviour::At(stage, fault) if stage == at => Some(fault),
            _ => None,
        }
    }

    /// Breaks the control connection, if this is the stage for it.
    fn at(&mut self, stage: Stage) -> io::Result<()> {
        let Some(fault) = self.fault(stage) else { return Ok(()) };
        if let Some(control) = self.control.take() {
            control.break_by(fault);
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn secure(&mut self) -> io::Result<()> {
        self.at(Stage::ControlTls)?;
        let control = self.control.take().ok_or(io::ErrorKind::NotConnected)?;
        self.control = Some(control.secure(&self.control_tls)?);
        Ok(())
    }

    fn control(&mut self) -> io::Result<&mut Connection> {
        self.control.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        self.control()?.send(format!("{reply}\r\n").as_bytes())
    }
}

/// Whether the session goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    End,
}
