//! Which accounts does the configuration name?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use carrack_core::account::{Account, Accounts, Outside};
use carrack_core::password::{Cost, Credential};

/// The accounts of a configuration: read once, found by name, never changed while in use.
#[derive(Default)]
pub struct ConfiguredAccounts {
    by_name: HashMap<String, Arc<Account>>,
    /// The costliest hash.
    costliest: Option<Cost>,
    are_alike: bool,
    outside: Option<Arc<dyn Outside>>,
}

/// Two accounts have the same name, so one of them could never be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are two accounts named {0:?}")]
pub struct DuplicateAccount(pub String);

impl ConfiguredAccounts {
    /// Takes these accounts.
    ///
    /// # Errors
    /// Two of them have the same name.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Result<Self, DuplicateAccount> {
        let mut by_name = HashMap::new();
        for account in accounts {
            if let Some(earlier) = by_name.insert(account.name.clone(), Arc::new(account)) {
                return Err(DuplicateAccount(earlier.name.clone()));
            }
        }
        let hashes = by_name.values().filter_map(|account| match &account.credential {
            Credential::Password(hash) => Some(hash.cost()),
            Credential::Anyone | Credential::NoPassword => None,
        });
        let costliest = hashes.clone().max_by_key(|cost| cost.weight());
        let are_alike = hashes.clone().all(|cost| Some(cost) == costliest);
        Ok(Self { costliest, are_alike, by_name, outside: None })
    }

    /// The same, with somebody who is asked about all others.
    #[must_use]
    pub fn and(self, outside: Option<Arc<dyn Outside>>) -> Self {
        Self { outside, ..self }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl fmt::Debug for ConfiguredAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredAccounts").field("accounts", &self.len()).finish_non_exhaustive()
    }
}

impl Accounts for ConfiguredAccounts {
    fn find(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.get(name).cloned()
    }

    /// The costliest hash decides: where hashes differ in cost, an unknown name takes as long as the slowest known one.
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
