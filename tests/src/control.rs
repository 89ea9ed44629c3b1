//! A raw FTP client over blocking sockets: it sends what a test says, when the test says it, and checks every reply.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::programs::Tls;
use crate::server::{Mode, Server};
use crate::setup::{USER, password};
use crate::tls_client::TlsClient;
use crate::wire::{End, Wire};

/// One reply of the server (RFC 959 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// Every line without its end, the first and last with their code.
    pub lines: Vec<String>,
}

impl fmt::Display for Reply {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.lines.join("\n"))
    }
}

/// A control connection.
#[derive(Debug)]
pub struct Control {
    /// The connection itself, for misbehaving.
    pub wire: Wire,
    /// What data connections resume sessions of.
    pub tls: TlsClient,
    /// How many replies came.
    pub replies: usize,
    received: Vec<u8>,
    transcript: Vec<String>,
}

impl Control {
    /// Connects and says nothing.
    pub fn connect(to: SocketAddr, tls: &TlsClient) -> Control {
        Control::over(Wire::connect(to), tls)
    }

    /// Takes a connection over.
    pub fn over(wire: Wire, tls: &TlsClient) -> Control {
        Control { wire, tls: tls.clone(), replies: 0, received: Vec::new(), transcript: Vec::new() }
    }

    /// Greeted and under TLS, not logged in yet.
    pub fn greeted(server: &Server, mode: Mode, tls: &TlsClient) -> Control {
        let mut control = Control::connect(server.address(mode), tls);
        if mode == Mode::Implicit {
            control.secure();
            control.wait_for(220);
        } else {
            control.wait_for(220);
            control.expect("AUTH TLS", 234);
            control.secure();
        }
        control
    }

    /// A session of that user with `PROT P` in force.
    pub fn session(server: &Server, mode: Mode, tls: &TlsClient, user: &str) -> Control {
        let mut control = Control::greeted(server, mode, tls);
        control.login(user);
        control.expect("PBSZ 0", 200);
        control.expect("PROT P", 200);
        control.expect("TYPE I", 200);
        control
    }

    /// A session of the default user over explicit TLS 1.3 with a session store of its own.
    pub fn open(server: &Server) -> Control {
        Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), USER)
    }

    /// A session of the default user without any TLS.
    pub fn clear(server: &Server) -> Control {
        let mut control = Control::connect(server.explicit, &TlsClient::new(Tls::V13));
        control.wait_for(220);
        control
    }

    /// The TLS handshake.
    pub fn secure(&mut self) {
        assert!(self.received.is_empty(), "bytes before the handshake: {:?}", self.received);
        let tls = self.tls.clone();
        self.wire.secure(&tls).unwrap_or_else(|why| panic!("handshake: {why}; {self}"));
    }

    /// USER and PASS.
    pub fn login(&mut self, user: &str) {
        self.expect(&format!("USER {user}"), 331);
        self.expect(&format!("PASS {}", password(user)), 230);
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.transcript.push(format!("> {}", String::from_utf8_lossy(bytes).trim_end()));
        self.wire.send(bytes).unwrap_or_else(|why| panic!("sending: {why}; {self}"));
    }

    /// Sends one command.
    pub fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// Sends one command and reads its reply.
    pub fn cmd(&mut self, line: &str) -> Reply {
        self.say(line);
        self.reply()
    }

    /// Sends one command and insists on the reply's code.
    pub fn expect(&mut self, line: &str, code: u16) -> Reply {
        self.say(line);
        self.wait_for(code)
    }

    /// Reads one reply and insists on its code.
    pub fn wait_for(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{self}");
        reply
    }

    /// Reads one reply.
    pub fn reply(&mut self) -> Reply {
        self.reply_or_end()
            .unwrap_or_else(|end| panic!("the server ended ({end:?}) instead of a reply; {self}"))
    }

    /// Reads one reply, or how the server ended the connection instead.
    pub fn reply_or_end(&mut self) -> Result<Reply, End> {
        let mut lines = vec![self.line()?];
        let code = lines[0].get(..3).and_then(|digits| digits.parse().ok());
        let code: u16 = code.unwrap_or_else(|| panic!("no reply code; {self}"));
        let last = format!("{code} ");
        while !lines.last().unwrap().starts_with(&last) {
            lines.push(self.line()?);
        }
        self.replies += 1;
        Ok(Reply { code, lines })
    }

    fn line(&mut self) -> Result<String, End> {
        loop {
            if let Some(at) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=at).collect();
                let text = String::from_utf8(line).unwrap_or_else(|why| panic!("not UTF-8: {why}"));
                let text =
                    text.strip_suffix("\r\n").unwrap_or_else(|| panic!("bare LF in {text:?}")).to_owned();
                self.transcript.push(format!("< {text}"));
                return Ok(text);
            }
            let mut buffer = [0; 4096];
            let count = self.wire.read(&mut buffer)?;
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    /// Reads replies until the server ends the connection; all of them and how it ended.
    pub fn replies_to_end(&mut self) -> (Vec<Reply>, End) {
        let mut replies = Vec::new();
        loop {
            match self.reply_or_end() {
                Ok(reply) => replies.push(reply),
                Err(end) => return (replies, end),
            }
        }
    }

    /// Asks for a passive port (EPSV) and says where it is.
    pub fn passive(&mut self) -> SocketAddr {
        let reply = self.expect("EPSV", 229);
        let text = reply.to_string();
        let port = text.split("(|||").nth(1).and_then(|rest| rest.split('|').next());
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no port in {text}"));
        SocketAddr::new(self.wire.socket().peer_addr().unwrap().ip(), port)
    }

    /// Connects to a new passive port.
    pub fn data(&mut self) -> Wire {
        let at = self.passive();
        Wire::connect(at)
    }

    /// Listens in active mode (EPRT) at that address of this machine.
    pub fn active(&mut self, ip: IpAddr) -> TcpListener {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let family = if ip.is_ipv4() { 1 } else { 2 };
        self.expect(&format!("EPRT |{family}|{ip}|{port}|"), 200);
        listener
    }

    /// Begins a transfer on a passive data connection under TLS: everything up to the first byte.
    pub fn begin(&mut self, command: &str) -> Wire {
        let mut data = self.data();
        self.expect(command, 150);
        data.secure(&self.tls).unwrap_or_else(|why| panic!("data handshake: {why}; {self}"));
        data
    }

    /// Uploads under TLS and insists on success.
    pub fn upload(&mut self, path: &str, bytes: &[u8]) {
        let reply = self.try_store(&format!("STOR {path}"), bytes);
        assert_eq!(reply.code, 226, "{self}");
    }

    /// Sends bytes for `command`, ends the data connection well, and returns the reply, whatever it is.
    pub fn try_store(&mut self, command: &str, bytes: &[u8]) -> Reply {
        let mut data = self.data();
        let reply = self.cmd(command);
        if reply.code != 150 {
            return reply;
        }
        // A server that refuses the data connection ends it; the reply says why.
        let tls = self.tls.clone();
        let sent: io::Result<()> = data.secure(&tls).and_then(|_| data.send(bytes)).and_then(|()| {
            data.finish()?;
            Ok(())
        });
        let reply = self.reply();
        assert!(reply.code != 226 || sent.is_ok(), "226 although sending failed: {sent:?}");
        reply
    }

    /// Downloads under TLS and insists on a clean end.
    pub fn download(&mut self, path: &str) -> Vec<u8> {
        self.fetch(&format!("RETR {path}"))
    }

    /// What a listing command says.
    pub fn listing(&mut self, command: &str) -> String {
        String::from_utf8_lossy(&self.fetch(command)).into_owned()
    }

    /// Receives the bytes of `command` under TLS and insists on a clean end.
    pub fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.begin(command);
        let (bytes, end) = data.read_to_end();
        assert_eq!(end, End::Clean, "{self}");
        drop(data.finish());
        self.wait_for(226);
        bytes
    }
}

impl fmt::Display for Control {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "the dialogue so far:\n{}", self.transcript.join("\n"))
    }
}
