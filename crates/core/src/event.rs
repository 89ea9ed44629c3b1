//! What happened? Logs, metrics and audits subscribe; nobody calls them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Attributes;
use crate::certificate::Certificate;
use crate::error::ErrorKind;
use crate::limits::Limit;
use crate::login::LoginError;
use crate::path::VirtualPath;

/// Tells one session from all others of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// Where a session comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which session.
    pub id: SessionId,
    /// The peer's address.
    pub peer: SocketAddr,
    /// What it speaks; for logs only, nothing may depend on it.
    pub protocol: &'static str,
    /// The virtual server that it is at; `None` is the one that nobody has to name.
    pub server: Option<Arc<str>>,
}

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client connected.
    Connected {
        /// Who.
        origin: Origin,
    },
    /// A client was turned away before it could say anything.
    ConnectionRefused {
        /// Whence.
        peer: SocketAddr,
        /// Why, in one of a few words.
        reason: &'static str,
        /// What the operator would change to have it otherwise.
        option: String,
        /// Why, in words.
        why: String,
    },
    /// TLS was agreed on a connection; on some control connections more than once (`REIN`).
    Secured {
        /// Who.
        origin: Origin,
        /// Which of the session's connections.
        channel: Channel,
        /// What was agreed.
        tls: Agreed,
    },
    /// TLS was to be agreed on a connection, and was not.
    NotSecured {
        /// Who.
        origin: Origin,
        /// Which of the session's connections.
        channel: Channel,
        /// What the operator would change to have it otherwise, where it is a setting.
        option: Option<&'static str>,
        /// Why not, in words.
        why: String,
    },
    /// A client named a server that it is not let to.
    ServerRefused {
        /// Who.
        origin: Origin,
        /// The name or address that was given.
        name: String,
        /// What the operator would change to have it otherwise, where that is one option.
        option: Option<&'static str>,
        /// Why, in words.
        why: &'static str,
    },
    /// Somebody tried to log in.
    Login {
        /// Who.
        origin: Origin,
        /// The name that was given; escape it before it is shown.
        user: String,
        /// The certificate that was shown, where one was.
        certificate: Option<Arc<Certificate>>,
        /// Whether it worked, or why not.
        outcome: Result<(), LoginError>,
    },
    /// A client's certificate was not accepted: in the handshake, or later because it no longer is.
    CertificateRefused {
        /// Who.
        origin: Origin,
        /// What it says of itself, which nobody may believe; `None` where it cannot be read.
        certificate: Option<Certificate>,
        /// What the operator would change to have it otherwise.
        option: &'static str,
        /// Why, in words.
        why: String,
    },
    /// A transfer ended. Every upload and download that began gives exactly one of these.
    TransferFinished(TransferFinished),
    /// Something in the tree changed other than by an upload.
    FileChanged {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
        /// What.
        change: Change,
    },
    /// The store failed where the peer is told no more than that it did.
    OperationFailed {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
        /// What was tried, in words.
        what: &'static str,
        /// On what, as the user names it.
        path: VirtualPath,
        /// What the store and the operating system said.
        error: String,
    },
    /// A user was refused something because of a limit.
    LimitReached {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
        /// Which limit.
        limit: Limit,
    },
    /// What a user asked for was refused, and the user was told why.
    OperationRefused {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
        /// On what, as the user names it, where it was about one path.
        path: Option<VirtualPath>,
        /// What the operator would change to have it otherwise, where it is a setting.
        option: Option<&'static str>,
        /// Why.
        kind: ErrorKind,
    },
    /// A command was answered with a refusal.
    CommandRefused {
        /// Who.
        origin: Origin,
        /// The account, where one is logged in.
        user: Option<String>,
        /// Which command, by its name alone; empty where it was none.
        command: &'static str,
        /// The code of the answer.
        reply: u16,
        /// What the operator would change to have it otherwise, where it is a setting.
        option: Option<&'static str>,
        /// The words of the answer.
        why: String,
    },
    /// A connection is over, logged in or not.
    Disconnected {
        /// Who.
        origin: Origin,
        /// Who ended it and why, in words.
        why: &'static str,
        /// What the operator would change to have it otherwise, where it is a setting.
        option: Option<&'static str>,
        /// How long it lasted.
        lasted: Duration,
    },
    /// A login was let in. Not every [`Login`](Event::Login) that worked leads to one: a client may be gone before its password was
    /// judged. Every one of these is followed by one [`SessionEnded`](Event::SessionEnded).
    SessionOpened {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
    },
    /// A session that was opened is over.
    SessionEnded {
        /// Who.
        origin: Origin,
        /// The account.
        user: String,
        /// How long it lasted.
        lasted: Duration,
    },
}

/// Which of a session's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The one that it lives on.
    Session,
    /// One that was opened for a transfer or a listing.
    Transfer,
}

/// How a transfer went.
#[derive(Clone, Debug)]
pub struct TransferFinished {
    /// Who.
    pub origin: Origin,
    /// The account.
    pub user: String,
    /// Which way the bytes went.
    pub direction: Direction,
    /// The file, as the user names it.
    pub path: VirtualPath,
    /// File bytes that moved in this transfer (not those a resume found already there).
    pub bytes: u64,
    /// From opening the file to the end of the transfer.
    pub lasted: Duration,
    /// Whether line ends were converted on the way (`TYPE A` of FTP); false where the bytes went as they are.
    pub text: bool,
    /// What protected the data connection.
    pub protection: Protection,
    /// The other server, where the bytes went to or came from one instead of the client (FXP).
    pub partner: Option<IpAddr>,
    /// Whether all of it arrived and is safe.
    pub outcome: Outcome,
}

/// Which way file bytes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Upload,
    /// To the client.
    Download,
}

/// What protected the bytes of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing (also where no data connection came about).
    Clear,
    /// TLS.
    Tls(Agreed),
}

/// What the two ends of a connection agreed on in TLS, by the names at IANA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Which version.
    pub version: &'static str,
    /// The cipher suite.
    pub suite: &'static str,
    /// The group of the key exchange, where there was one: a resumed session of TLS 1.2 has none.
    pub group: Option<&'static str>,
    /// The application protocol (ALPN), where one was offered.
    pub alpn: Option<&'static str>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whole: an upload is published and as durable as configured, a download was read to its end.
    Complete,
    /// Not whole.
    Incomplete(Incomplete),
}

/// Why a transfer did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// The data connection broke, or never came about.
    ConnectionLost,
    /// It ended without the close_notify that tells an end from a cut.
    Truncated,
    /// No byte moved for too long.
    Stalled,
    /// The keys of the data connection have protected as much as they may.
    WornOut,
    /// The client asked to stop, or went away.
    Aborted,
    /// A newer upload of the same user and name took over.
    TakenOver,
    /// What came does not mean anything; why, in words. Nothing of it is kept.
    Undecodable(&'static str),
    /// The server is going down.
    ShutDown,
    /// Whoever runs the server has ended the session.
    Dismissed,
    /// The data connection was refused; why, in words.
    Refused(&'static str),
    /// The store failed.
    Storage(ErrorKind),
}

/// A change of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file was removed, or an unfinished upload.
    Deleted(VirtualPath),
    /// A file or folder got another name.
    Renamed {
        /// The old one.
        from: VirtualPath,
        /// The new one.
        to: VirtualPath,
    },
    /// A folder was made.
    MadeDirectory(VirtualPath),
    /// A folder was removed.
    RemovedDirectory(VirtualPath),
    /// The time or the mode of a file or folder was set.
    SetAttributes {
        /// Of what.
        path: VirtualPath,
        /// To what.
        attributes: Attributes,
    },
    /// Parts were put together, behind what the target had before.
    Combined {
        /// The file that is there now.
        target: VirtualPath,
        /// Of how many parts. Each one that was then removed is told as [`Change::Deleted`].
        parts: usize,
    },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomplete::ConnectionLost => f.write_str("the data connection was lost"),
            Incomplete::Truncated => f.write_str("the data connection ended without close_notify"),
            Incomplete::Stalled => f.write_str("no data moved for too long"),
            Incomplete::WornOut => f.write_str("the keys of the data connection were worn out"),
            Incomplete::Aborted => f.write_str("stopped by the client"),
            Incomplete::TakenOver => f.write_str("taken over by a newer upload"),
            Incomplete::Undecodable(why) => write!(f, "the data cannot be decoded: {why}"),
            Incomplete::ShutDown => f.write_str("the server is going down"),
            Incomplete::Dismissed => f.write_str("the session was ended by the administrator"),
            Incomplete::Refused(why) => write!(f, "the data connection was refused: {why}"),
            Incomplete::Storage(kind) => write!(f, "storage: {kind}"),
        }
    }
}

/// Whoever wants to know. Called on the thread where it happened: hand over and return.
pub trait Subscriber: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

/// All who want to know.
#[derive(Clone, Default)]
pub struct Events {
    subscribers: Arc<[Arc<dyn Subscriber>]>,
}

impl Events {
    /// These subscribers, told in this order.
    pub fn new(subscribers: impl IntoIterator<Item = Arc<dyn Subscriber>>) -> Events {
        Events { subscribers: subscribers.into_iter().collect() }
    }

    /// Tells everybody.
    pub fn emit(&self, event: &Event) {
        for subscriber in self.subscribers.iter() {
            subscriber.event(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("subscribers", &self.subscribers.len()).finish()
    }
}
