//! What does a server do on its own while it runs: let unfinished uploads expire.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_core::error::ErrorKind;
use carrack_records::partials::{Expired, PartialJournal};
use carrack_storage::local::remove_expired;

use crate::quota::Quotas;

/// How often expired uploads are looked for. They hold disk space, not correctness.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Removes unfinished uploads that nobody went on with for `expiry`, now and every hour.
pub(crate) async fn partials(journal: Arc<PartialJournal>, expiry: Duration, quotas: Arc<Quotas>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        let (journal, quotas) = (Arc::clone(&journal), Arc::clone(&quotas));
        let swept = tokio::task::spawn_blocking(move || sweep(&journal, expiry, &quotas)).await;
        match swept {
            Ok(Ok(Expired { removed: 0, .. })) | Err(_) => {}
            Ok(Ok(Expired { removed, kept })) => {
                tracing::info!(target: "carrack", removed, kept, "expired_uploads");
            }
            Ok(Err(error)) => tracing::warn!(target: "carrack", why = %error, "journal_failed"),
        }
    }
}

fn sweep(journal: &PartialJournal, expiry: Duration, quotas: &Quotas) -> std::io::Result<Expired> {
    journal.expire(SystemTime::now(), expiry, |record| {
        let removed = remove_expired(record).inspect_err(|error| {
            // One that is being written is no failure.
            if error.kind() != ErrorKind::Busy {
                let file = String::from_utf8_lossy(&record.file);
                tracing::warn!(target: "carrack", %file, why = %error, "expiry_failed");
            }
        });
        removed.map(|bytes| quotas.removed(Path::new(OsStr::from_bytes(&record.file)), bytes))
    })
}
