//! Does what was said of a client's certificate still hold, or has it to be judged again?

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{ClientIdentity, ClientRefusal, ClientTrust};

/// What was said last. Each command of a session asks, and few of them come between two changes.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<Said>>);

#[derive(Debug)]
struct Said {
    by: Arc<ClientTrust>,
    /// Until a date in the certificates or the lists decides otherwise, in seconds since the start of 1970.
    holds: Range<u64>,
    verdict: Verdict,
}

type Verdict = Result<Arc<ClientIdentity>, Arc<ClientRefusal>>;

impl Kept {
    /// What `trust` says of this certificate now. The same verdict comes as the same object.
    pub(crate) fn judge(
        &self,
        trust: Arc<ClientTrust>,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Verdict {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = kept.as_ref().filter(|said| said.holds(&trust, now)) {
            return said.verdict.clone();
        }
        let verdict = trust.judge(leaf, intermediates, now).map(Arc::new).map_err(Arc::from);
        let holds = now.as_secs()..trust.next_change(leaf, intermediates, now);
        *kept = Some(Said { by: trust, holds, verdict: verdict.clone() });
        verdict
    }
}

impl Said {
    /// SECURITY: only by the very authorities and lists that it was said by, and not behind a date that could turn it.
    fn holds(&self, trust: &Arc<ClientTrust>, now: UnixTime) -> bool {
        Arc::ptr_eq(&self.by, trust) && self.holds.contains(&now.as_secs())
    }
}
