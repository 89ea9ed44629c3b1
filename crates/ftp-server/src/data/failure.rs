//! Why is there no data connection, and what is said about it?

use std::io;

use carrack_core::event::Incomplete;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_tls::{ConnectError, Distrust, HandshakeError, Refusal};

use super::Party;

/// Why there is no data connection.
pub(crate) enum Failure {
    /// Nobody came in time.
    NobodyCame,
    /// The other end's port could not be reached.
    Unreachable(io::Error),
    /// TLS was not agreed with a TLS client.
    Handshake(Party, HandshakeError),
    /// TLS was not agreed with a partner as the TLS server.
    PartnerHandshake(ConnectError),
    /// The handshake took too long.
    HandshakeTime(Party),
    /// It does not belong to this control connection; the refusal says how to mend the client.
    NotYours(Refusal),
    /// A partner came to a transfer that had not asked for one.
    PartnerUnasked,
    /// This server was to be the TLS client of somebody who is no partner.
    NotAPartner,
    /// A partner cannot come to the data port that all sessions share.
    NoPortForPartners,
    /// Clear data at a shared port where several sessions of the address wait.
    ClearAmongOthers,
    /// `PROT` came between the announcement of the shared port and its use.
    ProtectionChanged,
}

/// What lets two servers agree on TLS, for replies.
const ONE_TLS_CLIENT: &str = "of two servers one has to be the TLS client: SSCN ON to one of them, or CPSV to the \
                              passive one";

impl Failure {
    /// The reply (RFC 959 §5.4: 425; RFC 4217 §10 for what fails under TLS: 522).
    pub(crate) fn reply(&self) -> Reply {
        let (code, text) = match self {
            Self::NobodyCame => {
                (Code::CANNOT_OPEN_DATA_CONNECTION, "No data connection came in time.".to_owned())
            }
            Self::Unreachable(error) => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                format!("Your data port cannot be reached ({}); try passive mode.", error.kind()),
            ),
            // A network that was lost. Nothing was refused, and trying again may help.
            Self::Handshake(Party::Client, error) if is_lost(error) => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                format!("The data connection was lost during the TLS handshake: {error}."),
            ),
            Self::Handshake(Party::Client, error) => (
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!("The data connection's TLS handshake failed: {error}."),
            ),
            Self::Handshake(Party::Partner, error @ HandshakeError::Refused(_)) => (
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!(
                    "The other server refused TLS with this one ({error}); does it believe this one's authority?"
                ),
            ),
            Self::Handshake(Party::Partner, error) => (
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!("The other server was no TLS client ({error}); {ONE_TLS_CLIENT}."),
            ),
            Self::PartnerHandshake(error) => (
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                format!("No TLS with the other server: {error}; {}.", mend(error)),
            ),
            Self::HandshakeTime(Party::Client) => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "The data connection's TLS handshake took too long.".to_owned(),
            ),
            Self::HandshakeTime(Party::Partner) => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                format!("The other server did not shake hands in time; {ONE_TLS_CLIENT}."),
            ),
            // Trying again may help.
            Self::NotYours(refusal @ (Refusal::Contested | Refusal::SharedCache)) => {
                (Code::CANNOT_OPEN_DATA_CONNECTION, refusal.to_string())
            }
            Self::NotYours(refusal) => (Code::NOT_SUPPORTED_ON_DATA_CONNECTION, refusal.to_string()),
            Self::PartnerUnasked => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                format!(
                    "Another server came, and this session had not asked for one; {ONE_TLS_CLIENT}, and SSCN OFF here \
                     if the other is."
                ),
            ),
            Self::NotAPartner => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "SSCN ON and CPSV are for data connections with partner servers, and that address is none; \
                 send SSCN OFF for others."
                    .to_owned(),
            ),
            Self::NoPortForPartners => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "All sessions share one data port here, where another server cannot come; let the other one listen \
                 (EPSV or CPSV there, PORT here)."
                    .to_owned(),
            ),
            Self::ClearAmongOthers => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "Clear data does not say whose it is, and several sessions of your address wait here; send PROT P."
                    .to_owned(),
            ),
            Self::ProtectionChanged => (
                Code::CANNOT_OPEN_DATA_CONNECTION,
                "PROT was changed after the data port was announced; send EPSV or PASV again.".to_owned(),
            ),
        };
        let reply = Reply::new(code, text);
        match self.option() {
            Some(option) => reply.because_of(option),
            None => reply,
        }
    }

    /// What the operator would change to have it otherwise, where it is a setting.
    const fn option(&self) -> Option<&'static str> {
        match self {
            Self::NobodyCame | Self::HandshakeTime(_) => Some("timeouts.data_accept_s"),
            Self::NotYours(Refusal::Contested | Refusal::SharedCache)
            | Self::NoPortForPartners
            | Self::ClearAmongOthers => Some("passive.ports"),
            Self::NotYours(_) => Some("listen.data_tls_reuse"),
            Self::PartnerHandshake(ConnectError::Untrusted(_)) => Some("fxp.ca"),
            Self::PartnerUnasked | Self::NotAPartner => Some("fxp.partners"),
            Self::Unreachable(_)
            | Self::Handshake(..)
            | Self::PartnerHandshake(_)
            | Self::ProtectionChanged => None,
        }
    }

    /// The same for the log.
    pub(crate) fn incomplete(&self) -> Incomplete {
        Incomplete::Refused(match self {
            Self::NobodyCame => "nobody came in time",
            Self::Unreachable(_) => "the client's port cannot be reached",
            Self::Handshake(Party::Client, error) if is_lost(error) => "it was lost during the TLS handshake",
            Self::Handshake(..) => "the TLS handshake failed",
            Self::PartnerHandshake(ConnectError::Untrusted(_)) => {
                "the other server's certificate is not trusted"
            }
            Self::PartnerHandshake(_) => "the TLS handshake with the other server failed",
            Self::HandshakeTime(_) => "the TLS handshake took too long",
            Self::NotYours(_) => "it did not resume this login's TLS session",
            Self::PartnerUnasked => "a partner came that was not asked for",
            Self::NotAPartner => "its other end is no partner",
            Self::NoPortForPartners => "a partner cannot come to the data port that all share",
            Self::ClearAmongOthers => "clear data, and several sessions of the address at the shared port",
            Self::ProtectionChanged => "PROT was changed behind the announcement of the port",
        })
    }
}

/// Whether the connection ended before TLS had an opinion.
const fn is_lost(error: &HandshakeError) -> bool {
    matches!(error, HandshakeError::Closed | HandshakeError::Io(_))
}

/// What the operators can do about it.
fn mend(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Untrusted(untrusted) if matches!(untrusted.why, Distrust::KeyNotPinned { .. }) => {
            "a partner's key belongs into [fxp] spki_sha256 here"
        }
        ConnectError::Untrusted(_) => "its authority belongs into [fxp] ca here",
        _ => "is it a TLS server, with SSCN OFF",
    }
}
