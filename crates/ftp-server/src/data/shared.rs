//! One data port for all sessions: who waits at it, and whose is a connection that comes?
//!
//! ```text
//!   Listener ─► admit ── nobody of this address waits ──► closed
//!                 │ only one waits, for clear data ──► its seat
//!                 ▼
//!               ClientHello (a task of its own, bounded) ─► route ─► the seat of the session that it names
//!                                                              ├──► the only seat of its address
//!                                                              └──► nobody's: it is closed, and the seats know why
//! ```
//!
//! A seat only gets candidates. The session that holds it does the handshake and judges the proof, exactly as on a port of
//! its own, so no session waits for the handshake of another.

mod elsewhere;
mod introduce;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use carrack_net::{Accepted, Listener};
use carrack_tls::{Caller, ControlTls, HandshakeError, Refusal, Sessions};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use elsewhere::{Elsewhere, Stray};
use introduce::Introductions;
use route::{Route, route};

/// How long a connection may take to send its ClientHello. Clients open it before the command that uses it, and shake
/// hands after the `150`, which a slow disk may hold up.
const HELLO_TIME: Duration = Duration::from_secs(30);

/// Connections without a ClientHello that one address may have for each of its waiting sessions, and besides. Who comes
/// when there are more takes the place of the oldest, so that silent ones keep nobody out for long.
const HELLOS_PER_SEAT: usize = 2;
const HELLOS_BESIDE: usize = 8;

/// Candidates that wait for a session which is busy with others or has not sent its command yet.
const CANDIDATES_WAITING: usize = 32;

/// One data port, shared by all sessions of a server.
pub struct SharedPort {
    port: u16,
    sessions: Sessions,
    waiting: Mutex<Waiting>,
    introductions: Introductions,
    elsewhere: RwLock<Option<Arc<dyn Elsewhere>>>,
}

/// A connection whose other end is known, before its ClientHello.
struct Arrival {
    stream: TcpStream,
    peer: IpAddr,
    /// What another process has read of it.
    received: Vec<u8>,
    rivals: Rivals,
}

/// Whether sessions of another process may be meant by a connection.
enum Rivals {
    /// There is no other process.
    None,
    /// It is to be asked.
    MayBe(Arc<dyn Elsewhere>),
    /// One waits there.
    There,
}

/// Who waits, by address. Addresses where nobody waits have no entry.
#[derive(Default)]
struct Waiting {
    /// Counts seats and connections in the order in which they came.
    last_serial: u64,
    sources: HashMap<IpAddr, Source>,
}

/// One address at which sessions wait for their data connections.
#[derive(Default)]
struct Source {
    seats: Vec<Place>,
    /// Connections whose ClientHello is not there yet, oldest first.
    unread: VecDeque<(u64, AbortHandle)>,
}

/// A seat as the port sees it.
struct Place {
    serial: u64,
    expects: Expects,
    candidates: mpsc::Sender<Candidate>,
    missed: Arc<OnceLock<Missed>>,
}

/// What a session awaits.
#[derive(Clone)]
pub(crate) enum Expects {
    /// A connection without TLS.
    Clear,
    /// One that belongs to this control connection.
    Tls(Arc<ControlTls>),
}

/// A connection that may be the session's.
pub(crate) enum Candidate {
    /// For clear data; no other session of the address waits.
    Clear(TcpStream),
    /// Its ClientHello names the session, or `alone` of all sessions of the address the session waits.
    Tls { caller: Box<Caller>, alone: bool },
    /// It does not speak TLS, and nobody else can be meant.
    Broken(HandshakeError),
}

/// Why a connection that may have been the session's was given to nobody.
#[derive(Clone, Copy)]
pub(crate) enum Missed {
    /// Several sessions could have been meant.
    Tls(Refusal),
    /// The same, and clear data names none.
    Clear,
}

/// A session's place at the shared port, for one data connection. Dropping it gives it up.
pub(crate) struct Seat {
    port: Arc<SharedPort>,
    peer: IpAddr,
    serial: u64,
    is_for_tls: bool,
    candidates: mpsc::Receiver<Candidate>,
    missed: Arc<OnceLock<Missed>>,
}

impl SharedPort {
    /// A shared data port with this number. Its connections resume one of `sessions`.
    #[must_use]
    pub fn new(port: u16, sessions: Sessions) -> Arc<Self> {
        let (waiting, introductions, elsewhere) =
            (Mutex::default(), Introductions::default(), RwLock::default());
        Arc::new(Self { port, sessions, waiting, introductions, elsewhere })
    }

    /// Accepts what comes to the port on one address, until it is dropped. Cancelling it stops accepting and nothing else.
    pub async fn serve(self: Arc<Self>, mut listener: Listener) {
        loop {
            // The session whose connection was closed for want of a descriptor says so when nobody comes.
            if let Ok(accepted) = listener.accept().await {
                self.take_in(accepted);
            }
        }
    }

    /// The number that clients are told.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.port
    }

    /// Takes a seat for a session of the client at `peer`.
    pub(crate) fn sit(self: &Arc<Self>, peer: IpAddr, expects: Expects) -> Seat {
        let (sender, candidates) = mpsc::channel(CANDIDATES_WAITING);
        let is_for_tls = matches!(expects, Expects::Tls(_));
        let mut waiting = self.lock();
        let serial = waiting.next_serial();
        let missed = Arc::default();
        let place = Place { serial, expects, candidates: sender, missed: Arc::clone(&missed) };
        waiting.sources.entry(peer).or_default().seats.push(place);
        Seat { port: Arc::clone(self), peer, serial, is_for_tls, candidates, missed }
    }

    /// Decides what becomes of a new connection whose other end is known. Never waits.
    fn admit(self: &Arc<Self>, Accepted { stream, peer, .. }: Accepted) {
        let elsewhere = self.elsewhere.read().unwrap_or_else(PoisonError::into_inner).clone();
        let rivals = elsewhere.map_or(Rivals::None, Rivals::MayBe);
        let arrival = Arrival { stream, peer: peer.ip(), received: Vec::new(), rivals };
        // SECURITY: where nobody of this address waits, no byte is read: strangers cost an accept and a close.
        if let Err(Arrival { stream, peer, rivals: Rivals::MayBe(elsewhere), .. }) = self.place(arrival) {
            tokio::spawn(elsewhere::offer_unread(elsewhere, stream, peer));
        }
    }

    /// Has it tried with the sessions of its address, or gives it back where none waits.
    fn place(self: &Arc<Self>, arrival: Arrival) -> Result<(), Arrival> {
        let mut waiting = self.lock();
        let serial = waiting.next_serial();
        let Some(source) = waiting.sources.get_mut(&arrival.peer) else { return Err(arrival) };
        let only = match (source.seats.as_slice(), &arrival.rivals) {
            ([only], Rivals::None) if matches!(only.expects, Expects::Clear) => {
                only.give(Candidate::Clear(arrival.stream));
                return Ok(());
            }
            (_, Rivals::There) => None,
            ([only], _) => Some((only.serial, only.expects.clone())),
            _ => None,
        };
        if source.unread.len() >= HELLOS_PER_SEAT * source.seats.len() + HELLOS_BESIDE
            && let Some((_, oldest)) = source.unread.pop_front()
        {
            oldest.abort();
        }
        let reading = tokio::spawn(Arc::clone(self).read(arrival, serial, only));
        source.unread.push_back((serial, reading.abort_handle()));
        Ok(())
    }

    /// Finds out whose it is, and hands it over.
    async fn read(self: Arc<Self>, arrival: Arrival, serial: u64, only: Option<(u64, Expects)>) {
        let Arrival { stream, peer, received, rivals } = arrival;
        let only = match (only, &rivals) {
            (Some((seat, Expects::Clear)), Rivals::MayBe(elsewhere)) => {
                return match elsewhere::is_ours(&**elsewhere, &stream, peer).await {
                    true => self.hand_over_clear(peer, serial, seat, stream),
                    false => {
                        self.hand_over(peer, Met { serial, only: None, hello: Err(HandshakeError::NotTls) })
                    }
                };
            }
            (only, _) => only.map(|(seat, _)| seat),
        };
        let met = timeout(HELLO_TIME, self.sessions.meet(stream, &received)).await;
        let mut met = Met { serial, only, hello: met.unwrap_or(Err(HandshakeError::Closed)) };
        if let Rivals::MayBe(elsewhere) = rivals
            && let Ok(caller) = met.hello
        {
            met.hello = match caller.names_anybody() {
                true => Ok(caller),
                false => elsewhere::unless_taken(&*elsewhere, caller, peer).await,
            };
            if met.hello.is_err() {
                met.only = None;
            }
        }
        self.hand_over(peer, met);
    }

    /// Gives a connection to a session that waits for clear data, alone.
    fn hand_over_clear(&self, peer: IpAddr, serial: u64, seat: u64, stream: TcpStream) {
        let mut waiting = self.lock();
        let Some(source) = waiting.sources.get_mut(&peer) else { return };
        source.unread.retain(|(unread, _)| *unread != serial);
        if let Some(place) = source.seats.iter().find(|place| place.serial == seat) {
            place.give(Candidate::Clear(stream));
        }
    }

    /// Gives a connection whose ClientHello was read to whom it may belong.
    fn hand_over(&self, peer: IpAddr, met: Met) {
        let mut waiting = self.lock();
        let Some(source) = waiting.sources.get_mut(&peer) else { return };
        source.unread.retain(|(serial, _)| *serial != met.serial);
        match route(&source.seats, &met) {
            Route::To { serial, alone } => {
                let Some(place) = source.seats.iter().find(|place| place.serial == serial) else { return };
                place.give(match met.hello {
                    Ok(caller) => Candidate::Tls { caller: Box::new(caller), alone },
                    Err(error) => Candidate::Broken(error),
                });
            }
            Route::Refused { told, why } => {
                source.seats.iter().filter(|place| told.contains(&place.serial)).for_each(|place| {
                    let _ = place.missed.set(Missed::Tls(why));
                });
            }
            Route::ClearAmongOthers => {
                source.seats.iter().filter(|place| matches!(place.expects, Expects::Clear)).for_each(
                    |place| {
                        let _ = place.missed.set(Missed::Clear);
                    },
                );
            }
        }
    }

    fn leave(&self, peer: IpAddr, serial: u64) {
        let mut waiting = self.lock();
        let Some(source) = waiting.sources.get_mut(&peer) else { return };
        source.seats.retain(|place| place.serial != serial);
        if source.seats.is_empty() {
            // Nobody is left whom those could have come for.
            source.unread.iter().for_each(|(_, reading)| reading.abort());
            waiting.sources.remove(&peer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedPort").field("port", &self.port).finish_non_exhaustive()
    }
}

/// A connection after its ClientHello, or after what it had instead.
struct Met {
    serial: u64,
    /// The seat that alone was there when the connection came.
    only: Option<u64>,
    hello: Result<Caller, HandshakeError>,
}

impl Waiting {
    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }
}

impl Place {
    /// A session that has more candidates than it can look at goes on without this one. What is no TLS takes no more than
    /// half of the places: it only tells why nobody else came.
    fn give(&self, candidate: Candidate) {
        if matches!(candidate, Candidate::Broken(_)) && self.candidates.capacity() <= CANDIDATES_WAITING / 2 {
            return;
        }
        let _ = self.candidates.try_send(candidate);
    }
}

impl Seat {
    /// The next candidate. Cancellation safe.
    pub(crate) async fn next(&mut self) -> Candidate {
        match self.candidates.recv().await {
            Some(candidate) => candidate,
            None => std::future::pending().await,
        }
    }

    /// What passed this session by, the first of it.
    pub(crate) fn missed(&self) -> Option<Missed> {
        self.missed.get().copied()
    }

    /// Whether a connection that came since the seat was taken has not sent its ClientHello yet.
    ///
    /// SECURITY: it may be the owner's, who often says nothing before the `150`: who speaks first is not alone then.
    pub(crate) fn has_silent(&self) -> bool {
        let waiting = self.port.lock();
        let source = waiting.sources.get(&self.peer);
        source.is_some_and(|source| source.unread.iter().any(|(serial, _)| *serial > self.serial))
    }

    /// Whether a connection under TLS was awaited when the seat was taken.
    pub(crate) fn is_for_tls(&self) -> bool {
        self.is_for_tls
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.port.leave(self.peer, self.serial);
    }
}
