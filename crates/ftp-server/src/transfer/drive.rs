//! On whose time a pump runs: a blocking thread while bytes flow, the event loop while they do not.

use std::sync::Arc;
use std::time::Duration;

use carrack_core::error::ErrorKind;
use carrack_core::event::Incomplete;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{Interrupt, Progress, Pump};

/// Pumps that may run at once. Well above what the disks and cores of one machine can use, well
/// below the threads it can hold; a stalled pump does not count, since it holds no thread.
const RUNNING_PUMPS: usize = 128;

/// The places on blocking threads that transfers take turns on.
#[derive(Clone)]
pub(crate) struct PumpPool(Arc<Semaphore>);

impl PumpPool {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(RUNNING_PUMPS)))
    }

    /// Lets a pump run for one slice on a blocking thread; `None` when it was lost to a bug.
    async fn run<P: Pump>(&self, mut pump: P) -> Option<(P, Result<Progress, Incomplete>)> {
        let place = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let step = tokio::task::spawn_blocking(move || {
            let progress = pump.advance();
            drop(place);
            (pump, progress)
        });
        step.await.ok()
    }
}

/// Runs a pump to its end. Gives it back, also when it failed, so that its file can be settled;
/// `None` when it was lost to a bug (its drop has settled it).
///
/// `stall` is the longest time without a byte moved.
pub(crate) async fn drive<P: Pump>(
    mut pump: P,
    pool: &PumpPool,
    interrupt: &Interrupt,
    stall: Duration,
) -> (Option<P>, Result<(), Incomplete>) {
    let mut moved = pump.moved();
    let mut moved_at = Instant::now();
    loop {
        let progress = if pump.may_block() {
            let Some((returned, progress)) = pool.run(pump).await else {
                return (None, Err(Incomplete::Storage(ErrorKind::Io)));
            };
            pump = returned;
            progress
        } else {
            pump.advance()
        };
        interrupt.note_moved(pump.moved());
        // The reason counts before what the cut socket looked like from inside.
        if let Some(why) = interrupt.reason() {
            return (Some(pump), Err(why));
        }
        if pump.moved() != moved {
            moved = pump.moved();
            moved_at = Instant::now();
        }
        match progress {
            Ok(Progress::Done) => return (Some(pump), Ok(())),
            Ok(Progress::More) => tokio::task::yield_now().await,
            Ok(Progress::Waiting(interest)) => {
                let outcome = tokio::select! {
                    ready = timeout_at(moved_at + pump.patience(stall), pump.stream().ready(interest)) => match ready {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(_)) => Err(Incomplete::ConnectionLost),
                        Err(_) => Err(Incomplete::Stalled),
                    },
                    why = interrupt.stopped() => Err(why),
                };
                if let Err(why) = outcome {
                    return (Some(pump), Err(why));
                }
            }
            Err(why) => return (Some(pump), Err(why)),
        }
    }
}
