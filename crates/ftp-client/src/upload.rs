//! A file on its way to the server.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use carrack_ftp_proto::client::RemotePath;
use carrack_ftp_proto::client::machine::{Store, Transfer};
use carrack_tls::{DataStream, Drained, Interest};
use tokio::io::AsyncWrite;

use crate::client::{Client, Wanted};
use crate::data::{End, Flow, Sender, data_failed, drive};
use crate::error::{Error, ErrorKind, Operation};
use crate::watch::Watch;

impl Client {
    /// Begins to upload a file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where the server will not have it, and whatever else can happen on the way.
    pub async fn store(&mut self, path: &RemotePath, how: Store) -> Result<Upload<'_>, Error> {
        let wanted = Wanted::anywhere(Transfer::Store(path.clone(), how));
        let begun =
            self.try_begin(&wanted).await.map_err(|kind| Error::new(Operation::Upload, path, kind))?;
        let (flow, stream) = Flow::new(self, begun, Operation::Upload, path);
        Ok(Upload { flow, stream, stage: Stage::Flowing, sent: 0 })
    }
}

/// An upload. It is complete when [`Upload::finish`] (or `shutdown`) has returned without error, and not before: only then
/// has the server said so. An [`Error`] stands inside the [`io::Error`] of a failed write.
///
/// Dropping it before its end breaks the upload off and closes the control connection too; the next operation opens another.
/// What the server keeps of the part that arrived is the server's affair.
pub struct Upload<'c> {
    flow: Flow<'c>,
    stream: DataStream,
    stage: Stage,
    sent: u64,
}

enum Stage {
    Flowing,
    /// close_notify and FIN are on their way.
    Ending,
    /// They are sent; the server's own end is waited for.
    Draining,
    /// The server's last word is waited for.
    Settling(End),
    Done,
    /// An error was returned.
    Failed,
}

impl Upload<'_> {
    /// Bytes taken so far; not all of them need have arrived.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Says that everything was written, waits for the server's word that all is well, and says how many bytes were sent.
    ///
    /// # Errors
    /// What the server said, where it was not content, and whatever else can happen on the way.
    pub async fn finish(mut self) -> Result<u64, Error> {
        poll_fn(|cx| self.poll_finish(cx)).await?;
        Ok(self.sent)
    }

    /// Sends `file`, from byte `from` to its end, behind what was written before, finishes as [`Upload::finish`] does, and
    /// says how many bytes were sent. The fast way: large files are read on a thread of the runtime's pool for blocking work,
    /// small ones go out in one segment with their end.
    ///
    /// The file's own position is neither used nor moved.
    ///
    /// # Errors
    /// As [`Upload::finish`], [`ErrorKind::Local`] where the file cannot be read, and [`ErrorKind::Stopped`].
    pub async fn send(self, file: &File, from: u64, watch: Arc<dyn Watch>) -> Result<u64, Error> {
        let Stage::Flowing = self.stage else { return self.finish().await };
        let Upload { mut flow, stream, sent, .. } = self;
        let (stream, moved, end) = match drive(&mut flow, Sender::new(stream, file, from), &watch).await {
            Ok(driven) => driven,
            Err(kind) => return Err(flow.error(kind)),
        };
        let stage = match end {
            End::Whole => Stage::Ending,
            broken => Stage::Settling(broken),
        };
        Upload { flow, stream, stage, sent: sent + moved }.finish().await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        loop {
            let Stage::Flowing = self.stage else { return self.poll_finish(cx).map_ok(|()| 0) };
            match self.stream.write(bytes) {
                Ok(taken) => {
                    self.flow.moved();
                    self.sent += taken as u64;
                    return Poll::Ready(Ok(taken));
                }
                Err(error) => ready!(self.poll_blocked(cx, error))?,
            }
        }
    }

    fn poll_flush_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let Stage::Flowing = self.stage else { return self.poll_finish(cx) };
            match self.stream.flush() {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) => ready!(self.poll_blocked(cx, error))?,
            }
        }
    }

    /// A write did not succeed: waits until another may, or goes over to hear from the server why none ever will.
    fn poll_blocked(&mut self, cx: &mut Context<'_>, error: io::Error) -> Poll<Result<(), Error>> {
        if error.kind() != io::ErrorKind::WouldBlock {
            self.stage = Stage::Settling(End::Broken(data_failed(error)));
            return Poll::Ready(Ok(()));
        }
        let waited = ready!(self.flow.poll_wait(cx, &mut self.stream, Interest::Writable));
        Poll::Ready(waited.map_err(|kind| {
            self.stage = Stage::Failed;
            self.flow.error(kind)
        }))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            match &mut self.stage {
                Stage::Flowing => self.stage = Stage::Ending,
                Stage::Ending => match self.stream.finish() {
                    Ok(()) => {
                        self.flow.moved();
                        self.stage = Stage::Draining;
                    }
                    Err(error) => ready!(self.poll_blocked(cx, error))?,
                },
                Stage::Draining => {
                    let drained = ready!(poll_drain(cx, &mut self.flow, &mut self.stream));
                    if let Err(kind) = drained {
                        self.stage = Stage::Failed;
                        return Poll::Ready(Err(self.flow.error(kind)));
                    }
                    self.stage = Stage::Settling(End::Whole);
                }
                Stage::Settling(end) => {
                    let settled = ready!(self.flow.poll_settle(cx, end));
                    self.stage = if settled.is_ok() { Stage::Done } else { Stage::Failed };
                    return Poll::Ready(settled);
                }
                Stage::Done => return Poll::Ready(Ok(())),
                Stage::Failed => return Poll::Ready(Err(self.flow.error(ErrorKind::ConnectionLost))),
            }
        }
    }
}

/// Reads what the server still sends, which are session tickets if anything, until it has ended its side too or has said
/// how the transfer went. Closing earlier would throw the tickets away, and could reset the connection before the server has
/// read all of the file (curl's issue 6149).
fn poll_drain(
    cx: &mut Context<'_>,
    flow: &mut Flow<'_>,
    stream: &mut DataStream,
) -> Poll<Result<(), ErrorKind>> {
    loop {
        if let Poll::Ready(kind) = flow.poll_interrupted(cx) {
            return Poll::Ready(Err(kind));
        }
        let blocked = match stream.drain() {
            Ok(Drained::Ended | Drained::Lost) => return Poll::Ready(Ok(())),
            // SECURITY: a server that never stops is not listened to for ever.
            Ok(Drained::More) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            // What became of the file is for the server to say.
            Err(_) => return Poll::Ready(Ok(())),
        };
        if flow.is_completed() || flow.poll_draining(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if blocked && let Err(error) = ready!(stream.poll_ready(cx, Interest::Readable)) {
            return Poll::Ready(Err(data_failed(error)));
        }
    }
}

impl AsyncWrite for Upload<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_send(cx, bytes).map_err(io::Error::other)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_sent(cx).map_err(io::Error::other)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_finish(cx).map_err(io::Error::other)
    }
}
