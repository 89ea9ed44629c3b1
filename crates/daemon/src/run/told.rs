//! What does a server do that it is told on its control socket, and what does it answer?

use std::time::{SystemTime, UNIX_EPOCH};

use carrack_net::Phase;

use super::reload::{Accepted, Refused};
use super::serving::Serving;
use super::signals::Told;
use crate::config::{Problem, Problems};
use crate::ctl::{
    Answer, Certificate, Draining, Listener, Order, Refusal, Reloaded, State, Status, Wanted, Wrong,
};
use crate::identities::Named;

const DAY_S: i64 = 24 * 3600;

impl Serving {
    /// Does it and answers. What it comes to for the loop that serves, where that is more than an answer.
    pub(super) async fn carry_out(&mut self, order: Order) -> Option<Told> {
        let (answer, said, told) = match order {
            Order::Ask(Wanted::Status { sessions, transfers }, answer) => {
                (answer, self.status(sessions, transfers), None)
            }
            Order::Ask(Wanted::Reload, answer) => (answer, reloaded(self.reload().await), None),
            Order::Ask(Wanted::Drain, answer) => {
                (answer, self.draining(), Some(Told::Stop("carrack ctl drain")))
            }
            Order::HandOver(answer) => {
                // Where nobody waits any more, what was begun is undone by being dropped.
                let _ = answer.send(self.hand_over());
                return None;
            }
            Order::Ready(successor, answer) => {
                self.succeed(successor).await;
                (answer, self.draining(), Some(Told::Stop("another process has taken over")))
            }
        };
        // Who asked may be gone.
        let _ = answer.send(said);
        told
    }

    /// The same for a server that is on its way down.
    pub(super) fn answer_while_draining(&self, order: Order) {
        const DOWN: &str = "the server is going down";
        let (answer, said) = match order {
            Order::Ask(Wanted::Status { sessions, transfers }, answer) => {
                (answer, self.status(sessions, transfers))
            }
            Order::Ask(Wanted::Reload, answer) => (answer, Answer::refused(DOWN)),
            Order::Ask(Wanted::Drain, answer) => (answer, self.draining()),
            Order::HandOver(answer) => {
                let _ = answer.send(Err(DOWN.to_owned()));
                return;
            }
            Order::Ready(_, answer) => (answer, Answer::refused(DOWN)),
        };
        let _ = answer.send(said);
    }

    fn draining(&self) -> Answer {
        Answer::Draining(Draining {
            connections: self.lasting.drain.live(),
            deadline_s: self.patience().as_secs(),
        })
    }

    fn status(&self, sessions: usize, transfers: usize) -> Answer {
        let listener = |door: &super::doors::Door| Listener {
            mode: door.listening.mode.to_string(),
            address: door.listening.address.to_string(),
        };
        let now_s = unix_s(SystemTime::now());
        let certificate = |named: &Named| Certificate {
            file: named.file.clone(),
            days: (unix_s(named.identity.first_to_end().not_after.into()) - now_s).div_euclid(DAY_S),
        };
        Answer::Status(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            state: match self.lasting.drain.phase() {
                Phase::Running => State::Serving,
                Phase::Closing | Phase::Draining | Phase::Cut => State::Draining,
            },
            since_s: u64::try_from(unix_s(self.since)).unwrap_or_default(),
            listeners: self.generation.doors.iter().map(listener).collect(),
            connections: self.lasting.drain.live(),
            sessions,
            transfers,
            certificates: self.lasting.shown.named().iter().map(certificate).collect(),
            config: self.provided.file.as_ref().map(|file| file.path().display().to_string()),
        })
    }
}

fn reloaded(outcome: Result<Accepted, Refused>) -> Answer {
    match outcome {
        Ok(Accepted { next_start, warnings }) => {
            let warnings = warnings.iter().map(ToString::to_string).collect();
            Answer::Reloaded(Reloaded { next_start, warnings })
        }
        Err(Refused(problems)) => {
            let why = problems.to_string().trim_end().to_owned();
            let Problems { problems, .. } = problems;
            Answer::Refused(Refusal { why, problems: problems.into_iter().map(wrong).collect() })
        }
    }
}

fn wrong(Problem { file, line, column, key, message, mend, .. }: Problem) -> Wrong {
    let at = |number: usize| (number != 0).then_some(number);
    Wrong { file, line: at(line), column: at(column), key, why: message, mend }
}

fn unix_s(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}
