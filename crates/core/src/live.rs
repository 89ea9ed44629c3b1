//! Which sessions are there now, what do they do, and how is one told to go?
//!
//! A session is its task's alone, so nothing is read from outside: whoever wants to know asks, and the task answers when it comes round.
//! Nobody asks: nothing is done.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::event::{Origin, SessionId};

/// The sessions of a process, logged in or not. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LiveSessions(Arc<Mutex<BTreeMap<u64, Arc<Shared>>>>);

/// One of them, for as long as it is held. For its task.
#[derive(Debug)]
pub struct Live {
    all: LiveSessions,
    shared: Arc<Shared>,
}

/// What its task and those who ask have together.
#[derive(Debug)]
struct Shared {
    origin: Origin,
    since: Instant,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    waker: Option<Waker>,
    question: Option<oneshot::Sender<Doing>>,
    leave: bool,
}

/// What somebody wants of a session.
#[derive(Debug)]
pub enum Call {
    /// To know what it does.
    Describe(oneshot::Sender<Doing>),
    /// That it ends.
    Leave,
}

/// A session as it stands.
#[derive(Clone, Debug)]
pub struct Described {
    /// Who.
    pub origin: Origin,
    /// How long it has been here.
    pub lasted: Duration,
    /// What it does; `None` where it did not say in time, as in a handshake.
    pub doing: Option<Doing>,
}

/// What a session does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doing {
    /// Who is logged in.
    pub user: Option<String>,
    /// At which virtual server it is; `None` is the one that nobody has to name.
    pub server: Option<Arc<str>>,
    /// The TLS of the connection that it lives on; `None`: it is in clear.
    pub tls: Option<&'static str>,
    /// Since the client last said something.
    pub silent: Duration,
    /// Bytes of its transfers, those that have ended and the one that runs.
    pub bytes: u64,
    /// What it is busy with, where that may take long.
    pub errand: Option<Errand>,
}

/// What a session is busy with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The command.
    pub what: &'static str,
    /// On what, as the user names it.
    pub path: String,
    /// Whether it moves bytes between the user and the server.
    pub is_transfer: bool,
    /// Bytes that have moved.
    pub bytes: u64,
    /// How long it has taken so far.
    pub lasted: Duration,
}

impl LiveSessions {
    /// Counts one in, until the value is dropped.
    pub fn enter(&self, origin: Origin) -> Live {
        let shared = Arc::new(Shared { origin, since: Instant::now(), calls: Mutex::default() });
        self.lock().insert(shared.origin.id.0, Arc::clone(&shared));
        Live { all: self.clone(), shared }
    }

    /// Tells this one to end. Whether there is one of that number.
    pub fn dismiss(&self, id: SessionId) -> bool {
        let found = self.lock().get(&id.0).map(Arc::clone);
        if let Some(shared) = &found {
            shared.call(|calls| calls.leave = true);
        }
        found.is_some()
    }

    /// All of them, by number. Those that do not say what they do within `patience` are there without.
    pub async fn describe(&self, patience: Duration) -> Vec<Described> {
        let all: Vec<Arc<Shared>> = self.lock().values().map(Arc::clone).collect();
        let deadline = tokio::time::Instant::now() + patience;
        let asked: Vec<_> = all
            .into_iter()
            .map(|shared| {
                let (question, answer) = oneshot::channel();
                shared.call(|calls| calls.question = Some(question));
                (shared, answer)
            })
            .collect();
        let mut described = Vec::new();
        for (shared, answer) in asked {
            let doing = tokio::time::timeout_at(deadline, answer).await;
            described.push(Described {
                origin: shared.origin.clone(),
                lasted: shared.since.elapsed(),
                doing: doing.ok().and_then(Result::ok),
            });
        }
        described
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Shared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// How long it has been here.
    pub fn lasted(&self) -> Duration {
        self.shared.since.elapsed()
    }

    /// Waits until somebody wants something of this session. Cancellation safe.
    pub async fn called(&self) -> Call {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Call> {
        let mut calls = self.shared.lock();
        if calls.leave {
            calls.leave = false;
            return Poll::Ready(Call::Leave);
        }
        if let Some(question) = calls.question.take() {
            return Poll::Ready(Call::Describe(question));
        }
        if !calls.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            calls.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.all.lock().remove(&self.shared.origin.id.0);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, change: impl FnOnce(&mut Calls)) {
        let mut calls = self.lock();
        change(&mut calls);
        let waker = calls.waker.take();
        drop(calls);
        waker.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(id: u64) -> Origin {
        Origin { id: SessionId(id), peer: "192.0.2.1:4711".parse().unwrap(), protocol: "ftp", server: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_answers_when_it_comes_round_and_one_that_does_not_is_there_all_the_same() {
        let all = LiveSessions::default();
        let (one, _silent) = (all.enter(origin(1)), all.enter(origin(2)));
        let task = tokio::spawn(async move {
            let Call::Describe(question) = one.called().await else { return };
            let _ = question.send(Doing { bytes: 7, ..Doing::default() });
            one.called().await;
        });
        let described = all.describe(Duration::from_secs(1)).await;
        let told: Vec<_> = described
            .iter()
            .map(|one| (one.origin.id.0, one.doing.as_ref().map(|doing| doing.bytes)))
            .collect();
        assert_eq!(told, [(1, Some(7)), (2, None)]);
        assert!(all.dismiss(SessionId(1)) && !all.dismiss(SessionId(3)));
        task.await.unwrap();
        assert!(!all.dismiss(SessionId(1)), "it is gone");
    }
}
