//! Which system calls does rustix lack? One function each, with the argument why it is sound.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Starts writing a range of a file to the disk, without waiting for it (`sync_file_range(2)`). It promises nothing
/// about durability; it only leaves less to do for the `fsync` that does.
pub(super) fn start_write_back(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let (Ok(offset), Ok(length)) = (offset.try_into(), length.try_into()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // SAFETY: the call takes plain integers and touches no memory of ours; the descriptor is open for as long as
    // `file` is borrowed.
    let result =
        unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
