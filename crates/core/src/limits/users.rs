//! What has each user under way, in all sessions together?

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Buckets, Most};

/// Users who have sessions, by name.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<HashMap<String, Arc<UserUse>>>);

/// What one user has under way.
#[derive(Debug, Default)]
pub(crate) struct UserUse {
    /// Changed under the lock of [`Users`] only.
    sessions: AtomicU64,
    transfers: AtomicU64,
    pub(super) buckets: Buckets,
}

impl Users {
    /// Takes a place for a session of this user.
    pub(crate) fn enter(self: &Arc<Self>, name: &str, most: Option<Most>) -> Result<SessionPlace, Most> {
        let mut users = self.lock();
        let user = match users.get(name) {
            Some(user) => Arc::clone(user),
            None => Arc::default(),
        };
        let sessions = user.sessions.load(Ordering::Relaxed);
        if let Some(most) = most.filter(|most| sessions >= most.count) {
            return Err(most);
        }
        user.sessions.store(sessions + 1, Ordering::Relaxed);
        if sessions == 0 {
            users.insert(name.to_owned(), Arc::clone(&user));
        }
        drop(users);
        Ok(SessionPlace { users: Arc::clone(self), name: name.to_owned(), user })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<UserUse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place among its user's; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    users: Arc<Users>,
    name: String,
    user: Arc<UserUse>,
}

impl SessionPlace {
    pub(super) fn buckets(&self) -> &Buckets {
        &self.user.buckets
    }

    /// Takes a place for a transfer.
    pub(super) fn begin_transfer(&self, most: Most) -> Result<TransferPlace, Most> {
        let one_more = |transfers| (transfers < most.count).then_some(transfers + 1);
        let transfers = &self.user.transfers;
        transfers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).map_err(|_| most)?;
        Ok(TransferPlace(Arc::clone(&self.user)))
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let mut users = self.users.lock();
        // Who left is forgotten: the table is as large as the sessions, not as history.
        if self.user.sessions.fetch_sub(1, Ordering::Relaxed) == 1 {
            users.remove(&self.name);
        }
    }
}

/// A transfer's place among its user's; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct TransferPlace(Arc<UserUse>);

impl Drop for TransferPlace {
    fn drop(&mut self) {
        self.0.transfers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Most = Most { count: 2, option: "two" };

    #[test]
    fn sessions_are_counted_by_user_and_those_who_left_are_forgotten() {
        let users = Arc::new(Users::default());
        let places: Vec<_> = (0..2).map(|_| users.enter("alice", Some(TWO)).unwrap()).collect();
        assert_eq!(users.enter("alice", Some(TWO)).unwrap_err(), TWO);
        let _unlimited = users.enter("alice", None).unwrap();
        let bob = users.enter("bob", Some(TWO)).unwrap();
        drop(places);
        let again = users.enter("alice", Some(TWO)).unwrap();
        drop((again, bob, _unlimited));
        assert!(users.lock().is_empty());
    }

    #[test]
    fn transfers_are_counted_over_all_sessions_of_a_user() {
        let users = Arc::new(Users::default());
        let (one, two) = (users.enter("alice", None).unwrap(), users.enter("alice", None).unwrap());
        let first = one.begin_transfer(TWO).unwrap();
        let _second = two.begin_transfer(TWO).unwrap();
        assert_eq!(one.begin_transfer(TWO).unwrap_err(), TWO);
        let other = users.enter("bob", None).unwrap();
        assert!(other.begin_transfer(TWO).is_ok());
        drop(first);
        assert!(two.begin_transfer(TWO).is_ok());
    }
}
