//! By which names may clients come, so that a self-signed certificate has them?

use std::net::{IpAddr, UdpSocket};

use crate::config::{Acme, Config};

/// The names that a self-signed certificate needs: those by which clients may come.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(name) = host_name() {
        add(name);
    }
    for name in config.acme.iter().flat_map(Acme::names) {
        add(name.as_str().to_owned());
    }
    for name in config.virtual_server.iter().flat_map(|server| &server.names) {
        add(name.as_str().to_owned());
    }
    for listen in config.listen.iter() {
        let ip = listen.address.ip();
        if !ip.is_unspecified() {
            add(ip.to_string());
        } else if let Some(ip) = own_address(ip.is_ipv6()) {
            add(ip.to_string());
        }
    }
    let of_networks = config.passive.network.iter().map(|network| &network.public_address);
    for public in config.passive.public_address.iter().chain(of_networks) {
        add(public.to_string());
    }
    names
}

/// The name of this machine, where it may stand in a certificate.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_ascii_lowercase();
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err()).then_some(name)
}

/// The address from which this machine talks to others. Connecting a UDP socket sends nothing; the addresses are those of RFC 5737
/// and RFC 3849.
fn own_address(v6: bool) -> Option<IpAddr> {
    let (any, far) = if v6 { ("[::]:0", "[2001:db8::1]:9") } else { ("0.0.0.0:0", "192.0.2.1:9") };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}
