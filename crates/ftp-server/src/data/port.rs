//! Where the next data connection comes from or goes to.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::Callers;
use super::accept::next_of;
use super::shared::Seat;

/// The data port of a session: one at a time, and each for one data connection only.
pub(crate) enum DataPort {
    /// `PASV` or `EPSV`: the client will come to this random port.
    Passive(PassivePort),
    /// `PORT` or `EPRT`: we go to the client.
    Active(SocketAddr),
}

/// A port that waits for the client or a partner.
pub(crate) enum PassivePort {
    /// A port for this transfer alone, and those who came before the command did, each with its address.
    OneShot { listener: TcpListener, early: VecDeque<(TcpStream, IpAddr)> },
    /// A seat at the port that all share. Who comes early waits in it.
    Shared(Seat),
}

/// Connections from those who may call that are taken before there is a command to use them; more
/// wait in the kernel's queue.
const EARLY: usize = 4;

impl PassivePort {
    pub(crate) fn one_shot(listener: TcpListener) -> Self {
        Self::OneShot { listener, early: VecDeque::new() }
    }
}

impl DataPort {
    /// Attends to the port until the command comes that uses it. Never returns for long; cancellation
    /// safe.
    // SECURITY: without this, strangers could fill the queue before the owner gets into it.
    pub(crate) async fn attend(&mut self, callers: &Callers) {
        match self {
            Self::Passive(PassivePort::OneShot { listener, early }) if early.len() < EARLY => {
                let arrived = next_of(listener, callers).await;
                early.push_back(arrived);
            }
            _ => std::future::pending().await,
        }
    }
}
