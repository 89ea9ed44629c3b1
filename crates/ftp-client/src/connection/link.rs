//! The machine over its socket: what is to be said is sent, what comes is heard.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use carrack_ftp_proto::client::machine::{Event, GREETING, Machine, Route, Transfer};
use carrack_tls::{ClientControlTls, ConnectError};

use super::Learnt;
use super::control::{Control, READ_STEP};
use super::patience::Patience;
use crate::error::{ErrorKind, Stage};
use crate::settings::Settings;

/// A control connection, logged in or not.
pub(crate) struct Link {
    pub(super) settings: Arc<Settings>,
    pub(super) control: Control,
    pub(super) machine: Machine,
    /// None without TLS.
    pub(super) tls: Option<Arc<ClientControlTls>>,
    /// Where the control connection goes to and comes from; data connections do likewise.
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    /// What is learnt about the server on the way.
    pub(super) learnt: Learnt,
    /// How long the event that is waited for may take. Absolute, so that no trickle of bytes prolongs it.
    pub(crate) patience: Patience,
}

impl Link {
    pub(super) fn new(
        settings: &Arc<Settings>,
        control: Control,
        machine: Machine,
        (peer, local): (SocketAddr, SocketAddr),
        learnt: Learnt,
    ) -> Link {
        let (settings, patience) = (Arc::clone(settings), Patience::default());
        Link { settings, control, machine, tls: None, peer, local, learnt, patience }
    }

    /// The time for a reply begins now.
    pub(super) fn expect_reply(&mut self) {
        self.expect_reply_within(self.settings.timeouts.reply);
    }

    /// As [`Link::expect_reply`], for replies that take longer or are not worth so much time.
    pub(super) fn expect_reply_within(&mut self, time: Duration) {
        self.patience.for_reply(time);
    }

    /// The next event, while there is time. Cancellation safe.
    pub(crate) async fn event(&mut self) -> Result<Event, ErrorKind> {
        poll_fn(|cx| {
            if let Poll::Ready(event) = self.poll_event(cx) {
                return Poll::Ready(event);
            }
            self.poll_patience(cx).map(Err)
        })
        .await
    }

    /// Ready when the time is up.
    pub(crate) fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        let stage = ready!(self.patience.poll(cx));
        Poll::Ready(ErrorKind::TimedOut(stage.unwrap_or(match self.machine.awaited() {
            Some(GREETING) => Stage::Greeting,
            Some(command) => Stage::Reply(command),
            None => Stage::Completion,
        })))
    }

    /// Sends what is to be sent and reads what comes, until something has happened.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, ErrorKind>> {
        let mut buffer = [0; READ_STEP];
        loop {
            if let Some(event) = self.happened() {
                return Poll::Ready(event);
            }
            if !self.control.is_sending()
                && let Some(line) = self.machine.transmit()
            {
                self.control.send(line);
            }
            // A server that reads nothing may still have something to say, such as 421.
            let _waits_for_room = self.control.poll_send(cx);
            match self.control.poll_receive(cx, &mut buffer) {
                Poll::Ready(Ok([])) => return Poll::Ready(self.ended()),
                Poll::Ready(Ok(bytes)) => self.machine.receive(bytes),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(match ConnectError::from(error) {
                        // A server may end a connection as it likes; what it said before still counts.
                        ConnectError::Closed | ConnectError::Io(_) => self.ended(),
                        error => Err(tls_failed(error)),
                    });
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn happened(&mut self) -> Option<Result<Event, ErrorKind>> {
        self.machine.next_event().map(|event| match event {
            Event::Failed(failure) => Err(failure.into()),
            event => Ok(event),
        })
    }

    /// The server has closed its side.
    fn ended(&mut self) -> Result<Event, ErrorKind> {
        self.machine.end_of_input();
        self.happened().unwrap_or(Err(ErrorKind::ConnectionLost))
    }

    /// Where the server is.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Begins a transfer whose data connection was arranged before and is none of this client's.
    pub(crate) fn begin_elsewhere(&mut self, transfer: Transfer) {
        self.machine.transfer(transfer, Route::Arranged);
    }

    /// Tells whoever listens what TLS did.
    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if let Some(dialogue) = &self.settings.dialogue {
            dialogue.tls(&text());
        }
    }
}

/// Why TLS on the control connection failed.
pub(super) fn tls_failed(error: ConnectError) -> ErrorKind {
    match error {
        ConnectError::Untrusted(untrusted) => ErrorKind::Untrusted(untrusted),
        error => ErrorKind::Tls(error),
    }
}
