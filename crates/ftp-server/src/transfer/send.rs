//! Sending: a source's bytes to the client, and an end that no reset can cut short.

use std::io;
use std::time::{Duration, Instant};

use carrack_core::error::Error;
use carrack_core::event::Incomplete;
use carrack_tls::{DataStream, Interest};

use super::{Progress, Pump, STEP, Source};

/// How long a pump keeps its thread while the peer does not move: longer than a flowing line ever
/// pauses, short enough that a stalled one gives its thread back.
pub(super) const LINGER: Duration = Duration::from_millis(20);

/// How long a pump runs before others get their turn.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// `sendfile` per call: large enough that calls do not count.
const SENDFILE_STEP: usize = 1024 * 1024;

/// How long the client may take to close its side once it has everything: some wait for the `226`
/// before they do.
const LEAVING: Duration = Duration::from_secs(2);

/// The first bytes of a source, read where the file was opened, so that a small file needs no
/// second visit to the disk's threads.
pub(crate) struct Head {
    bytes: Vec<u8>,
    /// Whether these are all the bytes there are.
    whole: bool,
}

impl Head {
    /// Reads the first step of a source. Blocks on the disk.
    pub(crate) fn read(source: &mut dyn Source) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        source.fill(&mut bytes, STEP)?;
        let mut whole = bytes.is_empty();
        if bytes.len() < STEP && !whole {
            let before = bytes.len();
            source.fill(&mut bytes, STEP)?;
            whole = bytes.len() == before;
        }
        bytes.shrink_to_fit();
        Ok(Self { bytes, whole })
    }
}

/// Sends what a source makes.
pub(crate) struct SendPump {
    source: Box<dyn Source>,
    stream: DataStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that the stream has taken.
    taken: usize,
    moved: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The source has more.
    Filling,
    /// The last bytes are in the buffer.
    Last,
    /// All bytes are taken; the end is being written.
    Ending,
    /// The end is written; the peer's own end shows that it has read everything.
    Draining,
}

/// Why a step stopped before the end.
enum Stop {
    Blocked(Interest),
    Failed(Incomplete),
}

impl Stop {
    /// What an error of the socket means while waiting for `interest`.
    fn on(interest: Interest) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::WouldBlock => Self::Blocked(interest),
            _ => Self::Failed(Incomplete::ConnectionLost),
        }
    }
}

impl SendPump {
    /// Sends `head` and then what `source` makes.
    pub(crate) fn new(source: Box<dyn Source>, head: Head, stream: DataStream) -> Self {
        let stage = if head.whole { Stage::Last } else { Stage::Filling };
        Self { source, stream, buffer: head.bytes, taken: 0, moved: 0, stage }
    }

    /// The parts, to settle the file and the connection with.
    pub(crate) fn into_parts(self) -> (Box<dyn Source>, DataStream) {
        (self.source, self.stream)
    }

    /// Whether everything, the end included, is on its way: what is left is the peer's part.
    pub(crate) fn all_sent(&self) -> bool {
        self.stage == Stage::Draining
    }

    /// Moves one step.
    fn step(&mut self) -> Result<bool, Stop> {
        match self.stage {
            Stage::Filling => {
                if self.flush_buffer()? && !self.send_file_step()? {
                    self.source
                        .fill(&mut self.buffer, STEP)
                        .map_err(|error| Stop::Failed(Incomplete::Storage(error.kind())))?;
                    if self.buffer.is_empty() {
                        self.stage = Stage::Last;
                    }
                }
            }
            Stage::Last => {
                // The last bytes and close_notify leave in one segment where they fit.
                if self.flush_buffer()? {
                    self.stage = Stage::Ending;
                }
            }
            Stage::Ending => {
                self.stream.finish().map_err(Stop::on(Interest::Writable))?;
                self.buffer = Vec::new();
                self.stage = Stage::Draining;
            }
            Stage::Draining => return self.stream.drain().map_err(Stop::on(Interest::Readable)),
        }
        Ok(false)
    }

    /// Hands the buffer to the stream; true once all of it is taken.
    fn flush_buffer(&mut self) -> Result<bool, Stop> {
        if let Some(rest) = self.buffer.get(self.taken..).filter(|rest| !rest.is_empty()) {
            let written = match self.stage {
                Stage::Last => self.stream.write_last(rest),
                _ => self.stream.write(rest),
            };
            let taken = written.map_err(Stop::on(Interest::Writable))?;
            self.taken += taken;
            self.moved += taken as u64;
        }
        let all = self.taken == self.buffer.len();
        if all {
            self.buffer.clear();
            self.taken = 0;
        }
        Ok(all)
    }

    /// Lets the kernel send from the file where nothing is encrypted or converted; false where
    /// that cannot be, or the file is at its end.
    fn send_file_step(&mut self) -> Result<bool, Stop> {
        if self.stream.info().is_some() {
            return Ok(false);
        }
        let Some(file) = self.source.file() else { return Ok(false) };
        let left = file.remaining();
        let Some((handle, at)) = file.as_file() else { return Ok(false) };
        let sent = self
            .stream
            .send_file(handle, at, usize::try_from(left).unwrap_or(usize::MAX).min(SENDFILE_STEP))
            .map_err(Stop::on(Interest::Writable))?;
        file.advance(sent as u64);
        self.moved += sent as u64;
        Ok(sent > 0)
    }
}

impl Pump for SendPump {
    fn advance(&mut self) -> Result<Progress, Incomplete> {
        let started = Instant::now();
        // Where nothing can block on a disk this may run on an event thread, and must not wait.
        let linger = if self.may_block() { LINGER } else { Duration::ZERO };
        while started.elapsed() < SLICE {
            match self.step() {
                Ok(true) => return Ok(Progress::Done),
                Ok(false) => {}
                Err(Stop::Failed(why)) => return Err(why),
                Err(Stop::Blocked(interest)) => {
                    if linger.is_zero() || !self.stream.wait_ready(interest, Some(linger)).unwrap_or(true) {
                        self.stream.release_buffers();
                        return Ok(Progress::Waiting(interest));
                    }
                }
            }
        }
        Ok(Progress::More)
    }

    fn may_block(&self) -> bool {
        self.stage == Stage::Filling
    }

    fn stream(&self) -> &DataStream {
        &self.stream
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    fn patience(&self, stall: Duration) -> Duration {
        if self.all_sent() { stall.min(LEAVING) } else { stall }
    }
}
