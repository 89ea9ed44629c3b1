//! A file, or a listing, on its way from the server.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use carrack_ftp_proto::client::RemotePath;
use carrack_ftp_proto::client::machine::Transfer;
use carrack_tls::{DataStream, Interest, Received};
use tokio::io::{AsyncRead, ReadBuf};

use crate::client::{Begun, Client, Wanted};
use crate::data::{End, Flow, Receiver, Step, drive, ended};
use crate::error::{Error, ErrorKind, Operation};
use crate::watch::Watch;

impl Client {
    /// Begins to download a file, from byte `from` on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is none, and whatever else can happen on the way. Where `from` is not 0
    /// and the server cannot begin there, it refuses REST.
    pub async fn retrieve(&mut self, path: &RemotePath, from: u64) -> Result<Download<'_>, Error> {
        let wanted = Wanted::anywhere(Transfer::Retrieve(path.clone(), from));
        self.download(Operation::Download, path, wanted).await
    }

    pub(crate) async fn download(
        &mut self,
        operation: Operation,
        path: &RemotePath,
        wanted: Wanted,
    ) -> Result<Download<'_>, Error> {
        let begun = self.try_begin(&wanted).await.map_err(|kind| Error::new(operation, path, kind))?;
        Ok(Download::over(self, begun, operation, path))
    }
}

/// A download. Read it to its end: the end comes only behind TLS's close_notify and the server's word that all is well, and
/// until then what was read may be a part. An [`Error`] stands inside the [`io::Error`] of a failed read.
///
/// Dropping it before its end closes the control connection too; the next operation opens another.
pub struct Download<'c> {
    flow: Flow<'c>,
    stream: DataStream,
    stage: Stage,
    received: u64,
}

enum Stage {
    Flowing,
    /// The data has ended; the server's last word is waited for.
    Settling(End),
    Done,
    /// An error was returned.
    Failed,
}

impl<'c> Download<'c> {
    pub(crate) fn over(
        client: &'c mut Client,
        begun: Begun,
        operation: Operation,
        path: &RemotePath,
    ) -> Download<'c> {
        let (flow, stream) = Flow::new(client, begun, operation, path);
        Download { flow, stream, stage: Stage::Flowing, received: 0 }
    }

    pub(crate) fn into_client(self) -> &'c mut Client {
        self.flow.into_client()
    }

    /// Bytes read so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Checks that the download has come to a good end, and says how many bytes it brought. What was not read is read and
    /// dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] where the data ended without close_notify, whatever the server says of it; what the server
    /// said, where it was not content; and whatever else can happen on the way.
    pub async fn finish(mut self) -> Result<u64, Error> {
        let mut dropped = vec![0; 64 * 1024];
        while poll_fn(|cx| self.poll_receive(cx, &mut dropped)).await? > 0 {}
        Ok(self.received)
    }

    /// Writes what comes to `file`, from byte `at` on, checks the end as [`Download::finish`] does, and says how many bytes
    /// the download brought. The fast way: nothing is copied on the way from the connection to the file, and large files are
    /// written on a thread of the runtime's pool for blocking work.
    ///
    /// The file's own position is neither used nor moved, and nothing is synced.
    ///
    /// # Errors
    /// As [`Download::finish`], [`ErrorKind::Local`] where the file cannot be written, and [`ErrorKind::Stopped`]. What came
    /// before an error is in the file.
    pub async fn save(self, file: &File, at: u64, watch: Arc<dyn Watch>) -> Result<u64, Error> {
        self.drive(|stream| Receiver::at(stream, file, at), watch).await
    }

    /// As [`Download::save`], to where `file` stands: for pipes, terminals and devices, such as standard output.
    ///
    /// A reader that is slow blocks a thread of the runtime.
    ///
    /// # Errors
    /// As [`Download::save`]; a pipe without a reader is [`ErrorKind::Local`] with [`io::ErrorKind::BrokenPipe`].
    pub async fn pour(self, file: &File, watch: Arc<dyn Watch>) -> Result<u64, Error> {
        self.drive(|stream| Receiver::next(stream, file), watch).await
    }

    async fn drive<'f>(
        self,
        receiver: impl FnOnce(DataStream) -> Receiver<'f>,
        watch: Arc<dyn Watch>,
    ) -> Result<u64, Error> {
        let Stage::Flowing = self.stage else { return self.finish().await };
        let Download { mut flow, stream, received, .. } = self;
        let (mut stream, saved, end) = match drive(&mut flow, receiver(stream), &watch).await {
            Ok(driven) => driven,
            Err(kind) => return Err(flow.error(kind)),
        };
        say_goodbye(&mut stream);
        flow.settle(end).await?;
        Ok(received + saved)
    }

    /// Ends it for this reason.
    pub(crate) fn failed(&mut self, kind: ErrorKind) -> Error {
        self.stage = Stage::Failed;
        self.flow.error(kind)
    }

    /// Reads into `buffer`; 0 behind the good end.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        let Download { flow, stream, stage, received } = self;
        loop {
            match stage {
                Stage::Flowing => match stream.read(buffer) {
                    Ok(Received::Bytes(bytes)) => {
                        flow.moved();
                        *received += bytes as u64;
                        return Poll::Ready(Ok(bytes));
                    }
                    other => match ended(other) {
                        Step::Ended(end) => {
                            say_goodbye(stream);
                            *stage = Stage::Settling(end);
                        }
                        _ => {
                            if let Err(kind) = ready!(flow.poll_wait(cx, stream, Interest::Readable)) {
                                *stage = Stage::Failed;
                                return Poll::Ready(Err(flow.error(kind)));
                            }
                        }
                    },
                },
                Stage::Settling(end) => {
                    let settled = ready!(flow.poll_settle(cx, end));
                    *stage = if settled.is_ok() { Stage::Done } else { Stage::Failed };
                    return Poll::Ready(settled.map(|()| 0));
                }
                Stage::Done => return Poll::Ready(Ok(0)),
                Stage::Failed => return Poll::Ready(Err(flow.error(ErrorKind::ConnectionLost))),
            }
        }
    }
}

/// Ends our side as well, with close_notify under TLS: some servers wait for it before they say how it went.
fn say_goodbye(stream: &mut DataStream) {
    // The data has ended, so whether this arrives changes nothing.
    let _sent = stream.finish();
}

impl AsyncRead for Download<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let read = ready!(self.poll_receive(cx, buffer.initialize_unfilled()));
        Poll::Ready(read.map(|bytes| buffer.advance(bytes)).map_err(io::Error::other))
    }
}
