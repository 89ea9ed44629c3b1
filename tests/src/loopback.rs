//! Loopback addresses and ports that nobody else uses, so that servers of tests running at once never want the same port.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};

/// An address of 127.0.0.0/8, all of which Linux answers for. Picked at random from four million: tests run in several
/// processes that know nothing of each other. 127.0.0.0 to 127.63.255.255 are left to tests that name their addresses.
pub fn unused() -> Ipv4Addr {
    let random = RandomState::new().hash_one(std::process::id());
    let [a, b, c, ..] = random.to_le_bytes();
    Ipv4Addr::new(127, 64 + a % 64, b, c.clamp(1, 254))
}

/// A port that was free a moment ago, on all addresses: below those that Linux gives to connections, and random like the
/// addresses.
pub fn free_port() -> u16 {
    (0..1000_u64)
        .map(|attempt| 10_000 + (RandomState::new().hash_one(attempt) % 22_000) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .unwrap()
}
