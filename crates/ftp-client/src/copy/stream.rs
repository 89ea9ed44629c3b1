//! How does a file go to a stream, or come from one, as it moves?

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carrack_ftp_proto::client::RemotePath;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::down::pattern;
use super::errand::Sink;
use super::known::{Is, Known, known};
use super::naming::TargetIs;
use super::telling::{End, Meter, Transfer};
use super::terms::Terms;
use super::up::look_at_target;
use super::{Ended, Event, Existing, Failure, Omission, Place, StreamSide, Verified, Verify};
use crate::filter::Kind;
use crate::journal::{Moment, Version};
use crate::url::UrlPath;
use crate::{Client, Download, Error, Pace, Store, Watch};

/// Bytes that are passed on at a time.
const PIECE: usize = 64 * 1024;

/// Writes files of the server to a stream, one behind the other.
pub(super) async fn to_stream(
    terms: &Terms,
    client: &mut Client,
    sources: Vec<UrlPath>,
    target: &mut Sink,
) -> Result<Ended, Failure> {
    for source in sources {
        for (path, known) in pattern::meant_or_told(terms, client, &source).await? {
            let place = Place::Remote(path.clone());
            match known.is {
                Is::Folder => terms.telling.failed(place.clone(), Failure::FolderToStream(place)),
                Is::Special => terms.telling.skipped(place, Omission::Special),
                Is::File if !terms.filter.keeps(path.name().unwrap_or_default(), Kind::File) => {
                    terms.telling.skipped(place, Omission::Filtered);
                }
                Is::File => {
                    terms.telling.tell(Event::Found { files: 1, bytes: known.size.unwrap_or(0) });
                    if (Passage { terms, path, known }).pass(client, target).await? == Ended::ReaderGone {
                        return Ok(Ended::ReaderGone);
                    }
                }
            }
        }
    }
    let Sink::Stream(target) = target else { return Ok(Ended::Complete) };
    match target.flush().await {
        Err(error) if error.kind() == IoErrorKind::BrokenPipe => Ok(Ended::ReaderGone),
        Err(error) => Err(Failure::Stream(StreamSide::Output, error)),
        Ok(()) => Ok(Ended::Complete),
    }
}

/// One file on its way to a stream.
struct Passage<'t> {
    terms: &'t Terms,
    path: RemotePath,
    known: Known,
}

/// Why an attempt ended.
enum Broken {
    Reader,
    Failed(Failure),
}

impl Passage<'_> {
    /// Fails where no connection is to be had, and where the stream broke.
    async fn pass(self, client: &mut Client, target: &mut Sink) -> Result<Ended, Failure> {
        let Passage { terms, path, known } = &self;
        let place = Place::Remote(path.clone());
        let mut transfer = Transfer::begin(&terms.telling, place, Place::Stream, known.size);
        let mut attempts = terms.attempts();
        let mut written = 0;
        let outcome = loop {
            let failure = match self.attempt(client, target, &mut transfer, &mut written).await {
                Ok(()) => break Ok(()),
                Err(Broken::Reader) => return Ok(Ended::ReaderGone),
                Err(Broken::Failed(failure @ Failure::Stream(..))) => return Err(failure),
                Err(Broken::Failed(failure)) => failure,
            };
            if let Err(failure) = attempts.again(failure, &terms.telling, Some(transfer.id())).await {
                break Err(failure);
            }
            // What was written cannot be taken back, so it goes on only with the very same file.
            if written > 0 {
                match self.is_unchanged(client).await {
                    Ok(true) => attempts.begins_at(written),
                    Ok(false) => break Err(Failure::SourceChanged(Place::Remote(path.clone()))),
                    Err(failure) => break Err(failure),
                }
            }
        };
        let outcome = outcome.and_then(|()| self.compare(written));
        transfer.end(outcome.map(End::Done))?;
        Ok(Ended::Complete)
    }

    async fn attempt(
        &self,
        client: &mut Client,
        target: &mut Sink,
        transfer: &mut Transfer,
        written: &mut u64,
    ) -> Result<(), Broken> {
        let terms = self.terms;
        transfer.restarted(*written);
        let meter = transfer.meter(terms.limiter.as_ref(), &terms.stop, u64::MAX);
        let download =
            client.retrieve(&self.path, *written).await.map_err(|error| Broken::Failed(error.into()))?;
        match target {
            Sink::Stream(target) => pass_on(download, target, &meter, written).await,
            Sink::File(file) => {
                let counted = Arc::new(Counted { meter, bytes: AtomicU64::new(0) });
                let poured = download.pour(file, Arc::clone(&counted) as Arc<dyn Watch>).await;
                *written += counted.bytes.load(Ordering::Relaxed);
                poured.map(drop).map_err(output_failed)
            }
        }
    }

    async fn is_unchanged(&self, client: &mut Client) -> Result<bool, Failure> {
        let version = |known: &Known| {
            Some(Version { size: known.size?, modified: known.modified.and_then(Moment::told) })
        };
        let now = known(self.terms, client, &self.path).await?;
        Ok(version(&self.known).zip(version(&now)).is_some_and(|(then, now)| then.is_certainly(&now)))
    }

    fn compare(&self, written: u64) -> Result<Verified, Failure> {
        match self.known.size {
            _ if self.terms.verify == Verify::Off => Ok(Verified::Nothing),
            None => Ok(Verified::Nothing),
            Some(size) if size == written => Ok(Verified::Size),
            Some(expected) => {
                let place = Place::Remote(self.path.clone());
                Err(Failure::SizeDiffers { place, expected, arrived: written })
            }
        }
    }
}

/// Reads a download to its end and writes it to a stream, counting what was written.
async fn pass_on(
    mut download: Download<'_>,
    target: &mut (dyn AsyncWrite + Send + Unpin),
    meter: &Meter,
    written: &mut u64,
) -> Result<(), Broken> {
    let mut buffer = vec![0; PIECE];
    loop {
        let bytes = download
            .read(&mut buffer)
            .await
            .map_err(|error| Broken::Failed(carried(error, StreamSide::Input)))?;
        if bytes == 0 {
            break;
        }
        match target.write_all(buffer.get(..bytes).unwrap_or_default()).await {
            Ok(()) => *written += bytes as u64,
            Err(error) if error.kind() == IoErrorKind::BrokenPipe => return Err(Broken::Reader),
            Err(error) => return Err(Broken::Failed(Failure::Stream(StreamSide::Output, error))),
        }
        wait(meter, bytes).await;
    }
    download.finish().await.map_err(|error| Broken::Failed(error.into()))?;
    Ok(())
}

/// Why a download could not be poured out.
fn output_failed(error: Error) -> Broken {
    match error.local() {
        Ok(error) if error.kind() == IoErrorKind::BrokenPipe => Broken::Reader,
        Ok(error) => Broken::Failed(Failure::Stream(StreamSide::Output, error)),
        Err(error) => Broken::Failed(error.into()),
    }
}

/// A meter that also counts what was written: it cannot be taken back.
struct Counted {
    meter: Meter,
    bytes: AtomicU64,
}

impl Watch for Counted {
    fn moved(&self, bytes: u64) -> Pace {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.meter.moved(bytes)
    }
}

/// Sends a stream to its end to a file of the server. Nothing is tried again once bytes have gone: they are gone.
pub(super) async fn from_stream(
    terms: &Terms,
    client: &mut Client,
    source: &mut (dyn AsyncRead + Send + Unpin),
    target: &UrlPath,
) -> Result<Ended, Failure> {
    let (path, is) = look_at_target(terms, client, target).await?;
    if matches!(is, TargetIs::Folder | TargetIs::MissingFolder) {
        return Err(Failure::StreamIntoFolder(Place::Remote(path)));
    }
    terms.telling.tell(Event::Found { files: 1, bytes: 0 });
    let mut transfer = Transfer::begin(&terms.telling, Place::Stream, Place::Remote(path.clone()), None);
    let outcome = match send(terms, client, source, &path, &mut transfer).await {
        Ok(sent) => compare(terms, client, &path, sent).await,
        Err(failure) => Err(failure),
    };
    transfer.end(outcome.map(End::Done))?;
    Ok(Ended::Complete)
}

async fn send(
    terms: &Terms,
    client: &mut Client,
    source: &mut (dyn AsyncRead + Send + Unpin),
    target: &RemotePath,
    transfer: &mut Transfer,
) -> Result<u64, Failure> {
    transfer.restarted(0);
    let how = match terms.existing {
        Existing::Replace => Store::Replace,
        Existing::Append => Store::Append,
    };
    let meter = transfer.meter(terms.limiter.as_ref(), &terms.stop, u64::MAX);
    let mut upload = client.store(target, how).await?;
    let mut buffer = vec![0; PIECE];
    let mut sent = 0;
    loop {
        let read = source.read(&mut buffer).await;
        let bytes = read.map_err(|error| Failure::Stream(StreamSide::Input, error))?;
        if bytes == 0 {
            break;
        }
        upload
            .write_all(buffer.get(..bytes).unwrap_or_default())
            .await
            .map_err(|error| carried(error, StreamSide::Output))?;
        sent += bytes as u64;
        wait(&meter, bytes).await;
    }
    upload.finish().await?;
    Ok(sent)
}

async fn compare(
    terms: &Terms,
    client: &mut Client,
    path: &RemotePath,
    sent: u64,
) -> Result<Verified, Failure> {
    if terms.verify == Verify::Off || terms.existing == Existing::Append {
        return Ok(Verified::Nothing);
    }
    match client.size(path).await? {
        None => Ok(Verified::Nothing),
        Some(size) if size == sent => Ok(Verified::Size),
        Some(arrived) => {
            Err(Failure::SizeDiffers { place: Place::Remote(path.clone()), expected: sent, arrived })
        }
    }
}

/// Tells of bytes that moved, and waits as long as the rate wants. A stop is seen by who runs the copy.
async fn wait(meter: &Meter, bytes: usize) {
    if let Pace::Wait(time) = meter.moved(bytes as u64) {
        tokio::time::sleep(time).await;
    }
}

/// The error of the transfer that an error of its stream stands for.
fn carried(error: std::io::Error, side: StreamSide) -> Failure {
    match error.downcast::<crate::Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::Stream(side, error),
    }
}
