//! Where the next data connection comes from or goes to.

use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::Callers;
use super::accept::next_of;

/// The data port of a session: one at a time, and each for one data connection only.
pub(crate) enum DataPort {
    /// `PASV` or `EPSV`: the client will come to this random port.
    Passive(PassivePort),
    /// `PORT` or `EPRT`: we go to the client.
    Active(SocketAddr),
}

/// A port that waits for the client or a partner, and those who came before the command did, each with its address.
pub(crate) struct PassivePort {
    pub(super) listener: TcpListener,
    pub(super) early: Vec<(TcpStream, IpAddr)>,
}

/// Connections from those who may call that are taken before there is a command to use them; more
/// wait in the kernel's queue.
const EARLY: usize = 4;

impl PassivePort {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, early: Vec::new() }
    }
}

impl DataPort {
    /// Attends to the port until the command comes that uses it. Never returns for long; cancellation
    /// safe.
    // SECURITY: without this, strangers could fill the queue before the owner gets into it.
    pub(crate) async fn attend(&mut self, callers: &Callers) {
        match self {
            Self::Passive(port) if port.early.len() < EARLY => {
                let arrived = next_of(&port.listener, callers).await;
                port.early.push(arrived);
            }
            _ => std::future::pending().await,
        }
    }
}
