//! A connection on a data port that many sessions share: whom does it name, before anything is answered?

use std::sync::Arc;

use rustls::server::ClientHello;
use tokio::net::TcpStream;

use crate::{
    binding::{ControlSession, Registry, Relation},
    data::Inbox,
    handshake::{HandshakeError, read_client_hello},
    server::ControlTls,
};

/// A data connection whose ClientHello was read and not answered yet. [`ControlTls::accept_caller`] answers it.
///
/// SECURITY: what a ClientHello names is no proof, for whoever saw one can send it again. It only says with which
/// control connection the handshake is to be tried; the proof is the same as on a port of one's own.
#[derive(Debug)]
pub struct Caller {
    pub(crate) socket: TcpStream,
    pub(crate) inbox: Inbox,
    names: Option<Arc<ControlSession>>,
}

/// Whose session a [`Caller`] would like to resume, seen from one control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// This control connection's own.
    Own,
    /// That of another live control connection of the same named user from the same address.
    Sibling,
    /// That of somebody else.
    Stranger,
    /// None that is alive.
    Nobody,
}

impl Caller {
    /// One of which nothing was read yet.
    pub(crate) fn unread(socket: TcpStream) -> Caller {
        Caller { socket, inbox: Inbox::default(), names: None }
    }

    /// Reads the ClientHello.
    pub(crate) async fn meet(registry: &Registry, socket: TcpStream) -> Result<Caller, HandshakeError> {
        let mut caller = Caller::unread(socket);
        read_client_hello(&caller.socket, &mut caller.inbox, |_: &ClientHello<'_>| ()).await?;
        caller.names = registry.named_by(caller.inbox.received());
        Ok(caller)
    }

    /// Whom it names, seen from `control`.
    pub fn names(&self, control: &ControlTls) -> Named {
        match self.names.as_ref().map(|issuer| control.session().relation_to(issuer)) {
            Some(Relation::Own) => Named::Own,
            Some(Relation::Sibling) => Named::Sibling,
            Some(Relation::Stranger) => Named::Stranger,
            None => Named::Nobody,
        }
    }

    /// Whether the session it names was seen on a connection other than its own: its client keeps one cache for parallel
    /// connections, so the name does not tell which of them is meant.
    pub fn is_from_shared_cache(&self) -> bool {
        self.names.as_ref().is_some_and(|issuer| issuer.shares_cache())
    }

    /// Remembers that this belongs to another control connection than the one it names.
    pub fn note_shared_cache(&self) {
        if let Some(issuer) = &self.names {
            issuer.note_shared_cache();
        }
    }
}
