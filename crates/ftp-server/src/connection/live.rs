//! What a connection tells whoever runs the server, and how it goes when it is told to.

use std::sync::Arc;
use std::time::Instant;

use carrack_core::event::Incomplete;
use carrack_core::live::{self, Call, Doing};
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::server::{Action, Hash, ListFormat, StoreMode};

use super::Connection;
use super::work::Work;
use crate::transfer::Interrupt;

/// A command that may take long.
pub(super) struct Errand {
    verb: &'static str,
    path: Option<PathArgument>,
    is_transfer: bool,
    began: Instant,
}

impl Errand {
    /// A transfer or a listing.
    pub(super) fn moving(action: &Action) -> Box<Self> {
        let (verb, path) = match action {
            Action::Retrieve { path, .. } | Action::RetrieveSpan { path, .. } => ("RETR", Some(path)),
            Action::Store { path, mode: StoreMode::Append } => ("APPE", Some(path)),
            Action::Store { path, .. } => ("STOR", Some(path)),
            Action::StoreUnique { path } => ("STOU", path.as_ref()),
            Action::List { path, format: ListFormat::Names } => ("NLST", path.as_ref()),
            Action::List { path, format: ListFormat::Facts(_) } => ("MLSD", path.as_ref()),
            Action::List { path, .. } => ("LIST", path.as_ref()),
        };
        let is_transfer = !matches!(action, Action::List { .. });
        Box::new(Self { verb, path: path.cloned(), is_transfer, began: Instant::now() })
    }

    /// A digest.
    pub(super) fn digest(hash: &Hash) -> Box<Self> {
        let (path, began) = (Some(hash.path.clone()), Instant::now());
        Box::new(Self { verb: "HASH", path, is_transfer: false, began })
    }
}

impl Connection {
    /// Does what somebody wants of it.
    pub(super) fn called(&mut self, call: Call) {
        match call {
            Call::Describe(question) => {
                // Who asked may be gone.
                let _ = question.send(self.doing());
            }
            Call::Leave => {
                self.interrupt_work(Incomplete::Dismissed);
                self.machine.dismiss(Instant::now());
            }
        }
    }

    fn doing(&self) -> Doing {
        let moved = self.work.as_ref().and_then(Work::interrupt).map_or(0, Interrupt::moved);
        let errand = self.errand.as_ref().map(|errand| live::Errand {
            what: errand.verb,
            path: self.path_of(errand),
            is_transfer: errand.is_transfer,
            bytes: moved,
            lasted: errand.began.elapsed(),
        });
        Doing {
            user: self.visitor.as_ref().map(|visitor| visitor.session().account().name.clone()),
            server: self.at.as_ref().map(|at| Arc::clone(&at.name)),
            tls: self.tls.as_ref().filter(|_| self.control.is_tls()).map(|tls| tls.info.version.as_str()),
            silent: self.heard.elapsed(),
            bytes: self.moved_before + moved,
            errand,
        }
    }

    /// On what it works, as the user names it from the root on.
    fn path_of(&self, errand: &Errand) -> String {
        let Some(visitor) = &self.visitor else { return String::new() };
        match visitor.resolve_or_here(errand.path.as_ref()) {
            Ok(path) => String::from_utf8_lossy(path.as_bytes()).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// Notes that the errand is over.
    pub(super) fn end_errand(&mut self) {
        if self.errand.take().is_some() {
            self.moved_before += self.work.as_ref().and_then(Work::interrupt).map_or(0, Interrupt::moved);
        }
    }
}
