//! From where may clients come at all? Judged before anything else is done for a connection.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Network;

/// Most addresses that a name may stand for; more of them are not looked at.
const ADDRESSES_OF_A_NAME: usize = 64;

/// A name whose addresses somebody else looks up, again and again. Nobody comes from there before the first answer.
#[derive(Debug)]
pub struct NamedHost {
    name: String,
    addresses: RwLock<Vec<IpAddr>>,
}

impl NamedHost {
    /// A name that was not looked up yet.
    #[must_use]
    pub fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, addresses: RwLock::default() })
    }

    /// The name to look up.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it stands for from now on; whether that is news.
    pub fn set(&self, found: impl IntoIterator<Item = IpAddr>) -> bool {
        let mut found: Vec<_> =
            found.into_iter().map(|address| address.to_canonical()).take(ADDRESSES_OF_A_NAME).collect();
        found.sort_unstable();
        found.dedup();
        let mut addresses = self.addresses.write().unwrap_or_else(PoisonError::into_inner);
        let news = *addresses != found;
        *addresses = found;
        news
    }

    /// What it stands for now.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn contains(&self, address: IpAddr) -> bool {
        let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
        addresses.contains(&address.to_canonical())
    }
}

/// A place that clients may come from.
#[derive(Clone, Debug)]
pub enum Place {
    /// A network.
    Network(Network),
    /// The addresses of a name, as its own server gives them. What an address calls itself (PTR) is never asked.
    Named(Arc<NamedHost>),
}

impl Place {
    fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Named(host) => host.contains(address),
        }
    }
}

/// The lists that an address has to pass, all of them. An empty one lets everybody pass.
#[derive(Clone, Debug, Default)]
pub struct Access {
    lists: Vec<(Arc<str>, List)>,
}

#[derive(Clone, Debug)]
enum List {
    Allow(Vec<Place>),
    Deny(Vec<Network>),
}

/// An address may not come in; by which list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAdmitted {
    /// What the list is called where it was written.
    pub list: Arc<str>,
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("clients from your address are not served here")
    }
}

impl Access {
    /// Nobody from these networks. An empty list means nothing.
    #[must_use]
    pub fn deny(mut self, list: &str, networks: Vec<Network>) -> Self {
        if !networks.is_empty() {
            self.lists.push((list.into(), List::Deny(networks)));
        }
        self
    }

    /// Nobody but from these places. An empty list means nothing.
    #[must_use]
    pub fn allow(mut self, list: &str, places: Vec<Place>) -> Self {
        if !places.is_empty() {
            self.lists.push((list.into(), List::Allow(places)));
        }
        self
    }

    /// Whether somebody may come from `address`.
    ///
    /// # Errors
    /// The first list that says no.
    pub fn judge(&self, address: IpAddr) -> Result<(), NotAdmitted> {
        let against = self.lists.iter().find(|(_, list)| match list {
            List::Deny(networks) => networks.iter().any(|network| network.contains(address)),
            List::Allow(places) => !places.iter().any(|place| place.contains(address)),
        });
        match against {
            Some((list, _)) => Err(NotAdmitted { list: Arc::clone(list) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn by(access: &Access, address: &str) -> Option<String> {
        access.judge(address.parse().unwrap()).err().map(|refused| refused.list.to_string())
    }

    #[test]
    fn all_lists_have_to_be_passed_and_the_one_that_says_no_is_named() {
        let office = vec![Place::Network(network("192.0.2.0/24")), Place::Network(network("2001:db8::/32"))];
        let access = Access::default()
            .deny("access.deny", vec![network("192.0.2.66")])
            .allow("access.allow", office)
            .deny("listen.deny", vec![network("2001:db8:6::/48")]);
        assert_eq!(by(&access, "192.0.2.7"), None);
        assert_eq!(by(&access, "::ffff:192.0.2.7"), None);
        assert_eq!(by(&access, "192.0.2.66").as_deref(), Some("access.deny"));
        assert_eq!(by(&access, "::ffff:192.0.2.66").as_deref(), Some("access.deny"));
        assert_eq!(by(&access, "203.0.113.1").as_deref(), Some("access.allow"));
        assert_eq!(by(&access, "2001:db8:6::1").as_deref(), Some("listen.deny"));
        assert_eq!(by(&access, "2001:db8:7::1"), None);
    }

    #[test]
    fn empty_lists_let_everybody_pass() {
        let access = Access::default().deny("access.deny", Vec::new()).allow("access.allow", Vec::new());
        assert_eq!(by(&access, "203.0.113.1"), None);
    }

    #[test]
    fn a_name_admits_nobody_before_it_was_found_and_what_it_stands_for_then() {
        let home = NamedHost::new("home.example.net".to_owned());
        let access = Access::default().allow("access.allow", vec![Place::Named(Arc::clone(&home))]);
        assert!(by(&access, "192.0.2.7").is_some());
        assert!(home.set(["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()]));
        assert!(!home.set(["2001:db8::7".parse().unwrap(), "192.0.2.7".parse().unwrap()]), "the same again");
        assert_eq!(by(&access, "::ffff:192.0.2.7"), None);
        assert!(by(&access, "192.0.2.8").is_some());
        assert!(home.set(["192.0.2.8".parse().unwrap()]));
        assert!(by(&access, "192.0.2.7").is_some(), "the address of yesterday");
    }

    #[test]
    fn what_a_name_may_stand_for_is_bounded() {
        let home = NamedHost::new("home.example.net".to_owned());
        home.set((0..1000u32).map(|n| IpAddr::V4(n.into())));
        assert_eq!(home.addresses().len(), ADDRESSES_OF_A_NAME);
    }
}
