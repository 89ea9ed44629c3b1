//! The sessions that a control connection's data connections can resume: each TLS 1.3 ticket once, a TLS 1.2 session for
//! ever.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
};

/// Tickets that are kept. More than that a server sends only to fill memory.
const KEPT: usize = 64;

/// How many data connections can still resume the session of their control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// Any number: a TLS 1.2 session can be used again and again.
    Endless,
    /// As many as there are TLS 1.3 tickets, each of which is used once (RFC 8446 §C.4). With 0 the next data connection
    /// is a full handshake.
    Tickets(usize),
}

/// One control connection's sessions. It knows only one server, so it does not ask for names.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Oldest first.
    tls13: VecDeque<Tls13ClientSessionValue>,
    received: usize,
    tls12: Option<Tls12ClientSessionValue>,
    group: Option<NamedGroup>,
}

impl Tickets {
    pub(super) fn supply(&self) -> Supply {
        let held = self.held();
        match (&held.tls12, held.tls13.len()) {
            (Some(_), 0) => Supply::Endless,
            (_, tickets) => Supply::Tickets(tickets),
        }
    }

    pub(super) fn received(&self) -> usize {
        self.held().received
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.held().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.held().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.held().tls12 = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.held().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.held().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut held = self.held();
        held.received += 1;
        if held.tls13.len() == KEPT {
            held.tls13.pop_front();
        }
        held.tls13.push_back(value);
    }

    /// The newest: a server that forgets sessions or changes its ticket key forgets the oldest first, and one ticket that it
    /// no longer knows costs a full handshake, which many servers refuse.
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.held().tls13.pop_back()
    }
}
