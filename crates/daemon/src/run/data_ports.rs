//! Where do passive data connections come in?

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use carrack_ftp_server::{DataPorts, SharedPort};
use carrack_net::{Listener, PortPool};
use carrack_tls::Sessions;

use super::{Handed, StartError};
use crate::config::Config;

/// The ports, ranges of which are taken when needed.
pub(super) fn ports(config: &Config, sessions: &Sessions) -> DataPorts {
    match config.passive.ports.shared() {
        Some(number) => SharedPort::new(number, sessions.clone()).into(),
        None => PortPool::new(config.passive.ports.0.clone()).into(),
    }
}

/// Tells a shared port which load balancers there are, before any of the listeners.
pub(super) fn tell_balancers(config: &Config, ports: &DataPorts) {
    if let DataPorts::Shared(port) = ports {
        port.set_balancers(
            config.listen.iter().flat_map(|listen| listen.proxy_protocol.iter().copied()).collect(),
        );
    }
}

/// A listener of the port that all sessions share: somebody has to serve it.
pub(super) struct SharedListener {
    pub(super) port: Arc<SharedPort>,
    pub(super) listener: Listener,
    /// The listener once more, for a process that takes over.
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
}

/// Takes a shared port now where the configuration listens and it is not taken yet, so that a start tells when something else has it. All
/// addresses at which it is taken then. What was handed over for it is served in any case: sessions of the process before were told of it.
pub(super) fn bind(
    config: &Config,
    ports: &DataPorts,
    taken: &[IpAddr],
    handed: &mut Handed,
) -> Result<(Vec<SharedListener>, Vec<IpAddr>), StartError> {
    let DataPorts::Shared(port) = ports else { return Ok((Vec::new(), Vec::new())) };
    let listened = config.listen.iter().map(|listen| listen.address.ip());
    let fresh: Vec<_> = distinct(taken.iter().copied().chain(listened))
        .into_iter()
        .filter(|ip| !taken.contains(ip))
        .map(|ip| SocketAddr::new(ip, port.number()))
        .collect();
    let mut shared = Vec::new();
    let handed_beside = handed.others_at(port.number(), &fresh);
    for address in fresh.into_iter().chain(handed_beside) {
        let failed = |source| StartError::DataPort { address, source };
        let listener = handed.listen(address, None).map_err(failed)?;
        let socket = listener.share().map_err(failed)?;
        shared.push(SharedListener { port: Arc::clone(port), listener, socket, address });
    }
    let all = taken.iter().copied().chain(shared.iter().map(|shared| shared.address.ip())).collect();
    Ok((shared, all))
}

/// The addresses, each once, without those for which another listens as well: `0.0.0.0` for all of IPv4, `[::]` for
/// everything.
fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = Vec::new();
    for ip in addresses {
        if !all.contains(&ip) {
            all.push(ip);
        }
    }
    let any = |v6: bool| all.iter().any(|ip| ip.is_unspecified() && ip.is_ipv6() == v6);
    let (any_v4, any_v6) = (any(false), any(true));
    all.retain(|ip| match (ip.is_unspecified(), ip.is_ipv6()) {
        (true, true) => true,
        (true, false) => !any_v6,
        (false, true) => !any_v6,
        (false, false) => !any_v6 && !any_v4,
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(addresses: &[&str]) -> Vec<String> {
        let parsed = addresses.iter().map(|text| text.parse().unwrap());
        distinct(parsed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_wildcard_listens_for_its_family() {
        assert_eq!(left(&["127.0.0.1", "127.0.0.1", "::1"]), ["127.0.0.1", "::1"]);
        assert_eq!(left(&["192.0.2.1", "0.0.0.0", "::1"]), ["0.0.0.0", "::1"]);
        assert_eq!(left(&["0.0.0.0", "::", "192.0.2.1", "::1"]), ["::"]);
    }
}
