//! Which listening sockets were handed to this process by whoever started it, and which listener of the configuration has which?

use std::io;
use std::net::{SocketAddr, TcpListener};

use carrack_net::Listener;
use listenfd::ListenFd;

use super::StartError;
use crate::config::Mode;

/// Listening sockets that somebody else has opened.
#[derive(Debug, Default)]
pub struct Handed(Vec<Socket>);

#[derive(Debug)]
struct Socket {
    /// `FileDescriptorName=` of systemd, or the mode of the listener that it was before.
    name: String,
    /// As the configuration names it: another than the socket's where that says any port.
    address: SocketAddr,
    socket: TcpListener,
}

impl Handed {
    /// Those that systemd has opened (sd_listen_fds(3)). Call it while there is one thread: it takes the variables out of the environment.
    ///
    /// # Errors
    /// One of them is no listening TCP socket.
    pub fn by_systemd() -> Result<Self, StartError> {
        // They belong to the descriptors, and may be there for another process.
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut fds = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..fds.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let taken = fds.take_tcp_listener(index).and_then(|socket| {
                let socket = socket.ok_or(io::ErrorKind::NotFound)?;
                let address = socket.local_addr()?;
                Ok(Socket { name: name.clone(), address, socket })
            });
            sockets.push(taken.map_err(|source| StartError::Handed { name, source })?);
        }
        Ok(Self(sockets))
    }

    /// Adds one that was opened for `address` of the configuration, for a listener of that mode where it is one.
    pub(crate) fn add(&mut self, socket: TcpListener, address: SocketAddr, mode: Option<Mode>) {
        let name = mode.map(|mode| mode.to_string()).unwrap_or_default();
        self.0.push(Socket { name, address, socket });
    }

    /// Listens on `address`: with the socket that was handed over for it, else with a new one. For a listener of `mode` a socket of
    /// that name does as well.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn listen(&mut self, address: SocketAddr, mode: Option<Mode>) -> io::Result<Listener> {
        let mode = mode.map(|mode| mode.to_string());
        let is_named = |socket: &Socket| mode.as_deref().unwrap_or_default() == socket.name;
        let is_listener = mode.is_some();
        let fits: [&dyn Fn(&Socket) -> bool; 3] = [
            &|socket| socket.address == address && is_named(socket),
            // Any port is wanted by more than one.
            &|socket| socket.address == address && address.port() != 0,
            &|socket| is_listener && is_named(socket),
        ];
        match fits.iter().find_map(|fits| self.0.iter().position(fits)) {
            Some(place) => Listener::over(self.0.swap_remove(place).socket),
            None => Listener::bind(address),
        }
    }

    /// The addresses of those for no listener of the configuration, at this port and not among `addresses`.
    pub(super) fn others_at(&self, port: u16, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let others = self.0.iter().filter(|socket| socket.name.is_empty() && socket.address.port() == port);
        others.map(|socket| socket.address).filter(|address| !addresses.contains(address)).collect()
    }

    /// Makes sure that nobody waits at a socket that nothing serves.
    ///
    /// # Errors
    /// No listener has taken one of them.
    pub(super) fn all_taken(&self) -> Result<(), StartError> {
        match self.0.first() {
            None => Ok(()),
            Some(Socket { name, address, .. }) => {
                Err(StartError::HandedToNobody { name: name.clone(), address: *address })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed(sockets: &[(&str, &TcpListener)]) -> Handed {
        let mut handed = Handed::default();
        for (name, socket) in sockets {
            let (address, socket) = (socket.local_addr().unwrap(), socket.try_clone().unwrap());
            handed.0.push(Socket { name: (*name).to_owned(), address, socket });
        }
        handed
    }

    #[tokio::test]
    async fn a_socket_goes_by_its_address_and_then_by_its_name() {
        let sockets: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let at = |index: usize| sockets[index].local_addr().unwrap();
        let mut handed =
            handed(&[("carrack.socket", &sockets[0]), ("implicit", &sockets[1]), ("explicit", &sockets[2])]);
        let mut listen = |address, mode| handed.listen(address, mode).unwrap().local_addr().unwrap();
        assert_eq!(listen(at(0), Some(Mode::Explicit)), at(0));
        let any = "127.0.0.1:0".parse().unwrap();
        assert_eq!(listen(any, Some(Mode::Implicit)), at(1));
        assert!(
            !sockets.iter().any(|socket| socket.local_addr().unwrap() == listen(any, None)),
            "it is a new one"
        );
        let error = handed.all_taken().unwrap_err().to_string();
        assert!(error.contains("explicit") && error.contains("mend: "), "{error}");
        handed.listen(any, Some(Mode::Explicit)).unwrap();
        handed.all_taken().unwrap();
    }
}
