//! Where the next data connection comes from or goes to.

use std::net::SocketAddr;

use super::Callers;
use super::own_port::OwnPort;
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
    /// A port for this transfer alone.
    OneShot(Box<OwnPort>),
    /// A seat at the port that all share. Who comes early waits in it.
    Shared(Seat),
}

impl DataPort {
    /// Attends to the port until the command comes that uses it. Never returns for long; cancellation
    /// safe.
    pub(crate) async fn attend(&mut self, callers: &Callers) {
        match self {
            Self::Passive(PassivePort::OneShot(port)) => port.attend(callers).await,
            _ => std::future::pending().await,
        }
    }
}
