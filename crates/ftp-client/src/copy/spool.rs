//! Where do things wait that are found faster than they are moved? In memory while they are few, else on the disk.
//!
//! A listing must be read as fast as it comes (a server ends one that stalls), and may have millions of entries. So
//! nobody waits to put something in here, and what does not fit in memory goes into a file without a name.
//!
//! ```text
//!   push ──► back (memory) ──full──► blocks (file) ──► front (memory) ──► pop
//! ```

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::task::Task;

/// Memory for each of the two ends: some thousand tasks.
const MEMORY_BYTES: usize = 512 * 1024;

/// Tasks, first in, first out.
#[derive(Debug)]
pub(super) struct Spool {
    /// Where the file is made, once there is need of one.
    folder: PathBuf,
    front: VecDeque<Task>,
    back: VecDeque<Task>,
    /// Memory that `back` takes.
    back_bytes: usize,
    file: Option<File>,
    /// What is in the file: where each block begins, and its bytes.
    blocks: VecDeque<(u64, usize)>,
    file_end: u64,
    length: u64,
}

impl Spool {
    /// An empty one that makes its file, should it need one, in `folder`.
    pub(super) fn new(folder: &Path) -> Spool {
        Spool {
            folder: folder.to_owned(),
            front: VecDeque::new(),
            back: VecDeque::new(),
            back_bytes: 0,
            file: None,
            blocks: VecDeque::new(),
            file_end: 0,
            length: 0,
        }
    }

    /// How many tasks wait.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Puts a task behind all others.
    pub(super) fn push(&mut self, task: Task) -> io::Result<()> {
        self.back_bytes += task.cost();
        self.back.push_back(task);
        self.length += 1;
        if self.back_bytes < MEMORY_BYTES {
            return Ok(());
        }
        self.back_bytes = 0;
        if self.front.is_empty() && self.blocks.is_empty() {
            std::mem::swap(&mut self.front, &mut self.back);
            return Ok(());
        }
        self.write_block()
    }

    /// Gives back a task that was taken and could not be done.
    pub(super) fn push_front(&mut self, task: Task) {
        self.front.push_front(task);
        self.length += 1;
    }

    /// Takes the task that has waited longest.
    pub(super) fn pop(&mut self) -> io::Result<Option<Task>> {
        if self.front.is_empty() {
            if let Some(block) = self.blocks.pop_front() {
                self.read_block(block)?;
            } else {
                std::mem::swap(&mut self.front, &mut self.back);
                self.back_bytes = 0;
            }
        }
        let task = self.front.pop_front();
        self.length -= u64::from(task.is_some());
        Ok(task)
    }

    fn write_block(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(MEMORY_BYTES);
        self.back.drain(..).for_each(|task| task.write(&mut bytes));
        let file = match self.file.take() {
            Some(file) => file,
            None => nameless(&self.folder)?,
        };
        file.write_all_at(&bytes, self.file_end)?;
        self.file = Some(file);
        self.blocks.push_back((self.file_end, bytes.len()));
        self.file_end += bytes.len() as u64;
        Ok(())
    }

    fn read_block(&mut self, (at, length): (u64, usize)) -> io::Result<()> {
        let mut bytes = vec![0; length];
        if let Some(file) = &self.file {
            file.read_exact_at(&mut bytes, at)?;
            if self.blocks.is_empty() {
                file.set_len(0)?;
                self.file_end = 0;
            }
        }
        let mut rest = bytes.as_slice();
        self.front.extend(std::iter::from_fn(|| Task::read(&mut rest)));
        Ok(())
    }
}

/// A file that nobody else sees and that is gone when it is closed.
fn nameless(folder: &Path) -> io::Result<File> {
    let (flags, mode) = (OFlags::RDWR | OFlags::CLOEXEC, Mode::from_raw_mode(0o600));
    match rustix::fs::openat(CWD, folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => return Ok(file.into()),
        // File systems and kernels that know no files without a name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let path = folder.join(format!(".spool-{}-{:016x}", std::process::id(), super::retries::random()));
    let file =
        rustix::fs::openat(CWD, &path, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)?;
    rustix::fs::unlinkat(CWD, &path, AtFlags::empty())?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::task::TaskKind;
    use crate::relative::Relative;

    fn task(number: u64) -> Task {
        let path = Relative::parse(format!("folder/{number:060}").as_bytes()).unwrap();
        Task { root: 0, path, kind: TaskKind::File, size: Some(number), modified: None }
    }

    fn pop(spool: &mut Spool) -> Option<u64> {
        spool.pop().unwrap().map(|popped| {
            assert_eq!(popped, task(popped.size.unwrap()));
            popped.size.unwrap()
        })
    }

    #[test]
    fn everything_comes_out_once_and_in_order_however_much_it_is() {
        let disk = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(disk.path());
        let (mut pushed, mut popped) = (0, 0);
        // Rounds that fill and empty it, with ends in memory and on the disk.
        for (push, pop_again) in
            [(3, 5), (20_000, 7_000), (30_000, 100), (1, 60_000), (10, 3), (9_000, 20_000)]
        {
            for _ in 0..push {
                spool.push(task(pushed)).unwrap();
                pushed += 1;
            }
            for _ in 0..pop_again {
                match pop(&mut spool) {
                    Some(number) => assert_eq!(number, popped),
                    None => break,
                }
                popped += 1;
            }
            assert_eq!(spool.length(), pushed - popped);
        }
        assert_eq!(popped, pushed);
        assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    }

    #[test]
    fn memory_is_bounded_and_the_file_is_emptied() {
        let disk = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(disk.path());
        for number in 0..50_000 {
            spool.push(task(number)).unwrap();
            if number % 1_000 == 0 {
                let held: usize = spool.front.iter().chain(&spool.back).map(Task::cost).sum();
                assert!(held <= 2 * MEMORY_BYTES + task(0).cost());
            }
        }
        assert!(spool.file_end > 0);
        while pop(&mut spool).is_some() {}
        assert_eq!(spool.file.as_ref().unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn what_is_given_back_comes_next() {
        let disk = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(disk.path());
        spool.push(task(1)).unwrap();
        spool.push(task(2)).unwrap();
        let first = spool.pop().unwrap().unwrap();
        spool.push_front(first);
        assert_eq!([pop(&mut spool), pop(&mut spool), pop(&mut spool)], [Some(1), Some(2), None]);
    }
}
