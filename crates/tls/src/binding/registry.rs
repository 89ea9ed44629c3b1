//! Which control connections live, and what opens the sessions they handed out.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
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
    id: ConnectionId,
    peer: IpAddr,
    policy: PolicyId,
    /// AES-256-GCM with nonces drawn inside the cryptographic module, which FIPS 140-3 asks for. The key seals at most a
    /// few tickets per data connection, far from the 2^32 that NIST SP 800-38D §8.3 allows with random nonces.
    ///
    /// None where the operating system gave no random bytes: then nothing is issued and nothing resumes.
    key: Option<RandomizedNonceKey>,
    /// The user whose siblings count; none before login and for shared accounts.
    user: Mutex<Option<String>>,
    tls12_ids: Mutex<Vec<Vec<u8>>>,
    /// Set once, when what was issued here was offered on another connection from the same address.
    shares_cache: AtomicBool,
}

/// Whose session a data connection presented, seen from its own control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Own,
    Sibling,
    Stranger,
}

/// All live control connections of one TLS server.
#[derive(Default)]
pub(crate) struct Registry {
    live: RwLock<Live>,
}

#[derive(Default)]
struct Live {
    sessions: HashMap<ConnectionId, Arc<ControlSession>>,
    /// rustls chooses TLS 1.2 session ids at random, so they cannot name their connection themselves.
    tls12: HashMap<Vec<u8>, Tls12Session>,
}

struct Tls12Session {
    owner: Arc<ControlSession>,
    state: Zeroizing<Vec<u8>>,
}

impl ControlSession {
    /// A control connection of `peer` under `policy`, with a new id and a new key.
    pub(crate) fn new(peer: IpAddr, policy: PolicyId) -> Self {
        let mut id = [0; ID_LEN];
        let key = rand::fill(&mut id).and_then(|()| draw_key()).ok();
        Self {
            id: ConnectionId(id),
            peer: peer.to_canonical(),
            policy,
            key,
            user: Mutex::default(),
            tls12_ids: Mutex::default(),
            shares_cache: AtomicBool::new(false),
        }
    }

    /// Sets who is logged in; `None` where nobody is, or where the account is shared by unrelated people.
    pub(crate) fn set_user(&self, user: Option<String>) {
        *locked(&self.user) = user;
    }

    /// What the session of `other` is worth on a data connection of this control connection.
    pub(crate) fn relation_to(&self, other: &ControlSession) -> Relation {
        if self.id == other.id {
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

    /// Notes that it does.
    pub(crate) fn note_shared_cache(&self) {
        self.shares_cache.store(true, Ordering::Relaxed);
    }

    /// `connection id ‖ nonce ‖ sealed state`, the id authenticated with it.
    pub(crate) fn seal(&self, state: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = state.to_vec();
        let nonce = self.key.as_ref()?.seal_in_place_append_tag(Aad::from(self.id.0), &mut sealed).ok()?;
        let mut ticket = Vec::with_capacity(ID_LEN + NONCE_LEN + sealed.len());
        ticket.extend_from_slice(&self.id.0);
        ticket.extend_from_slice(nonce.as_ref());
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut state = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
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
        if session.key.is_some() {
            self.write(|live| live.sessions.insert(session.id, Arc::clone(session)));
        }
    }

    /// Forgets a control connection and everything it handed out.
    pub(crate) fn forget(&self, session: &ControlSession) {
        let ids = std::mem::take(&mut *locked(&session.tls12_ids));
        self.write(|live| {
            live.sessions.remove(&session.id);
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
        let (id, rest) = ticket.split_first_chunk::<ID_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let issuer = self.read(|live| live.sessions.get(&ConnectionId(*id)).cloned())?;
        let state = issuer.open(nonce, sealed)?;
        Some((issuer, state))
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

    /// Notes what a new control connection offers to resume: a live session of another connection from the same address
    /// shows that its client keeps one cache for all of them.
    pub(crate) fn note_offer(
        &self,
        newcomer: &ControlSession,
        found: Option<(Arc<ControlSession>, Vec<u8>)>,
    ) {
        if let Some((issuer, _)) = found
            && issuer.peer == newcomer.peer
        {
            issuer.note_shared_cache();
            newcomer.note_shared_cache();
        }
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

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
