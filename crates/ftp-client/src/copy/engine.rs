//! Who does what of a copy, over how many connections?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::down::{Down, spooling};
use super::task::Task;
use super::terms::Terms;
use super::up::Up;
use super::work::{Prefer, Taker, Work};
use super::{Ended, Failure, Note};
use crate::Client;

/// How long transfers have to end by themselves after a stop. Those that move see it with their next bytes and leave all
/// that they had in order; those that stand still are dropped.
pub(super) const STOP_GRACE: Duration = Duration::from_millis(250);

/// How many things in a row may be given up, each after all its attempts, before nothing more is tried: with the pauses
/// between attempts a full or ailing server would hold a large tree up for days.
pub(super) const IN_VAIN: u32 = 5;

/// A copy that is under way.
pub(super) struct Engine {
    pub(super) terms: Terms,
    pub(super) work: Work,
    pub(super) side: Side,
    /// Whether one more was refused, so that no further one is tried.
    full: AtomicBool,
}

/// Which way it goes.
pub(super) enum Side {
    Down(Down),
    Up(Up),
}

impl Engine {
    pub(super) fn new(terms: Terms, work: Work, side: Side) -> Engine {
        Engine { terms, work, side, full: AtomicBool::new(false) }
    }

    /// Does all the work, beginning over this connection and with more as there is work for them.
    pub(super) async fn run(self, client: Client) -> Result<Ended, Failure> {
        let engine = Arc::new(self);
        let mut workers = JoinSet::new();
        let ahead = if engine.terms.jobs > 1 { Prefer::Folders } else { Prefer::Files };
        workers.spawn(Arc::clone(&engine).worker(Some(client), ahead));
        for _ in 1..engine.terms.jobs {
            workers.spawn(Arc::clone(&engine).worker(None, Prefer::Files));
        }
        let mut ended = Ok(Ended::Complete);
        while let Some(worker) = workers.join_next().await {
            match worker {
                Ok(Ok(Ended::Complete | Ended::ReaderGone)) => {}
                Ok(Ok(Ended::Stopped)) => ended = ended.and(Ok(Ended::Stopped)),
                Ok(Err(failure)) => {
                    // Nothing else would work; what the others are doing is left in a state that can be gone on with.
                    workers.abort_all();
                    ended = ended.and(Err(failure));
                }
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        ended
    }

    /// One connection's share. `client` is `None` until there is work for it.
    async fn worker(self: Arc<Engine>, client: Option<Client>, prefer: Prefer) -> Result<Ended, Failure> {
        let overdue = async {
            self.terms.stop.stopped().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            biased;
            outcome = self.work_on(client, prefer) => outcome,
            () = overdue => Ok(Ended::Stopped),
        }
    }

    async fn work_on(&self, mut client: Option<Client>, prefer: Prefer) -> Result<Ended, Failure> {
        loop {
            let taker = if client.is_some() { Taker::Connected } else { Taker::Newcomer };
            let taken = self.work.take(prefer, taker).await;
            let Some(taken) = taken.map_err(|error| spooling(&self.terms, error))? else { break };
            if self.terms.stop.is_stopped() {
                return Ok(Ended::Stopped);
            }
            let connected = match &mut client {
                Some(client) => client,
                None => match self.connect().await? {
                    Some(connected) => client.insert(connected),
                    None => {
                        taken.give_back();
                        return Ok(Ended::Complete);
                    }
                },
            };
            match self.carry_out(connected, &taken.task).await {
                Ok(()) if self.terms.stop.is_stopped() => return Ok(Ended::Stopped),
                Ok(()) => match self.terms.telling.in_vain() {
                    0..IN_VAIN => {}
                    many => return Err(Failure::GaveUp(many)),
                },
                Err(failure) => {
                    let kept = self.work.left();
                    taken.give_back();
                    return self.go_on_without(kept, failure);
                }
            }
        }
        if let Some(client) = client {
            client.quit().await;
        }
        Ok(Ended::Complete)
    }

    async fn carry_out(&self, client: &mut Client, task: &Task) -> Result<(), Failure> {
        match &self.side {
            Side::Down(down) => down.carry_out(&self.terms, client, &self.work, task).await,
            Side::Up(up) => up.carry_out(&self.terms, client, &self.work, task).await,
        }
    }

    /// One more connection; `None` where there is none to be had and the others go on without it.
    async fn connect(&self) -> Result<Option<Client>, Failure> {
        if self.full.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match Client::connect(Arc::clone(&self.terms.settings)).await {
            Ok(client) => {
                self.work.joined();
                Ok(Some(client))
            }
            Err(why) => {
                self.full.store(true, Ordering::Relaxed);
                self.go_on_without(self.work.connections(), why.into()).map(|_| None)
            }
        }
    }

    /// A connection is not to be had, or not again: the others go on, if there are any.
    fn go_on_without(&self, kept: usize, failure: Failure) -> Result<Ended, Failure> {
        match failure {
            Failure::Server(why) if kept > 0 => {
                self.terms.telling.note(Note::Connections { kept, why });
                Ok(Ended::Complete)
            }
            failure => Err(failure),
        }
    }
}
