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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namesakes_at_two_servers_have_a_label_each_and_take_a_place_each() {
        let mut registry = Registry::default();
        let users = Users::new(2, &mut registry);
        for server in [None, Some("a.example"), Some("b.example")] {
            users.transfer(User { server, name: "alice" }, "upload", "complete", 1);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for labels in ["user=\"alice\"", "user=\"alice\",virtual_server=\"a.example\"", "user=\"(others)\""] {
            let line = format!("user_transferred_bytes_total{{{labels},direction=\"upload\"}} 1");
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }
}
