//! What does a server do on its own while it runs: let unfinished uploads expire, keep its certificate fresh.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_core::error::ErrorKind;
use carrack_records::partials::{Expired, PartialJournal};
use carrack_storage::local::remove_expired;
use carrack_tls::{AcceptedClients, Identities, Identity};

use crate::config::{Config, Tls, client_trust};
use crate::state::StateFolder;

/// How often expired uploads are looked for. They hold disk space, not correctness.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How often certificates are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Days before its end from which a certificate's age is told, once a day.
const WARN_DAYS: u64 = 30;

/// Where the identity comes from.
#[derive(Debug)]
pub(crate) enum Certificates {
    /// Files that the configuration names.
    Configured {
        /// Which.
        tls: Tls,
        /// Kept for its lock: what else lies in the folder is this server's alone.
        _held: StateFolder,
    },
    /// The state folder's own.
    SelfSigned {
        /// The names it stands for.
        names: Vec<String>,
        /// Where it is kept. Holding the folder here keeps its lock.
        state: StateFolder,
    },
}

impl Certificates {
    /// Loads the identity as it is now, or makes it.
    pub(crate) fn load(&self) -> Result<Identity, Box<dyn std::error::Error + Send + Sync>> {
        Ok(match self {
            Self::Configured { tls, .. } => Identity::load(&tls.certificate, &tls.key)?,
            Self::SelfSigned { names, state } => state.identity(names)?,
        })
    }
}

/// Removes unfinished uploads that nobody went on with for `expiry`, now and every hour.
pub(crate) async fn partials(journal: Arc<PartialJournal>, expiry: Duration) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        let journal = Arc::clone(&journal);
        let swept = tokio::task::spawn_blocking(move || sweep(&journal, expiry)).await;
        match swept {
            Ok(Ok(Expired { removed: 0, .. })) | Err(_) => {}
            Ok(Ok(Expired { removed, kept })) => {
                tracing::info!(target: "carrack", removed, kept, "expired_uploads");
            }
            Ok(Err(error)) => tracing::warn!(target: "carrack", why = %error, "journal_failed"),
        }
    }
}

fn sweep(journal: &PartialJournal, expiry: Duration) -> std::io::Result<Expired> {
    journal.expire(SystemTime::now(), expiry, |record| {
        remove_expired(record).inspect_err(|error| {
            // One that is being written is no failure.
            if error.kind() != ErrorKind::Busy {
                let file = String::from_utf8_lossy(&record.file);
                tracing::warn!(target: "carrack", %file, why = %error, "expiry_failed");
            }
        })
    })
}

/// Looks after the certificate, now and every day.
pub(crate) async fn certificates(source: Arc<Certificates>, shown: Arc<Identities>) {
    let mut every = tokio::time::interval(CERTIFICATES_EVERY);
    // The first tick comes at once, and the identity was loaded a moment ago.
    every.tick().await;
    tell_age(&shown.current());
    loop {
        every.tick().await;
        renew(Arc::clone(&source), Arc::clone(&shown)).await;
        tell_age(&shown.current());
    }
}

/// Loads the identity again; a self-signed one is renewed where it ends soon. One that is of no use is told, and the old one
/// stays.
pub(crate) async fn renew(source: Arc<Certificates>, shown: Arc<Identities>) {
    let loaded = tokio::task::spawn_blocking(move || source.load()).await;
    match loaded {
        Ok(Ok(identity)) if identity.fingerprint() != shown.current().fingerprint() => {
            let fingerprint = identity.fingerprint();
            shown.replace(identity);
            tracing::info!(target: "carrack", sha256 = %fingerprint, "certificate_replaced");
        }
        Ok(Ok(_)) => tracing::info!(target: "carrack", "certificate_unchanged"),
        Ok(Err(error)) => {
            tracing::error!(target: "carrack", why = %error, kept = "the certificate in use", "certificate_refused");
        }
        Err(_) => {}
    }
}

/// Reads authorities and revocation lists of clients again. Where something is of no use it is told, and all the old ones stay.
pub(crate) async fn renew_clients(config: Arc<Config>, accepted: &AcceptedClients) {
    let loaded = tokio::task::spawn_blocking(move || client_trust(&config)).await;
    match loaded {
        Ok(Ok(trust)) => {
            accepted.replace(trust);
            tracing::info!(target: "carrack", "client_trust_replaced");
        }
        Ok(Err((_, why, _))) => {
            tracing::error!(target: "carrack", why, kept = "the authorities and lists in use", "client_trust_refused");
        }
        Err(_) => {}
    }
}

fn tell_age(identity: &Identity) {
    let left = identity.not_after().duration_since(SystemTime::now());
    match left.map(|left| left.as_secs() / (24 * 3600)) {
        Ok(days) if days >= WARN_DAYS => {}
        Ok(days) => tracing::warn!(target: "carrack", days, "certificate_ends"),
        Err(_) => tracing::error!(target: "carrack", "certificate_expired"),
    }
}
