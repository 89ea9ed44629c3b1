//! What do the names in `public_address` stand for, now and in an hour?

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use carrack_ftp_server as ftp;
use carrack_ftp_server::NamedAddress;

use crate::config::{Passive, PublicAddress};

/// How often names are looked up: as often as a home router's address is worth following; the resolver answers most of
/// it from its cache.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

/// How long an answer may take. The last good one counts meanwhile.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The public addresses of a configuration, and the names among them, each once.
pub(crate) struct Addresses {
    pub(crate) told: ftp::PublicAddresses,
    pub(crate) names: Vec<Arc<NamedAddress>>,
}

impl Addresses {
    /// Those of `passive`. Names that are among `known` keep what was found for them.
    pub(crate) fn of(passive: &Passive, known: &[Arc<NamedAddress>]) -> Self {
        let find = |name: &str| known.iter().find(|known| known.name() == name).map(Arc::clone);
        let mut names: HashMap<String, Arc<NamedAddress>> = HashMap::new();
        let mut told = |address: &PublicAddress| match address {
            PublicAddress::Fixed(address) => ftp::PublicAddress::Fixed(*address),
            PublicAddress::Name(name) => ftp::PublicAddress::Named(Arc::clone(
                names
                    .entry(name.clone())
                    .or_insert_with(|| find(name).unwrap_or_else(|| NamedAddress::new(name.clone()))),
            )),
        };
        let networks =
            passive.network.iter().map(|network| (network.clients, told(&network.public_address))).collect();
        let otherwise = passive.public_address.as_ref().map(&mut told);
        Self { told: ftp::PublicAddresses { networks, otherwise }, names: names.into_values().collect() }
    }
}

/// Looks the names up, now and every minute, for as long as it is polled.
pub(crate) async fn follow(names: Vec<Arc<NamedAddress>>) {
    let mut every = tokio::time::interval(LOOK_UP_EVERY);
    loop {
        every.tick().await;
        for named in &names {
            look_up(named).await;
        }
    }
}

/// Looks one name up once. What cannot be found leaves the last answer as it is.
async fn look_up(named: &NamedAddress) {
    let name = named.name();
    match tokio::time::timeout(ANSWER_TIME, first_ipv4(name)).await {
        Ok(Ok(address)) => {
            if named.set(address) {
                tracing::info!(target: "carrack", name, %address, "public_address");
            }
        }
        Ok(Err(why)) => not_found(named, &why.to_string()),
        Err(_) => not_found(named, "no answer in time"),
    }
}

async fn first_ipv4(name: &str) -> io::Result<Ipv4Addr> {
    let mut found = tokio::net::lookup_host((name, 0)).await?;
    found
        .find_map(|address| match address.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no IPv4 address"))
}

fn not_found(named: &NamedAddress, why: &str) {
    let kept = named.found().map(|address| address.to_string());
    tracing::warn!(target: "carrack", name = named.name(), why, kept, "public_address_not_found");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_found_and_one_that_is_lost_keeps_its_last_answer() {
        let here = NamedAddress::new("localhost".to_owned());
        look_up(&here).await;
        assert_eq!(here.found(), Some(Ipv4Addr::LOCALHOST));
        // RFC 6761 §6.4: this name is never there.
        let lost = NamedAddress::new("lost.invalid".to_owned());
        look_up(&lost).await;
        assert_eq!(lost.found(), None);
        lost.set(Ipv4Addr::new(203, 0, 113, 7));
        look_up(&lost).await;
        assert_eq!(lost.found(), Some(Ipv4Addr::new(203, 0, 113, 7)));
    }
}
