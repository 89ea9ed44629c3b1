//! How does a new process take the place of a server that runs?

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::parcel::Parcel;
use super::protocol::{Answer, Request};
use super::socket::short;
use crate::run::Handed;

/// Why the place of a server was not taken. It goes on as if nothing had been.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// None runs there, or not for us.
    #[error(
        "no server answers at {socket}: {source}\n  mend: name the `ctl.sock` in the state folder of the server that runs, or start without --take-over"
    )]
    NotThere {
        /// Where it was looked for.
        socket: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server does not hand over.
    #[error("the server that runs keeps its place: {0}")]
    Refused(String),
    /// It went away, or spoke in an unexpected way.
    #[error("taking over failed: {0}")]
    Failed(#[from] io::Error),
}

/// The server whose place is taken.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
    control: UnixListener,
    /// The number of its shared data port, and by what connections are offered to it.
    strays: Option<(u16, OwnedFd)>,
}

/// A server whose place is taken, on its way to its end.
#[derive(Debug)]
pub(crate) struct Leaving(BufReader<UnixStream>);

/// What it has handed over.
#[derive(Debug)]
pub struct TakenOver {
    /// Its listening sockets.
    pub handed: Handed,
    /// The lock of its state folder.
    pub lock: OwnedFd,
    /// Itself.
    pub predecessor: Predecessor,
}

impl Predecessor {
    /// Asks the server at this control socket for what it has. It serves on meanwhile, and for good where this value is dropped before it was
    /// told that another is ready.
    ///
    /// # Errors
    /// It is not there, or does not hand over.
    pub fn ask(socket: &Path) -> Result<TakenOver, TakeOverError> {
        let not_there = |source| TakeOverError::NotThere { socket: socket.display().to_string(), source };
        let (address, _held) = short(socket).map_err(not_there)?;
        let mut stream = UnixStream::connect(address).map_err(not_there)?;
        say(&mut stream, &Request::TakeOver {})?;
        let Parcel { sockets, lock, control, strays } =
            Parcel::receive(&stream)?.map_err(TakeOverError::Refused)?;
        let mut handed = Handed::default();
        for (socket, address, mode) in sockets {
            handed.add(socket, address, mode);
        }
        Ok(TakenOver { handed, lock, predecessor: Predecessor { stream, control, strays } })
    }

    /// The control socket, which both processes have.
    pub(crate) fn control(&self) -> io::Result<UnixListener> {
        self.control.try_clone()
    }

    /// By what connections at the shared data port of this number are offered to it, where it has that port.
    pub(crate) fn strays(&mut self, number: u16) -> Option<OwnedFd> {
        self.strays.take_if(|(port, _)| *port == number).map(|(_, socket)| socket)
    }

    /// Tells it that its place is taken, with its shared data port or without. It accepts nobody any more then. For a thread that
    /// may wait.
    pub(crate) fn succeed(mut self, data_port: bool) -> io::Result<Leaving> {
        say(&mut self.stream, &Request::Ready { process: std::process::id(), data_port })?;
        let mut lines = BufReader::new(self.stream);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        match serde_json::from_str(&line)? {
            Answer::Draining(_) => Ok(Leaving(lines)),
            _ => Err(io::Error::other(line)),
        }
    }
}

impl Leaving {
    /// Waits for its end. For a thread that may wait.
    pub(crate) fn wait(mut self) -> io::Result<()> {
        // It says nothing more: its end is that of the connection.
        match self.0.read_line(&mut String::new()) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn say(stream: &mut UnixStream, request: &Request) -> io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)
}
