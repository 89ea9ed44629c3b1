//! On whose time a pump runs: a blocking thread while bytes flow, the event loop while they do not.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use carrack_core::error::ErrorKind;
use carrack_core::event::Incomplete;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout_at};

use super::standstill::Standstill;
use super::{Interrupt, Progress, Pump};
use crate::disk::DiskThreads;

/// Pumps of one listener that may run at once, for each core and at the least: enough that some may wait for a disk while others
/// work. More only make the system's scheduler decide who gets how much, and a thread switch cost what it costs. A stalled
/// pump does not count, since it holds none.
const RUNNING_PUMPS_PER_CORE: usize = 4;
const RUNNING_PUMPS: usize = 16;

/// How much a pump moves before those that wait for a place get their turn. In bytes, so that equals are served equally whatever
/// the system's scheduler does; large enough that handing over the place does not count.
const TURN: u64 = 512 * 1024;

/// How long a pump runs before it looks whether it was stopped, and before others get their turn where no bytes come of its work.
const SLICE: Duration = Duration::from_millis(100);

/// Steps on the event loop before other connections get their turn: from the last bytes of a small file to the
/// client's end, which are in memory and take microseconds.
const STEPS: u32 = 8;

/// How long a pump keeps its thread while the peer does not move and nobody else wants its place: longer than a flowing line ever
/// pauses, short enough that a stalled one gives its thread back.
const LINGER: Duration = Duration::from_millis(20);

/// When a transfer counts as stalled.
#[derive(Clone, Copy)]
pub(crate) struct Stall {
    /// In which time ...
    pub(crate) within: Duration,
    /// ... fewer bytes than these moved.
    pub(crate) bytes: u64,
}

/// The places on blocking threads that transfers take turns on.
#[derive(Clone)]
pub(crate) struct PumpPool {
    places: Arc<Semaphore>,
    /// How many places there are.
    most: usize,
    /// How many wait for one.
    waiting: Arc<AtomicUsize>,
    disk: DiskThreads,
}

impl PumpPool {
    /// Places on these threads.
    pub(crate) fn new(disk: DiskThreads) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let most = (cores * RUNNING_PUMPS_PER_CORE).max(RUNNING_PUMPS);
        Self { places: Arc::new(Semaphore::new(most)), most, waiting: Arc::default(), disk }
    }

    /// The threads, for what is no pump.
    pub(crate) fn disk(&self) -> &DiskThreads {
        &self.disk
    }

    /// How many pumps run, and how many wait for a place.
    pub(crate) fn load(&self) -> (usize, usize) {
        let running = self.most.saturating_sub(self.places.available_permits());
        (running, self.waiting.load(Ordering::Relaxed))
    }

    /// Takes a place. Only those that wait for one are counted.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let _waits = Waits::new(&self.waiting);
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Lets a pump run for one slice on a blocking thread; `None` when it was lost to a bug.
    async fn run<P: Pump>(&self, mut pump: P) -> Option<(P, Result<Progress, Incomplete>)> {
        let place = self.place().await?;
        let places = Arc::clone(&self.places);
        let slice = self.disk.run(move || {
            let mut progress = run_slice(&mut pump, &places);
            // A disk that takes long to sync keeps no place from those that still flow.
            drop(place);
            if let Ok(Progress::Done) = progress {
                progress =
                    pump.settle().map(|settled| if settled { Progress::Settled } else { Progress::Done });
            }
            (pump, progress)
        });
        slice.await
    }
}

/// One that waits, for as long as the value lives.
struct Waits<'w>(&'w AtomicUsize);

impl<'w> Waits<'w> {
    fn new(waiting: &'w AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run_slice<P: Pump>(pump: &mut P, places: &Semaphore) -> Result<Progress, Incomplete> {
    let (started, before) = (Instant::now(), pump.moved());
    pump.stream().leave_event_loop();
    loop {
        let progress = pump.step()?;
        let is_wanted = places.available_permits() == 0;
        let goes_on = match &progress {
            Progress::Done | Progress::Settled | Progress::Paced(_) => false,
            Progress::More => !is_wanted || pump.moved() - before < TURN,
            Progress::Waiting(_) if is_wanted || pump.is_paced() => false,
            Progress::Waiting(interest) => pump.wait_blocking(*interest, LINGER).unwrap_or(true),
        };
        if !goes_on || started.elapsed() > SLICE {
            return Ok(progress);
        }
    }
}

/// Lets a pump that waits for no disk run on the event loop.
fn run_steps<P: Pump>(pump: &mut P) -> Result<Progress, Incomplete> {
    for _ in 0..STEPS {
        match pump.step()? {
            Progress::More if !pump.may_block() => {}
            progress => return Ok(progress),
        }
    }
    Ok(Progress::More)
}

/// Runs a pump to its end. Gives it back, also when it failed, so that its file can be settled;
/// `None` when it was lost to a bug (its drop has settled it).
///
/// Within each `stall.within` at least `stall.bytes` must move, or what counts as bytes.
pub(super) async fn drive<P: Pump>(
    mut pump: P,
    pool: &PumpPool,
    interrupt: &Interrupt,
    stall: Stall,
) -> (Option<P>, Result<(), Incomplete>) {
    let mut standstill = Standstill::new(stall.within, stall.bytes, pump.progress(), Instant::now());
    loop {
        let progress = if pump.may_block() {
            let Some((returned, progress)) = pool.run(pump).await else {
                return (None, Err(Incomplete::Storage(ErrorKind::Io)));
            };
            pump = returned;
            progress
        } else {
            run_steps(&mut pump)
        };
        interrupt.note_moved(pump.moved());
        if let Ok(Progress::Settled) = progress {
            return (Some(pump), Ok(()));
        }
        // The reason counts before what the cut socket looked like from inside.
        if let Some(why) = interrupt.reason() {
            return (Some(pump), Err(why));
        }
        let now = Instant::now();
        standstill.look(pump.progress(), now);
        let stalls_at = standstill.ends_at(|window| pump.patience(window));
        match progress {
            Ok(Progress::Done | Progress::Settled) => return (Some(pump), Ok(())),
            Err(why) => return (Some(pump), Err(why)),
            Ok(Progress::Paced(goes_on_at)) => {
                if goes_on_at > now + LINGER {
                    pump.rest();
                }
                tokio::select! {
                    () = sleep_until(goes_on_at.into()) => standstill.leave_out(now.elapsed()),
                    why = interrupt.stopped() => return (Some(pump), Err(why)),
                }
            }
            // Checked here as well: bytes that carry nothing must not keep a transfer alive.
            Ok(_) if now >= stalls_at => return (Some(pump), Err(Incomplete::Stalled)),
            // Threads are shared out by turns.
            Ok(Progress::More) if pump.may_block() => {}
            Ok(Progress::More) => tokio::task::yield_now().await,
            Ok(Progress::Waiting(interest)) => {
                pump.rest();
                let looks_at = pump.nap().map_or(stalls_at, |nap| stalls_at.min(now + nap));
                let outcome = tokio::select! {
                    ready = timeout_at(looks_at.into(), pump.stream().ready(interest)) => match ready {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(_)) => Err(Incomplete::ConnectionLost),
                        // Whether it really stands still is seen after one more look at it.
                        Err(_) => Ok(()),
                    },
                    why = interrupt.stopped() => Err(why),
                };
                if let Err(why) = outcome {
                    return (Some(pump), Err(why));
                }
            }
        }
    }
}
