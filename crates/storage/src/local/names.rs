//! Which names stand in a folder? Read from the kernel many at a time, into the same room again and again.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::RawDir;
use rustix::io::{Errno, Result};

/// How much the kernel is asked for at once: about a thousand names.
const ROOM: usize = 32 * 1024;

/// The names that were read and not yet handed out, each ended by a NUL.
#[derive(Default)]
pub(super) struct Names {
    read: Vec<u8>,
    /// Where the next one begins.
    next: usize,
    room: Vec<MaybeUninit<u8>>,
}

impl Names {
    /// The next name in `folder`, which has to be the same one each time, `.` and `..` among them; `None` behind the last.
    pub(super) fn next(&mut self, folder: BorrowedFd<'_>) -> Option<Result<&CStr>> {
        if self.next == self.read.len()
            && let Err(errno) = self.read_more(folder)
        {
            // A folder that was removed while it was read has no more names.
            return (errno != Errno::NOENT).then_some(Err(errno));
        }
        let name = self.read.get(self.next..).and_then(|rest| CStr::from_bytes_until_nul(rest).ok())?;
        self.next += name.count_bytes() + 1;
        Some(Ok(name))
    }

    fn read_more(&mut self, folder: BorrowedFd<'_>) -> Result<()> {
        self.read.clear();
        self.next = 0;
        self.room.resize(ROOM, MaybeUninit::uninit());
        let mut entries = RawDir::new(folder, &mut self.room);
        while let Some(entry) = entries.next() {
            self.read.extend_from_slice(entry?.file_name().to_bytes_with_nul());
            if entries.is_buffer_empty() {
                break;
            }
        }
        Ok(())
    }
}
