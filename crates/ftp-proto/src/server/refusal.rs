//! Which command was refused, and why?

use super::Server;
use crate::reply::{Code, Reply};
use crate::verb::Verb;

/// How many are kept for the driver at most: more of them, sent in one piece, say nothing new.
pub(super) const MOST: usize = 32;

/// A command that was answered with a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which; `None` where it was no command, or none was said.
    pub verb: Option<Verb>,
    /// The code.
    pub code: Code,
    /// The option that it was refused because of; `None` where it is the protocol, or what is there.
    pub option: Option<&'static str>,
    /// The text of the reply.
    pub text: String,
}

impl Server {
    /// What was refused since this was last asked, the oldest first.
    pub fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    pub(super) fn note_refusal(&mut self, reply: &Reply) {
        // SECURITY: whoever sends refused commands makes nothing grow.
        if self.refusals.len() < MOST {
            self.refusals.push(Refusal {
                verb: self.verb,
                code: reply.code(),
                option: reply.option(),
                text: String::from_utf8_lossy(reply.text()).into_owned(),
            });
        }
    }
}
