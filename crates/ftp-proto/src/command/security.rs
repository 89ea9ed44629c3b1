//! How are AUTH, PBSZ and PROT read? (RFC 2228 §3, RFC 4217 §8 and §9)

use super::malformed;
use crate::reply::{Code, Reply};
use crate::verb::Verb;

/// A mechanism of AUTH, by what it does to the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS` and `TLS-C`: the data connection stays clear until PROT P (RFC 4217 §8).
    Tls,
    /// `SSL` and `TLS-P`: the data connection is private from the start, as the drafts before RFC 4217 had it.
    TlsPrivate,
}

impl Mechanism {
    pub(super) fn read(argument: &[u8]) -> Result<Mechanism, Reply> {
        match argument.to_ascii_uppercase().as_slice() {
            b"TLS" | b"TLS-C" => Ok(Mechanism::Tls),
            b"SSL" | b"TLS-P" => Ok(Mechanism::TlsPrivate),
            _ => Err(Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, "Mechanism not understood; send AUTH TLS.")),
        }
    }
}

/// A protection level of PROT that TLS has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `C`
    Clear,
    /// `P`
    Private,
    /// `S` and `E`, which TLS does not have (RFC 4217 §9). They are refused behind the checks of the sequence.
    Unsupported,
}

impl Level {
    pub(super) fn read(argument: &[u8]) -> Result<Level, Reply> {
        match argument {
            [b'C' | b'c'] => Ok(Level::Clear),
            [b'P' | b'p'] => Ok(Level::Private),
            [b'S' | b's' | b'E' | b'e'] => Ok(Level::Unsupported),
            _ => Err(Reply::new(
                Code::ARGUMENT_NOT_IMPLEMENTED,
                "Protection level not understood; send PROT P.",
            )),
        }
    }
}

/// What SSCN sets: "set secured client negotiation".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sscn {
    /// The server begins TLS as a client.
    On,
    /// The server waits for TLS as a server.
    Off,
}

impl Sscn {
    /// `None` where nothing stands behind the verb: a question.
    pub(super) fn read(argument: &[u8]) -> Result<Option<Sscn>, Reply> {
        match argument.to_ascii_uppercase().as_slice() {
            b"" => Ok(None),
            b"ON" => Ok(Some(Sscn::On)),
            b"OFF" => Ok(Some(Sscn::Off)),
            _ => Err(malformed(Verb::Sscn)),
        }
    }
}

/// PBSZ: any number of 32 bits is understood; TLS has no use for it and the answer is always 0 (RFC 4217 §9).
pub(super) fn buffer_size(argument: &[u8]) -> Result<(), Reply> {
    super::parameter::decimal(argument)
        .filter(|&size| u32::try_from(size).is_ok())
        .map(|_| ())
        .ok_or_else(|| malformed(Verb::Pbsz))
}
