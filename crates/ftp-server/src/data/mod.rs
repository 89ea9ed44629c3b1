//! The data connection: where it is awaited or made, whose it is, and how it is protected.

mod accept;
mod callers;
mod failure;
mod own_port;
mod port;
mod ports;
mod shared;

pub(crate) use accept::{DataConnection, DataRequest, Protect, open};
pub(crate) use callers::{Callers, Party};
pub(crate) use failure::Failure;
pub(crate) use port::{DataPort, PassivePort};
pub use ports::DataPorts;
pub(crate) use shared::Expects;
pub use shared::{Elsewhere, SharedPort, Stray};
