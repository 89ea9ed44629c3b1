//! Who answers at the control socket?

use std::time::Duration;

use carrack_core::event::SessionId;
use carrack_core::live::{Described, LiveSessions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::protocol::{Answer, Errand, Request, Session};
use super::socket::ControlSocket;

/// Who asks at a time. More wait.
const ASKING: usize = 16;

/// The longest request: a user's name and some words.
const LONGEST_REQUEST: u64 = 16 * 1024;

/// How long somebody who has connected may take to ask.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// How long a session has to say what it does. One in a handshake says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something for the loop that serves.
pub(crate) struct Order {
    /// What.
    pub(crate) wanted: Wanted,
    /// Who waits for it.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What only the loop that serves can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// How things are; so many are logged in, so many transfers run.
    Status {
        /// Logged in.
        sessions: usize,
        /// Uploads and downloads.
        transfers: usize,
    },
    /// Read the configuration again.
    Reload,
    /// Go down in order.
    Drain,
}

/// Answers what it can by itself, and hands on the rest.
#[derive(Clone)]
pub(crate) struct Desk {
    live: LiveSessions,
    serving: mpsc::Sender<Order>,
}

impl Desk {
    /// One about these sessions, and what it hands on.
    pub(crate) fn new(live: LiveSessions) -> (Self, mpsc::Receiver<Order>) {
        let (serving, orders) = mpsc::channel(ASKING);
        (Self { live, serving }, orders)
    }

    /// Answers whoever comes to the socket, for as long as it is polled.
    pub(crate) async fn serve(self, socket: ControlSocket) {
        let mut asking = JoinSet::new();
        loop {
            let stream = socket.accept().await;
            while asking.len() >= ASKING {
                asking.join_next().await;
            }
            while asking.try_join_next().is_some() {}
            let desk = self.clone();
            asking.spawn(async move {
                // Who hangs up wants no answer.
                let _ = desk.attend(stream).await;
            });
        }
    }

    /// Answers request for request until the other side ends.
    async fn attend(&self, stream: UnixStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(LONGEST_REQUEST);
            let asked = tokio::time::timeout(REQUEST_TIME, limited.read_until(b'\n', &mut line));
            if asked.await?? == 0 {
                return Ok(());
            }
            let answer = if line.ends_with(b"\n") {
                match serde_json::from_slice(&line) {
                    Ok(request) => self.answer(request).await,
                    Err(error) => Answer::refused(format!("the request is not understood: {error}")),
                }
            } else {
                Answer::refused(format!("a request is one line of at most {LONGEST_REQUEST} bytes"))
            };
            let mut line = serde_json::to_vec(&answer)?;
            line.push(b'\n');
            write.write_all(&line).await?;
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Status {} => {
                let all = self.live.describe(PATIENCE).await;
                let doing = || all.iter().filter_map(|one| one.doing.as_ref());
                let runs = |errand: &carrack_core::live::Errand| errand.is_transfer;
                let sessions = doing().filter(|doing| doing.user.is_some()).count();
                let transfers = doing().filter(|doing| doing.errand.as_ref().is_some_and(runs)).count();
                self.hand_on(Wanted::Status { sessions, transfers }).await
            }
            Request::Sessions {} => {
                Answer::Sessions(self.live.describe(PATIENCE).await.into_iter().map(shown).collect())
            }
            Request::Kick { session: Some(session), user: None } => {
                if self.live.dismiss(SessionId(session)) {
                    tracing::info!(target: "carrack", session, "kicked");
                    Answer::Kicked { sessions: 1 }
                } else {
                    Answer::refused(format!(
                        "there is no session {session}; `carrack ctl sessions` lists them"
                    ))
                }
            }
            Request::Kick { session: None, user: Some(user) } => self.kick_user(&user).await,
            Request::Kick { .. } => {
                Answer::refused("kick takes either `session`, a number, or `user`, a name")
            }
            Request::Reload {} => self.hand_on(Wanted::Reload).await,
            Request::Drain {} => self.hand_on(Wanted::Drain).await,
        }
    }

    async fn kick_user(&self, user: &str) -> Answer {
        let all = self.live.describe(PATIENCE).await;
        let is_theirs = |one: &&Described| {
            one.doing.as_ref().and_then(|doing| doing.user.as_deref()).is_some_and(|name| name == user)
        };
        let told = all.iter().filter(is_theirs).filter(|one| self.live.dismiss(one.origin.id));
        let sessions = told.count();
        if sessions == 0 {
            return Answer::refused(format!("{user:?} has no session; `carrack ctl sessions` lists them"));
        }
        tracing::info!(target: "carrack", user, sessions, "kicked");
        Answer::Kicked { sessions }
    }

    async fn hand_on(&self, wanted: Wanted) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = || Answer::refused("the server has ended");
        if self.serving.send(Order { wanted, answer }).await.is_err() {
            return gone();
        }
        answered.await.unwrap_or_else(|_| gone())
    }
}

fn shown(Described { origin, lasted, doing }: Described) -> Session {
    let errand = |errand: carrack_core::live::Errand| {
        let lasted_ms = errand.lasted.as_millis().max(1);
        let rate = u128::from(errand.bytes) * 1000 / lasted_ms;
        Errand {
            command: errand.what.to_owned(),
            path: errand.path,
            bytes: errand.bytes,
            rate: u64::try_from(rate).unwrap_or(u64::MAX),
            lasted_s: errand.lasted.as_secs(),
        }
    };
    let (idle_s, bytes) = doing.as_ref().map(|doing| (doing.silent.as_secs(), doing.bytes)).unzip();
    let (user, tls, doing) = match doing {
        Some(doing) => (doing.user, doing.tls.map(str::to_owned), doing.errand.map(errand)),
        None => (None, None, None),
    };
    Session {
        session: origin.id.0,
        peer: origin.peer.to_string(),
        protocol: origin.protocol.to_owned(),
        lasted_s: lasted.as_secs(),
        user,
        tls,
        idle_s,
        bytes,
        doing,
    }
}
