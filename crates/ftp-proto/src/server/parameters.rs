//! How are bytes represented? TYPE, MODE, STRU, OPTS, REST, ALLO (RFC 959 §4.1.2, RFC 2389 §4, RFC 3659 §5)

use super::{Carried, DataRole, Outcome, Representation, Server, reply};
use crate::command::Opts;
use crate::listing::FactSet;
use crate::reply::Code;

/// What stays set until it is set again, or until AUTH or REIN.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parameters {
    /// TYPE.
    pub(super) representation: Representation,
    /// OPTS MLST.
    pub(super) facts: FactSet,
    /// SSCN.
    pub(super) role: DataRole,
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
            Opts::Utf8 => reply(Code::COMMAND_OKAY, "Names are UTF-8."),
            Opts::Mlst(facts) => {
                self.parameters.facts = facts;
                // The exact form is RFC 3659 §7.9's: without facts there is no space behind OPTS.
                reply(Code::COMMAND_OKAY, format!("MLST OPTS {}", facts.labels()).trim_end())
            }
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
