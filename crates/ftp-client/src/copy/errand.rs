//! Which way does a copy go?

use std::fs::File;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Failure, Source, Target};
use crate::url::UrlPath;

/// A copy's sources and target, with their kinds settled.
pub(super) enum Errand {
    /// From the server to this machine.
    Down { sources: Vec<UrlPath>, target: PathBuf },
    /// From this machine to the server.
    Up { sources: Vec<PathBuf>, target: UrlPath },
    /// From the server to a stream.
    ToStream { sources: Vec<UrlPath>, target: Sink },
    /// From a stream to the server.
    FromStream { source: Box<dyn AsyncRead + Send + Unpin>, target: UrlPath },
}

/// What takes files one behind the other.
pub(super) enum Sink {
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
    File(File),
}

impl Errand {
    pub(super) fn of(sources: Vec<Source>, target: Target) -> Result<Errand, Failure> {
        let (mut local, mut remote, mut streams) = (Vec::new(), Vec::new(), Vec::new());
        for source in sources {
            match source {
                Source::Local(path) => local.push(path),
                Source::Remote(path) => remote.push(path),
                Source::Stream(stream) => streams.push(stream),
            }
        }
        match (local.is_empty(), remote.is_empty(), streams.pop(), streams.is_empty(), target) {
            (true, false, None, _, Target::Local(target)) => Ok(Errand::Down { sources: remote, target }),
            (true, false, None, _, Target::Stream(target)) => {
                Ok(Errand::ToStream { sources: remote, target: Sink::Stream(target) })
            }
            (true, false, None, _, Target::File(target)) => {
                Ok(Errand::ToStream { sources: remote, target: Sink::File(target) })
            }
            (false, true, None, _, Target::Remote(target)) => Ok(Errand::Up { sources: local, target }),
            (true, true, Some(source), true, Target::Remote(target)) => {
                Ok(Errand::FromStream { source, target })
            }
            (_, false, _, _, Target::Remote(_)) => Err(Failure::ServerToServer),
            (_, true, Some(_), _, Target::Local(_) | Target::Stream(_) | Target::File(_))
            | (false, true, None, _, Target::Local(_) | Target::Stream(_) | Target::File(_)) => {
                Err(Failure::NothingRemote)
            }
            _ => Err(Failure::Sources),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_is_the_server_and_the_other_is_not() {
        let remote = || UrlPath::from_bytes(b"/a").unwrap();
        let source = |kind: char| match kind {
            'l' => Source::Local("a".into()),
            'r' => Source::Remote(remote()),
            _ => Source::Stream(Box::new(tokio::io::empty())),
        };
        let target = |kind: char| match kind {
            'l' => Target::Local("a".into()),
            'r' => Target::Remote(remote()),
            _ => Target::Stream(Box::new(tokio::io::sink())),
        };
        for (sources, to, way) in [
            ("rr", 'l', "down"),
            ("ll", 'r', "up"),
            ("rr", '-', "to stream"),
            ("-", 'r', "from stream"),
            ("r", 'r', "server to server"),
            ("lr", 'r', "server to server"),
            ("l", 'l', "nothing remote"),
            ("l", '-', "nothing remote"),
            ("-", '-', "nothing remote"),
            ("", 'r', "sources"),
            ("lr", 'l', "sources"),
            ("--", 'r', "sources"),
            ("-l", 'r', "sources"),
            ("-r", 'l', "sources"),
        ] {
            let is = match Errand::of(sources.chars().map(source).collect(), target(to)) {
                Ok(Errand::Down { .. }) => "down",
                Ok(Errand::Up { .. }) => "up",
                Ok(Errand::ToStream { .. }) => "to stream",
                Ok(Errand::FromStream { .. }) => "from stream",
                Err(Failure::ServerToServer) => "server to server",
                Err(Failure::NothingRemote) => "nothing remote",
                Err(_) => "sources",
            };
            assert_eq!(is, way, "{sources} {to}");
        }
    }
}
