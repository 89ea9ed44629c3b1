//! Who is writing what? The live uploads of this process, so that a user's new upload can take over from his own
//! old one whose connection has died unnoticed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::path::VirtualPath;

/// How long a new upload waits for the old one to let go. Letting go is closing a socket and syncing a file.
pub const TAKEOVER_PATIENCE: Duration = Duration::from_secs(10);

/// What is written: a user's name for a file. Two users' uploads of one file never meet here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) user: String,
    pub(crate) path: VirtualPath,
}

/// All live uploads.
#[derive(Default)]
pub(crate) struct LiveUploads {
    writers: Mutex<HashMap<Key, Arc<Writer>>>,
    /// The keys that somebody waits for. A second one does not: each who waits holds a thread.
    awaited: Mutex<HashSet<Key>>,
    /// Rung whenever a claim ends.
    let_go: Condvar,
}

/// The exclusive right to write a key; ends when dropped.
pub(crate) struct WriteClaim {
    uploads: Arc<LiveUploads>,
    key: Key,
    writer: Arc<Writer>,
}

type Callback = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Writer {
    state: Mutex<WriterState>,
}

#[derive(Default)]
enum WriterState {
    #[default]
    Writing,
    /// Writing, and wishes to be told.
    Reachable(Callback),
    /// Asked to let go.
    TakenOver,
}

impl LiveUploads {
    /// Claims a key that nobody holds.
    pub(crate) fn claim_free(self: &Arc<Self>, key: Key) -> Result<WriteClaim, ErrorKind> {
        self.insert(&mut lock(&self.writers), key).map_err(|_| ErrorKind::Busy)
    }

    /// Claims a key; whoever holds it is asked to let go, and waited for. Where somebody waits already it is
    /// [`ErrorKind::Busy`] at once.
    pub(crate) fn take_over(self: &Arc<Self>, key: Key, patience: Duration) -> Result<WriteClaim, ErrorKind> {
        if let Ok(claim) = self.insert(&mut lock(&self.writers), key.clone()) {
            return Ok(claim);
        }
        // SECURITY: else one user's sessions could wait on every thread that there is.
        if !lock(&self.awaited).insert(key.clone()) {
            return Err(ErrorKind::Busy);
        }
        let outcome = self.wait_for(key.clone(), patience);
        lock(&self.awaited).remove(&key);
        outcome
    }

    fn wait_for(self: &Arc<Self>, mut key: Key, patience: Duration) -> Result<WriteClaim, ErrorKind> {
        let deadline = Instant::now() + patience;
        let mut writers = lock(&self.writers);
        loop {
            let holder = match self.insert(&mut writers, key) {
                Ok(claim) => return Ok(claim),
                Err((taken, holder)) => {
                    key = taken;
                    holder
                }
            };
            // The callback runs without the lock: it may end the upload, and thereby the claim, on the spot.
            drop(writers);
            holder.ask_to_let_go();
            writers = lock(&self.writers);
            while writers.get(&key).is_some_and(|current| Arc::ptr_eq(current, &holder)) {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ErrorKind::Busy);
                }
                writers = self.let_go.wait_timeout(writers, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn insert(
        self: &Arc<Self>,
        writers: &mut HashMap<Key, Arc<Writer>>,
        key: Key,
    ) -> Result<WriteClaim, (Key, Arc<Writer>)> {
        match writers.entry(key) {
            Entry::Occupied(held) => Err((held.key().clone(), Arc::clone(held.get()))),
            Entry::Vacant(free) => {
                let key = free.key().clone();
                let writer = Arc::clone(free.insert(Arc::default()));
                Ok(WriteClaim { uploads: Arc::clone(self), key, writer })
            }
        }
    }
}

impl WriteClaim {
    /// Calls `callback` when somebody wants to take over; at once if somebody already does.
    pub(crate) fn on_takeover(&self, callback: Callback) {
        let mut state = lock(&self.writer.state);
        if matches!(*state, WriterState::TakenOver) {
            drop(state);
            callback();
        } else {
            *state = WriterState::Reachable(callback);
        }
    }

    /// Whether somebody wants to take over.
    pub(crate) fn is_taken_over(&self) -> bool {
        matches!(*lock(&self.writer.state), WriterState::TakenOver)
    }
}

impl Drop for WriteClaim {
    fn drop(&mut self) {
        lock(&self.uploads.writers).remove(&self.key);
        self.uploads.let_go.notify_all();
    }
}

impl Writer {
    fn ask_to_let_go(&self) {
        let before = std::mem::replace(&mut *lock(&self.state), WriterState::TakenOver);
        if let WriterState::Reachable(callback) = before {
            callback();
        }
    }
}

impl fmt::Debug for LiveUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveUploads").field("writers", &lock(&self.writers).len()).finish()
    }
}

/// A panic elsewhere leaves these maps consistent, so a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
