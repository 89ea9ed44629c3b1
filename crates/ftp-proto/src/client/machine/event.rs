//! What does the machine ask of its driver, and how can a connection end?

use std::fmt;

use crate::client::{BadReply, Features, RemotePath, Reply};
use crate::limits;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Shake hands on the socket, then say [`tls_established`](super::Machine::tls_established). Not a byte is to be read
    /// from the socket before the handshake reads it.
    BeginTls(Upgrade),
    /// The login and what belongs to it is done; the machine takes operations.
    LoggedIn(Session),
    /// The final reply to a [`Command`](super::Command), whatever it says.
    Answered(Reply),
    /// Connect to this port at the address of the control connection, then say
    /// [`channel_connected`](super::Machine::channel_connected).
    Dial(u16),
    /// The server begins the transfer (1xx).
    Begun(Reply),
    /// The server says that the transfer is complete (2xx). What the data connection said counts as well.
    Completed(Reply),
    /// The server refused the transfer, or ended it without success (4xx, 5xx).
    Refused {
        /// The command that was refused: the transfer's own, or one that prepares it.
        command: &'static str,
        /// The server's words.
        reply: Reply,
    },
    /// The connection is of no use any more: close it. Nothing comes after it.
    Failed(Failure),
}

/// Hands the control connection over to TLS. There is one for each [`Event::BeginTls`].
#[derive(Debug, PartialEq, Eq)]
pub struct Upgrade(pub(super) ());

/// What is known behind a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What the server can do; `None` where it does not know FEAT, so that everything is worth a try.
    pub features: Option<Features>,
    /// The folder the login leads to.
    pub login_folder: RemotePath,
}

/// Why a connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server, or somebody on the way, broke the protocol.
    Violation(Violation),
    /// The server ends its service (421), which it may say at any time.
    ServiceClosed(Reply),
    /// The server closed the connection without a word, or closed it behind its last reply.
    Ended,
    /// The server refused to protect the connection or its data. No secret was sent.
    ProtectionRefused {
        /// What was asked: `AUTH TLS`, `PROT P` or `PROT C`.
        asked: &'static str,
        /// The server's words.
        reply: Reply,
    },
    /// The server refused the user or the password, or asks for an account (332).
    LoginRefused(Reply),
    /// The server asks for a password and none was given.
    PasswordNeeded,
    /// The server refused something else without which it cannot be used.
    Refused {
        /// The greeting, or a command: `TYPE I`.
        command: &'static str,
        /// The server's words.
        reply: Reply,
    },
    /// An operation was begun while another was under way: a fault of the driver.
    Busy,
}

/// How the protocol was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// What came is no reply.
    BadReply(BadReply),
    /// A reply that answers nothing; in clear perhaps the work of somebody on the way.
    Unasked(Option<Reply>),
    /// Bytes in clear behind the 234 that TLS begins with: an injection (RFC 4217 §4).
    BytesBehindAuth,
    /// A reply that this command cannot have.
    Unexpected {
        /// The command, or the greeting.
        command: &'static str,
        /// The reply.
        reply: Reply,
    },
    /// The value that the reply should carry cannot be read.
    Unreadable {
        /// The command.
        command: &'static str,
        /// The reply.
        reply: Reply,
    },
    /// More than [`limits::PRELIMINARY_REPLIES`] replies that say to wait.
    Undecided {
        /// The command.
        command: &'static str,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::BadReply(bad) => bad.fmt(f),
            Violation::Unasked(Some(reply)) => {
                write!(f, "the server said something it was not asked ({reply})")
            }
            Violation::Unasked(None) => f.write_str("the server said something before it was asked"),
            Violation::BytesBehindAuth => f.write_str(
                "bytes in clear came behind the reply that TLS begins with: somebody on the way may have put them there",
            ),
            Violation::Unexpected { command, reply } => {
                write!(f, "the server answered {command} with something that is no answer to it ({reply})")
            }
            Violation::Unreadable { command, reply } => {
                write!(f, "the server's answer to {command} cannot be read ({reply})")
            }
            Violation::Undecided { command } => write!(
                f,
                "the server answered {command} with more than {} preliminary replies",
                limits::PRELIMINARY_REPLIES
            ),
        }
    }
}

impl std::error::Error for Violation {}
