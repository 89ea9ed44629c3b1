//! On which threads does work run that may wait for a disk?
//!
//! The runtime's own threads for blocking work are woken while the lock that they need is still held, so each piece of work
//! costs four switches where two do: on small uploads a tenth of everything.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Threads of one listener. Pumps have places of their own and are fewer; the rest is for openings and syncs, of which
/// more than these help no disk.
const MOST: usize = 512;

/// How long a thread without work waits for some.
const PATIENCE: Duration = Duration::from_secs(10);

/// A piece of work, and what tells that it is done.
type Piece = Box<dyn FnOnce() -> Tell + Send>;
type Tell = Box<dyn FnOnce() + Send>;

/// Threads that come when there is work, and go when there is none. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct DiskThreads(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Piece>,
    threads: usize,
    /// Threads that wait, or are about to, and that nobody has called yet.
    idle: usize,
    /// Calls that no thread has heard yet.
    calls: usize,
}

impl DiskThreads {
    /// Runs a piece of work; `None` when it was lost to a bug. A caller that goes away does not stop it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, outcome) = oneshot::channel();
        self.begin(Box::new(move || {
            let outcome = work();
            // Who waited for it may be gone.
            Box::new(move || drop(done.send(outcome)))
        }));
        outcome.await.ok()
    }

    /// How many threads there are, how many of them work, and how many pieces of work wait for one.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        let state = self.0.lock();
        (state.threads, state.threads.saturating_sub(state.idle + state.calls), state.queue.len())
    }

    fn begin(&self, piece: Piece) {
        let mut state = self.0.lock();
        state.queue.push_back(piece);
        if state.idle > 0 {
            state.idle -= 1;
            state.calls += 1;
            drop(state);
            self.0.work.notify_one();
        } else if state.threads < MOST {
            state.threads += 1;
            drop(state);
            let shared = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("disk".into());
            if thread.spawn(move || shared.serve()).is_err() {
                self.0.give_up_one();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut done: Option<Tell> = None;
        loop {
            let mut state = self.lock();
            let next = state.queue.pop_front();
            if next.is_none() {
                state.idle += 1;
            }
            drop(state);
            // Only now: whoever goes on with more work at once finds this thread, and makes no other.
            if let Some(tell) = done.take() {
                tell();
            }
            match next {
                // What a panic said is on stderr; whoever waits sees that nothing came.
                Some(piece) => done = catch_unwind(AssertUnwindSafe(piece)).ok(),
                None if self.is_called() => {}
                None => return,
            }
        }
    }

    /// Waits for a call; false when none came for long.
    fn is_called(&self) -> bool {
        let mut state = self.lock();
        loop {
            if state.calls > 0 {
                state.calls -= 1;
                return true;
            }
            let waited = self.work.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.calls == 0 {
                state.idle -= 1;
                state.threads -= 1;
                return false;
            }
        }
    }

    /// The system has no thread to give. Where there is none at all, the work waits for nobody: it is lost, and whoever waits
    /// is told.
    fn give_up_one(&self) {
        let mut state = self.lock();
        state.threads -= 1;
        if state.threads == 0 {
            state.queue.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};

    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_costs_that_piece_alone() {
        let threads = DiskThreads::default();
        for round in 0..100 {
            assert_eq!(threads.run(move || round).await, Some(round));
        }
        assert_eq!(threads.0.lock().threads, 1, "one after the other needs one thread");
        assert_eq!(threads.run(|| panic!("a bug, on purpose")).await, None::<()>);
        assert_eq!(threads.run(|| "goes on").await, Some("goes on"));
    }

    #[tokio::test]
    async fn pieces_that_wait_for_each_other_run_side_by_side() {
        let (threads, barrier) = (DiskThreads::default(), Arc::new(Barrier::new(8)));
        let pieces: Vec<_> = (0..8)
            .map(|_| {
                let (threads, barrier) = (threads.clone(), Arc::clone(&barrier));
                tokio::spawn(async move { threads.run(move || barrier.wait().is_leader()).await })
            })
            .collect();
        let mut leaders = 0;
        for piece in pieces {
            leaders += usize::from(piece.await.unwrap().unwrap());
        }
        assert_eq!(leaders, 1);
    }

    #[tokio::test]
    async fn more_work_than_threads_waits_its_turn_and_none_is_lost() {
        let (threads, done) = (DiskThreads::default(), Arc::new(AtomicUsize::new(0)));
        let pieces: Vec<_> = (0..4 * MOST)
            .map(|_| {
                let (threads, done) = (threads.clone(), Arc::clone(&done));
                tokio::spawn(async move { threads.run(move || done.fetch_add(1, Ordering::Relaxed)).await })
            })
            .collect();
        for piece in pieces {
            assert!(piece.await.unwrap().is_some());
        }
        assert_eq!(done.load(Ordering::Relaxed), 4 * MOST);
        let state = threads.0.lock();
        assert!(state.threads <= MOST && state.queue.is_empty());
    }

    #[tokio::test]
    async fn work_goes_on_without_the_one_who_asked() {
        let threads = DiskThreads::default();
        let (begun, waits) = mpsc::channel();
        let (go, may) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        let asking = tokio::spawn({
            let threads = threads.clone();
            async move {
                threads
                    .run(move || {
                        begun.send(()).unwrap();
                        may.recv().unwrap();
                        ended.send(()).unwrap();
                    })
                    .await
            }
        });
        threads.run(move || waits.recv().unwrap()).await.unwrap();
        asking.abort();
        go.send(()).unwrap();
        threads.run(move || end.recv().unwrap()).await.unwrap();
    }
}
