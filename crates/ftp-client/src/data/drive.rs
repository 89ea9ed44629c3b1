//! How are bytes moved between a data connection and a local file without a task switch for each step? The first steps run
//! where they are called, the rest of a large file on a thread that may block.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use carrack_tls::{Breaker, DataStream, Interest};
use tokio::select;
use tokio::task::spawn_blocking;

use super::{End, Flow, data_failed};
use crate::error::{ErrorKind, Stage};
use crate::watch::{Pace, Watch};

/// Bytes that move in the task itself: they are read or written in less time than a thread takes to be woken for them.
const IN_THE_TASK: u64 = 256 * 1024;

/// Something that moves bytes a step at a time and never waits for the network.
pub(crate) trait Pump {
    /// The same with nothing borrowed, for a thread.
    type Owned: Pump<Owned = Self::Owned> + Send + 'static;

    /// What it waits for when a step is blocked.
    const INTEREST: Interest;

    /// Moves what can be moved now.
    fn step(&mut self) -> Step;

    /// The data connection.
    fn stream(&mut self) -> &mut DataStream;

    /// Makes it own what it was lent.
    fn into_owned(self) -> io::Result<Self::Owned>;

    /// The data connection, and how many bytes of the file have moved over it.
    fn into_parts(self) -> (DataStream, u64);
}

/// What a step brought.
pub(crate) enum Step {
    /// So many bytes; none where the step was about something else.
    Moved(u64),
    /// Nothing before the data connection is ready.
    Blocked,
    /// The end of the data.
    Ended(End),
    /// The local file failed.
    Local(io::Error),
}

/// Why a pump came back from its thread.
enum Back {
    Ended(End),
    Pause(Duration),
    Failed(ErrorKind),
}

/// Moves everything. Gives the connection back, and says how many bytes moved and how the data ended.
pub(crate) async fn drive<P: Pump>(
    flow: &mut Flow<'_>,
    mut pump: P,
    watch: &Arc<dyn Watch>,
) -> Result<(DataStream, u64, End), ErrorKind> {
    let mut moved = 0;
    while moved < IN_THE_TASK {
        match pump.step() {
            Step::Moved(bytes) => {
                moved += bytes;
                flow.moved();
                match watch.moved(bytes) {
                    Pace::Go => {}
                    Pace::Wait(pause) => flow.pause(pause).await?,
                    Pace::Stop => return Err(ErrorKind::Stopped),
                }
            }
            Step::Blocked => flow.wait(pump.stream(), P::INTEREST).await?,
            Step::Ended(end) => return Ok(parts(pump, end)),
            Step::Local(error) => return Err(ErrorKind::Local(error)),
        }
    }
    let mut pump = pump.into_owned().map_err(ErrorKind::Local)?;
    loop {
        let (returned, back) = on_a_thread(flow, pump, watch).await?;
        match back {
            Back::Ended(end) => return Ok(parts(returned, end)),
            Back::Failed(kind) => return Err(kind),
            // A transfer that waits holds no thread.
            Back::Pause(pause) => flow.pause(pause).await?,
        }
        pump = returned;
    }
}

fn parts<P: Pump>(pump: P, end: End) -> (DataStream, u64, End) {
    let (stream, moved) = pump.into_parts();
    (stream, moved, end)
}

async fn on_a_thread<P: Pump + Send + 'static>(
    flow: &mut Flow<'_>,
    mut pump: P,
    watch: &Arc<dyn Watch>,
) -> Result<(P, Back), ErrorKind> {
    let mut cut = CutOnDrop(Some(pump.stream().breaker()));
    let (watch, stall) = (Arc::clone(watch), flow.stall_limit());
    let mut thread = spawn_blocking(move || run(pump, &*watch, stall));
    let returned = select! {
        biased;
        returned = &mut thread => returned,
        kind = flow.interrupted() => {
            drop(cut);
            // Behind its end nothing more is written to the file.
            let _its_own_end = thread.await;
            return Err(kind);
        }
    };
    cut.0 = None;
    returned.map_err(|_| ErrorKind::Local(io::Error::other("the thread that moved the data panicked")))
}

/// Moves until there is a reason to come back.
fn run<P: Pump>(mut pump: P, watch: &dyn Watch, stall: Duration) -> (P, Back) {
    pump.stream().leave_event_loop();
    let back = loop {
        match pump.step() {
            Step::Moved(bytes) => match watch.moved(bytes) {
                Pace::Go => {}
                Pace::Wait(pause) => break Back::Pause(pause),
                Pace::Stop => break Back::Failed(ErrorKind::Stopped),
            },
            Step::Blocked => match blocked(&mut pump, stall) {
                Ok(true) => {}
                Ok(false) => break Back::Failed(ErrorKind::TimedOut(Stage::Data)),
                Err(error) => break Back::Ended(End::Broken(data_failed(error))),
            },
            Step::Ended(end) => break Back::Ended(end),
            Step::Local(error) => break Back::Failed(ErrorKind::Local(error)),
        }
    };
    (pump, back)
}

/// Waits until the next step is worth while; false when the time is up.
fn blocked<P: Pump>(pump: &mut P, stall: Duration) -> io::Result<bool> {
    match P::INTEREST {
        Interest::Readable => pump.stream().wait_for_plenty(Some(stall)),
        Interest::Writable => pump.stream().wait_ready(Interest::Writable, Some(stall)),
    }
}

/// Ends the thread's work when nobody waits for it any more.
struct CutOnDrop(Option<Breaker>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        if let Some(breaker) = &self.0 {
            breaker.cut();
        }
    }
}
