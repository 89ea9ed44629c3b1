//! How full are the homes with a quota? Who counts them when, and what is known after a restart.
//!
//! What is known is written when the server has stopped in order, and is void from its next start on: after a crash the files are
//! counted before anything is believed.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carrack_core::limits::Most;
use carrack_core::limits::quota::{Quota, Usage};
use carrack_storage::local::count_bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::config::{Config, User};
use crate::state::UsageFile;

/// How often it is looked whether anything has to be counted.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How often every home is counted: for what others than the server put there.
const COUNT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The homes with a quota. One per process, whatever is reloaded.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    /// By their paths without links.
    homes: Mutex<HashMap<PathBuf, Arc<Usage>>>,
    /// What the last run of the server has left; taken up by the first configuration.
    before: Mutex<HashMap<PathBuf, u64>>,
    excluded: Vec<PathBuf>,
    asked: Notify,
    stops: AtomicBool,
}

impl Quotas {
    /// With what the last run of the server has left, which counts for nothing any more once it is read. Files in `excluded` folders
    /// are nobody's.
    pub(crate) fn restore(file: &UsageFile, excluded: &Path) -> Quotas {
        let before = file.take().unwrap_or_else(|error| {
            tracing::warn!(target: "carrack", why = %error, "usage_unreadable");
            None
        });
        let before = before.map(|text| parse(&text)).unwrap_or_default();
        Quotas::new(excluded, before)
    }

    /// Where nothing is known.
    pub(crate) fn new(excluded: &Path, before: HashMap<PathBuf, u64>) -> Quotas {
        Quotas { before: Mutex::new(before), excluded: vec![excluded.to_owned()], ..Quotas::default() }
    }

    /// The homes in which a configuration gives anybody a quota.
    pub(crate) fn limited(&self, config: &Config) -> Limited<'_> {
        let limited = config.user.iter().filter(|user| user.quota_bytes.is_some());
        Limited { quotas: self, homes: limited.map(|user| without_links(&user.home)).collect() }
    }

    fn usage_of(&self, home: PathBuf) -> Arc<Usage> {
        let before = lock(&self.before).remove(&home);
        match self.homes().entry(home) {
            Entry::Vacant(home) => Arc::clone(home.insert(Arc::new(Usage::new(before)))),
            Entry::Occupied(usage) => {
                let usage = usage.into_mut();
                // Nobody has counted what was written since its last user left.
                if Arc::strong_count(usage) == 1 {
                    usage.forget();
                }
                Arc::clone(usage)
            }
        }
    }

    /// Has every home counted now.
    pub(crate) fn recount(&self) {
        self.homes().values().for_each(|usage| usage.recount());
        self.asked.notify_one();
    }

    /// This file is gone, which had so many bytes.
    pub(crate) fn removed(&self, file: &Path, bytes: u64) {
        let homes = self.homes();
        let nearest = homes.iter().filter(|(home, _)| file.starts_with(home));
        if let Some((_, usage)) = nearest.max_by_key(|(home, _)| home.as_os_str().len()) {
            usage.shrink(bytes);
        }
    }

    /// Ends a count that is under way.
    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
    }

    /// Leaves what is known to the next start. Only for a server that has stopped in order, and alone.
    pub(crate) fn save(&self, file: &UsageFile) {
        let known: Vec<_> = self
            .homes()
            .iter()
            .filter_map(|(home, usage)| Some(json!({"home": home.to_str()?, "bytes": usage.held()?})))
            .collect();
        if known.is_empty() {
            return;
        }
        let text: String = known.iter().map(|line| format!("{line}\n")).collect();
        if let Err(error) = file.write(text.as_bytes()) {
            tracing::warn!(target: "carrack", why = %error, "usage_not_saved");
        }
    }

    /// Counts the homes that have to be. It walks them: not for an event thread.
    fn count(&self) {
        // What no configuration and no session has any more is forgotten.
        self.homes().retain(|_, usage| Arc::strong_count(usage) > 1);
        let homes: Vec<_> =
            self.homes().iter().map(|(home, usage)| (home.clone(), Arc::clone(usage))).collect();
        let excluded: Vec<_> = self.excluded.iter().map(PathBuf::as_path).collect();
        for (home, usage) in homes {
            let Some(count) = usage.begin_count() else { continue };
            let (before, began) = (usage.held(), Instant::now());
            let home = home.as_path();
            match count_bytes(home, &excluded, &|| self.stops.load(Ordering::Relaxed)) {
                Ok(Some(walked)) if usage.counted(&count, walked) => {
                    let (bytes, ms) = (usage.held().unwrap_or_default(), began.elapsed().as_millis());
                    if before != Some(bytes) {
                        let ms = u64::try_from(ms).unwrap_or(u64::MAX);
                        tracing::info!(target: "carrack", home = %home.display(), before, bytes, ms, "home_counted");
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(target: "carrack", home = %home.display(), why = %error, "home_not_counted");
                    usage.recount();
                }
            }
        }
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Usage>>> {
        lock(&self.homes)
    }
}

/// The homes with a quota of one configuration.
pub(crate) struct Limited<'a> {
    quotas: &'a Quotas,
    homes: HashSet<PathBuf>,
}

impl Limited<'_> {
    /// What the store of this user's home is to count with: whoever writes into a home in which anybody has a quota counts.
    pub(crate) fn of_user(&self, user: &User) -> Option<Quota> {
        if self.homes.is_empty() {
            return None;
        }
        let home = without_links(&user.home);
        if !self.homes.contains(&home) {
            return None;
        }
        let most = user.quota_bytes.map(|bytes| Most { count: bytes.0, option: "user.quota_bytes" });
        Some(Quota::new(self.quotas.usage_of(home), most))
    }
}

/// A home that is not there is told of by whoever opens it.
fn without_links(home: &Path) -> PathBuf {
    std::fs::canonicalize(home).unwrap_or_else(|_| home.to_owned())
}

/// Counts what has to be counted, for as long as it is polled.
pub(crate) async fn keep(quotas: Arc<Quotas>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    let mut all_counted = Instant::now();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = quotas.asked.notified() => {}
        }
        if quotas.homes().is_empty() {
            continue;
        }
        if all_counted.elapsed() >= COUNT_EVERY {
            all_counted = Instant::now();
            quotas.homes().values().for_each(|usage| usage.recount());
        }
        let counting = Arc::clone(&quotas);
        let _ = tokio::task::spawn_blocking(move || counting.count()).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the lines of the file say; what is no such line says nothing.
fn parse(text: &[u8]) -> HashMap<PathBuf, u64> {
    let line = |line: &[u8]| {
        let value: Value = serde_json::from_slice(line).ok()?;
        Some((PathBuf::from(value.get("home")?.as_str()?), value.get("bytes")?.as_u64()?))
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}
