//! Why did it not work? Every reason there is, with its words, the side at fault, and whether to try again.

use std::{fmt, io};

use carrack_ftp_proto::client::machine::{BadLogin, Failure};
use carrack_ftp_proto::client::{BadReply, Reply, Violation};
use carrack_ftp_proto::reply::Code;
use carrack_tls::{ConnectError, Untrusted};

use super::{Fault, Retry};

/// Why it did not work.
#[derive(Debug)]
pub enum ErrorKind {
    /// The server's name has no address, or nobody could be asked for it.
    Resolve(io::Error),
    /// There is no TCP connection to the server.
    Connect(io::Error),
    /// Something took too long.
    TimedOut(Stage),
    /// The server's certificate is not trusted. Nothing secret was sent.
    Untrusted(Box<Untrusted>),
    /// The control connection's TLS failed for another reason.
    Tls(ConnectError),
    /// The server refused to protect what was to be protected. Nothing was sent unprotected.
    ProtectionRefused {
        /// What was asked: `AUTH TLS`, `PROT P` or `PROT C`.
        asked: &'static str,
        /// The server's words.
        reply: Reply,
    },
    /// User or password cannot be sent.
    BadLogin(BadLogin),
    /// The server asks for a password and none is known.
    PasswordNeeded,
    /// The server refused user or password, or wants an account (332), which nobody has.
    LoginRefused(Reply),
    /// The server, or somebody on the way, broke the protocol.
    Protocol(Violation),
    /// The server ends its service (421).
    ServiceClosed(Reply),
    /// The control connection ended or broke.
    ConnectionLost,
    /// There is no such file or folder, or this user may not do that with it: 550 and 553. FTP does not tell which.
    NotFoundOrDenied(Reply),
    /// The server refused for another reason.
    Refused {
        /// Which command.
        command: &'static str,
        /// The server's words.
        reply: Reply,
    },
    /// There is no TCP connection for the data.
    DataConnect(io::Error),
    /// The data connection's TLS failed.
    DataTls(ConnectError),
    /// The server refused the data connection: 425, 521, 522 and 534 to a transfer.
    DataRefused(Reply),
    /// The data connection broke.
    DataLost,
    /// The data connection's keys have sealed as much as they may: TLS 1.2 ends there (see [`carrack_tls::WornOut`]).
    KeysWornOut,
    /// The data ended without TLS's close_notify: what came may be a part, whatever the server says of it.
    Truncated,
    /// A listing went on and on and named nothing.
    NothingListed,
    /// A local file could not be read or written.
    Local(io::Error),
    /// The [`Watch`](crate::Watch) said stop.
    Stopped,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The TCP connection to the server.
    Connect,
    /// The server's first line.
    Greeting,
    /// TLS on the control connection.
    Handshake,
    /// The reply to this command.
    Reply(&'static str),
    /// The TCP connection for data: to the server, in active mode from it.
    DataConnect,
    /// TLS on the data connection.
    DataHandshake,
    /// The next byte of the data.
    Data,
    /// The server's last word, after all data had passed.
    Completion,
}

impl ErrorKind {
    /// A refusal of a command that has nothing to do with a data connection.
    pub(crate) fn refused(command: &'static str, reply: Reply) -> ErrorKind {
        match reply.code() {
            Code::FILE_UNAVAILABLE | Code::NAME_NOT_ALLOWED => ErrorKind::NotFoundOrDenied(reply),
            _ => ErrorKind::Refused { command, reply },
        }
    }

    /// A refusal of a transfer.
    pub(crate) fn transfer_refused(command: &'static str, reply: Reply) -> ErrorKind {
        match reply.code().number() {
            // 521 is no RFC's; Pure-FTPd says it to PROT C.
            425 | 521 | 522 | 534 => ErrorKind::DataRefused(reply),
            _ => ErrorKind::refused(command, reply),
        }
    }

    /// Whether the server has answered, so that the connection is as good as before.
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(self, ErrorKind::NotFoundOrDenied(_) | ErrorKind::Refused { .. } | ErrorKind::DataRefused(_))
    }

    /// Whether the server does not know the command at all (RFC 959 §4.2.2).
    pub(crate) fn is_unknown_command(&self) -> bool {
        matches!(
            self,
            ErrorKind::Refused { reply, .. }
                if matches!(reply.code(), Code::SYNTAX_ERROR | Code::NOT_IMPLEMENTED)
        )
    }

    pub(super) const fn reply(&self) -> Option<&Reply> {
        match self {
            ErrorKind::ProtectionRefused { reply, .. }
            | ErrorKind::LoginRefused(reply)
            | ErrorKind::ServiceClosed(reply)
            | ErrorKind::NotFoundOrDenied(reply)
            | ErrorKind::Refused { reply, .. }
            | ErrorKind::DataRefused(reply) => Some(reply),
            _ => None,
        }
    }

    pub(super) fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ErrorKind::Resolve(error)
            | ErrorKind::Connect(error)
            | ErrorKind::DataConnect(error)
            | ErrorKind::Local(error) => Some(error),
            ErrorKind::Tls(error) | ErrorKind::DataTls(error) => Some(error),
            ErrorKind::Protocol(violation) => Some(violation),
            _ => None,
        }
    }

    pub(super) const fn fault(&self) -> Fault {
        match self {
            ErrorKind::Resolve(_)
            | ErrorKind::PasswordNeeded
            | ErrorKind::BadLogin(_)
            | ErrorKind::LoginRefused(_)
            | ErrorKind::NotFoundOrDenied(_)
            | ErrorKind::Stopped => Fault::User,
            ErrorKind::Connect(_)
            | ErrorKind::ConnectionLost
            | ErrorKind::DataConnect(_)
            | ErrorKind::DataLost
            | ErrorKind::TimedOut(Stage::Connect | Stage::DataConnect | Stage::Data)
            | ErrorKind::KeysWornOut
            | ErrorKind::Tls(ConnectError::Io(_))
            | ErrorKind::DataTls(ConnectError::Io(_)) => Fault::Network,
            ErrorKind::Tls(ConnectError::CertificateRequired) => Fault::User,
            ErrorKind::TimedOut(_)
            | ErrorKind::Untrusted(_)
            | ErrorKind::Tls(_)
            | ErrorKind::ProtectionRefused { .. }
            | ErrorKind::Protocol(_)
            | ErrorKind::ServiceClosed(_)
            | ErrorKind::Refused { .. }
            | ErrorKind::DataTls(_)
            | ErrorKind::DataRefused(_)
            | ErrorKind::Truncated
            | ErrorKind::NothingListed => Fault::Server,
            ErrorKind::Local(_) => Fault::Client,
        }
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            ErrorKind::Resolve(_)
            | ErrorKind::Connect(_)
            | ErrorKind::TimedOut(_)
            | ErrorKind::ServiceClosed(_)
            | ErrorKind::Tls(ConnectError::Closed | ConnectError::Io(_))
            | ErrorKind::DataConnect(_) => Retry::Later,
            ErrorKind::ConnectionLost
            | ErrorKind::DataLost
            | ErrorKind::Truncated
            | ErrorKind::KeysWornOut
            | ErrorKind::DataTls(ConnectError::Closed | ConnectError::Io(_)) => Retry::OnNewConnection,
            ErrorKind::LoginRefused(reply)
            | ErrorKind::Refused { reply, .. }
            | ErrorKind::NotFoundOrDenied(reply)
            | ErrorKind::DataRefused(reply)
                if reply.code().is_transient() =>
            {
                Retry::Later
            }
            ErrorKind::Untrusted(_)
            | ErrorKind::Tls(_)
            | ErrorKind::ProtectionRefused { .. }
            | ErrorKind::BadLogin(_)
            | ErrorKind::PasswordNeeded
            | ErrorKind::LoginRefused(_)
            | ErrorKind::Protocol(_)
            | ErrorKind::NotFoundOrDenied(_)
            | ErrorKind::Refused { .. }
            | ErrorKind::DataTls(_)
            | ErrorKind::DataRefused(_)
            | ErrorKind::NothingListed
            | ErrorKind::Local(_)
            | ErrorKind::Stopped => Retry::Never,
        }
    }
}

impl From<Failure> for ErrorKind {
    fn from(failure: Failure) -> ErrorKind {
        match failure {
            Failure::Violation(violation) => ErrorKind::Protocol(violation),
            Failure::ServiceClosed(reply) => ErrorKind::ServiceClosed(reply),
            Failure::ProtectionRefused { asked, reply } => ErrorKind::ProtectionRefused { asked, reply },
            Failure::LoginRefused(reply) => ErrorKind::LoginRefused(reply),
            Failure::PasswordNeeded => ErrorKind::PasswordNeeded,
            Failure::Refused { command, reply } => ErrorKind::Refused { command, reply },
            // A driver that begins two operations at once does not compile: an operation owns its connection.
            Failure::Ended | Failure::Busy => ErrorKind::ConnectionLost,
        }
    }
}

/// The end of the sentence "cannot download /a/b: …".
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Resolve(error) => write!(f, "its address was not found ({error}); is the name right?"),
            ErrorKind::Connect(error) => {
                write!(f, "no connection was made ({error}); are host and port right, and is the server running?")
            }
            ErrorKind::TimedOut(stage) => stage.fmt(f),
            ErrorKind::Untrusted(untrusted) => {
                write!(f, "the server's certificate is not trusted: {}", untrusted.why)
            }
            ErrorKind::Tls(ConnectError::NotTls) => f.write_str(
                "the server answered in clear where TLS was to begin; a port for TLS that begins with AUTH needs ftpes://",
            ),
            ErrorKind::Tls(error) => error.fmt(f),
            ErrorKind::ProtectionRefused { asked: asked @ "PROT C", reply } => write!(
                f,
                "the server refused {asked} ({reply}): it protects all data; leave --clear-data out"
            ),
            ErrorKind::ProtectionRefused { asked: asked @ "PROT P", reply } => write!(
                f,
                "the server refused {asked} ({reply}): it will not protect data; ask its administrator, or send files in \
                 clear with --clear-data"
            ),
            ErrorKind::ProtectionRefused { asked, reply } => write!(
                f,
                "the server refused {asked} ({reply}): it will not protect the connection, and the login was not sent; ask \
                 its administrator for TLS, or try ftps:// if it has a port for that"
            ),
            ErrorKind::BadLogin(bad) => bad.fmt(f),
            ErrorKind::PasswordNeeded => f.write_str("the server asks for a password and none was given"),
            ErrorKind::LoginRefused(reply) => write!(f, "the server refused the login ({reply})"),
            ErrorKind::Protocol(violation @ Violation::BadReply(BadReply::Tls)) => {
                write!(f, "{violation}; for TLS from the first byte use ftps://")
            }
            ErrorKind::Protocol(violation) => violation.fmt(f),
            ErrorKind::ServiceClosed(reply) => write!(f, "the server ended the connection ({reply})"),
            ErrorKind::ConnectionLost => f.write_str("the connection to the server was lost"),
            ErrorKind::NotFoundOrDenied(reply) => {
                write!(f, "the server says that it does not exist or may not be used so ({reply})")
            }
            ErrorKind::Refused { command, reply } => write!(f, "the server refused {command} ({reply})"),
            ErrorKind::DataConnect(error) => write!(
                f,
                "no data connection was made ({error}); a firewall, or the server's range of passive ports, may be in the way"
            ),
            ErrorKind::DataTls(error) => write!(f, "the data connection failed: {error}"),
            ErrorKind::DataRefused(reply) => write!(f, "the server refused the data connection ({reply})"),
            ErrorKind::DataLost => f.write_str("the data connection broke"),
            ErrorKind::KeysWornOut => f.write_str(
                "one data connection of TLS 1.2 carries 256 GiB at most; go on from there over another one, or use TLS 1.3",
            ),
            ErrorKind::Truncated => f.write_str(
                "the server, or somebody on the way, ended the data without TLS's close_notify: what came may be a part",
            ),
            ErrorKind::NothingListed => f.write_str("the server sent a listing without end in which nothing is named"),
            ErrorKind::Local(error) => write!(f, "the local file: {error}"),
            ErrorKind::Stopped => f.write_str("stopped"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Connect => f.write_str("nobody answered in time; are host and port right?"),
            Stage::Greeting => f.write_str(
                "the server did not greet in time; if it expects TLS from the first byte, use ftps://",
            ),
            Stage::Handshake => f.write_str("the server did not finish the TLS handshake in time"),
            Stage::Reply(command) => write!(f, "the server did not answer {command} in time"),
            Stage::DataConnect => f.write_str(
                "no data connection was made in time; a firewall, or the server's range of passive ports, may be in the way",
            ),
            Stage::DataHandshake => {
                f.write_str("the server did not finish the data connection's TLS handshake in time")
            }
            Stage::Data => f.write_str("no byte moved on the data connection for too long"),
            Stage::Completion => f.write_str("all data passed, but the server did not say in time how it went"),
        }
    }
}
