//! A local file's bytes into an upload, the last of them together with TLS's close_notify.

use std::fs::File;
use std::io;

use carrack_tls::{DataStream, Interest};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::drive::{Pump, Step};
use super::file::Held;
use super::{End, data_failed};

/// Bytes read and sealed per step: four full TLS records, sent in one system call. Measured, larger steps fall out of the
/// processor's cache between sealing and sending, and smaller ones cost a call per record.
const STEP: usize = 64 * 1024;

/// Bytes the kernel sends by itself per step: large enough that calls do not count, as small as a
/// [`Watch`](crate::Watch) is told of.
const BY_KERNEL: usize = 256 * 1024;

/// Sends a file to its end.
pub(crate) struct Sender<'f> {
    stream: DataStream,
    file: Held<'f>,
    at: u64,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that the stream has taken.
    taken: usize,
    moved: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The kernel sends from the file: a clear connection.
    ByKernel,
    /// The file has more.
    Filling,
    /// Its last bytes are in the buffer.
    Last,
    /// All are taken; the end is being sent.
    Ending,
}

impl<'f> Sender<'f> {
    /// Sends `file` from byte `at` on.
    pub(crate) fn new(stream: DataStream, file: &'f File, at: u64) -> Sender<'f> {
        let stage = if stream.info().is_none() { Stage::ByKernel } else { Stage::Filling };
        Sender { stream, file: Held::Lent(file), at, buffer: Vec::new(), taken: 0, moved: 0, stage }
    }

    fn send_by_kernel(&mut self) -> Step {
        match self.stream.send_file(self.file.file(), self.at, BY_KERNEL) {
            Ok(0) => {
                self.stage = Stage::Ending;
                Step::Moved(0)
            }
            Ok(sent) => {
                self.at += sent as u64;
                self.moved += sent as u64;
                Step::Moved(sent as u64)
            }
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::AGAIN) => Step::Blocked,
                // This file system cannot; reading and writing can.
                Some(Errno::INVAL | Errno::NOSYS) => {
                    self.stage = Stage::Filling;
                    Step::Moved(0)
                }
                Some(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN | Errno::TIMEDOUT) => broken(error),
                _ => Step::Local(error),
            },
        }
    }

    /// Reads the next bytes. Fewer than there is room for are the last.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.taken = 0;
        self.buffer.reserve_exact(STEP);
        while self.buffer.len() < STEP {
            let at = self.at + self.buffer.len() as u64;
            let file = self.file.file();
            let read =
                rustix::io::retry_on_intr(|| rustix::io::pread(file, spare_capacity(&mut self.buffer), at))?;
            // At its end a file brings fewer bytes than were asked for, so a small one is read in one call.
            if self.buffer.len() < STEP || read == 0 {
                self.stage = Stage::Last;
                break;
            }
        }
        self.at += self.buffer.len() as u64;
        Ok(())
    }

    fn send_buffer(&mut self) -> Step {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let taken = match self.stage {
            Stage::Last => self.stream.write_last(rest),
            _ => self.stream.write(rest),
        };
        match taken {
            Ok(taken) => {
                self.taken += taken;
                self.moved += taken as u64;
                if self.stage == Stage::Last && self.taken == self.buffer.len() {
                    self.stage = Stage::Ending;
                }
                Step::Moved(taken as u64)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Blocked,
            Err(error) => broken(error),
        }
    }

    fn end(&mut self) -> Step {
        match self.stream.finish() {
            Ok(()) => Step::Ended(End::Whole),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Blocked,
            Err(error) => broken(error),
        }
    }
}

fn broken(error: io::Error) -> Step {
    Step::Ended(End::Broken(data_failed(error)))
}

impl Pump for Sender<'_> {
    type Owned = Sender<'static>;

    const INTEREST: Interest = Interest::Writable;

    fn step(&mut self) -> Step {
        match self.stage {
            Stage::ByKernel => self.send_by_kernel(),
            Stage::Filling if self.taken == self.buffer.len() => match self.fill() {
                Ok(()) => self.send_buffer(),
                Err(error) => Step::Local(error),
            },
            Stage::Filling | Stage::Last => self.send_buffer(),
            Stage::Ending => self.end(),
        }
    }

    fn stream(&mut self) -> &mut DataStream {
        &mut self.stream
    }

    fn into_owned(self) -> io::Result<Sender<'static>> {
        let Sender { stream, file, at, buffer, taken, moved, stage } = self;
        Ok(Sender { stream, file: file.into_owned()?, at, buffer, taken, moved, stage })
    }

    fn into_parts(self) -> (DataStream, u64) {
        (self.stream, self.moved)
    }
}
