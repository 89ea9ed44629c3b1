//! Who hashes next? A few threads of low priority, a budget of memory, and turns by source, so that a flood of logins delays the
//! flood and no other work of the server.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::password::{Cost, Memory};

/// How long a login waits for its turn. Shorter than any client's patience: under a flood of logins a quick "try again later" serves
/// everybody better than a queue.
pub const QUEUE_DEADLINE: Duration = Duration::from_secs(5);

/// How much the hashing threads give way to all others (nice(2)): under load they get a third of what a thread that serves sessions
/// gets, which still lets logins through where transfers keep every core busy.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// What password checks may take of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingLimits {
    /// Hashes at a time: as many as there are cores is right.
    pub threads: usize,
    /// Memory of all running hashes, in KiB. A hash that asks for more by itself runs alone.
    pub memory_kib: u64,
    /// Logins that wait for their turn. When that many do, the source that has most of them is turned away.
    pub queue: usize,
}

impl HashingLimits {
    /// What counts when nothing is said, with so many threads.
    pub const fn with_threads(threads: usize) -> HashingLimits {
        HashingLimits { threads, memory_kib: 256 * 1024, queue: 1000 }
    }
}

/// No turn came in time, or there was no room to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoTurn;

type Check = Box<dyn FnOnce(&mut Memory) -> bool + Send>;

/// A check that waits.
struct Waiting {
    memory_kib: u64,
    check: Check,
    /// Told when the turn comes. Whoever asked may have gone by then.
    begun: oneshot::Sender<()>,
    done: oneshot::Sender<bool>,
}

/// The threads and the queue.
pub(super) struct Hashing {
    limits: HashingLimits,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something came, or something ended.
    news: Condvar,
}

#[derive(Default)]
struct Queue {
    by_source: HashMap<IpAddr, VecDeque<Waiting>>,
    /// The sources that wait, in the order of their turns.
    turns: VecDeque<IpAddr>,
    waiting: usize,
    running: usize,
    memory_kib: u64,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Hashing {
    pub(super) fn new(limits: HashingLimits) -> Hashing {
        let limits = HashingLimits { threads: limits.threads.max(1), queue: limits.queue.max(1), ..limits };
        Hashing { limits, shared: Arc::new(Shared { queue: Mutex::default(), news: Condvar::new() }) }
    }

    /// Has `check` run when the turn of `source` comes. Once it runs it goes on to its end, whoever still waits for it: a client that
    /// hangs up frees nothing early.
    pub(super) async fn run(
        &self,
        source: IpAddr,
        cost: Cost,
        check: impl FnOnce(&mut Memory) -> bool + Send + 'static,
    ) -> Result<bool, NoTurn> {
        let (begun, mut turn) = oneshot::channel();
        let (done, outcome) = oneshot::channel();
        let waiting = Waiting { memory_kib: cost.memory_kib(), check: Box::new(check), begun, done };
        self.enqueue(source, waiting);
        match tokio::time::timeout(QUEUE_DEADLINE, &mut turn).await {
            // A thread that could not be made, or a panic of ours, refuses: nobody is let in by it.
            Ok(Ok(())) => Ok(outcome.await.unwrap_or(false)),
            Ok(Err(_)) => Err(NoTurn),
            Err(_) => {
                // It may have begun in this very moment.
                turn.close();
                if turn.try_recv().is_ok() { Ok(outcome.await.unwrap_or(false)) } else { Err(NoTurn) }
            }
        }
    }

    fn enqueue(&self, source: IpAddr, waiting: Waiting) {
        let mut queue = self.shared.lock();
        if queue.waiting >= self.limits.queue {
            queue.drop_gone();
        }
        if queue.waiting >= self.limits.queue && !queue.turn_away_for(source) {
            return;
        }
        queue.push(source, waiting);
        if queue.idle < queue.waiting && queue.threads < self.limits.threads {
            let (shared, limits) = (Arc::clone(&self.shared), self.limits);
            let made =
                thread::Builder::new().name("carrack-hash".to_owned()).spawn(move || shared.work(limits));
            match made {
                Ok(_) => queue.threads += 1,
                // Without a single thread nobody would ever be told.
                Err(_) if queue.threads == 0 => *queue = Queue::default(),
                Err(_) => {}
            }
        }
        drop(queue);
        self.shared.news.notify_one();
    }

    /// How many logins are hashed now, and how many wait.
    pub(super) fn load(&self) -> (usize, usize) {
        let queue = self.shared.lock();
        (queue.running, queue.waiting)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.news.notify_all();
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (running, waiting) = self.load();
        f.debug_struct("Hashing")
            .field("waiting", &waiting)
            .field("running", &running)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life: until the last owner is gone.
    fn work(&self, limits: HashingLimits) {
        give_way();
        // Used from one login to the next, so that a flood of them does not tear at the allocator.
        let mut memory = Memory::default();
        loop {
            let mut queue = self.lock();
            let next = loop {
                if queue.closed {
                    return;
                }
                if let Some(next) = queue.next(limits.memory_kib) {
                    break next;
                }
                queue.idle += 1;
                queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            };
            drop(queue);
            let Waiting { memory_kib, check, begun, done } = next;
            if begun.send(()).is_ok() {
                let check = std::panic::AssertUnwindSafe(|| check(&mut memory));
                // A check that panics is a login refused, and not a thread less.
                let _ = done.send(std::panic::catch_unwind(check).unwrap_or(false));
                memory.give_back();
            }
            let mut queue = self.lock();
            queue.running -= 1;
            queue.memory_kib = queue.memory_kib.saturating_sub(memory_kib);
            drop(queue);
            // One that found no memory before may find some now.
            self.news.notify_all();
        }
    }
}

impl Queue {
    fn push(&mut self, source: IpAddr, waiting: Waiting) {
        let of_source = self.by_source.entry(source).or_default();
        if of_source.is_empty() {
            self.turns.push_back(source);
        }
        of_source.push_back(waiting);
        self.waiting += 1;
    }

    /// The first of the source whose turn it is, where it may run beside those that do. One that does not fit yet is waited for: it
    /// would never come to its turn otherwise.
    fn next(&mut self, budget_kib: u64) -> Option<Waiting> {
        let source = *self.turns.front()?;
        let of_source = self.by_source.get_mut(&source)?;
        let needed = of_source.front()?.memory_kib;
        if self.running > 0 && self.memory_kib.saturating_add(needed) > budget_kib {
            return None;
        }
        let next = of_source.pop_front()?;
        self.turns.pop_front();
        if of_source.is_empty() {
            self.by_source.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        self.waiting -= 1;
        self.running += 1;
        self.memory_kib = self.memory_kib.saturating_add(needed);
        Some(next)
    }

    /// Makes room for one more of `source`: the last of the source that has most goes, unless that is `source` itself.
    ///
    /// SECURITY: whoever fills the queue turns away itself.
    fn turn_away_for(&mut self, source: IpAddr) -> bool {
        let own = self.by_source.get(&source).map_or(0, VecDeque::len);
        let Some(of_source) = self.by_source.values_mut().max_by_key(|of_source| of_source.len()) else {
            return false;
        };
        if of_source.len() <= own.saturating_add(1) {
            return false;
        }
        of_source.pop_back();
        self.waiting -= 1;
        true
    }

    /// Forgets those that nobody waits for any more.
    fn drop_gone(&mut self) {
        self.by_source.retain(|_, of_source| {
            of_source.retain(|waiting| !waiting.begun.is_closed());
            !of_source.is_empty()
        });
        self.turns.retain(|source| self.by_source.contains_key(source));
        self.waiting = self.by_source.values().map(VecDeque::len).sum();
    }
}

/// Lowers the priority of the calling thread. On Linux it is each thread's own (sched(7)).
fn give_way() {
    #[cfg(target_os = "linux")]
    // A sandbox that forbids it costs no login.
    let _ = rustix::process::nice(NICE);
}

#[cfg(test)]
mod tests;
