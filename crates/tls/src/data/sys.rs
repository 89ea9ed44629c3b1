//! What no safe crate offers: two system calls, and a socket that the event loop knows for a while.
#![allow(unsafe_code)]

use std::{
    io,
    net::TcpStream,
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
};

use tokio::io::unix::AsyncFd;

/// Bytes in the socket's send queue that were not acknowledged (tcp(7), `SIOCOUTQ`); 0 where the system does not say.
pub(super) fn unacknowledged(socket: &impl AsFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as the socket is borrowed, and SIOCOUTQ (which Linux numbers as TIOCOUTQ)
    // writes one int to the address that it is given.
    let status = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Has poll(2) call the socket readable from so many bytes on, or at the peer's end (socket(7), `SO_RCVLOWAT`). Where the
/// system refuses, only speed is lost.
pub(super) fn set_receive_low_water(socket: &impl AsFd, bytes: usize) {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(1);
    // SAFETY: the descriptor is open for as long as the socket is borrowed; the option's value is one int, which is read from
    // the address of one that outlives the call.
    unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

/// Tells the event loop of the socket, until the value is dropped.
///
/// # Errors
/// When the event loop cannot take one more.
pub(super) fn register(socket: Arc<TcpStream>) -> io::Result<AsyncFd<Arc<TcpStream>>> {
    // SAFETY: the socket's descriptor is the same for as long as the socket lives, and the value holds the socket alive and
    // takes it out of the event loop before it lets go of it.
    Ok(unsafe { AsyncFd::register(socket) }?)
}
