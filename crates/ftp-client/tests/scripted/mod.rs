//! A server that says and hears what a test wrote down, over real sockets on this machine.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use carrack_ftp_client::{
    Client, DataMode, DataProtection, Dialogue, Login, Pace, RemotePath, Security, Settings, Timeouts,
    Unwatched, Watch,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

/// What has come to nothing by then never will.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.unwrap()
}

/// For what is expected to be waited for in vain.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// Where clients come to.
pub(crate) struct Door {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Door {
    pub(crate) async fn open() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Door { listener, address }
    }

    /// What leads to this door, without TLS.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            security: Security::Plaintext,
            data_protection: DataProtection::Private,
            login: Login { user: "alice".to_owned(), password: Some("sesame".to_owned().into()) },
            data_mode: DataMode::Passive,
            timeouts: Timeouts { connect: LONG, handshake: LONG, reply: LONG, stall: LONG },
            dialogue: None,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(Arc::new(self.settings())).await.unwrap()
    }

    /// The next client's socket.
    pub(crate) async fn meet_socket(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next client.
    pub(crate) async fn meet(&self) -> Visitor {
        Visitor::over(self.meet_socket().await)
    }

    /// The next client, served up to its login, with these lines in FEAT; without any, FEAT is not known.
    pub(crate) async fn log_in(&self, features: &[&str]) -> Visitor {
        let mut visitor = self.meet().await;
        visitor.says("220 hi").await;
        visitor.log_in(features).await;
        visitor
    }
}

pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A client on its control connection.
pub(crate) struct Visitor {
    stream: BufReader<Box<dyn Wire>>,
}

impl Visitor {
    pub(crate) fn over(stream: impl Wire + 'static) -> Visitor {
        Visitor { stream: BufReader::new(Box::new(stream)) }
    }

    pub(crate) fn into_stream(self) -> Box<dyn Wire> {
        assert!(self.stream.buffer().is_empty());
        self.stream.into_inner()
    }

    /// Says lines, each ended as it should be, in one write.
    pub(crate) async fn says(&mut self, lines: &str) {
        let bytes = format!("{}\r\n", lines.replace('\n', "\r\n"));
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line; none at the client's end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line:?}")).to_owned()),
        }
    }

    pub(crate) async fn hears(&mut self, expected: &str) {
        assert_eq!(self.line().await.as_deref(), Some(expected));
    }

    /// The client closes, and says nothing before it.
    pub(crate) async fn leaves(&mut self) {
        assert_eq!(self.line().await, None);
    }

    pub(crate) async fn answers(&mut self, heard: &str, said: &str) {
        self.hears(heard).await;
        self.says(said).await;
    }

    /// From USER to PWD, without TLS.
    pub(crate) async fn log_in(&mut self, features: &[&str]) {
        self.answers("USER alice", "331 password?").await;
        self.answers("PASS sesame", "230 in").await;
        self.answer_setup(features).await;
    }

    pub(crate) async fn answer_setup(&mut self, features: &[&str]) {
        self.hears("FEAT").await;
        match features {
            [] => self.says("502 what?").await,
            lines => self.says(&format!("211-Features\n {}\n211 End", lines.join("\n "))).await,
        }
        self.answers("TYPE I", "200 binary").await;
        self.answers("PWD", "257 \"/home\" is it").await;
    }

    /// Answers EPSV; what is returned is where the client will come to.
    pub(crate) async fn passive(&mut self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.answers("EPSV", &format!("229 here (|||{port}|)")).await;
        listener
    }

    /// A passive data connection, and the 150 for this command.
    pub(crate) async fn transfer(&mut self, command: &str) -> TcpStream {
        let listener = self.passive().await;
        let (data, _) = listener.accept().await.unwrap();
        self.answers(command, "150 now").await;
        data
    }

    /// Sends these bytes, then FIN, for this command.
    pub(crate) async fn sends(&mut self, command: &str, bytes: &[u8]) {
        let mut data = self.transfer(command).await;
        data.write_all(bytes).await.unwrap();
        data.shutdown().await.unwrap();
        drain(&mut data).await;
    }

    /// What the client uploads with this command.
    pub(crate) async fn receives(&mut self, command: &str) -> Vec<u8> {
        let mut data = self.transfer(command).await;
        drain(&mut data).await
    }
}

/// Everything up to the end; what came, where it is no clean one.
pub(crate) async fn drain(data: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _any_end = data.read_to_end(&mut bytes).await;
    bytes
}

pub(crate) fn path(text: &str) -> RemotePath {
    RemotePath::parse(text.as_bytes()).unwrap()
}

pub(crate) fn unwatched() -> Arc<dyn Watch> {
    Arc::new(Unwatched)
}

/// Counts bytes, and says what it was told to say.
pub(crate) struct Counting {
    pub(crate) bytes: Mutex<Vec<u64>>,
    pub(crate) pace: fn(u64) -> Pace,
}

impl Counting {
    pub(crate) fn new(pace: fn(u64) -> Pace) -> Arc<Counting> {
        Arc::new(Counting { bytes: Mutex::default(), pace })
    }

    pub(crate) fn total(&self) -> u64 {
        self.bytes.lock().unwrap().iter().sum()
    }
}

impl Watch for Counting {
    fn moved(&self, bytes: u64) -> Pace {
        let mut all = self.bytes.lock().unwrap();
        all.push(bytes);
        (self.pace)(all.iter().sum())
    }
}

/// Keeps what passes.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub(crate) fn taken(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Dialogue for Notes {
    fn sent(&self, line: &str) {
        self.0.lock().unwrap().push(format!("> {line}"));
    }

    fn received(&self, line: &str) {
        self.0.lock().unwrap().push(format!("< {line}"));
    }

    fn tls(&self, text: &str) {
        self.0.lock().unwrap().push(format!("* {text}"));
    }
}
