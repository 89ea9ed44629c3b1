//! How do server and broker speak: one message a packet, each of bounded length.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::packets::{self, Packet};

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

/// Sends one message.
pub(super) fn send(to: impl AsFd, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MESSAGE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a program is told no more than {MESSAGE_BYTES} bytes, and this is {}", bytes.len()),
        ));
    }
    packets::send(to, &bytes, fds)
}

/// Receives one message. What is none of `T`, or longer than may be, or has more beside it, is an error of the kind `InvalidData`.
pub(super) fn receive<T: DeserializeOwned>(from: impl AsFd) -> io::Result<Received<T>> {
    let Some(Packet { bytes, fds, is_cut }) = packets::receive(from, MESSAGE_BYTES)? else {
        return Ok(Received::End);
    };
    match serde_json::from_slice(&bytes) {
        Ok(message) if !is_cut && fds.len() <= MOST_DESCRIPTORS => Ok(Received::Message(message, fds)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads what a broker says about the end of a program.
pub(super) async fn read_answer(from: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    from.take(ANSWER_BYTES).read_to_end(bytes).await.map(drop)
}
