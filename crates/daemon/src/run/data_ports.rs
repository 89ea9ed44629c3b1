//! Where do passive data connections come in?

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use carrack_ftp_server::{DataPorts, SharedPort};
use carrack_net::{Listener, PortPool};
use carrack_tls::Sessions;

use super::StartError;
use crate::config::Config;

/// The ports, and the listeners of the one that all sessions share.
pub(super) struct DataPortsBound {
    pub(super) ports: DataPorts,
    /// To be served: one for each address that is listened on.
    pub(super) shared: Vec<(Arc<SharedPort>, Listener)>,
}

/// Takes the shared port now, so that a start tells when something else has it; ports of a range are taken when needed.
pub(super) fn bind(config: &Config, sessions: &Sessions) -> Result<DataPortsBound, StartError> {
    let Some(number) = config.passive.ports.shared() else {
        let ports = PortPool::new(config.passive.ports.0.clone()).into();
        return Ok(DataPortsBound { ports, shared: Vec::new() });
    };
    let port = SharedPort::new(number, sessions.clone());
    let mut shared = Vec::new();
    for ip in distinct(config.listen.iter().map(|listen| listen.address.ip())) {
        let address = SocketAddr::new(ip, number);
        let listener = Listener::bind(address).map_err(|source| StartError::DataPort { address, source })?;
        shared.push((Arc::clone(&port), listener));
    }
    Ok(DataPortsBound { ports: port.into(), shared })
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
