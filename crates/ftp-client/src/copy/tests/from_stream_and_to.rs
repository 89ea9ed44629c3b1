//! Do standard input and output take part in a copy, and end it when they end?

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use super::*;

/// A stream whose bytes can be looked at, and whose reader may go away.
#[derive(Clone, Default)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// After so many bytes nobody reads any more.
    gone_at: Option<usize>,
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut written = self.bytes.lock().unwrap();
        if self.gone_at.is_some_and(|at| written.len() >= at) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Bench {
    async fn cat(&self, sources: &[&str], pipe: &Pipe) -> Result<Summary, Failure> {
        let sources = sources.iter().map(|source| remote(source)).collect();
        self.copy(self.plan(sources, Target::Stream(Box::new(pipe.clone())))).await
    }

    async fn pipe_to(&self, bytes: &'static [u8], target: &str) -> Result<Summary, Failure> {
        self.copy(self.plan(vec![Source::Stream(Box::new(bytes))], Target::Remote(path(target)))).await
    }
}

#[tokio::test]
async fn files_are_written_one_behind_the_other() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"one ");
    bench.server.put("/s/b", b"two ");
    let pipe = Pipe::default();
    let summary = bench.cat(&["/s/b", "/s/gone", "/s", "/s/*"], &pipe).await.unwrap();
    assert_eq!(pipe.bytes.lock().unwrap().as_slice(), b"two one two ");
    assert_eq!((summary.files, summary.failed, summary.verified_by_size), (3, 2, 3));
}

#[tokio::test]
async fn a_reader_that_has_enough_ends_it_without_a_failure() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    let pipe = Pipe { gone_at: Some(1), ..Pipe::default() };
    let summary = bench.cat(&["/a", "/a"], &pipe).await.unwrap();
    assert_eq!((summary.ended, summary.failed, bench.server.count("RETR")), (Ended::ReaderGone, 0, 1));
}

#[tokio::test]
async fn what_was_cut_goes_on_behind_what_was_written_if_it_is_still_the_same() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    let pipe = Pipe::default();
    let summary = bench.cat(&["/a"], &pipe).await.unwrap();
    assert_eq!((summary.files, bench.server.count("REST")), (1, 1));
    assert!(*pipe.bytes.lock().unwrap() == large(1));

    bench.server.site().timeless = true;
    bench.server.site().cuts = vec![1_500_000];
    let summary = bench.cat(&["/a"], &Pipe::default()).await.unwrap();
    assert_eq!((summary.files, summary.failed, bench.server.count("REST")), (0, 1, 1));
    assert!(bench.everything_told().contains("SourceChanged"));
}

#[tokio::test]
async fn a_stream_becomes_a_file() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"old");
    let summary = bench.pipe_to(b"from a stream", "/s/a").await.unwrap();
    assert_eq!((summary.files, summary.bytes, summary.verified_by_size), (1, 13, 1));
    assert_eq!(bench.server.bytes("/s/a").unwrap(), b"from a stream");
    let mut plan = bench.plan(vec![Source::Stream(Box::new(&b", twice"[..]))], Target::Remote(path("/s/a")));
    plan.existing = Existing::Append;
    bench.copy(plan).await.unwrap();
    assert_eq!(bench.server.bytes("/s/a").unwrap(), b"from a stream, twice");
    for target in ["/s", "/s/", "/new/"] {
        assert!(matches!(bench.pipe_to(b"x", target).await, Err(Failure::StreamIntoFolder(_))));
    }
}

#[tokio::test]
async fn a_stream_that_went_is_not_sent_again() {
    let bench = Bench::new().await;
    bench.server.site().cuts = vec![1];
    let summary = bench.pipe_to(b"from a stream", "/a").await.unwrap();
    assert_eq!((summary.files, summary.failed, bench.server.count("STOR")), (0, 1, 1));
}
