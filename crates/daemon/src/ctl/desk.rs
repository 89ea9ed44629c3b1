//! Who answers at the control socket?

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use carrack_core::account::User;
use carrack_core::event::SessionId;
use carrack_core::live::{Described, LiveSessions};
use carrack_net::Bans;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::bans;
use super::parcel::Parcel;
use super::protocol::{Answer, Errand, Request, Session};
use super::socket::ControlSocket;
use super::upgrade;
use crate::sandbox::Program;

/// Who asks at a time. More wait.
const ASKING: usize = 16;

/// The longest request: a user's name and some words.
const LONGEST_REQUEST: u64 = 16 * 1024;

/// How long somebody who has connected may take to ask.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// How long a session has to say what it does. One in a handshake says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something for the loop that serves, with who waits for it.
pub(crate) enum Order {
    /// An answer is all that it comes to.
    Ask(Wanted, oneshot::Sender<Answer>),
    /// The listening sockets, for the process that asks. Where they are given, the succession follows or is dropped.
    HandOver(oneshot::Sender<Result<(Parcel, Succession), String>>),
    /// Another process serves at them.
    Ready(Successor, oneshot::Sender<Answer>),
}

/// The time in which two processes have the sockets; where it is over without a successor, it is undone.
pub(crate) struct Succession(Option<Box<dyn FnOnce() + Send>>);

impl Succession {
    /// One that is undone so.
    pub(crate) fn undone_by(undo: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(undo)))
    }

    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Succession {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|undo| undo());
    }
}

/// The process that has taken this one's place.
pub(crate) struct Successor {
    /// Its id.
    pub(crate) process: u32,
    /// Whether it serves the shared data port.
    pub(crate) data_port: bool,
    /// It waits for the end of this one, which is that of the connection.
    pub(crate) _stream: Arc<UnixStream>,
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
    bans: Arc<Bans>,
    serving: mpsc::Sender<Order>,
    /// The program that can take this one's place.
    next: Option<Program>,
    /// The process that has taken this one's place.
    taken: watch::Sender<Option<u32>>,
    /// How many are being answered.
    answering: watch::Sender<usize>,
}

/// One who is being answered, for as long as the value lives.
struct Answering(watch::Sender<usize>);

impl Answering {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Desk {
    /// One about these sessions and bans, and what it hands on. `next` is started to take over, where one can be.
    pub(crate) fn new(
        live: LiveSessions,
        bans: Arc<Bans>,
        next: Option<Program>,
    ) -> (Self, mpsc::Receiver<Order>) {
        let (serving, orders) = mpsc::channel(ASKING);
        let (taken, answering) = (watch::Sender::new(None), watch::Sender::new(0));
        (Self { live, bans, serving, next, taken, answering }, orders)
    }

    /// How many are being answered, for whoever ends the server: an answer may be that it ends.
    pub(crate) fn answering(&self) -> watch::Receiver<usize> {
        self.answering.subscribe()
    }

    /// Answers whoever comes to the socket, for as long as it is polled.
    /// Behind `stops`, those who have come are still answered.
    pub(crate) async fn serve(self, socket: ControlSocket, stops: Arc<Notify>) {
        let mut asking = JoinSet::new();
        loop {
            let stream = tokio::select! {
                stream = socket.accept() => stream,
                () = stops.notified() => break,
            };
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
        drop(socket);
        while asking.join_next().await.is_some() {}
    }

    /// Answers request for request until the other side ends.
    async fn attend(&self, stream: UnixStream) -> io::Result<()> {
        let stream = Arc::new(stream);
        let mut read = BufReader::new(Reading(Arc::clone(&stream)));
        let mut succession = None;
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(LONGEST_REQUEST);
            let asked = tokio::time::timeout(REQUEST_TIME, limited.read_until(b'\n', &mut line));
            if asked.await?? == 0 {
                return Ok(());
            }
            let _answered = Answering::new(&self.answering);
            let answer = if line.ends_with(b"\n") {
                match serde_json::from_slice(&line) {
                    Ok(Request::TakeOver {}) => match self.hand_over(&stream).await {
                        Ok(begun) => {
                            succession = Some(begun);
                            continue;
                        }
                        Err(why) => Answer::refused(why),
                    },
                    Ok(Request::Ready { process, data_port }) => match succession.take() {
                        Some(begun) => {
                            let _stream = Arc::clone(&stream);
                            self.succeeded(begun, Successor { process, data_port, _stream }).await
                        }
                        None => Answer::refused("nothing was handed over"),
                    },
                    Ok(request) => self.answer(request).await,
                    Err(error) => Answer::refused(format!("the request is not understood: {error}")),
                }
            } else {
                Answer::refused(format!("a request is one line of at most {LONGEST_REQUEST} bytes"))
            };
            let mut line = serde_json::to_vec(&answer)?;
            line.push(b'\n');
            write_all(&stream, &line).await?;
        }
    }

    /// Sends the sockets to whoever takes this server's place.
    async fn hand_over(&self, stream: &UnixStream) -> Result<Succession, String> {
        let (answer, answered) = oneshot::channel();
        let gone = |_| "the server has ended".to_owned();
        self.serving.send(Order::HandOver(answer)).await.map_err(|_| gone(()))?;
        let (parcel, succession) = answered.await.map_err(|_| gone(()))??;
        stream.writable().await.map_err(|error| error.to_string())?;
        parcel.send(stream).map_err(|error| error.to_string())?;
        Ok(succession)
    }

    async fn succeeded(&self, begun: Succession, successor: Successor) -> Answer {
        let (answer, answered) = oneshot::channel();
        let process = successor.process;
        if self.serving.send(Order::Ready(successor, answer)).await.is_err() {
            return Answer::refused("the server has ended");
        }
        let answer = answered.await.unwrap_or_else(|_| Answer::refused("the server has ended"));
        if matches!(answer, Answer::Draining(_)) {
            begun.done();
            self.taken.send_replace(Some(process));
        }
        answer
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
            Request::Kick { session: Some(session), user: None, virtual_server: None } => {
                if self.live.dismiss(SessionId(session)) {
                    tell_kicked(Some(session), None, 1);
                    Answer::Kicked { sessions: 1 }
                } else {
                    Answer::refused(format!(
                        "there is no session {session}; `carrack ctl sessions` lists them"
                    ))
                }
            }
            Request::Kick { session: None, user: Some(name), virtual_server } => {
                self.kick_user(User { server: virtual_server.as_deref(), name: &name }).await
            }
            Request::Kick { .. } => Answer::refused(
                "kick takes either `session`, a number, or `user`, a name, and with that `virtual_server`",
            ),
            Request::Bans {} => bans::list(&self.bans),
            Request::Ban { network, for_s, why } => {
                bans::ban(&self.bans, &self.live, &network, for_s, why.as_deref(), PATIENCE).await
            }
            Request::Unban { network } => bans::unban(&self.bans, &network),
            Request::Reload {} => self.hand_on(Wanted::Reload).await,
            Request::Drain {} => self.hand_on(Wanted::Drain).await,
            Request::Upgrade {} => upgrade::upgrade(self.next.clone(), self.taken.subscribe()).await,
            // These are for the connection that they come by.
            Request::TakeOver {} | Request::Ready { .. } => Answer::refused("nothing was handed over"),
        }
    }

    async fn kick_user(&self, user: User<'_>) -> Answer {
        let all = self.live.describe(PATIENCE).await;
        let is_theirs = |one: &&Described| {
            one.doing.as_ref().is_some_and(|doing| {
                doing.user.as_deref() == Some(user.name) && doing.server.as_deref() == user.server
            })
        };
        let told = all.iter().filter(is_theirs).filter(|one| self.live.dismiss(one.origin.id));
        let sessions = told.count();
        if sessions == 0 {
            let user = user.to_string();
            return Answer::refused(format!("{user:?} has no session; `carrack ctl sessions` lists them"));
        }
        tell_kicked(None, Some(user), sessions);
        Answer::Kicked { sessions }
    }

    async fn hand_on(&self, wanted: Wanted) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = || Answer::refused("the server has ended");
        if self.serving.send(Order::Ask(wanted, answer)).await.is_err() {
            return gone();
        }
        answered.await.unwrap_or_else(|_| gone())
    }
}

fn tell_kicked(session: Option<u64>, user: Option<User<'_>>, sessions: usize) {
    let (user, virtual_server) = (user.map(|user| user.name), user.and_then(|user| user.server));
    tracing::info!(target: "carrack", session, user, virtual_server, sessions, "kicked");
}

/// A stream that is read here, while others hold it as well.
struct Reading(Arc<UnixStream>);

impl AsyncRead for Reading {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|length| buffer.advance(length))),
            }
        }
    }
}

async fn write_all(stream: &UnixStream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
    let server = doing.as_ref().and_then(|doing| doing.server.as_deref().map(str::to_owned));
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
        virtual_server: server,
        tls,
        idle_s,
        bytes,
        doing,
    }
}
