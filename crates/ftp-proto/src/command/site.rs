//! What stands behind SITE? (RFC 959 §4.1.3)

use super::facts::{self, SetFacts};
use super::parameter::split_at_space;
use crate::reply::{Code, Reply};
use crate::site::SiteVerb;

/// A command of SITE with its argument read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteCommand {
    /// All commands, or one.
    Help(Option<SiteVerb>),
    /// Sets the mode.
    Chmod(SetFacts),
    /// Sets the time of the last change.
    Utime(SetFacts),
}

impl SiteCommand {
    pub(super) fn read(text: &[u8]) -> Result<SiteCommand, Reply> {
        let (name, argument) = split_at_space(text);
        let verb = SiteVerb::named(name).ok_or_else(not_understood)?;
        let malformed = || {
            let syntax = verb.row().syntax();
            Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, format!("Syntax: {syntax}"))
        };
        Ok(match verb {
            SiteVerb::Help if argument.is_empty() => SiteCommand::Help(None),
            SiteVerb::Help => SiteCommand::Help(Some(SiteVerb::named(argument).ok_or_else(not_understood)?)),
            SiteVerb::Chmod => SiteCommand::Chmod(facts::chmod(argument, malformed)?),
            SiteVerb::Utime => SiteCommand::Utime(facts::utime(argument).ok_or_else(malformed)?),
        })
    }
}

fn not_understood() -> Reply {
    Reply::new(Code::SYNTAX_ERROR, "SITE command not understood; SITE HELP lists them.")
}
