//! The two protocol machines, each against whoever, and against each other.
//!
//! Their inputs are texts, so that a seed can be read: a line is said as it stands, and a line that begins with `!` is an
//! operation of the driver (its letter is explained where it is read).

mod client;
mod pair;
mod server;
mod wires;

use crate::Target;
pub use wires::{Ends, simulate};

/// The machines.
pub const TARGETS: &[Target] = &[
    Target { name: "server", run: server::run },
    Target { name: "client", run: client::run },
    Target { name: "pair", run: pair::run },
    Target { name: "wires", run: wires::run },
];

/// Operations of one run: more of them find nothing that so many do not.
const OPERATIONS: usize = 256;
