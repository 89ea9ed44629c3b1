//! Whose is a connection that nobody here waits for, while another process drains that had the port before?
//!
//! ```text
//!   this process                                      the one before
//!   nobody of its address waits ───────── offer ────► a session of its address waits: the connection is tried with it
//!   its ClientHello names nobody here ─── offer ────► nobody does: it goes on here as if nobody had been asked
//! ```

use std::net::{IpAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use carrack_tls::{Caller, HandshakeError};
use tokio::net::TcpStream;

use super::{Arrival, Rivals, SharedPort};

/// A connection that may be meant for another process.
#[derive(Debug)]
pub struct Stray {
    /// The socket.
    pub socket: OwnedFd,
    /// Who is at its other end.
    pub peer: IpAddr,
    /// What was read of it already.
    pub received: Vec<u8>,
    /// Whether a session waits here for which it may have come as well.
    pub is_contested: bool,
}

/// The process that had the port before.
pub trait Elsewhere: Send + Sync {
    /// Offers a connection, and says whether it was taken. It waits for the other process and never for the client.
    fn offer(&self, stray: Stray) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

impl SharedPort {
    /// What nobody here waits for is offered there from now on; with `None` nobody is asked any more.
    pub fn set_elsewhere(&self, elsewhere: Option<Arc<dyn Elsewhere>>) {
        *self.elsewhere.write().unwrap_or_else(PoisonError::into_inner) = elsewhere;
    }

    /// A connection that another process has accepted at this port, and whether anybody waits for such a one.
    pub fn receive(self: &Arc<Self>, stray: Stray) -> bool {
        let Stray { socket, peer, received, is_contested } = stray;
        let Ok(stream) = TcpStream::from_std(StdStream::from(socket)) else { return false };
        let rivals = if is_contested { Rivals::There } else { Rivals::None };
        self.place(Arrival { stream, peer, received, rivals }).is_ok()
    }
}

/// Offers a connection for which nobody of its address waits here.
pub(super) async fn offer_unread(elsewhere: Arc<dyn Elsewhere>, stream: TcpStream, peer: IpAddr) {
    if let Ok(socket) = stream.as_fd().try_clone_to_owned() {
        elsewhere.offer(Stray { socket, peer, received: Vec::new(), is_contested: false }).await;
    }
}

/// Offers a connection that comes to the only session of its address, which waits for clear data. Whether that one may have it.
pub(super) async fn is_ours(elsewhere: &dyn Elsewhere, stream: &TcpStream, peer: IpAddr) -> bool {
    match stream.as_fd().try_clone_to_owned() {
        Ok(socket) => {
            !elsewhere.offer(Stray { socket, peer, received: Vec::new(), is_contested: true }).await
        }
        Err(_) => false,
    }
}

/// Offers a connection whose ClientHello names nobody here, and gives it back where nobody has taken it.
pub(super) async fn unless_taken(
    elsewhere: &dyn Elsewhere,
    mut caller: Caller,
    peer: IpAddr,
) -> Result<Caller, HandshakeError> {
    let (socket, received) = caller.share().map_err(HandshakeError::Io)?;
    match elsewhere.offer(Stray { socket, peer, received, is_contested: true }).await {
        true => Err(HandshakeError::Closed),
        false => Ok(caller),
    }
}
