//! The one system call that no safe crate offers.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;

use tokio::net::TcpStream;

/// Bytes in the socket's send queue that were not acknowledged (tcp(7), `SIOCOUTQ`); 0 where the system does not say.
pub(super) fn unacknowledged(socket: &TcpStream) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as the socket is borrowed, and SIOCOUTQ (which Linux numbers as TIOCOUTQ)
    // writes one int to the address that it is given.
    let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}
