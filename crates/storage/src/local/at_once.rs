//! May an event thread open a file here? On file systems of this machine, unless they have made one wait.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fstatfs};

use super::Shared;
use super::read::{LocalRead, open_regular};
use carrack_core::path::VirtualPath;

/// File systems whose files lie on this machine's own disks, by the number that statfs(2) tells: what the kernel has in
/// memory of them is opened without asking anybody. Others (NFS, CIFS, FUSE …) may ask another machine or program.
const OWN: [u64; 6] = [EXT, XFS, BTRFS, F2FS, OVERLAY, TMPFS];
const EXT: u64 = 0xef53;
const XFS: u64 = 0x5846_5342;
const BTRFS: u64 = 0x9123_683e;
const F2FS: u64 = 0xf2f5_2010;
const OVERLAY: u64 = 0x794c_7630;
const TMPFS: u64 = 0x0102_1994;

/// An opening takes some microseconds. One that takes longer than this has waited, for instance for a program that looks
/// into each file first (fanotify(7)).
const LONG: Duration = Duration::from_millis(100);

/// How often that may happen: a machine out of breath is late as well.
const OFTEN: u32 = 3;

/// Whether files may be opened on event threads.
pub(super) struct AtOnce {
    file_system: u64,
    waits: AtomicU32,
}

impl AtOnce {
    pub(super) fn beneath(dir: &OwnedFd) -> AtOnce {
        // Where nothing is known of it, it is none of those above.
        let file_system = fstatfs(dir).map_or(0, |found| found.f_type as u64 & u64::from(u32::MAX));
        AtOnce { file_system, waits: AtomicU32::new(0) }
    }

    /// Whether the bytes of files are always in memory, or in the swap space at the worst.
    pub(super) fn is_in_memory(&self) -> bool {
        self.file_system == TMPFS
    }

    fn allows(&self) -> bool {
        OWN.contains(&self.file_system) && self.waits.load(Ordering::Relaxed) < OFTEN
    }
}

impl Shared {
    pub(super) fn open_at_once(&self, path: &VirtualPath) -> Option<LocalRead> {
        if !self.at_once.allows() {
            return None;
        }
        let begun = Instant::now();
        let opened = self.open_known(path);
        if begun.elapsed() > LONG {
            self.at_once.waits.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }

    fn open_known(&self, path: &VirtualPath) -> Option<LocalRead> {
        let handle = self.root.handle_at_once(path)?;
        // Whoever has a lease on the file is not waited for.
        let (file, found) = open_regular(&handle, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
        Some(self.reading(file, found.stx_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_made_event_threads_wait_is_not_asked_again() {
        let at_once = AtOnce { file_system: EXT, waits: AtomicU32::new(0) };
        assert!(at_once.allows());
        at_once.waits.store(OFTEN, Ordering::Relaxed);
        assert!(!at_once.allows());
        let nfs = AtOnce { file_system: 0x6969, waits: AtomicU32::new(0) };
        assert!(!nfs.allows());
    }
}
