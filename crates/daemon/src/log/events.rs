//! Which line does each event of the transfer domain become?

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use carrack_core::event::{
    Change, Direction, Event, Origin, Outcome, Protection, Subscriber, TransferFinished,
};
use carrack_core::login::LoginError;

use super::flood::{Flood, Verdict};

/// Where all lines come from, so that a filter can name them.
const TARGET: &str = "carrack";

/// Writes core's events to the log.
///
/// What a client can cause without logging in is limited per source, with a count of what was left out. What a logged-in user
/// does is always written.
#[derive(Debug, Default)]
pub struct EventLog {
    flood: Flood,
}

impl EventLog {
    /// Tells about lines that were left out, now and then, for as long as it is polled.
    pub async fn tell_suppressed(&self) {
        let mut every = tokio::time::interval(Flood::TELL_EVERY);
        loop {
            every.tick().await;
            for (source, lines) in self.flood.take_suppressed() {
                suppressed(source, lines);
            }
        }
    }

    /// Whether a line that `peer` caused may be written.
    fn admits(&self, peer: SocketAddr) -> bool {
        match self.flood.admit(peer.ip(), Instant::now()) {
            Verdict::Suppress => false,
            Verdict::Write { suppressed: 0 } => true,
            Verdict::Write { suppressed: lines } => {
                suppressed(Some(super::flood::source(peer.ip())), lines);
                true
            }
        }
    }
}

fn suppressed(source: Option<IpAddr>, lines: u64) {
    let source = source.map_or_else(|| "others".to_owned(), |ip| ip.to_string());
    tracing::warn!(target: TARGET, source, lines, "suppressed");
}

impl Subscriber for EventLog {
    fn event(&self, event: &Event) {
        match event {
            Event::Connected { origin } => self.connected(origin),
            Event::ConnectionRefused { peer, why } => self.refused(*peer, why),
            Event::Login { origin, user, outcome } => self.login(origin, user, outcome),
            Event::TransferFinished(finished) => transfer(finished),
            Event::FileChanged { origin, user, change } => changed(origin, user, change),
            Event::SessionEnded { origin, user, lasted } => {
                tracing::info!(
                    target: TARGET,
                    session = origin.id.0,
                    peer = %origin.peer,
                    user,
                    seconds = lasted.as_secs_f64(),
                    "session_end"
                );
            }
            Event::Disconnected { origin, why, lasted } => self.disconnected(origin, why, *lasted),
            // Events of later versions of core are not ours to word.
            _ => {}
        }
    }
}

impl EventLog {
    fn connected(&self, Origin { id, peer, protocol }: &Origin) {
        if self.admits(*peer) {
            tracing::info!(target: TARGET, session = id.0, %peer, protocol, "connected");
        }
    }

    fn disconnected(&self, Origin { id, peer, .. }: &Origin, why: &str, lasted: Duration) {
        if self.admits(*peer) {
            let seconds = lasted.as_secs_f64();
            tracing::info!(target: TARGET, session = id.0, %peer, why, seconds, "disconnected");
        }
    }

    fn refused(&self, peer: SocketAddr, why: &str) {
        if self.admits(peer) {
            tracing::warn!(target: TARGET, %peer, why, "connection_refused");
        }
    }

    fn login(&self, origin: &Origin, user: &str, outcome: &Result<(), LoginError>) {
        let session = origin.id.0;
        let peer = origin.peer;
        let why = match outcome {
            Ok(()) => {
                tracing::info!(target: TARGET, session, %peer, user, "login");
                return;
            }
            Err(LoginError::Refused(why)) => why.as_str(),
            Err(LoginError::Overloaded) => "too many logins at once",
        };
        if self.admits(peer) {
            tracing::warn!(target: TARGET, session, %peer, user, why, "login_failed");
        }
    }
}

fn transfer(finished: &TransferFinished) {
    let TransferFinished { origin, user, direction, path, bytes, lasted, protection, outcome } = finished;
    let direction = match direction {
        Direction::Upload => "upload",
        Direction::Download => "download",
    };
    let (protection, tls, resumed) = match protection {
        Protection::Clear => ("clear", None, None),
        Protection::Tls { version, resumed } => ("private", Some(*version), Some(*resumed)),
    };
    let why = match outcome {
        Outcome::Complete => None,
        Outcome::Incomplete(why) => Some(why.to_string()),
    };
    let complete = why.is_none();
    tracing::info!(
        target: TARGET,
        session = origin.id.0,
        peer = %origin.peer,
        user,
        direction,
        path = %path.display(),
        bytes,
        seconds = lasted.as_secs_f64(),
        protection,
        tls,
        resumed,
        complete,
        why,
        "transfer"
    );
}

fn changed(origin: &Origin, user: &str, change: &Change) {
    let (what, path, to) = match change {
        Change::Deleted(path) => ("deleted", path, None),
        Change::Renamed { from, to } => ("renamed", from, Some(to.display().to_string())),
        Change::MadeDirectory(path) => ("made_directory", path, None),
        Change::RemovedDirectory(path) => ("removed_directory", path, None),
    };
    let session = origin.id.0;
    tracing::info!(target: TARGET, session, peer = %origin.peer, user, what, path = %path.display(), to, "changed");
}
