//! A transfer whose data flows: the control connection is heard beside it, and has the last word behind it.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use carrack_ftp_proto::client::machine::Event;
use carrack_ftp_proto::client::{RemotePath, Reply};
use carrack_tls::{DataStream, Interest};
use tokio::time::sleep;

use super::data_failed;
use crate::client::{Begun, Client};
use crate::connection::{Channel, Connection};
use crate::error::{Error, ErrorKind, Operation, Stage};

/// How long is waited, once the data has broken, for the server to say why.
const REASON: Duration = Duration::from_secs(5);

/// What belongs to a transfer beside its data connection.
pub(crate) struct Flow<'c> {
    client: &'c mut Client,
    /// The transfer's own until it has ended as it should; dropped with it otherwise.
    connection: Option<Connection>,
    /// The server's last word, where it came already.
    completed: Option<Reply>,
    operation: Operation,
    path: RemotePath,
    waits: Waits,
}

/// What the time limit of the connection is for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// Nothing: bytes move, or whoever reads and writes here takes their time.
    Nothing,
    /// For the next byte.
    Data,
    /// For the server's last word.
    Completion,
}

/// How the data ended.
#[derive(Debug)]
pub(crate) enum End {
    /// As it should: with close_notify, or FIN in clear. Of an upload: all was sent.
    Whole,
    /// It broke, and this is what is known of it.
    Broken(ErrorKind),
}

impl<'c> Flow<'c> {
    pub(crate) fn new(
        client: &'c mut Client,
        begun: Begun,
        operation: Operation,
        path: &RemotePath,
    ) -> (Flow<'c>, DataStream) {
        let Begun { connection, channel: Channel { stream, completed } } = begun;
        let (connection, path) = (Some(connection), path.clone());
        (Flow { client, connection, completed, operation, path, waits: Waits::Nothing }, stream)
    }

    pub(crate) fn into_client(self) -> &'c mut Client {
        self.client
    }

    /// The error of this transfer. The connection is given up, unless the server has had its last word over it.
    pub(crate) fn error(&mut self, kind: ErrorKind) -> Error {
        let connection = self.connection.take().filter(|_| kind.is_answer());
        if let Some(connection) = connection {
            self.client.keep(connection);
        }
        Error::new(self.operation, &self.path, kind)
    }

    /// How long nothing may move.
    pub(crate) fn stall_limit(&self) -> Duration {
        self.client.settings().timeouts.stall
    }

    /// Bytes have moved: the time for the next ones begins when they are waited for.
    pub(crate) fn moved(&mut self) {
        self.waits = Waits::Nothing;
    }

    /// The server has said that the transfer is complete.
    pub(crate) fn is_completed(&self) -> bool {
        self.completed.is_some()
    }

    /// Waits until the data connection is ready, unless the server ends the transfer or nothing moves for too long.
    pub(crate) async fn wait(
        &mut self,
        stream: &mut DataStream,
        interest: Interest,
    ) -> Result<(), ErrorKind> {
        poll_fn(|cx| self.poll_wait(cx, stream, interest)).await
    }

    /// See [`Flow::wait`].
    pub(crate) fn poll_wait(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut DataStream,
        interest: Interest,
    ) -> Poll<Result<(), ErrorKind>> {
        if let Poll::Ready(ready) = stream.poll_ready(cx, interest) {
            return Poll::Ready(ready.map_err(data_failed));
        }
        if let Poll::Ready(kind) = self.poll_interrupted(cx) {
            return Poll::Ready(Err(kind));
        }
        self.poll_patience(cx, Waits::Data, Stage::Data, self.stall_limit()).map(Err)
    }

    /// Waits for what becomes of the data at the end of an upload: for so long as nothing may move, whatever moves.
    pub(crate) fn poll_draining(&mut self, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        self.poll_patience(cx, Waits::Data, Stage::Data, self.stall_limit())
    }

    /// Ready when the time for this is up, which begins with the first call for it.
    fn poll_patience(
        &mut self,
        cx: &mut Context<'_>,
        waits: Waits,
        stage: Stage,
        time: Duration,
    ) -> Poll<ErrorKind> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(ErrorKind::ConnectionLost) };
        if self.waits != waits {
            self.waits = waits;
            connection.link.patience.for_stage(stage, time);
        }
        connection.link.poll_patience(cx)
    }

    /// Waits this long, unless the server ends the transfer.
    pub(crate) async fn pause(&mut self, pause: Duration) -> Result<(), ErrorKind> {
        let mut pause = std::pin::pin!(sleep(pause));
        poll_fn(|cx| {
            if let Poll::Ready(kind) = self.poll_interrupted(cx) {
                return Poll::Ready(Err(kind));
            }
            pause.as_mut().poll(cx).map(Ok)
        })
        .await?;
        self.moved();
        Ok(())
    }

    /// Waits for the server to end the transfer without success, or to end altogether.
    pub(crate) async fn interrupted(&mut self) -> ErrorKind {
        poll_fn(|cx| self.poll_interrupted(cx)).await
    }

    /// See [`Flow::interrupted`]. A good end is kept: servers may say it before the last byte is read.
    pub(crate) fn poll_interrupted(&mut self, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(ErrorKind::ConnectionLost) };
        while self.completed.is_none() {
            match ready!(connection.link.poll_event(cx)) {
                Ok(Event::Completed(reply)) => self.completed = Some(reply),
                Ok(Event::Refused { command, reply }) => {
                    return Poll::Ready(ErrorKind::transfer_refused(command, reply));
                }
                Ok(_) => {}
                Err(kind) => return Poll::Ready(kind),
            }
        }
        Poll::Pending
    }

    /// Waits for the server's last word and settles with it how the transfer has ended. Only where both, data and word, are
    /// good, is it good, and the connection kept.
    pub(crate) fn poll_settle(&mut self, cx: &mut Context<'_>, end: &mut End) -> Poll<Result<(), Error>> {
        let reply = self.client.settings().timeouts.reply;
        let time = match end {
            End::Whole => reply,
            End::Broken(_) => REASON.min(reply),
        };
        let word = match self.poll_interrupted(cx) {
            Poll::Ready(kind) => Some(kind),
            Poll::Pending if self.completed.is_some() => None,
            Poll::Pending => Some(ready!(self.poll_patience(cx, Waits::Completion, Stage::Completion, time))),
        };
        let kind = match (std::mem::replace(end, End::Whole), word) {
            (End::Whole, None) => {
                if let Some(connection) = self.connection.take() {
                    self.client.keep(connection);
                }
                return Poll::Ready(Ok(()));
            }
            (End::Whole, Some(kind)) => kind,
            // The server's own words are better than what its data connection shows, if it has any.
            (End::Broken(_), Some(kind)) if kind.is_answer() => kind,
            (End::Broken(_), Some(kind @ ErrorKind::ServiceClosed(_))) => kind,
            (End::Broken(kind), _) => kind,
        };
        Poll::Ready(Err(self.error(kind)))
    }

    /// See [`Flow::poll_settle`].
    pub(crate) async fn settle(&mut self, mut end: End) -> Result<(), Error> {
        poll_fn(|cx| self.poll_settle(cx, &mut end)).await
    }
}
