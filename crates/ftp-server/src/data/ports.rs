//! From where do passive ports come: a range with one for each transfer, or one that all share?

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use carrack_net::PortPool;

use super::own_port::OwnPort;
use super::port::PassivePort;
use super::shared::{Expects, SharedPort};

/// The ports of passive data connections. Cheap to clone.
#[derive(Clone, Debug)]
pub enum DataPorts {
    /// A random port of a range for each transfer.
    Range(PortPool),
    /// One port that all sessions share; somebody has to [`serve`](SharedPort::serve) it.
    Shared(Arc<SharedPort>),
}

impl From<PortPool> for DataPorts {
    fn from(pool: PortPool) -> Self {
        Self::Range(pool)
    }
}

impl From<Arc<SharedPort>> for DataPorts {
    fn from(port: Arc<SharedPort>) -> Self {
        Self::Shared(port)
    }
}

impl DataPorts {
    /// Opens a port on our address `local` for the client at `peer`, and says its number.
    ///
    /// # Errors
    /// When no port of a range is free. The shared one always is.
    pub(crate) fn open(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        expects: Expects,
    ) -> io::Result<(u16, PassivePort)> {
        match self {
            Self::Range(pool) => {
                let port = OwnPort::new(pool.listen(local)?);
                Ok((port.number()?, PassivePort::OneShot(Box::new(port))))
            }
            Self::Shared(port) => Ok((port.number(), PassivePort::Shared(port.sit(peer.ip(), expects)))),
        }
    }
}
