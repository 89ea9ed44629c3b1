//! Can a server listen at all the addresses that a configuration names, at the same time?

use std::net::SocketAddr;

use super::check::Faults;
use super::table::Config;

/// An address that is listened on from the start.
struct Fixed {
    place: String,
    address: SocketAddr,
}

/// Compares all fixed addresses with one another and with the ports of data connections. Port 0 is any free one.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let all = fixed(config);
    let all: Vec<_> = all.iter().filter(|fixed| fixed.address.port() != 0).collect();
    for (index, Fixed { place, address }) in all.iter().enumerate() {
        if let Some(other) = all.iter().take(index).find(|other| overlap(*address, other.address)) {
            let both_listeners = other.place.starts_with("listen.") && place.starts_with("listen.");
            let what = if both_listeners && other.address == *address {
                format!("{address} is used by two listeners")
            } else {
                let whose = if other.place.starts_with("listen.") { "a listener" } else { &other.place };
                format!("{address} is taken by {whose}, {}", other.address)
            };
            faults.add(place, what, "give each its own port");
        }
        if config.passive.ports.0.contains(&address.port()) {
            faults.add(
                place,
                format!("port {} lies in passive.ports, {}", address.port(), config.passive.ports),
                "move one of the two",
            );
        }
    }
}

/// All of them; where a key is left out, what then counts.
fn fixed(config: &Config) -> Vec<Fixed> {
    let listeners = config
        .listen
        .iter()
        .enumerate()
        .map(|(index, listen)| Fixed { place: format!("listen.{index}.address"), address: listen.address });
    let metrics = config
        .metrics
        .iter()
        .map(|metrics| Fixed { place: "metrics.address".to_owned(), address: metrics.address });
    let asked_at = config.acme.iter().filter_map(|acme| acme.asked_at());
    let asked_at = asked_at.map(|(key, address)| Fixed { place: format!("acme.{key}"), address });
    listeners.chain(metrics).chain(asked_at).collect()
}

/// Whether the system would refuse to listen on both. `[::]` listens for IPv4 as well.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |any: SocketAddr, it: SocketAddr| {
        any.ip().is_unspecified() && (any.is_ipv6() || it.is_ipv4()) || any.ip() == it.ip()
    };
    one.port() == other.port() && (covers(one, other) || covers(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_overlaps_with_its_family_and_v6_with_both() {
        for (one, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("[::]:80", "[::1]:80", true),
            ("[::]:80", "[::1]:81", false),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
