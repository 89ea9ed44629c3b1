//! The data connection: where it is awaited or made, whose it is, and how it is protected.

mod accept;
mod port;

pub(crate) use accept::{DataRequest, Protect, open};
pub(crate) use port::{DataPort, PassivePort, may_connect_to};
