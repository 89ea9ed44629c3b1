//! When does the users file count again, and what becomes of the sessions of those who are gone?

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_core::account::User;
use carrack_core::live::{Doing, LiveSessions};
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;

use super::generation::Generation;
use crate::config::{Config, Seen};
use crate::watch::{self, Occasion, Stamp};

/// How often the users file is looked at. A file that has changed and is the same at the next look is read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long sessions have to say who they are.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the users file, and says when it is to be read again.
pub(super) struct Follower {
    /// The file as it was read; `None` where there is none.
    pub(super) seen: Receiver<Option<Seen>>,
    pub(super) changed: Arc<Notify>,
    /// As it was at the last look.
    before: Option<Stamp>,
    /// As it was when its change was told.
    told: Option<Stamp>,
}

impl Follower {
    pub(super) fn new(seen: Receiver<Option<Seen>>, changed: Arc<Notify>) -> Follower {
        Follower { seen, changed, before: None, told: None }
    }
}

impl watch::Keeper for Follower {
    const WHAT: &'static str = "users.file";
    const EVERY: Duration = LOOK_EVERY;

    fn look(&mut self, _: Occasion, _: SystemTime) {
        let seen = self.seen.borrow().clone();
        let Some(Seen { file, stamp: read }) = seen else { return };
        let now = Stamp::of([&file]);
        // A program may write it in place: what stands still is whole.
        let stands_still = self.before.as_ref() == Some(&now);
        if stands_still && now != read && self.told.as_ref() != Some(&now) {
            self.told = Some(now.clone());
            self.changed.notify_one();
        }
        self.before = Some(now);
    }
}

/// Ends the sessions of those who were users `before` and are none any more, or disabled ones.
pub(super) async fn end_sessions_of_gone(live: LiveSessions, gone: HashSet<String>) {
    let all = live.describe(PATIENCE).await;
    for one in all {
        let Some(Doing { user: Some(user), server, .. }) = one.doing else { continue };
        let is_gone = gone.contains(&*User { server: server.as_deref(), name: &user }.id());
        if is_gone && live.dismiss(one.origin.id) {
            let session = one.origin.id.0;
            tracing::info!(target: "carrack", session, user, "user_gone");
        }
    }
}

/// Whose sessions those are, by [`User::id`].
pub(super) fn gone(before: &Generation, after: &Generation) -> HashSet<String> {
    let names = |config: &Config| -> HashSet<String> {
        let users = config.user.iter().filter(|user| !user.disabled);
        users.map(crate::config::User::id).collect()
    };
    let after = names(&after.config);
    names(&before.config).into_iter().filter(|name| !after.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::watch::Keeper as _;

    fn follower(file: &Path) -> (Follower, Arc<Notify>) {
        let file = file.to_owned();
        let seen = Seen { stamp: Stamp::of([&file]), file };
        let (_, seen) = tokio::sync::watch::channel(Some(seen));
        let changed = Arc::new(Notify::new());
        (Follower::new(seen, Arc::clone(&changed)), changed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_once_when_the_file_stands_still() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("users.toml");
        std::fs::write(&file, "").unwrap();
        let (mut follower, changed) = follower(&file);
        let mut look = async || {
            follower.look(Occasion::Routine, SystemTime::now());
            tokio::time::timeout(Duration::ZERO, changed.notified()).await.is_ok()
        };
        assert!(!look().await && !look().await, "nothing has changed");
        std::fs::write(&file, "# half").unwrap();
        assert!(!look().await, "it may be half written");
        std::fs::write(&file, "# half and half").unwrap();
        assert!(!look().await, "it was");
        assert!(look().await);
        assert!(!look().await, "it is told once");
        std::fs::remove_file(&file).unwrap();
        assert!(!look().await && look().await && !look().await);
    }
}
