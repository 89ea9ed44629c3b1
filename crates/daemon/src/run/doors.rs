//! Through which listeners do clients come in, and which of them stay at a reload?

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carrack_ftp_server::FtpServer;
use tokio::sync::watch;

use super::Listening;
use crate::config::{Listen, Mode};

/// A listener with the server behind it. It accepts for as long as a door has its way in.
#[derive(Clone)]
pub(super) struct Door {
    listen: Listen,
    pub(super) listening: Listening,
    server: Arc<FtpServer>,
    way_in: Arc<watch::Sender<Arc<FtpServer>>>,
    /// The listener once more, for a process that takes over; `None` once nobody is accepted any more.
    socket: Arc<Mutex<Option<TcpListener>>>,
}

impl Door {
    /// A new one, behind which `server` serves.
    pub(super) fn new(
        listen: &Listen,
        listening: Listening,
        socket: TcpListener,
        server: Arc<FtpServer>,
    ) -> Self {
        let way_in = Arc::new(watch::Sender::new(Arc::clone(&server)));
        let socket = Arc::new(Mutex::new(Some(socket)));
        Self { listen: listen.clone(), listening, server, way_in, socket }
    }

    /// The same listener, behind which `server` is to serve once it is [opened](Door::open).
    pub(super) fn renewed(&self, listen: &Listen, server: Arc<FtpServer>) -> Self {
        let listening = Listening { mode: listen.mode, ..self.listening };
        let (way_in, socket) = (Arc::clone(&self.way_in), Arc::clone(&self.socket));
        Self { listen: listen.clone(), listening, server, way_in, socket }
    }

    /// For what it was opened.
    pub(super) fn wanted(&self) -> (SocketAddr, Mode) {
        (self.listen.address, self.listen.mode)
    }

    /// Its listener, for another process.
    pub(super) fn share(&self) -> io::Result<TcpListener> {
        match &*self.socket() {
            Some(socket) => socket.try_clone(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Keeps nothing of the listener: once it is accepted no more, nobody is to wait at it.
    pub(super) fn close(&self) {
        *self.socket() = None;
    }

    fn socket(&self) -> MutexGuard<'_, Option<TcpListener>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who serves behind it.
    pub(super) fn server(&self) -> &Arc<FtpServer> {
        &self.server
    }

    /// Who serves the connections that come, whichever door of the listener it is.
    pub(super) fn current(&self) -> watch::Receiver<Arc<FtpServer>> {
        self.way_in.subscribe()
    }

    /// Serves the connections that come from now on.
    pub(super) fn open(&self) {
        self.way_in.send_replace(Arc::clone(&self.server));
    }

    /// Whether both have one listener.
    pub(super) fn is_same_listener(&self, other: &Door) -> bool {
        Arc::ptr_eq(&self.way_in, &other.way_in)
    }
}

/// For each of `listens` the door whose listener it keeps: that of its address, first that of its mode as well.
pub(super) fn kept<'d>(listens: &[Listen], doors: &'d [Door]) -> Vec<Option<&'d Door>> {
    let addresses = |door: &Door| (door.listen.address, door.listen.mode);
    let wanted: Vec<_> = listens.iter().map(|listen| (listen.address, listen.mode)).collect();
    let held: Vec<_> = doors.iter().map(addresses).collect();
    matched(&wanted, &held).into_iter().map(|index| doors.get(index?)).collect()
}

/// For each that is wanted the place of one that is held and nobody else gets. Port 0 stands in a configuration more than once.
fn matched<A: PartialEq, M: PartialEq>(wanted: &[(A, M)], held: &[(A, M)]) -> Vec<Option<usize>> {
    let mut found = vec![None; wanted.len()];
    let mut free = vec![true; held.len()];
    for exact in [true, false] {
        for (found, wanted) in found.iter_mut().zip(wanted).filter(|(found, _)| found.is_none()) {
            let fits = |held: &(A, M)| held.0 == wanted.0 && (!exact || held.1 == wanted.1);
            let mut candidates = held.iter().zip(&mut free).enumerate();
            if let Some((place, (_, free))) = candidates.find(|(_, (held, free))| **free && fits(held)) {
                (*found, *free) = (Some(place), false);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_stays_with_its_address_and_goes_to_its_mode_first() {
        let held = [("a:0", 'e'), ("a:0", 'i'), ("b:21", 'e')];
        let found = |wanted: &[(&str, char)]| matched(wanted, &held);
        assert_eq!(found(&[("a:0", 'i'), ("a:0", 'e'), ("b:21", 'e')]), [Some(1), Some(0), Some(2)]);
        assert_eq!(found(&[("b:21", 'i'), ("c:21", 'e')]), [Some(2), None]);
        assert_eq!(found(&[("a:0", 'i'), ("a:0", 'i'), ("a:0", 'i')]), [Some(1), Some(0), None]);
        assert_eq!(found(&[]), []);
    }
}
