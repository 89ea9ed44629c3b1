//! The data connection: where it is awaited or made, whose it is, and how it is protected.

mod accept;
mod port;
mod ports;
mod shared;

pub(crate) use accept::{DataRequest, Protect, open};
pub(crate) use port::{DataPort, may_connect_to};
pub use ports::DataPorts;
pub(crate) use shared::Expects;
pub use shared::SharedPort;
