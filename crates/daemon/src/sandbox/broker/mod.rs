//! Who starts the operator's programs, where the server itself may start none?
//!
//! ```text
//!  server, in the sandbox                         broker, outside it: the same program, started before
//!  the list, once, before anything is served ──►  keeps it; nothing else is ever started
//!  which of the list, what it is told,        ──► program, in a process group of its own
//!  the ends of its pipes                          │
//!  life: closed ─────────────────────────────►    killed with all that it has started
//!        ◄──────────────── how it ended ──────────┘
//! ```
//!
//! The pipes lead from the server to the program: the broker sees nothing of what passes there. It ends with the server.

mod serve;
#[cfg(test)]
mod tests;
mod wire;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::refusals::Refused;
use crate::packets::{pair, polled};
pub use serve::run_if_called;
use wire::{Received, receive, send};

/// As what the broker is called. Who calls the program by this name otherwise has nothing of it.
const NAME: &str = "carrack-broker";

/// This program, also where its file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What the service manager has told the server alone (sd_watchdog_enabled(3), sd_listen_fds(3)).
const FOR_THE_SERVER: [&str; 4] = ["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// What is said where there is none.
const NO_BROKER: &str = "the process that starts programs has ended; start the server again";

/// What a program is for, by which goes what it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// A hook: variables about the event, and nothing else of any environment.
    Hook,
    /// `users.program`: nothing but its standard input.
    Users,
    /// `acme.dns_hook`: three arguments, and the environment that the server was started with.
    Dns,
    /// The next server, for `carrack ctl upgrade`: all that the server was started with. It outlives the broker.
    Successor,
}

/// A program that may be started, with its first arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) purpose: Purpose,
    pub(crate) words: Vec<OsString>,
}

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    /// One that may be started. Not behind `Whole`.
    Listed(Listed),
    /// The list is whole.
    Whole,
    /// Where refused system calls are told, with that descriptor. Once.
    Refusals,
    /// A program is to start, with its descriptors: life, then standard input and error, then standard output if it `answers`.
    Start(Start),
}

/// What a program is started with.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Start {
    /// Its place in the list.
    which: usize,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    answers: bool,
}

/// How it ended, on its own connection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ended {
    Well,
    /// With this status, in words.
    Badly(String),
    /// It was not started.
    NotStarted(String),
}

/// The programs that can be started. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    socket: OwnedFd,
    listed: Vec<Listed>,
    /// `None` where it is no process.
    process: Mutex<Option<Child>>,
}

/// One program of the list.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    link: Arc<Link>,
    which: usize,
}

/// A program that runs. It is killed, with what it has started, when this value goes, unless it is the next server.
#[derive(Debug)]
pub(crate) struct Running(UnixStream);

/// What the broker tells of itself.
pub(crate) enum Told {
    /// System calls were refused.
    Refused(Refused),
    /// It has ended, with this status where it is known.
    Lost(Option<String>),
}

impl Programs {
    /// Starts the broker. Call it while there is one thread, with all that the programs need: they get this process's rights, and none
    /// that it loses behind this.
    pub(super) fn start(listed: Vec<Listed>) -> io::Result<Self> {
        let (ours, theirs) = pair()?;
        let mut command = Command::new(THIS_PROGRAM);
        command.arg0(NAME).stdin(Stdio::from(theirs));
        FOR_THE_SERVER.iter().for_each(|name| {
            command.env_remove(name);
        });
        let process = command.spawn()?;
        Self::over(ours, listed, Some(process))
    }

    /// A broker that is a thread of this process.
    #[cfg(test)]
    pub(crate) fn in_this_process(listed: Vec<Listed>) -> Self {
        let (ours, theirs) = pair().unwrap();
        std::thread::spawn(move || serve::serve(theirs));
        Self::over(ours, listed, None).unwrap()
    }

    fn over(socket: OwnedFd, listed: Vec<Listed>, process: Option<Child>) -> io::Result<Self> {
        for one in &listed {
            send(&socket, &Said::Listed(one.clone()), &[])?;
        }
        send(&socket, &Said::Whole, &[])?;
        Ok(Self(Some(Arc::new(Link { socket, listed, process: Mutex::new(process) }))))
    }

    /// Has refused system calls told by the broker.
    pub(super) fn watch_refusals(&self, listener: &OwnedFd) -> io::Result<()> {
        let link = self.0.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        send(&link.socket, &Said::Refusals, &[listener.as_fd()])
    }

    /// Whether such a program was listed.
    pub(crate) fn knows(&self, purpose: Purpose, words: &[OsString]) -> bool {
        self.find(purpose, words).is_ok()
    }

    /// One of the list.
    ///
    /// # Errors
    /// A sentence: there is none like it.
    pub(crate) fn find(&self, purpose: Purpose, words: &[OsString]) -> Result<Program, String> {
        let link = self.0.as_ref().ok_or("nothing here starts programs")?;
        let is_it = |one: &Listed| one.purpose == purpose && one.words == words;
        let which = link.listed.iter().position(is_it).ok_or("it was not named when the server started")?;
        Ok(Program { link: Arc::clone(link), which })
    }

    /// The next server, where there can be one.
    pub(crate) fn successor(&self) -> Option<Program> {
        let link = self.0.as_ref()?;
        let which = link.listed.iter().position(|one| one.purpose == Purpose::Successor)?;
        Some(Program { link: Arc::clone(link), which })
    }

    /// Waits for what the broker tells next; for ever where there is none. Behind `Lost` there is nothing more.
    pub(crate) async fn told(&self) -> Told {
        let Some(link) = &self.0 else { return std::future::pending().await };
        let received = async {
            let socket = polled(link.socket.try_clone()?)?;
            socket.async_io(Interest::READABLE, || receive::<Refused>(&socket)).await
        };
        match received.await {
            Ok(Received::Message(refused, _)) => Told::Refused(refused),
            Ok(Received::End) | Err(_) => {
                let process = link.process.lock().ok().and_then(|mut process| process.take());
                let status = process.and_then(|mut process| process.try_wait().ok().flatten());
                Told::Lost(status.map(|status| status.to_string()))
            }
        }
    }
}

impl Program {
    /// Its first word.
    pub(crate) fn name(&self) -> String {
        let word = self.link.listed.get(self.which).and_then(|one| one.words.first());
        word.map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Starts it, with the ends of pipes that are to be its standard input, error and, where it answers, output. The next server takes
    /// none.
    pub(crate) async fn start(
        &self,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        answers: bool,
        pipes: &[OwnedFd],
    ) -> io::Result<Running> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs.into_std()?);
        let fds: Vec<_> = std::iter::once(&theirs).chain(pipes).map(AsFd::as_fd).collect();
        let said = Said::Start(Start { which: self.which, arguments, environment, answers });
        let socket = polled(self.link.socket.try_clone()?)?;
        match socket.async_io(Interest::WRITABLE, || send(&socket, &said, &fds)).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(io::Error::other(NO_BROKER)),
            sent => sent.map(|()| Running(ours)),
        }
    }
}

impl Running {
    /// Waits for its end: nothing where it ended well, else how. Cancellation safe only in that the program ends then.
    pub(crate) async fn wait(&mut self) -> Result<(), String> {
        let mut bytes = Vec::new();
        wire::read_answer(&mut self.0, &mut bytes).await.map_err(|error| error.to_string())?;
        match serde_json::from_slice(&bytes) {
            Ok(Ended::Well) => Ok(()),
            Ok(Ended::Badly(how) | Ended::NotStarted(how)) => Err(how),
            Err(_) => Err(NO_BROKER.to_owned()),
        }
    }

    /// Has it killed, which the next server is not by itself.
    pub(crate) fn kill(&self) {
        // Where it has ended meanwhile, there is nobody to end.
        let _ = self.0.try_write(serve::KILL);
    }
}
