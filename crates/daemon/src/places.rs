//! Who has a place at a port that answers anybody, and who gives it up when there is none left?

use std::collections::VecDeque;

use carrack_net::{Listener, Source};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

/// Connections at a time: an authority asks about a name from some five places, and a hundred names may be asked about at once
/// through a proxy; each costs some ten KiB.
const CONNECTIONS: usize = 128;

/// Has connections at `listener` answered for as long as it is polled; what runs then is dropped with it. The answer bounds its own
/// time.
pub(crate) async fn serve<F>(mut listener: Listener, answer: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut held = VecDeque::new();
    let mut connections = JoinSet::new();
    loop {
        // Who was closed for want of a descriptor comes again.
        let Ok(accepted) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        held.retain(|(_, connection): &(Source, AbortHandle)| !connection.is_finished());
        // SECURITY: who comes is let in. Silent connections cost those who hold them their places and nobody else's, and no
        // authority or collector waits until they time out.
        if held.len() >= CONNECTIONS {
            let sources: Vec<_> = held.iter().map(|(source, _)| *source).collect();
            let given_up = dearest(&sources).and_then(|index| held.remove(index));
            given_up.into_iter().for_each(|(_, connection)| connection.abort());
        }
        held.push_back((Source::of(accepted.peer.ip()), connections.spawn(answer(accepted.stream))));
    }
}

/// Which of these, the oldest first, gives up its place: the oldest of the source that has most; of several such sources, the one
/// that came first.
fn dearest(sources: &[Source]) -> Option<usize> {
    let places = |source: &Source| sources.iter().filter(|other| *other == source).count();
    // The last of several greatest is found, and the walk begins at the end.
    sources.iter().enumerate().rev().max_by_key(|(_, source)| places(source)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn who_holds_most_gives_up_the_oldest() {
        let sources = |last: &[u8]| -> Vec<_> {
            last.iter().map(|last| Source::of([192, 0, 2, *last].into())).collect()
        };
        assert_eq!(dearest(&sources(&[1, 2, 3, 2, 3, 2])), Some(1));
        assert_eq!(dearest(&sources(&[1, 2, 3, 3, 2])), Some(1));
        assert_eq!(dearest(&sources(&[1, 2, 3])), Some(0));
        assert_eq!(dearest(&[]), None);
    }

    #[tokio::test]
    async fn silent_connections_keep_nobody_out() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        // Nothing here times out: who says nothing stays until the place is needed.
        tasks.spawn(serve(listener, |mut stream| async move {
            let mut word = [0; 4];
            if stream.read_exact(&mut word).await.is_ok() {
                let _ = stream.write_all(&word).await;
            }
        }));
        let exchange = async |mut stream: TcpStream| {
            let mut answer = String::new();
            let _ = stream.write_all(b"word").await;
            let _ = stream.read_to_string(&mut answer).await;
            answer
        };
        let mut silent = VecDeque::new();
        for _ in 0..CONNECTIONS {
            silent.push_back(TcpStream::connect(address).await.unwrap());
        }
        assert_eq!(exchange(TcpStream::connect(address).await.unwrap()).await, "word");
        // The oldest gave up its place, the others have theirs.
        assert_eq!(silent.pop_front().unwrap().read(&mut [0]).await.unwrap(), 0);
        for stream in silent {
            assert_eq!(exchange(stream).await, "word");
        }
    }
}
