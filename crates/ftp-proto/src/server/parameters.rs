//! How are bytes represented? TYPE, MODE, STRU, OPTS, REST, RANG, ALLO (RFC 959 §4.1.2, RFC 2389 §4,
//! RFC 3659 §5)

use super::login::LoginPhase;
use super::{
    Carried, Compression, CompressionLevel, DataRole, Grant, Outcome, Representation, Server, TransferMode,
    reply,
};
use crate::charset::Charset;
use crate::command::{Opts, Span};
use crate::hash::HashAlgorithm;
use crate::listing::FactSet;
use crate::reply::{Code, Reply};

/// What stays set until it is set again, or until AUTH or REIN.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parameters {
    /// TYPE.
    pub(super) representation: Representation,
    /// OPTS UTF8.
    pub(super) spelling: Spelling,
    /// OPTS MLST.
    pub(super) facts: FactSet,
    /// OPTS HASH.
    pub(super) hash: HashAlgorithm,
    /// MODE.
    pub(super) mode: TransferMode,
    /// OPTS MODE Z.
    pub(super) level: CompressionLevel,
    /// SSCN.
    pub(super) role: DataRole,
}

/// How names are spelled, as far as the client has said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the user is configured; UTF-8 for most.
    #[default]
    OfUser,
    /// `OPTS UTF8 ON`.
    Utf8,
}

impl Server {
    pub(super) fn set_type(&mut self, representation: Representation) -> Outcome {
        self.parameters.representation = representation;
        reply(
            Code::COMMAND_OKAY,
            match representation {
                Representation::Ascii => "Type is ASCII.",
                Representation::Image => "Type is image.",
            },
        )
    }

    pub(super) fn mode(&mut self, mode: TransferMode) -> Outcome {
        if mode == TransferMode::Deflate {
            self.demand_compression()?;
        }
        self.parameters.mode = mode;
        reply(
            Code::COMMAND_OKAY,
            match mode {
                TransferMode::Stream => "Mode is stream.",
                TransferMode::Deflate => "Mode is deflate.",
            },
        )
    }

    fn demand_compression(&self) -> Result<(), Reply> {
        match self.policy.compression {
            Compression::Offered => Ok(()),
            Compression::Refused => {
                let text = "MODE Z is switched off here; use MODE S.";
                Err(Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text).because_of("listen.deflate"))
            }
        }
    }

    pub(super) fn stru() -> Outcome {
        reply(Code::COMMAND_OKAY, "Structure is file.")
    }

    pub(super) fn opts(&mut self, opts: Opts) -> Outcome {
        match opts {
            Opts::Utf8 => {
                self.parameters.spelling = Spelling::Utf8;
                reply(Code::COMMAND_OKAY, "Names are UTF-8.")
            }
            Opts::NotUtf8 => self.leave_utf8(),
            Opts::Mlst(facts) => {
                self.parameters.facts = facts;
                // The exact form is RFC 3659 §7.9's: without facts there is no space behind OPTS.
                reply(Code::COMMAND_OKAY, format!("MLST OPTS {}", facts.labels()).trim_end())
            }
            Opts::Hash(chosen) => {
                self.parameters.hash = chosen.unwrap_or(self.parameters.hash);
                reply(Code::COMMAND_OKAY, self.parameters.hash.name())
            }
            Opts::Deflate(level) => {
                self.demand_compression()?;
                self.parameters.level = level;
                reply(Code::COMMAND_OKAY, format!("MODE Z LEVEL is {}.", level.number()))
            }
        }
    }

    /// RANG: kept for the next transfer or hash; whether it fits the file is said there. `551` in any other TYPE and MODE
    /// (draft-bryan-ftp-range §5).
    pub(super) fn rang(&mut self, span: Option<Span>) -> Outcome {
        let Some(span) = span else {
            return reply(Code::PENDING_FURTHER_INFORMATION, "Range reset.");
        };
        self.demand_octets()?;
        self.carried = Carried::Range(span);
        let last = span.end.map_or(u64::MAX, |end| end.saturating_sub(1));
        let text = format!("Range from {} to {last}; send the transfer command or HASH.", span.first);
        reply(Code::PENDING_FURTHER_INFORMATION, text)
    }

    /// A range counts octets of the file, which are those of the data connection only in TYPE I and MODE S.
    pub(super) fn demand_octets(&self) -> Result<(), Reply> {
        match (self.parameters.representation, self.parameters.mode) {
            (Representation::Image, TransferMode::Stream) => Ok(()),
            _ => Err(Reply::new(Code::PAGE_TYPE_UNKNOWN, "A range needs TYPE I and MODE S.")),
        }
    }

    /// `OPTS UTF8 OFF`: back to the user's own character set, if there is one. To anybody else names have no other spelling.
    fn leave_utf8(&mut self) -> Outcome {
        let LoginPhase::LoggedIn(Grant { charset: Some(charset), .. }, _) = self.login else {
            return Err(Reply::new(
                Code::ARGUMENT_NOT_IMPLEMENTED,
                "Names are UTF-8 here, and nothing else.",
            )
            .because_of("user.charset"));
        };
        self.parameters.spelling = Spelling::OfUser;
        reply(Code::COMMAND_OKAY, format!("Names are {}.", charset.name()))
    }

    /// In which character set names are spelled now; none is UTF-8.
    pub(super) fn charset(&self) -> Option<Charset> {
        match (&self.login, self.parameters.spelling) {
            (LoginPhase::LoggedIn(grant, _), Spelling::OfUser) => grant.charset,
            _ => None,
        }
    }

    /// REST: kept for the next transfer; whether it fits is said there (RFC 3659 §5.3).
    pub(super) fn rest(&mut self, offset: u64) -> Outcome {
        self.carried = Carried::Restart(offset);
        reply(
            Code::PENDING_FURTHER_INFORMATION,
            format!("Restarting at {offset}; send the transfer command."),
        )
    }

    /// ALLO: the storage hears of it with the next upload, whose name it needs to judge by.
    pub(super) fn allo(&mut self, bytes: u64) -> Outcome {
        self.announced = Some(bytes);
        reply(Code::SUPERFLUOUS, "No storage need be reserved.")
    }
}
