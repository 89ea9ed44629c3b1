//! What does the server tell about itself? FEAT, HELP, SYST, NOOP, the greeting, and its part of STAT.

use super::login::LoginPhase;
use super::{
    Compression, Fxp, Mode, Next, Outcome, Representation, Request, Server, SetAnswer, TransferMode, reply,
};
use crate::command::SiteCommand;
use crate::reply::{Code, Reply};
use crate::site::{SITE_TABLE, SiteVerb};
use crate::verb::{Chosen, Feature, Support, TABLE, Verb};

/// The `220`, of as many lines as the operator's text has.
pub(super) fn greeting(text: &str) -> Reply {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.pop().unwrap_or("Ready.");
    match lines.split_first() {
        None => Reply::new(Code::SERVICE_READY, last),
        Some((first, body)) => Reply::lines(Code::SERVICE_READY, first, body, last),
    }
}

impl Server {
    /// FEAT, gathered from THE TABLE and that of SITE (RFC 2389 §3.2).
    pub(super) fn feat(&self) -> Outcome {
        let chosen = Chosen { facts: self.parameters.facts, hash: self.parameters.hash };
        let of_site = SITE_TABLE.iter().flat_map(|row| row.features);
        let features = TABLE.iter().flat_map(|row| row.features).chain(of_site);
        let lines = features.filter(|feature| self.offers(**feature)).map(|feature| feature.line(chosen));
        Ok(Next::Reply(Reply::lines(Code::SYSTEM_STATUS, "Features:", lines, "End")))
    }

    /// Whether this listener has the feature.
    fn offers(&self, feature: Feature) -> bool {
        match feature {
            Feature::Explicit(_) => self.policy.mode == Mode::Explicit,
            Feature::Clearing(_) => self.may_be_cleared(),
            Feature::Fxp(_) => self.policy.fxp == Fxp::EitherSide,
            Feature::Deflate(_) => self.policy.compression == Compression::Offered,
            Feature::Line(_) | Feature::Facts | Feature::Hashes => true,
        }
    }

    /// HELP, from THE TABLE; what is refused is marked with a star, as servers have done since 4.2BSD.
    pub(super) fn help(verb: Option<Verb>) -> Outcome {
        // RFC 959 §4.1.3 has HELP SITE tell what is behind SITE.
        if verb == Some(Verb::Site) {
            return Self::site_help(None);
        }
        if let Some(row) = verb.map(Verb::row) {
            let text = format!("Syntax: {} {}", row.name, row.syntax);
            return reply(Code::HELP, text.trim_end());
        }
        let names: Vec<String> = TABLE
            .iter()
            .map(|row| match row.support {
                Support::Full => format!("{:<8}", row.name),
                Support::Refused => format!("{:<8}", format!("{}*", row.name)),
            })
            .collect();
        let lines = names.chunks(8).map(|chunk| chunk.concat().trim_end().to_owned());
        Ok(Next::Reply(Reply::lines(
            Code::HELP,
            "Commands (* refused):",
            lines,
            "HELP <verb> tells its syntax.",
        )))
    }

    /// SITE, by its own table.
    pub(super) fn site(&mut self, command: SiteCommand) -> Outcome {
        match command {
            SiteCommand::Help(verb) => Self::site_help(verb),
            SiteCommand::Chmod(set) | SiteCommand::Utime(set) => {
                self.request(Request::SetFacts { set, answer: SetAnswer::Okay })
            }
        }
    }

    fn site_help(verb: Option<SiteVerb>) -> Outcome {
        if let Some(row) = verb.map(SiteVerb::row) {
            return reply(Code::HELP, format!("Syntax: {}", row.syntax()));
        }
        let lines = SITE_TABLE.iter().map(|row| row.syntax());
        Ok(Next::Reply(Reply::lines(Code::HELP, "SITE commands:", lines, "End")))
    }

    /// SYST: a listing as Unix has it, bytes of eight bits (RFC 959 §4.1.3).
    pub(super) fn syst() -> Outcome {
        reply(Code::SYSTEM_TYPE, "UNIX Type: L8")
    }

    /// LANG: there is one language (RFC 2640 §4.1).
    pub(super) fn lang() -> Outcome {
        reply(Code::COMMAND_OKAY, "Language is English.")
    }

    /// CLNT: clients say it to servers that treat them by name; here nobody is.
    pub(super) fn clnt() -> Outcome {
        reply(Code::COMMAND_OKAY, "Noted.")
    }

    /// CSID: the same as a list of facts, answered with our own.
    // SECURITY: no version and no operating system, which would tell a stranger what to try.
    pub(super) fn csid() -> Outcome {
        reply(Code::COMMAND_OKAY, "Name=Carrack; CaseSensitive=1; DirSep=/;")
    }

    pub(super) fn noop() -> Outcome {
        reply(Code::COMMAND_OKAY, "Nothing done.")
    }

    pub(super) fn not_implemented() -> Outcome {
        Err(Reply::new(Code::NOT_IMPLEMENTED, "Command not implemented."))
    }

    /// What the machine has to say to STAT, a line each; the driver puts what it knows beside it.
    #[must_use]
    pub fn status(&self) -> Vec<String> {
        let control = self.security.control_word();
        let representation = match self.parameters.representation {
            Representation::Ascii => "ASCII",
            Representation::Image => "image",
        };
        let mode = match self.parameters.mode {
            TransferMode::Stream => "stream",
            TransferMode::Deflate => "deflate",
        };
        let login = match &self.login {
            LoginPhase::LoggedIn(..) => "Logged in.",
            LoginPhase::Nobody | LoginPhase::Named(_) => "Not logged in.",
        };
        vec![
            login.to_owned(),
            format!("Control connection: {control}. Data connections: {}.", self.security.data_word()),
            format!("Type: {representation}. Mode: {mode}. Structure: file."),
        ]
    }
}
