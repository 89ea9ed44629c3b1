//! What rustls asks of us: who issues tickets on which connection, and what a data connection presented.

use std::sync::{Arc, Mutex};

use rustls::{
    HandshakeKind,
    server::{ProducesTickets, StoresServerSessions},
};

use crate::{data::Outgoing, first_flight::FirstData};

use super::{
    Offers, Proof, TICKET_LIFETIME_S,
    registry::{ControlSession, Registry, Relation, Seal, locked},
};

/// Issues the sessions of one control connection, and accepts the tickets of earlier ones.
///
/// What it issues names this control connection alone, also where it resumed another's session: whose data connection one
/// is stays certain. A session id of TLS 1.2 would be the same on both, so by one of these none is resumed.
#[derive(Debug)]
pub(crate) struct ControlTickets {
    registry: Arc<Registry>,
    session: Arc<ControlSession>,
    /// Whether the client is asked for a certificate, which a session that is resumed would bring along unseen.
    asks_for_certificate: bool,
    /// Of the session last given to rustls, as in [`Record::opened`].
    opened: Mutex<Option<Arc<Seal>>>,
}

impl ControlTickets {
    pub(crate) fn new(
        registry: Arc<Registry>,
        session: Arc<ControlSession>,
        asks_for_certificate: bool,
    ) -> Self {
        Self { registry, session, asks_for_certificate, opened: Mutex::default() }
    }

    /// To be told after the handshake what it turned out to be.
    pub(crate) fn settle(&self, kind: Option<HandshakeKind>) {
        if kind == Some(HandshakeKind::Resumed)
            && let Some(seal) = locked(&self.opened).take()
        {
            self.session.resume(seal);
        }
    }
}

impl ProducesTickets for ControlTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        TICKET_LIFETIME_S
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.session.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (seal, state) = self.registry.open_for(&self.session, ticket)?;
        // SECURITY: a certificate is looked at each time.
        if self.asks_for_certificate {
            return None;
        }
        *locked(&self.opened) = Some(seal);
        Some(state)
    }
}

impl StoresServerSessions for ControlTickets {
    fn put(&self, id: Vec<u8>, state: Vec<u8>) -> bool {
        self.registry.remember_tls12(&self.session, id, state)
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        if let Some((issuer, _)) = self.registry.find_tls12(id) {
            self.session.note_offer_of(&issuer);
        }
        None
    }

    fn take(&self, _id: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// What one data connection claims to be: opens the sessions it presents and records whose they are.
#[derive(Debug)]
pub(crate) struct Claim {
    registry: Arc<Registry>,
    own: Arc<ControlSession>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// The session last given to rustls. It tries them in order and stops at the first it resumes, so after a resumed
    /// handshake this is the one.
    opened: Option<(Arc<ControlSession>, Relation)>,
    stranger: bool,
    /// What the handshake turned out to be, as soon as it is known.
    kind: Option<HandshakeKind>,
    tickets: Tickets,
}

/// Which tickets of TLS 1.3 are due behind a resumed handshake on a download.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Tickets {
    /// One in the place of the one that was presented.
    #[default]
    InPlace,
    /// None: the client has presented the same ticket before, so it keeps one for all.
    None,
    /// As many as the client asks for (RFC 9149 §3).
    Asked(u8),
}

impl Claim {
    pub(crate) fn new(registry: Arc<Registry>, own: Arc<ControlSession>) -> Self {
        Self { registry, own, record: Mutex::default() }
    }

    /// To be told what the client offers, before the handshake.
    pub(crate) fn note_offers(&self, offers: &Offers) {
        let again = offers.tickets.first().is_some_and(|ticket| self.own.is_presented_again(ticket));
        locked(&self.record).tickets = match offers.tickets_asked {
            Some(asked) => Tickets::Asked(asked),
            None if again => Tickets::None,
            None => Tickets::InPlace,
        };
    }

    /// How many tickets a client that receives is given, where it does not ask for some.
    pub(crate) fn tickets_unasked(&self) -> usize {
        match locked(&self.record).tickets {
            Tickets::InPlace => 1,
            Tickets::None | Tickets::Asked(_) => 0,
        }
    }

    /// What of `first` may be sent with our first flight.
    ///
    /// SECURITY: only what resumes the session of its own control connection is sent anything so early. The ClientHello may be
    /// somebody's who has seen it and sends it again, but the keys come of the session's secret and a new key exchange: he
    /// can read nothing, and without the Finished he carries no transfer, whose bytes the true client is still sent.
    pub(crate) fn early<'d>(&self, first: &'d FirstData) -> Option<Outgoing<'d>> {
        // Behind close_notify no ticket can come.
        let is_end = matches!(locked(&self.record).tickets, Tickets::None | Tickets::Asked(0));
        (self.proof() == Proof::Own)
            .then(|| Outgoing { plaintext: &first.bytes, last: first.is_all && is_end })
    }

    /// To be told after each step of the handshake, before the next bytes of the client are looked at.
    pub(crate) fn settle(&self, kind: Option<HandshakeKind>) {
        locked(&self.record).kind = kind;
    }

    /// What the connection has shown. To be asked after the client's Finished: a replayed ClientHello alone reads as
    /// resumed too.
    pub(crate) fn proof(&self) -> Proof {
        let record = locked(&self.record);
        match (record.kind, &record.opened) {
            (Some(HandshakeKind::Resumed), Some((_, Relation::Own))) => Proof::Own,
            (Some(HandshakeKind::Resumed), Some((_, Relation::Sibling))) => Proof::Sibling,
            (Some(HandshakeKind::Resumed), _) => Proof::None,
            _ if record.stranger => Proof::Stranger,
            (_, Some(_)) => Proof::RecordedButFull,
            (_, None) => Proof::None,
        }
    }

    fn opened(&self, found: Option<(Arc<ControlSession>, Vec<u8>)>) -> Option<Vec<u8>> {
        let (issuer, state) = found?;
        let relation = self.own.relation_to(&issuer);
        let mut record = locked(&self.record);
        if relation == Relation::Stranger {
            // SECURITY: rustls never sees the state, so the session cannot be resumed here.
            record.stranger = true;
            return None;
        }
        record.opened = Some((issuer, relation));
        Some(state)
    }
}

impl ProducesTickets for Claim {
    /// Whether there is talk of tickets at all: not while TLS 1.2 resumes, whose ServerHello asks after a ticket was
    /// opened and before the kind is known.
    ///
    /// What that session has can be used again and again. A new ticket would make OpenSSL's clients drop the session that
    /// they resumed and keep none (Ruby's and PHP's), and an empty one would replace the good one of Go's; RFC 5077 §3.2
    /// lets a server leave the extension out.
    fn enabled(&self) -> bool {
        let record = locked(&self.record);
        record.kind.is_some() || record.opened.is_none()
    }

    fn lifetime(&self) -> u32 {
        TICKET_LIFETIME_S
    }

    /// A new TLS 1.3 ticket for the session that was resumed here.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let record = locked(&self.record);
        // SECURITY: a ticket turns a connection into proof for the next one, so only proof may yield it. After a full
        // handshake there is none: anybody who reached the port could come back as the owner. For the same reason the
        // ticket names the session that was resumed, which may be a sibling's, and not simply the control connection.
        match (record.kind, &record.opened) {
            (Some(HandshakeKind::Resumed), Some((issuer, _))) => issuer.seal(plain),
            _ => None,
        }
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let live = self.registry.open_ticket(ticket);
        self.opened(live.or_else(|| Some((Arc::clone(&self.own), self.own.open_resumed(ticket)?))))
    }
}

impl StoresServerSessions for Claim {
    /// A full handshake on a data connection proves nothing, so it starts no session.
    fn put(&self, _id: Vec<u8>, _state: Vec<u8>) -> bool {
        false
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.opened(self.registry.find_tls12(id))
    }

    fn take(&self, _id: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        false
    }
}
