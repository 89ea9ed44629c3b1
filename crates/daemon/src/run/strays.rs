//! How does a data connection get to the process that had the shared port before?
//!
//! ```text
//!  the new one                                                          the old one
//!  {"stray":7,"peer":"192.0.2.1","contested":true}⏎ and what was read, with the socket (SCM_RIGHTS)  ─►
//!                                                                 ◄─  {"stray":7,"taken":true}⏎
//! ```
//!
//! Each is one packet (unix(7), SOCK_SEQPACKET); the end of either process is that of the connection.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carrack_ftp_server::{Elsewhere, SharedPort, Stray};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot};

use crate::packets::{self, Packet, polled};

/// Offers that wait for their answer. What comes beside them is closed: the other process is at its end, or a flood is on.
const OFFERS: usize = 1024;

/// The longest packet: a ClientHello of 64 KiB (RFC 8446 §4) in its records, and the line before it.
const PACKET: usize = 80 * 1024;

/// The longest answer.
const ANSWER: usize = 256;

/// What goes before the bytes of a connection.
#[derive(Debug, Serialize, Deserialize)]
struct Offered {
    stray: u64,
    peer: IpAddr,
    contested: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    stray: u64,
    taken: bool,
}

/// Offers connections, until the other process ends.
pub(super) struct Offers {
    socket: UnixStream,
    places: Semaphore,
    last: AtomicU64,
    /// Who waits; `None` once the other process has ended.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<bool>>>>,
}

impl Offers {
    /// Begins. [`Offers::hear`] has to be polled.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            socket: polled(socket)?,
            places: Semaphore::new(OFFERS),
            last: AtomicU64::new(0),
            waiting: Mutex::new(Some(HashMap::new())),
        }))
    }

    /// Hears the answers, until the other process ends or says what makes no sense.
    pub(super) async fn hear(&self) {
        while let Ok(Some(Packet { bytes, .. })) = receive(&self.socket, ANSWER).await
            && let Ok(Answered { stray, taken }) = serde_json::from_slice(&bytes)
        {
            let asked = self.waiting().as_mut().and_then(|waiting| waiting.remove(&stray));
            asked.into_iter().for_each(|asked| {
                let _ = asked.send(taken);
            });
        }
        *self.waiting() = None;
    }

    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<bool>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, Stray { socket, peer, received, is_contested }: Stray) -> Option<bool> {
        let _place = self.places.try_acquire().ok()?;
        let stray = self.last.fetch_add(1, Ordering::Relaxed);
        let (asked, answer) = oneshot::channel();
        self.waiting().as_mut()?.insert(stray, asked);
        let mut packet = serde_json::to_vec(&Offered { stray, peer, contested: is_contested }).ok()?;
        packet.push(b'\n');
        packet.extend(received);
        if send(&self.socket, &packet, Some(&socket)).await.is_err() {
            self.waiting().as_mut()?.remove(&stray);
            return None;
        }
        answer.await.ok()
    }
}

impl Elsewhere for Offers {
    fn offer(&self, stray: Stray) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async { self.ask(stray).await.unwrap_or(false) })
    }
}

/// Takes in what another process is offered at `port` and has nobody for, until that process ends.
pub(super) async fn take_in(socket: OwnedFd, port: Arc<SharedPort>) {
    let Ok(socket) = polled(socket) else { return };
    while let Ok(Some(Packet { bytes, mut fds, .. })) = receive(&socket, PACKET).await {
        let line = bytes.iter().position(|byte| *byte == b'\n').and_then(|end| bytes.split_at_checked(end));
        let Some((line, rest)) = line else { return };
        let Ok(Offered { stray, peer, contested }) = serde_json::from_slice(line) else { return };
        let received = rest.get(1..).unwrap_or_default().to_vec();
        // Without a descriptor left for it, it is lost on the way.
        let taken = fds
            .pop()
            .is_some_and(|socket| port.receive(Stray { socket, peer, received, is_contested: contested }));
        let answered = serde_json::to_vec(&Answered { stray, taken }).unwrap_or_default();
        if send(&socket, &answered, None).await.is_err() {
            return;
        }
    }
}

async fn send(socket: &UnixStream, packet: &[u8], with: Option<&OwnedFd>) -> io::Result<()> {
    let fds: Vec<_> = with.iter().map(|fd| fd.as_fd()).collect();
    socket.async_io(Interest::WRITABLE, || packets::send(socket, packet, &fds)).await
}

/// The next packet; `None` at the end.
async fn receive(socket: &UnixStream, most: usize) -> io::Result<Option<Packet>> {
    socket.async_io(Interest::READABLE, || packets::receive(socket, most)).await
}
