//! Receiving: the client's bytes into an upload, and the difference between an end and a cut.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use carrack_core::error::Error;
use carrack_core::event::Incomplete;
use carrack_core::limits::{Pace, Turn};
use carrack_core::upload::{Kept, Upload};
use carrack_tls::{DataStream, Interest, Received};

use super::inflow::Inflow;
use super::{Coding, Interrupt, Progress, Pump};
use crate::settings::DataClose;

/// Bytes that are gathered in memory before the first of them is written: so that a small file is written, synced and
/// published on one visit to the disk's threads.
const GATHERED: usize = 64 * 1024;

/// How long bytes may wait in memory for more of them. Then they are written, so that a client that comes back on another
/// connection is told of them.
const GATHERING: Duration = Duration::from_millis(100);

/// From so many bytes on, more will follow, and the thread is woken for many at a time.
const LARGE: u64 = 1024 * 1024;

/// What a piece of work before the first byte counts where it is asked whether anything moves: it copies about as much.
const PIECE: u64 = 1024 * 1024;

/// Bytes that are taken per step where they are compressed, or limited in their rate: with what they may become, still some
/// hundredths of a second of work.
const LITTLE: usize = 16 * 1024;

/// Receives into an upload.
pub(crate) struct ReceivePump {
    inflow: Inflow,
    stream: DataStream,
    /// How fast it may go, where something can limit that.
    pace: Option<Pace>,
    interrupt: Interrupt,
    stage: Stage,
    close: DataClose,
    /// Pieces of work that the file took before its first byte.
    pieces: u64,
    moved: u64,
    /// What became of the file, once that is settled.
    committed: Option<Result<(), Error>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The first bytes come in, on the event loop. They may have waited for more already.
    Gathering { waited: bool },
    /// The file is made ready for what was gathered, which may be all.
    Preparing { ended: bool },
    /// What comes is written at once.
    Flowing,
    /// The client has ended in order.
    Ended,
}

impl ReceivePump {
    pub(crate) fn new(
        mut upload: Box<Upload>,
        ascii: bool,
        coding: Coding,
        close: DataClose,
        stream: DataStream,
        interrupt: Interrupt,
    ) -> Self {
        let pace = upload.take_pace();
        Self {
            inflow: Inflow::new(upload, ascii, coding),
            stream,
            pace,
            interrupt,
            stage: Stage::Gathering { waited: false },
            close,
            pieces: 0,
            moved: 0,
            committed: None,
        }
    }

    /// What became of the file that the pump has settled.
    pub(crate) fn into_committed(self) -> Result<(), Error> {
        self.committed.unwrap_or_else(|| Err(carrack_core::error::ErrorKind::Interrupted.into()))
    }

    /// Ends an upload that is not whole, and says what of it can be resumed. Blocks on the disk.
    pub(crate) fn abort(self, why: Incomplete) -> Kept {
        drop(self.stream);
        self.inflow.abort(why)
    }

    /// Takes what has arrived.
    fn receive(&mut self) -> Result<Progress, Incomplete> {
        let little = match self.pace.as_mut().map(|pace| pace.turn(Instant::now())) {
            None => LITTLE,
            Some(Turn::Now(most)) => usize::try_from(most).map_or(LITTLE, |most| most.min(LITTLE)),
            Some(Turn::At(moment)) => {
                return Ok(match self.wait() {
                    Progress::Waiting(_) => Progress::Paced(moment),
                    more => more,
                });
            }
        };
        let (inflow, stage) = (&mut self.inflow, self.stage);
        let is_compressed = inflow.is_compressed();
        let mut failure = None;
        let mut take = |pieces: &[IoSlice<'_>]| {
            let taken = match stage {
                Stage::Gathering { .. } => {
                    inflow.gather(pieces);
                    Ok(())
                }
                _ => inflow.store(pieces),
            };
            taken.map_err(|why| {
                failure = Some(why);
                io::Error::from(io::ErrorKind::Other)
            })
        };
        let received = if is_compressed || self.pace.is_some() {
            read_little(&mut self.stream, little, &mut take)
        } else {
            self.stream.read_to(&mut take)
        };
        if let Some(why) = failure {
            return Err(why);
        }
        match received {
            Ok(Received::Bytes(count)) => {
                self.moved += count as u64;
                if let Some(pace) = &mut self.pace {
                    pace.spend(count as u64);
                }
                if matches!(stage, Stage::Gathering { .. }) && self.inflow.gathered() >= GATHERED {
                    self.stage = Stage::Preparing { ended: false };
                }
                Ok(Progress::More)
            }
            Ok(Received::End) => Ok(self.end()),
            // SECURITY: an end that the peer did not say under TLS may be anybody's (RFC 8446 §6.1):
            // what came is an unfinished upload, unless the operator trusts plain FINs.
            Ok(Received::Truncated) => match self.close {
                DataClose::Strict => Err(Incomplete::Truncated),
                DataClose::Lenient => Ok(self.end()),
            },
            Ok(Received::Lost) => Err(Incomplete::ConnectionLost),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(self.wait()),
            Err(_) => Err(Incomplete::ConnectionLost),
        }
    }

    fn wait(&mut self) -> Progress {
        if let Stage::Gathering { waited } = &mut self.stage
            && self.inflow.gathered() > 0
            && std::mem::replace(waited, true)
        {
            self.stage = Stage::Preparing { ended: false };
            return Progress::More;
        }
        Progress::Waiting(Interest::Readable)
    }

    fn end(&mut self) -> Progress {
        self.stage = match self.stage {
            Stage::Gathering { .. } if !self.inflow.is_as_it_rests() => Stage::Preparing { ended: true },
            _ => Stage::Ended,
        };
        Progress::More
    }
}

/// Reads `most` bytes or fewer: of those that may become many, and of those that may not come fast.
fn read_little(
    stream: &mut DataStream,
    most: usize,
    take: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<()>,
) -> io::Result<Received> {
    let mut buffer = [0; LITTLE];
    let received = stream.read(buffer.get_mut(..most).unwrap_or_default())?;
    if let Received::Bytes(count) = received {
        take(&[IoSlice::new(buffer.get(..count).unwrap_or_default())])?;
    }
    Ok(received)
}

impl Pump for ReceivePump {
    fn step(&mut self) -> Result<Progress, Incomplete> {
        match self.stage {
            Stage::Gathering { .. } | Stage::Flowing => self.receive(),
            // Piece by piece, so that it can be stopped: a restart in a complete file copies what stands
            // before the marker.
            Stage::Preparing { ended } => {
                self.pieces += 1;
                if self.inflow.prepare()? {
                    self.stage = if ended { Stage::Ended } else { Stage::Flowing };
                }
                Ok(Progress::More)
            }
            Stage::Ended => self.inflow.finish().map(|()| Progress::Done),
        }
    }

    fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    fn may_block(&self) -> bool {
        !matches!(self.stage, Stage::Gathering { .. })
    }

    fn stream(&mut self) -> &mut DataStream {
        &mut self.stream
    }

    fn wait_blocking(&mut self, interest: Interest, patience: Duration) -> io::Result<bool> {
        if self.moved >= LARGE {
            self.stream.wait_for_plenty(Some(patience))
        } else {
            self.stream.wait_ready(interest, Some(patience))
        }
    }

    fn settle(&mut self) -> Result<bool, Incomplete> {
        // What was stopped has ended because its socket was cut, and not in order.
        if let Some(why) = self.interrupt.reason() {
            return Err(why);
        }
        // The client may go on to its next command while the disk is still busy with this file.
        let _ = self.stream.finish();
        // SECURITY: 226 only after the bytes are complete, published and, by default, durable.
        self.committed = Some(self.inflow.commit());
        Ok(true)
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    fn progress(&self) -> u64 {
        self.moved + self.pieces * PIECE
    }

    fn patience(&self, stall: Duration) -> Duration {
        stall
    }

    fn nap(&self) -> Option<Duration> {
        (self.stage == Stage::Gathering { waited: true }).then_some(GATHERING)
    }

    fn rest(&mut self) {
        self.inflow.rest();
        self.stream.release_buffers();
    }
}
