//! What does the machine ask of its driver?

use std::fmt;
use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::pending::{
    AbortKind, Active, Downgrade, HashKind, HostKind, Introduction, Login, Passive, Pending, RequestKind,
    StatusKind, TransferKind, Upgrade,
};
use crate::charset::Charset;
use crate::command::{Combine, HostName, PathArgument, SetFacts, Span};
use crate::hash::HashAlgorithm;
use crate::listing::FactSet;

/// One thing for the driver to do. Whatever has a [`Pending`] waits for an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The `234` is queued: flush it, then handshake. The machine takes no byte until `tls_established`.
    BeginTls(Pending<Upgrade>),
    /// The `200` to CCC is queued: flush it, then end TLS in both directions. The machine takes no byte until `tls_ended`.
    EndTls(Pending<Downgrade>),
    /// A user says who they are; does the certificate that the TLS handshake has shown suffice? Only where the policy has
    /// [`Certificates::Asked`](super::Certificates::Asked), and only under TLS.
    Introduction {
        /// The name as sent.
        user: String,
        /// Answered by `logged_in_by_certificate` or `password_needed`.
        pending: Pending<Introduction>,
    },
    /// A user wants in.
    Login {
        /// The name as sent.
        user: String,
        /// The password as sent.
        password: Password,
        /// Answered by `login_accepted` or `login_refused`.
        pending: Pending<Login>,
    },
    /// The client says which of the server's names it means (RFC 7151).
    Host {
        /// The name or address.
        host: HostName,
        /// Answered by `host_accepted`, or by `answer` with `504` where that is no name of this server.
        pending: Pending<HostKind>,
    },
    /// REIN behind a HOST: no name was said (RFC 7151 §3.2.1).
    HostForgotten,
    /// The login ended (USER again, REIN, AUTH): drop the session and its data port.
    LoggedOut,
    /// ABOR without a transfer gave the data port up: stop listening (RFC 2428 §3).
    CloseDataPort,
    /// Listen for a data connection. A port or address given before is void.
    Passive {
        /// PASV or EPSV.
        style: PassiveStyle,
        /// Answered by `listening`, or by `answer` with a refusal.
        pending: Pending<Passive>,
    },
    /// Remember where to connect to. A port or address given before is void. The driver owns the rule of which
    /// addresses are allowed (RFC 2577 §3).
    Active {
        /// From PORT or EPRT, as sent.
        address: SocketAddr,
        /// Answered by `connecting`, or by `answer` with a refusal.
        pending: Pending<Active>,
    },
    /// Something that one reply settles.
    Request {
        /// What.
        request: Request,
        /// Answered by `answer`.
        pending: Pending<RequestKind>,
    },
    /// A transfer over the data channel that was armed; the channel is used up by it, also when it is refused.
    Transfer {
        /// What.
        transfer: Transfer,
        /// Answered by `begin` and then `end`, or by `answer` with a refusal.
        pending: Pending<TransferKind>,
    },
    /// A hash to be computed, which may take long: what may be said beside a transfer may be said beside it.
    Hash {
        /// Of what.
        hash: Hash,
        /// Answered by `answer`.
        pending: Pending<HashKind>,
    },
    /// ABOR while a transfer is pending or running: end the transfer (426), then answer this one (226).
    Abort(Pending<AbortKind>),
    /// STAT without argument; a transfer may be running.
    Status(Pending<StatusKind>),
    /// Flush what `transmit` still has, then close; over TLS with close_notify. Nothing comes after it.
    Close(CloseReason),
}

/// Why the machine ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said QUIT.
    Quit,
    /// The client closed its side.
    EndOfInput,
    /// Bytes in clear stood behind AUTH: an injection, or a client that cannot wait (RFC 4217 §4).
    PlaintextBehindAuth,
    /// Command bytes under TLS stood behind CCC, where the next command must be in clear (RFC 4217 §5).
    BytesBehindCcc,
    /// REIN behind CCC: there is no beginning left.
    ReinitializedInClear,
    /// No login in time.
    LoginTimeout,
    /// No TLS within its time.
    TlsTimeout,
    /// No command for too long.
    IdleTimeout,
    /// Too many refused logins.
    LoginFailures,
    /// Too many refused commands in a row before login.
    RefusedCommands,
    /// The peer speaks HTTP.
    Http,
    /// The peer sends a PROXY header and nobody asked it for one.
    ProxyHeader,
    /// A line without end.
    EndlessLine,
    /// The server is going down.
    Drained,
    /// Whoever runs the server wants the client out.
    Dismissed,
    /// The driver answered `421`.
    ServiceNotAvailable,
}

/// What one reply settles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// PWD.
    PrintDirectory,
    /// CWD.
    ChangeDirectory {
        /// Where to.
        path: PathArgument,
    },
    /// CDUP.
    ChangeToParent,
    /// MKD.
    MakeDirectory {
        /// The new directory.
        path: PathArgument,
    },
    /// RMD.
    RemoveDirectory {
        /// The directory.
        path: PathArgument,
    },
    /// DELE.
    Delete {
        /// The file.
        path: PathArgument,
    },
    /// RNFR: may this be renamed? A `350` makes the machine carry the name to the next command, and no further.
    RenameFrom {
        /// What is to be renamed.
        path: PathArgument,
    },
    /// RNTO behind an accepted RNFR.
    Rename {
        /// The name of RNFR.
        from: PathArgument,
        /// The new name.
        to: PathArgument,
    },
    /// SIZE (RFC 3659 §4).
    Size {
        /// The file.
        path: PathArgument,
        /// The TYPE in force, on which the answer depends.
        representation: Representation,
    },
    /// MDTM (RFC 3659 §3).
    ModificationTime {
        /// The file.
        path: PathArgument,
        /// What is to be set, answered as MFMT is, if no file has that whole argument for its name.
        or_set: Option<SetFacts>,
    },
    /// MLST (RFC 3659 §7).
    Facts {
        /// The entry, or the working directory.
        path: Option<PathArgument>,
        /// The facts the client selected.
        facts: FactSet,
    },
    /// MFMT and MFF (draft-somers-ftp-mfxx), SITE CHMOD and SITE UTIME.
    SetFacts {
        /// What, and of which file or directory.
        set: SetFacts,
        /// How success is told.
        answer: SetAnswer,
    },
    /// AVBL: how many bytes a directory has room for.
    Space {
        /// The directory, or the working directory.
        path: Option<PathArgument>,
    },
    /// COMB: puts parts together and removes them.
    Combine(Combine),
    /// STAT with a path: a listing over the control connection.
    StatusOf {
        /// The file or directory.
        path: PathArgument,
    },
}

/// How it is told that facts were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAnswer {
    /// `213` with the facts as they are now (draft-somers-ftp-mfxx §3.1, §5.1).
    Facts,
    /// `200`, as for everything behind SITE (RFC 959 §4.1.3).
    Okay,
}

/// A hash that was asked for. TYPE and MODE have no say in it: what counts is the file as it rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hash {
    /// The file.
    pub path: PathArgument,
    /// What is computed.
    pub algorithm: HashAlgorithm,
    /// Over which octets.
    pub span: Span,
    /// Which command asks, and so how the answer reads.
    pub form: HashForm,
}

/// How the answer to a hash command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashForm {
    /// HASH: `213 SHA-256 0-99 <digits> <name>` (draft-bryan-ftpext-hash §3).
    Described,
    /// XCRC and its kin: `250 <digits>`.
    Digits,
}

/// Everything a transfer needs to know, with the restart marker already in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What moves.
    pub action: Action,
    /// How the bytes are represented. Image for every MLSD (RFC 3659 §7.2) and whenever an upload has an offset.
    pub representation: Representation,
    /// How they travel.
    pub mode: TransferMode,
    /// How hard they are compressed on their way to the client.
    pub level: CompressionLevel,
    /// Whether the data connection is under TLS.
    pub protection: Protection,
    /// Who connects to whom.
    pub channel: Channel,
    /// The character set for the names of a listing; none is UTF-8.
    pub charset: Option<Charset>,
    /// Whom the data connection may lead to, and who begins TLS there.
    pub role: DataRole,
    /// How many bytes an upload will have, as ALLO said right before (RFC 959 §4.1.3); no promise.
    pub announced: Option<u64>,
}

/// What moves over the data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// RETR.
    Retrieve {
        /// The file.
        path: PathArgument,
        /// The first byte wanted, of those that the representation has on the wire (RFC 3659 §5).
        offset: u64,
    },
    /// RETR behind RANG: these octets, as far as the file has them (draft-bryan-ftp-range §4.3).
    RetrieveSpan {
        /// The file.
        path: PathArgument,
        /// Which octets.
        span: Span,
    },
    /// STOR or APPE.
    Store {
        /// The file.
        path: PathArgument,
        /// Where the bytes go.
        mode: StoreMode,
    },
    /// STOU.
    StoreUnique {
        /// A name to begin from, or none.
        path: Option<PathArgument>,
    },
    /// LIST, NLST or MLSD.
    List {
        /// The directory (or file), or the working directory.
        path: Option<PathArgument>,
        /// How a line looks.
        format: ListFormat,
    },
}

/// Where the bytes of an upload go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// In place of whatever is there.
    Replace,
    /// At this offset: REST came before (RFC 3659 §5.3 makes APPE behind REST the same as STOR). Never zero.
    From(u64),
    /// These octets and no others: RANG came before (draft-bryan-ftp-range §4.3).
    Span(Span),
    /// Behind whatever is there.
    Append,
}

/// How a line of a listing looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// LIST.
    Long,
    /// NLST.
    Names,
    /// MLSD.
    Facts(FactSet),
}

/// The TYPE in force (RFC 959 §3.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Representation {
    /// `TYPE A`, non-print: lines end with CR LF on the wire.
    #[default]
    Ascii,
    /// `TYPE I` and `TYPE L 8`: bytes as they are.
    Image,
}

/// The MODE in force (RFC 959 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransferMode {
    /// `MODE S`: the bytes.
    #[default]
    Stream,
    /// `MODE Z`: one zlib stream (RFC 1950) of the bytes (draft-preston-ftpext-deflate §3).
    Deflate,
}

/// How hard compression works: from 0, not at all, to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevel(u8);

impl CompressionLevel {
    /// The level of this number; 9 for more.
    #[must_use]
    pub fn of(number: u8) -> CompressionLevel {
        CompressionLevel(number.min(9))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl Default for CompressionLevel {
    /// Six: what zlib itself begins with, most of the gain for a fraction of the work of 9.
    fn default() -> CompressionLevel {
        CompressionLevel(6)
    }
}

/// The protection level of the data connection (RFC 4217 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// `PROT C`.
    Clear,
    /// `PROT P`.
    Private,
}

/// Who connects to whom for the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The client connects to the port that was answered to PASV or EPSV.
    Passive,
    /// The server connects to this address.
    Active(SocketAddr),
}

/// What the client has said about the other end of the data connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataRole {
    /// Nothing: it is the client's own, and this server is the TLS server.
    #[default]
    Own,
    /// `SSCN OFF`: it may be another server's, and this one is the TLS server.
    TlsServer,
    /// `SSCN ON` or `CPSV`: it is another server's, and this one is the TLS client.
    TlsClient,
}

/// Which command asked for a port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassiveStyle {
    /// PASV: an IPv4 address and a port (RFC 959 §4.1.2).
    Pasv,
    /// CPSV: as PASV, and the server will be the TLS client on the connection that comes.
    Cpsv,
    /// EPSV: a port, of the control connection's family or of the one asked for (RFC 2428 §3).
    Epsv(Option<Family>),
}

/// An address family by its number in EPRT and EPSV (RFC 2428 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 1
    Ipv4,
    /// 2
    Ipv6,
}

/// A password as it was sent: bytes, wiped from memory when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Password {
        Password(Zeroizing::new(bytes))
    }

    /// The bytes, to be judged.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(****)")
    }
}
