//! How do server and broker speak: one message a packet, each of bounded length, with descriptors beside it (unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// The longest message: a program with its arguments, or the paths of an event.
const MESSAGE_BYTES: usize = 96 * 1024;

/// The longest that is said about an end.
const ANSWER_BYTES: u64 = 4096;

/// Descriptors beside one message: a program's life, and its three streams.
const MOST_DESCRIPTORS: usize = 4;

/// What came.
#[derive(Debug)]
pub(super) enum Received<T> {
    Message(T, Vec<OwnedFd>),
    /// The other side has ended.
    End,
}

/// A socket of whatever type, to be waited for.
pub(super) fn polled(socket: OwnedFd) -> io::Result<UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

/// Sends one message.
pub(super) fn send(to: impl AsFd, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MESSAGE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a program is told no more than {MESSAGE_BYTES} bytes, and this is {}", bytes.len()),
        ));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(to, &[IoSlice::new(&bytes)], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message. What is none of `T`, or longer than may be, is an error of the kind `InvalidData`.
pub(super) fn receive<T: DeserializeOwned>(from: impl AsFd) -> io::Result<Received<T>> {
    let mut bytes = vec![0; MESSAGE_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(Received::End);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let message = serde_json::from_slice(bytes.get(..received.bytes).unwrap_or_default());
    let message = message.map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Received::Message(message, fds))
}

/// Reads what a broker says about the end of a program.
pub(super) async fn read_answer(from: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    from.take(ANSWER_BYTES).read_to_end(bytes).await.map(drop)
}
