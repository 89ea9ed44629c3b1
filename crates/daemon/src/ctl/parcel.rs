//! How do listening sockets get from one process to the next?
//!
//! ```text
//!  the new one                                 the old one
//!  {"command":"take-over"}           ─►
//!                                    ◄─        {"handed-over":{…}} and the descriptors (SCM_RIGHTS, unix(7))
//!  starts; a failure closes the connection, and the old one goes on
//!  {"command":"ready","process":4712} ─►       accepts no more, drains
//!                                              (with "data_port":true where the new one serves that)
//!                                    ◄─        {"draining":{…}}; the connection ends with its process
//! ```

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use super::protocol::{Answer, HandedOver, Place};
use crate::config::Mode;
use crate::packets;

/// Bytes that are read at once.
const PIECE: usize = 4096;

/// What goes over: sockets with the places that the configuration has for them, the lock of the state folder, the control socket.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) sockets: Vec<(TcpListener, SocketAddr, Option<Mode>)>,
    pub(crate) lock: OwnedFd,
    pub(crate) control: UnixListener,
    /// The number of the shared data port, and by what its connections are offered.
    pub(crate) strays: Option<(u16, OwnedFd)>,
}

impl Parcel {
    /// Sends it, in one message.
    pub(super) fn send(self, to: impl AsFd) -> io::Result<()> {
        let place = |(_, address, mode): &(TcpListener, SocketAddr, Option<Mode>)| Place {
            address: *address,
            mode: mode.map(|mode| mode.to_string()),
        };
        let answer = Answer::HandedOver(HandedOver {
            sockets: self.sockets.iter().map(place).collect(),
            data_port: self.strays.as_ref().map(|(number, _)| *number),
        });
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        let sockets = self.sockets.iter().map(|(socket, ..)| socket.as_fd());
        let strays = self.strays.iter().map(|(_, socket)| socket.as_fd());
        let fds: Vec<_> = sockets.chain([self.lock.as_fd(), self.control.as_fd()]).chain(strays).collect();
        packets::send(to, &line, &fds)
    }

    /// Receives one, or the refusal.
    pub(super) fn receive(from: impl AsFd) -> io::Result<Result<Self, String>> {
        let (mut line, mut fds) = (Vec::new(), Vec::new());
        while !line.ends_with(b"\n") {
            let piece = packets::receive(&from, PIECE)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            line.extend(piece.bytes);
            fds.extend(piece.fds);
        }
        match serde_json::from_slice(&line)? {
            Answer::HandedOver(handed) => Self::of(handed, fds).map(Ok),
            Answer::Refused(refusal) => Ok(Err(refusal.why)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn of(handed: HandedOver, mut fds: Vec<OwnedFd>) -> io::Result<Self> {
        let HandedOver { sockets: places, data_port } = handed;
        if fds.len() != places.len() + 2 + usize::from(data_port.is_some()) {
            return Err(io::Error::other(
                "some of the sockets were lost on the way; raise the limit on open files",
            ));
        }
        let strays = data_port.and_then(|number| Some((number, fds.pop()?)));
        let (Some(control), Some(lock)) = (fds.pop(), fds.pop()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let sockets = places.into_iter().zip(fds).map(|(Place { address, mode }, fd)| {
            let mode = mode.and_then(|mode| mode.parse().ok());
            (TcpListener::from(fd), address, mode)
        });
        Ok(Self { sockets: sockets.collect(), lock, control: control.into(), strays })
    }
}
