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
}

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
        let Parcel { sockets, lock, control } = Parcel::receive(&stream)?.map_err(TakeOverError::Refused)?;
        let mut handed = Handed::default();
        for (socket, address, mode) in sockets {
            handed.add(socket, address, mode);
        }
        Ok(TakenOver { handed, lock, predecessor: Predecessor { stream, control } })
    }

    /// The control socket, which both processes have.
    pub(crate) fn control(&self) -> io::Result<UnixListener> {
        self.control.try_clone()
    }

    /// Tells it that its place is taken, and waits for its end. For a thread that may wait.
    pub(crate) fn succeed(mut self, told: impl FnOnce()) -> io::Result<()> {
        say(&mut self.stream, &Request::Ready { process: std::process::id() })?;
        let mut lines = BufReader::new(self.stream);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if !matches!(serde_json::from_str(&line)?, Answer::Draining(_)) {
            return Err(io::Error::other(line));
        }
        told();
        // It says nothing more: its end is that of the connection.
        match lines.read_line(&mut line) {
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
