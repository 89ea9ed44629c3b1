//! What does the operator demand of a connection?

use std::time::Duration;

use crate::charset::Charset;

/// Everything about one connection that the operator decides and the machine enforces.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How TLS begins.
    pub mode: Mode,
    /// What a client gets that does not ask for TLS. Without meaning on an implicit listener.
    pub plaintext: Plaintext,
    /// Whether a session under TLS may have clear data connections.
    pub data_protection: DataProtection,
    /// Whether data may travel compressed.
    pub compression: Compression,
    /// Whether a client's certificate may log it in.
    pub certificates: Certificates,
    /// Whether `CCC` may end TLS on the control connection. Without meaning on an implicit listener.
    pub clearing: Clearing,
    /// Which part the server may take in a transfer with another server.
    pub fxp: Fxp,
    /// Time from the connection's begin to the end of its TLS handshake, whatever else arrives, where nobody may go without TLS.
    pub tls_timeout: Duration,
    /// Time from the connection's begin (or from a logout) to a login, whatever else arrives.
    pub login_timeout: Duration,
    /// Time without a command, counted from the last one or from the end of the last transfer. `NOOP` counts as none, and nor does
    /// what is refused before anything is done.
    pub idle_timeout: Duration,
    /// Refused logins that end the connection. Zero counts as one.
    pub login_failures: u32,
    /// Text of the `220`.
    pub greeting: String,
}

/// How TLS begins on the control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With `AUTH` (RFC 4217 §4).
    Explicit,
    /// Before the first byte. Control and data connections are protected at all times.
    Implicit,
}

/// What a client gets that does not ask for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// No login.
    Refuse,
    /// A login of these users alone.
    Limit {
        /// Their names, compared byte by byte.
        users: Vec<String>,
    },
    /// A login like any other, but for some users.
    Allow {
        /// Who has to ask for TLS.
        except: Vec<String>,
    },
}

/// Whether a session under TLS may have clear data connections.
///
/// A session without TLS, where [`Plaintext`] admits one, always has clear data connections: RFC 4217 §9 knows no others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataProtection {
    /// Only where `PROT C` was granted to the user ([`Grant::clear_data`]); every other transfer needs `PROT P`.
    Require,
    /// `PROT C` is granted to everybody, and is what holds until `PROT P` (RFC 4217 §9).
    Optional,
}

/// Whether data may travel compressed (`MODE Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It is not, and FEAT does not name it.
    Refused,
    /// Where the client asks for it.
    Offered,
}

/// Whether a client's certificate may log it in, so that `USER` under TLS is asked about before a password is (RFC 2228 §3,
/// reply 232).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificates {
    /// No client is asked for one.
    #[default]
    NotAsked,
    /// The driver knows whose it is.
    Asked,
}

/// Whether a client may end TLS on its control connection and go on in clear (`CCC`, RFC 4217 §5), so that a firewall can
/// read which ports are agreed. Data connections stay as they are; nobody can log in any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clearing {
    /// `534`.
    #[default]
    Refused,
    /// Granted to who is logged in.
    Allowed,
}

/// What a login allows beyond the policy of the listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// `PROT C` is granted to this user: some folder, at least, may be read or written in clear.
    pub clear_data: bool,
    /// In which character set this user's client spells names; UTF-8 where there is none, and behind `OPTS UTF8 ON`.
    pub charset: Option<Charset>,
}

/// Which part the server may take in a transfer with another server (FXP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fxp {
    /// None.
    #[default]
    Refused,
    /// Under TLS that of the TLS server: there is nothing to judge another server's certificate by.
    TlsServerOnly,
    /// Under TLS either: it can judge the certificate of the other server.
    EitherSide,
}
