//! How many bytes may the files of a home have? Counted once for all who write there, and compared with each one's own limit.
//!
//! ```text
//!   Usage    what the files of a home have: kept by a store as it writes and removes, corrected by a count of the files
//!   Quota    a user's view of it: the same usage, the user's own limit
//!   Growth   one file that is being written: takes every byte before it is written
//! ```
//!
//! A file that is to replace another one is lent the other one's bytes: within the quota a file can always be replaced by one
//! that fits in its place, and always by one that is no larger. Meanwhile both rest on the disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Limit, Most};

/// For how long an upload waits for the first count of a home: most have been walked by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many bytes the files of one home have, unfinished uploads among them.
#[derive(Debug, Default)]
pub struct Usage {
    state: Mutex<State>,
    known: Condvar,
    /// Held while a name comes to lead to another file, or to none, and that is counted.
    names: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes on the disk, with those that are just about to be written.
    held: u64,
    /// How many of them may not have been written yet: what each writer took last.
    unwritten: u64,
    /// How many of them take the place of others that go when an upload is published.
    lent: u64,
    /// Whether `held` was counted, and does not only say what has changed.
    is_known: bool,
    /// Whether the files should be counted.
    is_due: bool,
    /// All that was ever added and taken away, and how often a file got another name.
    grown: u64,
    shrunk: u64,
    moves: u64,
}

impl State {
    /// What counts against a quota.
    fn charged(&self) -> u64 {
        self.held.saturating_sub(self.lent)
    }

    fn grow(&mut self, bytes: u64) {
        self.held = self.held.saturating_add(bytes);
        self.grown = self.grown.wrapping_add(bytes);
    }

    fn shrink(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
        self.shrunk = self.shrunk.wrapping_add(bytes);
    }
}

/// A count of the files that is under way.
#[derive(Debug)]
pub struct Count {
    grown: u64,
    shrunk: u64,
    moves: u64,
    unwritten: u64,
}

impl Usage {
    /// What a home has that held so many bytes when it was last seen. Without, its files have to be counted before anybody with a
    /// quota may upload.
    pub fn new(held: Option<u64>) -> Usage {
        let is_known = held.is_some();
        let state = State { held: held.unwrap_or_default(), is_known, is_due: true, ..State::default() };
        Usage { state: Mutex::new(state), known: Condvar::new(), names: Mutex::default() }
    }

    /// Bytes on the disk; `None` before the files were counted.
    pub fn held(&self) -> Option<u64> {
        let state = self.lock();
        state.is_known.then_some(state.held)
    }

    /// These bytes are gone from the home.
    pub fn shrink(&self, bytes: u64) {
        self.lock().shrink(bytes);
    }

    /// Asks for a count of the files.
    pub fn recount(&self) {
        self.lock().is_due = true;
    }

    /// Nothing that is known counts any more: the home was not watched for a while.
    pub fn forget(&self) {
        let mut state = self.lock();
        (state.is_known, state.is_due) = (false, true);
    }

    /// Begins a count, where one was asked for.
    pub fn begin_count(&self) -> Option<Count> {
        let mut state = self.lock();
        let State { grown, shrunk, moves, unwritten, .. } = *state;
        std::mem::take(&mut state.is_due).then_some(Count { grown, shrunk, moves, unwritten })
    }

    /// The files had so many bytes, counted one after the other while others may have written them. What is known is put right as
    /// far as that cannot have been the reason for a difference; `false` if the count is worth nothing because files were moved
    /// meanwhile.
    pub fn counted(&self, count: &Count, walked: u64) -> bool {
        let mut state = self.lock();
        // What was taken before the count began and written behind it was not seen either.
        let grown = state.grown.wrapping_sub(count.grown).saturating_add(count.unwritten);
        let shrunk = state.shrunk.wrapping_sub(count.shrunk);
        let has_moved = state.moves != count.moves;
        let (least, most) = (walked.saturating_sub(shrunk), walked.saturating_add(grown));
        if !state.is_known {
            state.held = most;
            state.is_known = true;
            state.is_due |= has_moved || grown != 0 || shrunk != 0;
            self.known.notify_all();
        } else if has_moved {
            state.is_due = true;
            return false;
        } else {
            state.held = state.held.clamp(least, most);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes one user's home may have.
#[derive(Clone, Debug)]
pub struct Quota {
    usage: Arc<Usage>,
    most: Option<Most>,
}

impl Quota {
    /// The usage of the home, and the user's limit; `None` for users without one who write into the home of others.
    pub fn new(usage: Arc<Usage>, most: Option<Most>) -> Quota {
        Quota { usage, most }
    }

    /// What is left of it; `None` where there is no limit, or the files were not counted yet.
    pub fn left(&self) -> Option<u64> {
        let state = self.usage.lock();
        self.most.filter(|_| state.is_known).map(|most| most.count.saturating_sub(state.charged()))
    }

    /// These bytes are gone from the home.
    pub fn shrink(&self, bytes: u64) {
        self.usage.shrink(bytes);
    }

    /// What is known of the home has become doubtful: its files should be counted.
    pub fn doubt(&self) {
        self.usage.recount();
    }

    /// Taken by whoever looks what a name leads to, changes that, and then counts it.
    pub fn changes_names(&self) -> MutexGuard<'_, ()> {
        let names = self.usage.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.usage.lock();
        state.moves = state.moves.wrapping_add(1);
        drop(state);
        names
    }

    /// Begins to write a file, of which `length` bytes are there and counted, in the place of one of `replaces` bytes. It waits for
    /// the first count of the files for a moment: not for an event thread.
    ///
    /// # Errors
    /// Nothing is left for it, or the first count takes longer.
    pub fn write(&self, length: u64, replaces: u64) -> Result<Growth, Limit> {
        let mut growth = Growth { quota: self.clone(), length, unwritten: 0, replaces, lent: 0 };
        let mut state = self.usage.lock();
        if let Some(most) = self.most {
            let waiting = self.usage.known.wait_timeout_while(state, PATIENCE, |state| !state.is_known);
            (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
            if !state.is_known {
                return Err(Limit::Counting(most));
            }
            if length == 0 && replaces == 0 && state.charged() >= most.count {
                return Err(Limit::Quota { most, left: 0 });
            }
        }
        growth.lend(&mut state);
        drop(state);
        Ok(growth)
    }
}

/// A file that is being written. Dropped, its bytes stay counted: they are on the disk.
#[derive(Debug)]
pub struct Growth {
    quota: Quota,
    /// What it has.
    length: u64,
    /// What of it was taken last. All before that was written before this was asked for.
    unwritten: u64,
    /// What the file has that it is to replace.
    replaces: u64,
    /// How much of that it uses.
    lent: u64,
}

impl Growth {
    /// Takes so many bytes more, which are to be written now.
    pub fn take(&mut self, bytes: u64) -> Result<(), Limit> {
        let usage = Arc::clone(&self.quota.usage);
        let mut state = usage.lock();
        let length = self.length.saturating_add(bytes);
        let lent = length.min(self.replaces).saturating_sub(self.lent);
        let charge = bytes.saturating_sub(lent);
        if let Some(most) = self.quota.most
            && charge > 0
            && state.charged().saturating_add(charge) > most.count
        {
            return Err(self.exceeded(most, &state, self.replaces));
        }
        state.grow(bytes);
        state.unwritten = state.unwritten.saturating_sub(self.unwritten).saturating_add(bytes);
        self.unwritten = bytes;
        self.length = length;
        self.lend(&mut state);
        Ok(())
    }

    /// Whether there is room for it to have so many bytes in all, as things are now.
    pub fn fits(&self, length: u64) -> Result<(), Limit> {
        let state = self.quota.usage.lock();
        let own = self.length.saturating_sub(self.lent);
        let charge = length.saturating_sub(length.min(self.replaces));
        match self.quota.most {
            Some(most) if charge > own && state.charged().saturating_add(charge - own) > most.count => {
                Err(self.exceeded(most, &state, self.replaces))
            }
            _ => Ok(()),
        }
    }

    /// Counts bytes behind the first `length` no longer: they were not written after all, or were cut off.
    pub fn cut(&mut self, length: u64) {
        let bytes = self.length.saturating_sub(length);
        if bytes == 0 {
            return;
        }
        let usage = Arc::clone(&self.quota.usage);
        let mut state = usage.lock();
        state.shrink(bytes);
        self.length -= bytes;
        self.lend(&mut state);
    }

    /// Whether it may replace a file of so many bytes, which may be another one than when it began. Asked while
    /// [names](Quota::changes_names) are held.
    pub fn may_replace(&mut self, replaced: u64) -> Result<(), Limit> {
        let usage = Arc::clone(&self.quota.usage);
        let mut state = usage.lock();
        let missing = self.lent.saturating_sub(replaced);
        if let Some(most) = self.quota.most
            && missing > 0
            && state.charged().saturating_add(missing) > most.count
        {
            return Err(self.exceeded(most, &state, replaced));
        }
        self.replaces = replaced;
        self.lend(&mut state);
        Ok(())
    }

    /// It has replaced a file of so many bytes.
    pub fn replaced(&mut self, replaced: u64) {
        self.replaces = 0;
        let usage = Arc::clone(&self.quota.usage);
        let mut state = usage.lock();
        state.shrink(replaced);
        self.lend(&mut state);
    }

    /// What is left for a file in this one's place: its own bytes come back when it is given up.
    fn exceeded(&self, most: Most, state: &State, replaces: u64) -> Limit {
        let others = state.charged().saturating_sub(self.length.saturating_sub(self.lent));
        Limit::Quota { most, left: most.count.saturating_sub(others).saturating_add(replaces) }
    }

    /// Borrows as much as it has of what it replaces.
    fn lend(&mut self, state: &mut State) {
        let lent = self.length.min(self.replaces);
        state.lent = state.lent.saturating_sub(self.lent).saturating_add(lent);
        self.lent = lent;
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.replaces = 0;
        let usage = Arc::clone(&self.quota.usage);
        let mut state = usage.lock();
        state.unwritten = state.unwritten.saturating_sub(self.unwritten);
        self.lend(&mut state);
    }
}

#[cfg(test)]
mod tests;
