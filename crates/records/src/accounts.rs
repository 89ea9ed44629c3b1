//! Which accounts does the configuration name?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use carrack_core::account::{Account, Accounts, Outside, User};
use carrack_core::password::{Cost, Credential};

/// The accounts of a configuration: read once, found by name at their server, never changed while in use.
#[derive(Default)]
pub struct ConfiguredAccounts {
    /// Of the server that nobody has to name.
    by_name: ByName,
    at_virtual: HashMap<Arc<str>, ByName>,
    /// The costliest hash.
    costliest: Option<Cost>,
    are_alike: bool,
    outside: Option<Arc<dyn Outside>>,
}

type ByName = HashMap<String, Arc<Account>>;

/// Two accounts of one server have the same name, so one of them could never be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are two accounts named {0:?}")]
pub struct DuplicateAccount(pub String);

impl ConfiguredAccounts {
    /// Takes these accounts.
    ///
    /// # Errors
    /// Two of them have the same name at the same server.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Self, DuplicateAccount> {
        let mut all = Self::default();
        for account in accounts {
            let by_name = match &account.server {
                None => &mut all.by_name,
                Some(server) => all.at_virtual.entry(Arc::clone(server)).or_default(),
            };
            if let Some(earlier) = by_name.insert(account.name.clone(), Arc::new(account)) {
                return Err(DuplicateAccount(earlier.name.clone()));
            }
        }
        let hashes: Vec<_> = all
            .all()
            .filter_map(|account| match &account.credential {
                Credential::Password(hash) => Some(hash.cost()),
                Credential::Anyone | Credential::NoPassword => None,
            })
            .collect();
        all.costliest = hashes.iter().copied().max_by_key(|cost| cost.weight());
        all.are_alike = hashes.iter().all(|&cost| Some(cost) == all.costliest);
        Ok(all)
    }

    /// The same, with somebody who is asked about all others.
    #[must_use]
    pub fn and(self, outside: Option<Arc<dyn Outside>>) -> Self {
        Self { outside, ..self }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.by_name.values().chain(self.at_virtual.values().flat_map(HashMap::values))
    }
}

impl fmt::Debug for ConfiguredAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredAccounts").field("accounts", &self.len()).finish_non_exhaustive()
    }
}

impl Accounts for ConfiguredAccounts {
    // SECURITY: by the server first and the name within it, so that no spelling of a name leads to another server's account.
    fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        let by_name = match user.server {
            None => &self.by_name,
            Some(server) => self.at_virtual.get(server)?,
        };
        by_name.get(user.name).cloned()
    }

    /// The costliest hash of all servers decides: where hashes differ in cost, an unknown name takes as long as the slowest known one.
    fn decoy_cost(&self) -> Cost {
        self.costliest.unwrap_or(Cost::RECOMMENDED)
    }

    fn are_alike(&self) -> bool {
        self.are_alike
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        self.outside.clone()
    }
}
