//! What does the server tell about itself? FEAT, HELP, SYST, NOOP, the greeting, and its part of STAT.

use super::login::LoginPhase;
use super::{Fxp, Mode, Next, Outcome, Representation, Server, reply};
use crate::reply::{Code, Reply};
use crate::verb::{Feature, Support, TABLE, Verb};

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
    /// FEAT, gathered from THE TABLE (RFC 2389 §3.2).
    pub(super) fn feat(&self) -> Outcome {
        let features = TABLE.iter().flat_map(|row| row.features);
        let lines = features
            .filter(|feature| match feature {
                Feature::Explicit(_) => self.policy.mode == Mode::Explicit,
                Feature::Fxp(_) => self.policy.fxp == Fxp::EitherSide,
                Feature::Line(_) | Feature::Facts => true,
            })
            .map(|feature| feature.line(self.parameters.facts));
        Ok(Next::Reply(Reply::lines(Code::SYSTEM_STATUS, "Features:", lines, "End")))
    }

    /// HELP, from THE TABLE; what is refused is marked with a star, as servers have done since 4.2BSD.
    pub(super) fn help(verb: Option<Verb>) -> Outcome {
        if let Some(row) = verb.map(Verb::row) {
            let text = format!("Syntax: {} {}", row.name, row.syntax);
            return reply(Code::HELP, text.trim_end());
        }
        let names: Vec<String> = TABLE
            .iter()
            .map(|row| match row.support {
                Support::Full => format!("{:<6}", row.name),
                Support::Refused => format!("{:<6}", format!("{}*", row.name)),
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

    /// SYST: a listing as Unix has it, bytes of eight bits (RFC 959 §4.1.3).
    pub(super) fn syst() -> Outcome {
        reply(Code::SYSTEM_TYPE, "UNIX Type: L8")
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
        let control = if self.security.is_tls() { "TLS" } else { "clear" };
        let representation = match self.parameters.representation {
            Representation::Ascii => "ASCII",
            Representation::Image => "image",
        };
        let login = match &self.login {
            LoginPhase::LoggedIn(_) => "Logged in.",
            LoginPhase::Nobody | LoginPhase::Named(_) => "Not logged in.",
        };
        vec![
            login.to_owned(),
            format!("Control connection: {control}. Data connections: {}.", self.security.data_word()),
            format!("Type: {representation}. Mode: stream. Structure: file."),
        ]
    }
}
