//! Sending: a source's bytes to the client, and an end that no reset can cut short.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_core::error::{Error, ErrorKind};
use carrack_core::event::Incomplete;
use carrack_core::limits::{Pace, Turn};
use carrack_tls::{DataStream, Drained, FirstData, Interest, WornOut};
use rustix::io::Errno;

use super::{Progress, Pump, Source};

/// Bytes sent per step: four full TLS records, sealed and sent in one system call. Measured, larger
/// steps fall out of the processor's cache between sealing and sending, and smaller ones cost a call
/// per record.
pub(crate) const SEND_STEP: usize = 64 * 1024;

/// `sendfile` per call: large enough that calls do not count.
const SENDFILE_STEP: usize = 1024 * 1024;

/// How long the client may take to close its side once it has everything: some wait for the `226`
/// before they do.
const LEAVING: Duration = Duration::from_secs(2);

/// How often it is looked at what the client's system has acknowledged: that wakes nobody.
const ACKNOWLEDGED: Duration = Duration::from_millis(500);

/// What may be unacknowledged when a client resets the connection after the end was sent, without
/// that being a broken transfer: a client that knew the length has read it all and closes with our
/// close_notify unread, before its system has acknowledged the last segments.
const LAST_SEGMENTS: usize = 64 * 1024;

/// The first bytes of a source, read where the file was opened, so that a small file needs no
/// second visit to the disk's threads.
pub(crate) struct Head {
    bytes: Arc<Vec<u8>>,
    /// Whether these are all the bytes there are.
    whole: bool,
}

impl Head {
    /// Reads the first step of a source. Blocks on the disk.
    pub(crate) fn read(source: &mut dyn Source) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        source.fill(&mut bytes, SEND_STEP)?;
        let mut whole = bytes.is_empty();
        if bytes.len() < SEND_STEP && !whole {
            let before = bytes.len();
            source.fill(&mut bytes, SEND_STEP)?;
            whole = bytes.len() == before;
        }
        bytes.shrink_to_fit();
        Ok(Self { bytes: Arc::new(bytes), whole })
    }

    /// All of a file that was read at once; see [`SEND_STEP`] for how much that may be.
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(bytes), whole: true }
    }

    /// For a handshake that may send them.
    pub(crate) fn first_data(&self) -> FirstData {
        FirstData { bytes: Arc::clone(&self.bytes), is_all: self.whole }
    }
}

/// Sends what a source makes.
pub(crate) struct SendPump {
    source: Box<dyn Source>,
    stream: DataStream,
    /// How fast it may go, where something can limit that.
    pace: Option<Pace>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are to be sent, and how many of these the stream has taken.
    filled: usize,
    taken: usize,
    moved: u64,
    /// Bytes that were acknowledged after the end was sent.
    acknowledged: u64,
    /// Bytes on their way that the client's system has not acknowledged, when last looked.
    unacknowledged: usize,
    /// Whether the kernel may send from the file by itself.
    by_kernel: bool,
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

/// Why a step stopped short.
enum Stop {
    Blocked(Interest),
    Paced(Instant),
    Failed(Incomplete),
}

impl Stop {
    /// What an error of the socket means while waiting for `interest`.
    fn on(interest: Interest) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::WouldBlock => Self::Blocked(interest),
            _ if WornOut::is_in(&error) => Self::Failed(Incomplete::WornOut),
            _ => Self::Failed(Incomplete::ConnectionLost),
        }
    }
}

impl SendPump {
    /// Sends `head`, unless the handshake has, and then what `source` makes.
    pub(crate) fn new(source: Box<dyn Source>, pace: Option<Pace>, head: Head, stream: DataStream) -> Self {
        let by_kernel = stream.info().is_none() && pace.is_none();
        let stage = if head.whole { Stage::Last } else { Stage::Filling };
        let (buffer, moved) = match stream.has_sent_first() {
            true => (Vec::new(), head.bytes.len() as u64),
            false => (Arc::unwrap_or_clone(head.bytes), 0),
        };
        Self {
            source,
            stream,
            pace,
            filled: buffer.len(),
            buffer,
            taken: 0,
            moved,
            acknowledged: 0,
            unacknowledged: 0,
            by_kernel,
            stage,
        }
    }

    /// The parts, to settle the file and the connection with.
    pub(crate) fn into_parts(self) -> (Box<dyn Source>, DataStream) {
        (self.source, self.stream)
    }

    /// Whether the client's system has everything, the end included: what is left is the client's
    /// own part, which it may leave out.
    pub(crate) fn delivered(&self) -> bool {
        self.stage == Stage::Draining && self.unacknowledged == 0
    }

    fn advance(&mut self) -> Result<Progress, Stop> {
        match self.stage {
            Stage::Filling => {
                if self.flush_buffer()? && !self.send_file_step()? {
                    self.fill_buffer().map_err(|error| failed(error.kind()))?;
                    if self.filled == 0 {
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
                (self.buffer, self.filled) = (Vec::new(), 0);
                self.stage = Stage::Draining;
            }
            Stage::Draining => return self.drain(),
        }
        Ok(Progress::More)
    }

    /// Waits for the client's end.
    fn drain(&mut self) -> Result<Progress, Stop> {
        let before = self.unacknowledged;
        self.unacknowledged = self.stream.unacknowledged();
        // Acknowledged bytes are progress: a slow line empties our buffer for longer than any patience.
        self.acknowledged += before.saturating_sub(self.unacknowledged) as u64;
        match self.stream.drain().map_err(Stop::on(Interest::Readable))? {
            Drained::Ended => Ok(Progress::Done),
            Drained::More => Ok(Progress::More),
            Drained::Lost if self.unacknowledged <= LAST_SEGMENTS => Ok(Progress::Done),
            Drained::Lost => Err(Stop::Failed(Incomplete::ConnectionLost)),
        }
    }

    fn fill_buffer(&mut self) -> Result<(), Error> {
        self.filled = match self.source.file() {
            Some(file) => {
                self.buffer.resize(SEND_STEP, 0);
                file.read(&mut self.buffer)?
            }
            None => {
                self.buffer.clear();
                self.source.fill(&mut self.buffer, SEND_STEP)?;
                self.buffer.len()
            }
        };
        Ok(())
    }

    /// Hands the buffer to the stream; true once all of it is taken.
    fn flush_buffer(&mut self) -> Result<bool, Stop> {
        if let Some(rest) = self.buffer.get(self.taken..self.filled).filter(|rest| !rest.is_empty()) {
            let now = match &mut self.pace {
                None => rest,
                Some(pace) => turn(pace, rest)?,
            };
            let written = match self.stage {
                Stage::Last if now.len() == rest.len() => self.stream.write_last(now),
                _ => self.stream.write(now),
            };
            let taken = written.map_err(Stop::on(Interest::Writable))?;
            if let Some(pace) = &mut self.pace {
                pace.spend(taken as u64);
            }
            self.taken += taken;
            self.moved += taken as u64;
        }
        let all = self.taken == self.filled;
        if all {
            (self.filled, self.taken) = (0, 0);
        }
        Ok(all)
    }

    /// Lets the kernel send from the file where nothing is encrypted or converted; false where
    /// that cannot be, or the file is at its end.
    fn send_file_step(&mut self) -> Result<bool, Stop> {
        if !self.by_kernel {
            return Ok(false);
        }
        let Some(file) = self.source.file() else { return Ok(false) };
        let step = usize::try_from(file.remaining()).unwrap_or(usize::MAX).min(SENDFILE_STEP);
        let Some((handle, at)) = file.as_file() else { return Ok(false) };
        match self.stream.send_file(handle, at, step) {
            Ok(sent) => {
                file.advance(sent as u64);
                self.moved += sent as u64;
                Ok(sent > 0)
            }
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::AGAIN) => Err(Stop::Blocked(Interest::Writable)),
                // This file system cannot; reading and writing can.
                Some(Errno::INVAL | Errno::NOSYS) => {
                    self.by_kernel = false;
                    Ok(false)
                }
                Some(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN | Errno::TIMEDOUT) => {
                    Err(Stop::Failed(Incomplete::ConnectionLost))
                }
                _ => Err(failed(ErrorKind::Io)),
            },
        }
    }
}

/// As many of the bytes as may go now.
fn turn<'b>(pace: &mut Pace, bytes: &'b [u8]) -> Result<&'b [u8], Stop> {
    match pace.turn(Instant::now()) {
        Turn::Now(most) => {
            let most = usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len()));
            Ok(bytes.get(..most).unwrap_or(bytes))
        }
        Turn::At(moment) => Err(Stop::Paced(moment)),
    }
}

fn failed(kind: ErrorKind) -> Stop {
    Stop::Failed(Incomplete::Storage(kind))
}

impl Pump for SendPump {
    fn step(&mut self) -> Result<Progress, Incomplete> {
        match self.advance() {
            Ok(progress) => Ok(progress),
            Err(Stop::Blocked(interest)) => Ok(Progress::Waiting(interest)),
            Err(Stop::Paced(moment)) => Ok(Progress::Paced(moment)),
            Err(Stop::Failed(why)) => Err(why),
        }
    }

    fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    fn may_block(&self) -> bool {
        // What was read already takes its turns on the event loop.
        self.stage == Stage::Filling && (self.pace.is_none() || self.taken == self.filled)
    }

    fn stream(&mut self) -> &mut DataStream {
        &mut self.stream
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    fn progress(&self) -> u64 {
        self.moved + self.acknowledged
    }

    fn patience(&self, stall: Duration) -> Duration {
        if self.delivered() { stall.min(LEAVING) } else { stall }
    }

    fn nap(&self) -> Option<Duration> {
        (self.stage == Stage::Draining).then_some(ACKNOWLEDGED)
    }

    fn rest(&mut self) {
        self.stream.release_buffers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_worn_out_are_no_broken_connection() {
        let why = |error: io::Error| match Stop::on(Interest::Writable)(error) {
            Stop::Blocked(_) | Stop::Paced(_) => None,
            Stop::Failed(why) => Some(why),
        };
        assert_eq!(why(WornOut.into()), Some(Incomplete::WornOut));
        assert_eq!(why(io::ErrorKind::BrokenPipe.into()), Some(Incomplete::ConnectionLost));
        assert_eq!(why(io::ErrorKind::WouldBlock.into()), None);
    }
}
