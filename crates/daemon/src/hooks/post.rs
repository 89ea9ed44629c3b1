//! How does an event get from where it happened into the outboxes, without holding anybody up?

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::outbox::{NotTaken, Outbox};

/// Events that wait for the disk, each of some 500 bytes.
const QUEUE_EVENTS: usize = 4096;

/// How many are synced at once.
const GROUP: usize = 512;

/// How long the end of the process waits for the last events.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// One hook's outbox, and who waits for it.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    outbox: Mutex<Outbox>,
    pub(super) arrived: Notify,
    pub(super) counts: Counts,
}

impl Post {
    /// The post of a hook whose outbox is open.
    pub(super) fn new(name: &str, folder: PathBuf, outbox: Outbox) -> Self {
        let post = Self {
            name: name.to_owned(),
            folder,
            outbox: Mutex::new(outbox),
            arrived: Notify::new(),
            counts: Counts::default(),
        };
        post.with_outbox(|_| ());
        post
    }

    /// Takes up what another process has left in the outbox, which has ended.
    pub(super) fn settle(&self) {
        if let Err(error) = self.with_outbox(Outbox::settle) {
            failed(self, &error);
        }
    }

    /// Works on the outbox. It may wait for the disk.
    pub(super) fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut outbox);
        self.counts.waiting.store(outbox.waiting(), Ordering::Relaxed);
        done
    }
}

/// What became of a hook's events.
#[derive(Debug, Default)]
pub(super) struct Counts {
    waiting: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    undelivered: AtomicU64,
    lost: AtomicU64,
    /// Lost ones that the log was not told of yet.
    untold: AtomicU64,
}

impl Counts {
    pub(super) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn undelivered(&self) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
    }

    fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Each outcome of an attempt or an event, with how many there were.
    pub(super) fn all(&self) -> [(&'static str, u64); 4] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("delivered", load(&self.delivered)),
            ("failed", load(&self.failed)),
            ("undelivered", load(&self.undelivered)),
            ("lost", load(&self.lost)),
        ]
    }
}

/// An event on its way to one hook.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) hook: usize,
    pub(super) text: Vec<u8>,
    /// The part of all room that it may take, in percent.
    pub(super) share: u64,
}

#[derive(Debug)]
enum Item {
    Letter(Letter),
    Flush(SyncSender<()>),
}

/// Hands events over to the thread that writes them.
#[derive(Debug)]
pub(super) struct Desk {
    sender: SyncSender<Item>,
    posts: Arc<[Arc<Post>]>,
}

impl Desk {
    /// Starts the thread.
    pub(super) fn start(posts: Arc<[Arc<Post>]>) -> Self {
        let (sender, receiver) = sync_channel(QUEUE_EVENTS);
        let written = Arc::clone(&posts);
        let thread = std::thread::Builder::new().name("hooks".to_owned());
        // Without the thread every event counts as lost: no reason to stop serving.
        let _ = thread.spawn(move || write(&receiver, &written));
        Self { sender, posts }
    }

    /// Hands one over; never waits.
    pub(super) fn send(&self, letter: Letter) {
        let hook = letter.hook;
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(Item::Letter(letter))
            && let Some(post) = self.posts.get(hook)
        {
            post.counts.lost();
        }
    }

    /// Waits until what was handed over is on the disk, and no longer than [`FLUSH_DEADLINE`].
    pub(super) fn flush(&self) {
        let (done, written) = sync_channel(1);
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new().name("hooks flush".to_owned());
        // A full queue takes it once there is room; another thread waits for that, as this one has a deadline.
        if thread.spawn(move || sender.send(Item::Flush(done))).is_ok() {
            let _ = written.recv_timeout(FLUSH_DEADLINE);
        }
    }
}

fn write(items: &Receiver<Item>, posts: &[Arc<Post>]) {
    while let Ok(first) = items.recv() {
        let mut letters: Vec<Vec<Letter>> = posts.iter().map(|_| Vec::new()).collect();
        let mut flushes = Vec::new();
        for item in std::iter::once(first).chain(items.try_iter()).take(GROUP) {
            match item {
                Item::Letter(letter) => {
                    if let Some(of_hook) = letters.get_mut(letter.hook) {
                        of_hook.push(letter);
                    }
                }
                Item::Flush(done) => flushes.push(done),
            }
        }
        for (post, letters) in posts.iter().zip(letters) {
            if !letters.is_empty() {
                put(post, &letters);
                post.arrived.notify_one();
            }
            tell_lost(post);
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

/// Puts letters into their outbox, in one visit to the disk.
fn put(post: &Post, letters: &[Letter]) {
    post.with_outbox(|outbox| {
        for letter in letters {
            match outbox.append(&letter.text, letter.share) {
                Ok(()) => {}
                Err(NotTaken::Full) => post.counts.lost(),
                Err(NotTaken::Io(error)) => {
                    failed(post, &error);
                    post.counts.lost();
                }
            }
        }
        if let Err(error) = outbox.sync() {
            failed(post, &error);
        }
    });
}

fn failed(post: &Post, error: &std::io::Error) {
    let folder = post.folder.display();
    tracing::error!(target: "carrack", hook = post.name, %folder, why = %error, "hook_outbox_failed");
}

fn tell_lost(post: &Post) {
    let events = post.counts.untold.swap(0, Ordering::Relaxed);
    if events > 0 {
        let mend = "look at the receiver: the outbox is full, or the disk is too slow";
        tracing::warn!(target: "carrack", hook = post.name, events, mend, "hook_lost");
    }
}
