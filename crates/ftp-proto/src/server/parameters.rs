//! How are bytes represented? TYPE, MODE, STRU, OPTS, REST, ALLO (RFC 959 §4.1.2, RFC 2389 §4, RFC 3659 §5)

use super::login::LoginPhase;
use super::{Carried, Grant, Outcome, Representation, Server, reply};
use crate::charset::Charset;
use crate::command::Opts;
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

    pub(super) fn mode() -> Outcome {
        reply(Code::COMMAND_OKAY, "Mode is stream.")
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
        }
    }

    /// `OPTS UTF8 OFF`: back to the user's own character set, if there is one. To anybody else names have no other spelling.
    fn leave_utf8(&mut self) -> Outcome {
        let LoginPhase::LoggedIn(Grant { charset: Some(charset), .. }) = self.login else {
            return Err(Reply::new(
                Code::ARGUMENT_NOT_IMPLEMENTED,
                "Names are UTF-8 here, and nothing else.",
            ));
        };
        self.parameters.spelling = Spelling::OfUser;
        reply(Code::COMMAND_OKAY, format!("Names are {}.", charset.name()))
    }

    /// In which character set names are spelled now; none is UTF-8.
    pub(super) fn charset(&self) -> Option<Charset> {
        match (&self.login, self.parameters.spelling) {
            (LoginPhase::LoggedIn(grant), Spelling::OfUser) => grant.charset,
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

    pub(super) fn allo() -> Outcome {
        reply(Code::SUPERFLUOUS, "No storage need be reserved.")
    }
}
