//! Which system calls does no crate make for us? One function each, with the argument why it is sound.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{seccomp_notif, seccomp_notif_resp, sock_filter, sock_fprog};
use rustix::event::{PollFd, PollFlags, poll};

/// Puts a seccomp filter on this thread, and gives the descriptor by which its `SECCOMP_RET_USER_NOTIF` are answered (seccomp(2),
/// seccomp_unotify(2)). The thread may gain no new privileges already.
pub(super) fn filter_with_listener(filter: &[sock_filter]) -> io::Result<OwnedFd> {
    let len = filter.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from `filter`, which is borrowed for as long as the call lasts, and writes nothing.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor for us, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for a call that the filter refuses.
pub(super) fn next_call(listener: &OwnedFd) -> io::Result<seccomp_notif> {
    // SAFETY: it consists of integers, for which zeros are right, and which the kernel demands.
    let mut asked: seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `seccomp_notif`, for which there is room, and which is borrowed for as long as the call lasts.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) };
    if result == 0 { Ok(asked) } else { Err(io::Error::last_os_error()) }
}

/// Refuses it, with this error.
pub(super) fn refuse(listener: &OwnedFd, id: u64, errno: i32) -> io::Result<()> {
    let mut answer = seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 };
    // SAFETY: the kernel reads one `seccomp_notif_resp`, which is borrowed for as long as the call lasts.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether any thread still has the filter.
pub(super) fn is_watched(listener: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(listener, PollFlags::IN)];
    let zero = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&zero)).is_ok() && !asked.iter().any(|one| one.revents().contains(PollFlags::HUP))
}

/// Makes a call by its number, with -1 for each argument, and says how it failed; 0 where it did not.
#[cfg(test)]
pub(super) fn attempt(call: libc::c_long) -> i32 {
    // SAFETY: of the calls that the tests try, -1 names no memory, no descriptor, no process and no request; they fail.
    let result = unsafe { libc::syscall(call, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64) };
    if result == -1 { io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}
