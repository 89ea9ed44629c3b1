//! From where may clients come, and what do the names among these places stand for now?

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use carrack_core::account::Networks;
use carrack_net::{Access, NamedHost, Network, Place};

use crate::addresses::{ANSWER_TIME, LOOK_UP_EVERY};
use crate::config::{self, Config, Listen};

/// The lists of a configuration, and the names among them, each once.
pub(crate) struct Lists {
    everywhere: Access,
    listeners: Vec<Access>,
    pub(crate) names: Vec<Arc<NamedHost>>,
}

impl Lists {
    /// Those of a configuration. Names that are among `known` keep what was found for them.
    pub(crate) fn of(config: &Config, known: &[Arc<NamedHost>]) -> Self {
        let find = |name: &str| known.iter().find(|known| known.name() == name).map(Arc::clone);
        let mut names: HashMap<String, Arc<NamedHost>> = HashMap::new();
        let mut places = |places: &[config::Place]| -> Vec<Place> {
            let place = |place: &config::Place| match place {
                config::Place::Network(network) => Place::Network(*network),
                config::Place::Name(name) => Place::Named(Arc::clone(
                    names
                        .entry(name.clone())
                        .or_insert_with(|| find(name).unwrap_or_else(|| NamedHost::new(name.clone()))),
                )),
            };
            places.iter().map(place).collect()
        };
        let everywhere = Access::default()
            .deny("access.deny", config.access.deny.clone())
            .allow("access.allow", places(&config.access.allow));
        let mut listener = |listen: &Listen| {
            everywhere
                .clone()
                .deny("listen.deny", listen.deny.clone())
                .allow("listen.allow", places(&listen.allow))
        };
        let listeners = config.listen.iter().map(&mut listener).collect();
        Self { everywhere, listeners, names: names.into_values().collect() }
    }

    /// Those of the listener at this place of the configuration.
    pub(crate) fn of_listener(&self, index: usize) -> Access {
        self.listeners.get(index).unwrap_or(&self.everywhere).clone()
    }
}

/// The networks of a user.
pub(crate) struct UserNetworks(pub(crate) Vec<Network>);

impl Networks for UserNetworks {
    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// Looks the names up, now and every minute, for as long as it is polled. No connection ever waits for an answer.
pub(crate) async fn follow(names: Vec<Arc<NamedHost>>) {
    let mut every = tokio::time::interval(LOOK_UP_EVERY);
    loop {
        every.tick().await;
        for host in &names {
            look_up(host).await;
        }
    }
}

/// Looks one name up once. What cannot be found leaves the last answer as it is.
async fn look_up(host: &NamedHost) {
    match tokio::time::timeout(ANSWER_TIME, addresses(host.name())).await {
        Ok(Ok(found)) => {
            if host.set(found) {
                let addresses = written(host);
                tracing::info!(target: "carrack", name = host.name(), addresses, "access_name");
            }
        }
        Ok(Err(why)) => not_found(host, &why.to_string()),
        Err(_) => not_found(host, "no answer in time"),
    }
}

async fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
}

fn not_found(host: &NamedHost, why: &str) {
    let kept = Some(written(host)).filter(|kept| !kept.is_empty());
    tracing::warn!(target: "carrack", name = host.name(), why, kept, "access_name_not_found");
}

fn written(host: &NamedHost) -> String {
    host.addresses().iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_admits_its_addresses_and_one_that_is_lost_keeps_its_last_answer() {
        let text = "[access]\nallow = [\"localhost\", \"lost.invalid\"]\n[[listen]]\naddress = \"127.0.0.1:0\"\n\
                    deny = [\"127.0.0.1\"]\n[[listen]]\naddress = \"127.0.0.1:0\"\n";
        let home = tempfile::tempdir().unwrap();
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let user = format!("[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \".\"\n");
        let checked = config::parse(&format!("state = \"state\"\n{text}{user}"), home.path()).unwrap();
        let lists = Lists::of(&checked.config, &[]);
        assert_eq!(lists.names.len(), 2);
        let judged = |index: usize, address: &str| {
            let judged = lists.of_listener(index).judge(address.parse().unwrap());
            judged.map_err(|refused| refused.list.to_string())
        };
        assert_eq!(judged(1, "127.0.0.1"), Err("access.allow".to_owned()), "not looked up yet");
        for host in &lists.names {
            // RFC 6761 §6.4: `invalid` is never there.
            if host.name() == "lost.invalid" {
                host.set(["203.0.113.7".parse().unwrap()]);
            }
            look_up(host).await;
        }
        assert_eq!(judged(1, "127.0.0.1"), Ok(()));
        assert_eq!(judged(1, "203.0.113.7"), Ok(()));
        assert_eq!(judged(0, "127.0.0.1"), Err("listen.deny".to_owned()));
        assert_eq!(judged(1, "198.51.100.1"), Err("access.allow".to_owned()));
    }
}
