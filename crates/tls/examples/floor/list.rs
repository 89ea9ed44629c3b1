//! A listing: what its names and facts ask at least, before a byte of it is made or sent.

use std::{fs::File, mem::MaybeUninit};

use rustix::fs::{AtFlags, RawDir, SeekFrom, StatxFlags, seek, statx};

use crate::{Arguments, Clock, Cost, folder::Folder, pin};

/// How often the folder is listed.
pub(crate) const TIMES: u32 = 100;

pub(crate) fn run(arguments: &Arguments) -> Cost {
    pin(0);
    let folder = Folder::make(&arguments.folder, false);
    for number in 0..arguments.files {
        folder.publish(&folder.begin(), &format!("file-{number}"));
    }
    let opened = folder.opened();
    let mut room = vec![MaybeUninit::uninit(); 32 * 1024];
    let clock = Clock::start();
    for _ in 0..TIMES {
        let found = list(opened, &mut room);
        assert_eq!(found, arguments.files);
    }
    clock.stop()
}

fn list(folder: &File, room: &mut [MaybeUninit<u8>]) -> u32 {
    seek(folder, SeekFrom::Start(0)).unwrap();
    let mut entries = RawDir::new(folder, room);
    let mut found = 0;
    while let Some(entry) = entries.next() {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let entry = entry.unwrap();
        let facts =
            statx(folder, entry.file_name(), flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME).unwrap();
        found += u32::from(u32::from(facts.stx_mode) & 0o170_000 == 0o100_000);
    }
    found
}
