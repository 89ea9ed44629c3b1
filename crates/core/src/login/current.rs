//! Which accounts count now? One answer for all who judge logins, whichever configuration they were made by.

use std::sync::{Arc, PoisonError, RwLock};

use crate::account::{Account, Accounts, Outside, User};
use crate::password::Cost;

/// The accounts that count, in one place for all that share it.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Arc<dyn Accounts>>>);

impl Current {
    pub(super) fn new(accounts: Arc<dyn Accounts>) -> Current {
        Current(Arc::new(RwLock::new(accounts)))
    }

    /// Has others count from now on.
    pub(super) fn replace(&self, accounts: Arc<dyn Accounts>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    pub(super) fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        self.accounts().find(user)
    }

    pub(super) fn decoy_cost(&self) -> Cost {
        self.accounts().decoy_cost()
    }

    /// Whether a refusal tells by its time who was known.
    pub(super) fn tells_by_time(&self) -> bool {
        let accounts = self.accounts();
        !accounts.are_alike() || accounts.outside().is_some()
    }

    pub(super) fn outside(&self) -> Option<Arc<dyn Outside>> {
        self.accounts().outside()
    }

    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
