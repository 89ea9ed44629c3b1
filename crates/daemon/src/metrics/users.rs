//! What is measured of each user, for a bounded number of them?

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use carrack_core::account::User;
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
    /// Who has a label, by [`User::id`]: the first that transferred something since the start.
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
    pub(super) fn transfer(
        &self,
        user: User<'_>,
        direction: &'static str,
        outcome: &'static str,
        bytes: u64,
    ) {
        if self.most == 0 {
            return;
        }
        let mut labels = self.labels(user);
        labels.push(("direction", direction.to_owned()));
        self.bytes.get_or_create(&labels).inc_by(bytes);
        labels.push(("outcome", outcome.to_owned()));
        self.transfers.get_or_create(&labels).inc();
    }

    fn labels(&self, user: User<'_>) -> Vec<(&'static str, String)> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let id = user.id();
        if !named.contains(&*id) {
            if named.len() >= self.most {
                return vec![("user", OTHERS.to_owned())];
            }
            named.insert(id.into_owned());
        }
        let server = user.server.map(|server| ("virtual_server", server.to_owned()));
        std::iter::once(("user", user.name.to_owned())).chain(server).collect()
    }
}
