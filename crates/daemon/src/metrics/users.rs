//! What is measured of each user, for a bounded number of them?

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The label of all who have none of their own.
const OTHERS: &str = "(others)";

type OfUser = Family<Vec<(&'static str, String)>, Counter>;

/// Counts the transfers of users.
#[derive(Debug)]
pub(super) struct Users {
    most: usize,
    /// Who has a label: the first that transferred something since the start.
    named: Mutex<HashSet<String>>,
    transfers: OfUser,
    bytes: OfUser,
}

impl Users {
    /// At most so many have a label; with none, nothing is counted.
    pub(super) fn new(most: usize, registry: &mut Registry) -> Self {
        let users =
            Self { most, named: Mutex::default(), transfers: Family::default(), bytes: Family::default() };
        if most > 0 {
            let help = "Uploads and downloads that ended, by user";
            registry.register("user_transfers", help, users.transfers.clone());
            registry.register("user_transferred_bytes", "Bytes of files moved, by user", users.bytes.clone());
        }
        users
    }

    /// Counts a transfer that ended.
    pub(super) fn transfer(&self, user: &str, direction: &'static str, outcome: &'static str, bytes: u64) {
        if self.most == 0 {
            return;
        }
        let user = self.label(user);
        let direction = ("direction", direction.to_owned());
        self.bytes.get_or_create(&vec![("user", user.clone()), direction.clone()]).inc_by(bytes);
        self.transfers.get_or_create(&vec![("user", user), direction, ("outcome", outcome.to_owned())]).inc();
    }

    fn label(&self, user: &str) -> String {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if !named.contains(user) {
            if named.len() >= self.most {
                return OTHERS.to_owned();
            }
            named.insert(user.to_owned());
        }
        user.to_owned()
    }
}
