//! Which control connections live, and what opens the sessions they handed out.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    rand,
};
use zeroize::Zeroizing;

use super::hello::Offers;

/// A handshake stores one TLS 1.2 session; the rest is room for a control connection that is secured again.
const MAX_TLS12_SESSIONS: usize = 4;

/// How long a client that has left may come back with a ticket: what nginx keeps sessions for (ssl_session_timeout).
const COMEBACK: Duration = Duration::from_secs(300);
/// Of how many that have left the keys are kept, at less than a KiB each; the oldest go first.
const COMEBACKS: usize = 1_000;

const ID_LEN: usize = 16;

/// Names one control connection in its tickets. Random, so that ids of an earlier process or another server match nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId([u8; ID_LEN]);

/// Names the policy under which a listener speaks TLS: versions, suites, whose certificates it asks for.
///
/// SECURITY: a session may be resumed under its own policy alone. Under another one a client could bring along a certificate
/// that was checked by other rules, or none where one is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyId(u64);

impl PolicyId {
    /// One that no other listener of this process has.
    pub(crate) fn new() -> PolicyId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        PolicyId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One control connection: what its tickets are sealed with, and who is behind it.
pub(crate) struct ControlSession {
    seal: Arc<Seal>,
    peer: IpAddr,
    policy: PolicyId,
    /// The user whose siblings count; none before login and for shared accounts.
    user: Mutex<Option<String>>,
    tls12_ids: Mutex<Vec<Vec<u8>>>,
    /// Set once, when what was issued here was offered on another connection from the same address.
    shares_cache: AtomicBool,
    /// Set once, when somebody has logged in.
    was_used: AtomicBool,
    /// Of the control connection whose session this one resumed, where it did.
    resumed: OnceLock<Arc<Seal>>,
    /// What tells the ticket that the latest data connection presented from others.
    presented: Mutex<Option<[u8; NONCE_LEN]>>,
}

/// Whose session a data connection presented, seen from its own control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Own,
    Sibling,
    Stranger,
}

/// All live control connections of one TLS server, and for a while those that have ended.
#[derive(Default)]
pub(crate) struct Registry {
    live: RwLock<Live>,
}

#[derive(Default)]
struct Live {
    sessions: HashMap<ConnectionId, Arc<ControlSession>>,
    /// rustls chooses TLS 1.2 session ids at random, so they cannot name their connection themselves.
    tls12: HashMap<Vec<u8>, Tls12Session>,
    ended: Ended,
}

/// Control connections that have ended, for clients that come back.
#[derive(Default)]
struct Ended {
    seals: HashMap<ConnectionId, (PolicyId, Instant, Arc<Seal>)>,
    /// With the moment of their end, oldest first.
    order: VecDeque<(Instant, ConnectionId)>,
}

impl Ended {
    fn keep(&mut self, session: &ControlSession, now: Instant) {
        let id = session.seal.id;
        self.order.push_back((now, id));
        self.seals.insert(id, (session.policy, now, Arc::clone(&session.seal)));
        while let Some((end, id)) = self.order.front()
            && (self.order.len() > COMEBACKS || now.duration_since(*end) > COMEBACK)
        {
            self.seals.remove(id);
            self.order.pop_front();
        }
    }

    fn find(&self, id: ConnectionId, policy: PolicyId, now: Instant) -> Option<Arc<Seal>> {
        let (under, end, seal) = self.seals.get(&id)?;
        (*under == policy && now.duration_since(*end) <= COMEBACK).then(|| Arc::clone(seal))
    }
}

struct Tls12Session {
    owner: Arc<ControlSession>,
    state: Zeroizing<Vec<u8>>,
}

impl ControlSession {
    /// A control connection of `peer` under `policy`, with a new id and a new key.
    pub(crate) fn new(peer: IpAddr, policy: PolicyId) -> Self {
        Self {
            seal: Arc::new(Seal::new()),
            peer: peer.to_canonical(),
            policy,
            user: Mutex::default(),
            tls12_ids: Mutex::default(),
            shares_cache: AtomicBool::new(false),
            was_used: AtomicBool::new(false),
            resumed: OnceLock::new(),
            presented: Mutex::default(),
        }
    }

    /// Says who is logged in; `None` where the account is shared by unrelated people.
    pub(crate) fn logged_in(&self, user: Option<String>) {
        *locked(&self.user) = user;
        self.was_used.store(true, Ordering::Relaxed);
    }

    /// Says that nobody is.
    pub(crate) fn logged_out(&self) {
        *locked(&self.user) = None;
    }

    /// What the session of `other` is worth on a data connection of this control connection.
    pub(crate) fn relation_to(&self, other: &ControlSession) -> Relation {
        if self.seal.id == other.seal.id {
            return Relation::Own;
        }
        if self.policy != other.policy {
            return Relation::Stranger;
        }
        // SECURITY: one lock at a time; two connections may look at each other at once.
        let user = locked(&self.user).clone();
        match user {
            Some(user)
                if self.peer == other.peer && locked(&other.user).as_deref() == Some(user.as_str()) =>
            {
                Relation::Sibling
            }
            _ => Relation::Stranger,
        }
    }

    /// Whether its client keeps one cache of sessions for parallel connections.
    pub(crate) fn shares_cache(&self) -> bool {
        self.shares_cache.load(Ordering::Relaxed)
    }

    /// Notes that it, a new control connection, was offered the session of `issuer`, which is alive: if both are from one
    /// address, their client keeps one cache for all of its connections.
    pub(crate) fn note_offer_of(&self, issuer: &ControlSession) {
        if issuer.peer == self.peer {
            issuer.note_shared_cache();
            self.note_shared_cache();
        }
    }

    /// Notes that it does.
    pub(crate) fn note_shared_cache(&self) {
        self.shares_cache.store(true, Ordering::Relaxed);
    }

    /// Whether the latest data connection presented the same ticket as this one does.
    pub(super) fn is_presented_again(&self, ticket: &[u8]) -> bool {
        let nonce = Ticket::read(ticket).map(|ticket| ticket.nonce);
        let before = std::mem::replace(&mut *locked(&self.presented), nonce);
        nonce.is_some() && nonce == before
    }

    /// A ticket that names this control connection.
    pub(crate) fn seal(&self, state: &[u8]) -> Option<Vec<u8>> {
        self.seal.close(state)
    }

    /// Says that this control connection resumed the session of another.
    pub(super) fn resume(&self, seal: Arc<Seal>) {
        // A handshake is done once.
        let _ = self.resumed.set(seal);
    }

    /// What is sealed in a ticket that this control connection was resumed with, or in another of the same session.
    //
    // OpenSSL tells its program nothing of the new ticket that a TLS 1.2 session comes back with, so that curl goes on with
    // the old one. Its issuer has ended, so it is nobody else's.
    pub(super) fn open_resumed(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.resumed.get()?.open(&Ticket::read(ticket)?)
    }
}

/// What the tickets of one control connection are sealed with.
pub(super) struct Seal {
    id: ConnectionId,
    /// AES-256-GCM with nonces drawn inside the cryptographic module, which FIPS 140-3 asks for. The key seals at most a
    /// few tickets per data connection, far from the 2^32 that NIST SP 800-38D §8.3 allows with random nonces.
    ///
    /// None where the operating system gave no random bytes: then nothing is issued and nothing resumes.
    key: Option<RandomizedNonceKey>,
}

/// `connection id ‖ nonce ‖ sealed state`, the id authenticated with it.
struct Ticket<'a> {
    issuer: ConnectionId,
    nonce: [u8; NONCE_LEN],
    sealed: &'a [u8],
}

impl<'a> Ticket<'a> {
    fn read(ticket: &'a [u8]) -> Option<Ticket<'a>> {
        let (id, rest) = ticket.split_first_chunk::<ID_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some(Ticket { issuer: ConnectionId(*id), nonce: *nonce, sealed })
    }
}

impl Seal {
    fn new() -> Seal {
        let mut id = [0; ID_LEN];
        let key = rand::fill(&mut id).and_then(|()| draw_key()).ok();
        Seal { id: ConnectionId(id), key }
    }

    fn close(&self, state: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = state.to_vec();
        let nonce = self.key.as_ref()?.seal_in_place_append_tag(Aad::from(self.id.0), &mut sealed).ok()?;
        let mut ticket = Vec::with_capacity(ID_LEN + NONCE_LEN + sealed.len());
        ticket.extend_from_slice(&self.id.0);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn open(&self, ticket: &Ticket<'_>) -> Option<Vec<u8>> {
        if ticket.issuer != self.id {
            return None;
        }
        let mut state = ticket.sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(ticket.nonce);
        let length = self.key.as_ref()?.open_in_place(nonce, Aad::from(self.id.0), &mut state).ok()?.len();
        state.truncate(length);
        Some(state)
    }
}

fn draw_key() -> Result<RandomizedNonceKey, Unspecified> {
    let mut key = Zeroizing::new([0; 32]);
    rand::fill(key.as_mut())?;
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref())
}

impl Registry {
    /// From now on what `session` hands out is known.
    pub(crate) fn enter(&self, session: &Arc<ControlSession>) {
        if session.seal.key.is_some() {
            self.write(|live| live.sessions.insert(session.seal.id, Arc::clone(session)));
        }
    }

    /// Forgets a control connection and everything it handed out; but its client may come back, if it has logged in.
    pub(crate) fn forget(&self, session: &ControlSession) {
        let ids = std::mem::take(&mut *locked(&session.tls12_ids));
        let now = Instant::now();
        self.write(|live| {
            let known = live.sessions.remove(&session.seal.id).is_some();
            // SECURITY: nobody else is expected back, so no stranger pushes out who has logged in.
            if known && session.was_used.load(Ordering::Relaxed) {
                live.ended.keep(session, now);
            }
            for id in &ids {
                live.tls12.remove(id);
            }
        });
    }

    /// Remembers a TLS 1.2 session id of `owner` while `owner` lives. False where it has too many already.
    pub(crate) fn remember_tls12(&self, owner: &Arc<ControlSession>, id: Vec<u8>, state: Vec<u8>) -> bool {
        let state = Zeroizing::new(state);
        {
            let mut ids = locked(&owner.tls12_ids);
            if ids.len() >= MAX_TLS12_SESSIONS {
                return false;
            }
            ids.push(id.clone());
        }
        self.write(|live| live.tls12.insert(id, Tls12Session { owner: Arc::clone(owner), state }));
        true
    }

    /// The live control connection that issued `ticket`, and the state sealed in it.
    pub(crate) fn open_ticket(&self, ticket: &[u8]) -> Option<(Arc<ControlSession>, Vec<u8>)> {
        let ticket = Ticket::read(ticket)?;
        let issuer = self.read(|live| live.sessions.get(&ticket.issuer).cloned())?;
        let state = issuer.seal.open(&ticket)?;
        Some((issuer, state))
    }

    /// What `ticket` was sealed with on a control connection that `newcomer` may resume, and the state in it: one under the
    /// same policy that is alive, or has ended not long ago.
    pub(super) fn open_for(&self, newcomer: &ControlSession, ticket: &[u8]) -> Option<(Arc<Seal>, Vec<u8>)> {
        let ticket = Ticket::read(ticket)?;
        if let Some(issuer) = self.read(|live| live.sessions.get(&ticket.issuer).cloned()) {
            let state = issuer.seal.open(&ticket)?;
            newcomer.note_offer_of(&issuer);
            return (issuer.policy == newcomer.policy).then(|| (Arc::clone(&issuer.seal), state));
        }
        let now = Instant::now();
        let seal = self.read(|live| live.ended.find(ticket.issuer, newcomer.policy, now))?;
        let state = seal.open(&ticket)?;
        Some((seal, state))
    }

    /// The live control connection that was given this TLS 1.2 session id, and the session's state.
    pub(crate) fn find_tls12(&self, id: &[u8]) -> Option<(Arc<ControlSession>, Vec<u8>)> {
        self.read(|live| live.tls12.get(id).map(|found| (Arc::clone(&found.owner), found.state.to_vec())))
    }

    /// The live control connection whose session a ClientHello, given as the records it came in, would like to resume.
    pub(crate) fn named_by(&self, records: &[u8]) -> Option<Arc<ControlSession>> {
        let offers = Offers::of(records);
        let by_ticket = offers.tickets.iter().find_map(|ticket| self.open_ticket(ticket));
        by_ticket.or_else(|| self.find_tls12(&offers.session_id)).map(|(owner, _)| owner)
    }

    fn read<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        look(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Live) -> T) -> T {
        change(&mut self.live.write().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.read(|live| (live.sessions.len(), live.tls12.len()))
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ControlSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSession").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_ticket_is_known_again_while_no_other_was_presented() {
        let session = ControlSession::new(Ipv4Addr::LOCALHOST.into(), PolicyId::new());
        let (one, other) = (session.seal(b"state").unwrap(), session.seal(b"state").unwrap());
        let seen = [&one[..], &one, &other, &one, b"no ticket", b"no ticket", &one, &one];
        let again = seen.map(|ticket| session.is_presented_again(ticket));
        assert_eq!(again, [false, true, false, false, false, false, false, true]);
    }

    #[test]
    fn who_has_left_is_expected_back_for_a_while_and_so_many_of_them() {
        let (mut ended, policy, start) = (Ended::default(), PolicyId::new(), Instant::now());
        let session = || ControlSession::new(Ipv4Addr::LOCALHOST.into(), policy);
        let found = |ended: &Ended, one: &ControlSession, now| ended.find(one.seal.id, policy, now).is_some();
        let first = session();
        ended.keep(&first, start);
        assert!(found(&ended, &first, start + COMEBACK));
        assert!(ended.find(first.seal.id, PolicyId::new(), start).is_none());
        assert!(!found(&ended, &first, start + COMEBACK + Duration::from_secs(1)));

        let later = start + Duration::from_secs(1);
        let others: Vec<_> = (0..COMEBACKS).map(|_| session()).collect();
        others.iter().for_each(|one| ended.keep(one, later));
        assert!(!found(&ended, &first, start));
        assert!(others.iter().all(|one| found(&ended, one, later)));
        ended.keep(&session(), later + 2 * COMEBACK);
        assert_eq!((ended.seals.len(), ended.order.len()), (1, 1));
    }
}
