//! Listeners, admission limits, passive ports and drain. Knows no protocol.
//!
//! What it does: accepts TCP connections without ever spinning or stopping for want of file
//! descriptors, turns away whom lists and bans keep out, counts the others against the limits of the
//! whole server, of one source and of those who wait for their login, hands out
//! passive ports that nobody can predict, and tells every connection when the server goes down.
//!
//! What it does not: it reads no byte but those of a load balancer's PROXY header, does no TLS and knows no account.
//!
//! ```text
//!   kernel ──► Listener ──► Admission::admit ──► Slot ──► the protocol's connection
//!                               │ Refused                     │ holds Live, watches Drain
//!                               ▼                             ▼
//!                        one line, closed            PortPool::listen for its data
//! ```
//!
//! ```
//! use carrack_net::{Admission, Limits, Startups};
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! let admission = Admission::new(Limits { sessions: 2, sessions_per_source: 1, startups: Startups::STANDARD });
//! let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
//! let slot = admission.admit(home).unwrap();
//! assert!(admission.admit(home).is_err());
//! drop(slot);
//! assert!(admission.admit(home).is_ok());
//! ```
#![forbid(unsafe_code)]

mod access;
mod admission;
mod bans;
mod drain;
mod listener;
mod network;
mod ports;
pub mod proxy;
mod startups;

pub use access::{Access, NamedHost, NotAdmitted, Place};
pub use admission::{Admission, Limits, Refused, Slot, Source};
pub use bans::{Ban, BannedBy, Bans, Moment, Term, TooManyBans};
pub use drain::{Drain, Live, Phase};
pub use listener::{Accepted, Exhausted, Listener, canonical};
pub use network::{Network, NotANetwork};
pub use ports::PortPool;
pub use startups::Startups;
