//! Who is told what happened, beside the log: programs and web servers of the operator's.
//!
//! ```text
//! core's events ─► Hooks ─ which hooks want it ─► queue ─► outbox, synced ─► deliver ─┬─► program, by standard input
//!                                                            ▲                        ├─► web server, by a signed POST
//!                                                            └── again, later ◄───────┤
//!                                                                                     └─► undelivered
//! ```
//!
//! An event is told after what it tells of, and is on the disk before it is delivered: at least once, in order for each hook.

mod dead;
mod deliver;
mod message;
mod outbox;
mod post;
mod recipient;
mod signature;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use carrack_core::event::{Event, Subscriber};

use crate::config::{Config, Hook, HookEvent};
use crate::log::{Flood, Verdict};
use crate::sandbox::Programs;
use deliver::Delivery;
use message::Told;
use outbox::Outbox;
use post::{Desk, Letter, Post};
use recipient::Recipient;
pub(crate) use signature::Secret;

/// How many bytes of events may wait for one hook: some 30 000 events.
const OUTBOX_BYTES: u64 = 16 * 1024 * 1024;

/// How much of that, in percent, refusals may take: strangers can cause as many as they like.
const REFUSALS_SHARE: u64 = 50;

/// All hooks of the configuration.
#[derive(Debug)]
pub(crate) struct Hooks {
    wanted: Vec<Wanted>,
    homes: HashMap<String, PathBuf>,
    desk: Desk,
    posts: Arc<[Arc<Post>]>,
    flood: Flood,
    /// Tells this run's events from those of all others.
    run: u64,
    events: AtomicU64,
}

/// What one hook wants to be told.
#[derive(Debug)]
struct Wanted {
    on: Vec<HookEvent>,
    /// Whether it runs here, and may open files.
    is_program: bool,
}

/// A hook cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("the hook {name:?} cannot be served: {why}\n  mend: {mend}")]
pub struct HookError {
    name: String,
    why: String,
    mend: &'static str,
}

/// A hook's name, how many events wait for it, and how many came to each outcome.
pub(crate) type Measured = (String, u64, [(&'static str, u64); 4]);

/// What delivers; each is polled for as long as the server runs.
pub(crate) struct Deliveries(Vec<Delivery>);

impl Hooks {
    /// Opens the outboxes in the state folder; `None` where the configuration has no hook. Where it `joins` another process that
    /// delivers from them, nothing is to be delivered before that has ended and [`settle`](Self::settle) was called.
    ///
    /// # Errors
    /// An outbox, a secret or an authority cannot be read.
    pub(crate) fn start(
        config: &Config,
        state: &Path,
        joins: bool,
        programs: &Programs,
    ) -> Result<Option<(Arc<Hooks>, Deliveries)>, HookError> {
        if config.hook.is_empty() {
            return Ok(None);
        }
        let (mut posts, mut deliveries, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for hook in config.hook.iter() {
            let delivery = delivery(hook, state, joins, programs)?;
            posts.push(Arc::clone(&delivery.post));
            deliveries.push(delivery);
            wanted.push(Wanted { on: hook.on.clone(), is_program: hook.url.is_none() });
        }
        let posts: Arc<[_]> = posts.into();
        let homes = config.user.iter().map(|user| (user.id(), user.home.clone())).collect();
        let mut run = [0; 8];
        // Where the system has no randomness the time has to do.
        if aws_lc_rs::rand::fill(&mut run).is_err() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            run = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).to_ne_bytes();
        }
        let hooks = Hooks {
            wanted,
            homes,
            desk: Desk::start(Arc::clone(&posts)),
            posts,
            flood: Flood::default(),
            run: u64::from_ne_bytes(run),
            events: AtomicU64::new(0),
        };
        Ok(Some((Arc::new(hooks), Deliveries(deliveries))))
    }

    /// Takes up what the process before has left, which has ended. It reads files: not for an event thread.
    pub(crate) fn settle(&self) {
        self.posts.iter().for_each(|post| post.settle());
    }

    /// Waits for the disk to have all events so far, for a bounded time.
    pub(crate) fn flush(&self) {
        self.desk.flush();
    }

    /// Each hook's name, how many events wait for it, and what became of the others.
    pub(crate) fn measure(&self) -> Vec<Measured> {
        self.posts.iter().map(|post| (post.name.clone(), post.counts.waiting(), post.counts.all())).collect()
    }
}

fn delivery(hook: &Hook, state: &Path, joins: bool, programs: &Programs) -> Result<Delivery, HookError> {
    let name = hook.name.as_str();
    let folder = state.join("hooks").join(name);
    let open = if joins { Outbox::join } else { Outbox::open };
    let outbox = open(&folder, OUTBOX_BYTES).map_err(|error| HookError {
        name: name.to_owned(),
        why: format!("{}: {error}", folder.display()),
        mend: "make the folder readable and writable for this user, or move it away",
    })?;
    let recipient = Recipient::of(hook, programs).map_err(|why| HookError {
        name: name.to_owned(),
        why,
        mend: "run `carrack config check`, which says more",
    })?;
    Ok(Delivery {
        post: Arc::new(Post::new(name, folder, outbox)),
        recipient,
        timeout: hook.timeout_s.into(),
        retry: hook.retry_s.into(),
    })
}

/// Delivers for as long as it is polled.
pub(crate) async fn deliver(deliveries: Deliveries) {
    let mut tasks = tokio::task::JoinSet::new();
    for delivery in deliveries.0 {
        tasks.spawn(delivery.run());
    }
    while tasks.join_next().await.is_some() {}
}

impl Subscriber for Hooks {
    fn event(&self, event: &Event) {
        let Some(told) = Told::of(event) else { return };
        let wants = |wanted: &Wanted| wanted.on.contains(&told.event);
        if !self.wanted.iter().any(wants) {
            return;
        }
        // SECURITY: what anybody can cause is limited for each source, as in the log.
        let mut share = 100;
        if let Some(stranger) = told.stranger {
            share = REFUSALS_SHARE;
            if self.flood.admit(stranger, Instant::now()) == Verdict::Suppress {
                return;
            }
        }
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        let id = format!("evt_{:016x}{number:016x}", self.run);
        let at = SystemTime::now();
        for (hook, wanted) in self.wanted.iter().enumerate().filter(|(_, wanted)| wants(wanted)) {
            let text = told.text(&id, at, wanted.is_program.then_some(&self.homes));
            self.desk.send(Letter { hook, text, share });
        }
    }
}

#[cfg(test)]
mod tests;
