//! A port for one data connection: who comes to it, and who of them may call?

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use carrack_net::{Accepted, canonical};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Callers;

/// Connections from those who may call that are taken before there is a command to use them; more
/// wait in the kernel's queue.
const EARLY: usize = 4;

/// Connections from balancers whose PROXY header may be outstanding at once. Balancers send it at once; more wait in the kernel's
/// queue.
const INTRODUCING: usize = 8;

/// The pause after the system could not hand a connection over (no descriptors): no spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A random port that one transfer has for itself.
pub(crate) struct OwnPort {
    listener: TcpListener,
    /// Connections from balancers that have not said yet for whom they are.
    introducing: JoinSet<Option<(TcpStream, IpAddr)>>,
    /// Those who came before the command did, each with its address.
    early: VecDeque<(TcpStream, IpAddr)>,
}

impl OwnPort {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, introducing: JoinSet::new(), early: VecDeque::new() }
    }

    pub(super) fn number(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Takes who comes before the command does. Never returns for long; cancellation safe.
    // SECURITY: without this, strangers could fill the queue before the owner gets into it.
    pub(super) async fn attend(&mut self, callers: &Callers) {
        if self.early.len() < EARLY {
            let arrived = self.come(callers).await;
            self.early.push_back(arrived);
        } else {
            std::future::pending().await
        }
    }

    /// The next connection from where one may come from. Cancellation safe.
    pub(super) async fn next(&mut self, callers: &Callers) -> (TcpStream, IpAddr) {
        match self.early.pop_front() {
            Some(arrived) => arrived,
            None => self.come(callers).await,
        }
    }

    // SECURITY: whoever else connects to the port is dropped, and the port goes on waiting for its
    // owner: a stranger can neither take the data nor end the transfer (RFC 2577 §6). So is a balancer that does not say for
    // whom it comes.
    async fn come(&mut self, callers: &Callers) -> (TcpStream, IpAddr) {
        loop {
            let (stream, from) = tokio::select! {
                accepted = self.listener.accept(), if self.introducing.len() < INTRODUCING => match accepted {
                    Ok((stream, peer)) if callers.is_balancer(canonical(peer).ip()) => {
                        self.introducing.spawn(introduced(stream, canonical(peer)));
                        continue;
                    }
                    Ok((stream, peer)) => (stream, canonical(peer).ip()),
                    Err(_) => {
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                Some(introduced) = self.introducing.join_next() => match introduced {
                    Ok(Some(introduced)) => introduced,
                    Ok(None) | Err(_) => continue,
                },
            };
            if callers.may_call(from) && stream.set_nodelay(true).is_ok() {
                return (stream, from);
            }
        }
    }
}

/// The connection with the client's address, where the balancer at `peer` says it.
async fn introduced(stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, IpAddr)> {
    let bound = canonical(stream.local_addr().ok()?);
    let accepted = Accepted { stream, peer, local: bound, bound, is_check: false };
    match accepted.introduced().await {
        Ok(Accepted { stream, peer, .. }) => Some((stream, peer.ip())),
        Err(error) => {
            tracing::debug!(%peer, %error, "data_connection_not_introduced");
            None
        }
    }
}
