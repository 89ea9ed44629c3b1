//! What holds for everything that one copy moves?

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::limiter::Limiter;
use super::plan::JOBS_MOST;
use super::retries::{Attempts, is_lost};
use super::telling::Telling;
use super::{Existing, Failure, Note, Place, Plan, Recursion, Resume, Retries, Stop, Times, Verify};
use crate::Settings;
use crate::filter::Filter;
use crate::journal::{Claim, Journal, Key};
use crate::local::failure::LocalFailure;

/// The conditions of a copy, the same for every connection.
pub(super) struct Terms {
    pub(super) settings: Arc<Settings>,
    /// What tells this server and user from others in the journal.
    pub(super) server: String,
    pub(super) recursion: Recursion,
    pub(super) existing: Existing,
    pub(super) resume: Resume,
    pub(super) verify: Verify,
    pub(super) times: Times,
    pub(super) filter: Filter,
    pub(super) jobs: usize,
    retries: Retries,
    pub(super) telling: Arc<Telling>,
    pub(super) limiter: Option<Arc<Limiter>>,
    pub(super) stop: Stop,
    journal: Option<Journal>,
    /// Where what does not fit in memory waits.
    pub(super) spools: PathBuf,
}

/// The smallest file whose transfer is written down: what is lost of a smaller one is moved again faster than it would
/// be found out that it need not be, and many small files are not slowed down by a journal.
pub(super) const JOURNAL_FROM_BYTES: u64 = 1024 * 1024;

impl Terms {
    /// Of a plan, whose sources and target were taken before.
    pub(super) fn of(plan: Plan, settings: Arc<Settings>, telling: Arc<Telling>, stop: Stop) -> Terms {
        let journal = plan.state.as_deref().and_then(|state| match Journal::open(state, SystemTime::now()) {
            Ok(journal) => Some(journal),
            Err(why) => {
                telling.note(Note::NoJournal(why));
                None
            }
        });
        // Where the journal is on the disk, so are they; the other folder may be in memory.
        let spools = journal.as_ref().map_or_else(std::env::temp_dir, |journal| journal.folder().to_owned());
        Terms {
            server: format!("{}@{}", settings.login.user, settings.server()),
            settings,
            recursion: plan.recursion,
            existing: plan.existing,
            resume: plan.resume,
            verify: plan.verify,
            times: plan.times,
            filter: plan.filter,
            jobs: plan.jobs.clamp(1, JOBS_MOST),
            retries: plan.retries,
            telling,
            limiter: plan.rate.map(|rate: NonZeroU64| Arc::new(Limiter::new(rate))),
            stop,
            journal,
            spools,
        }
    }

    /// The attempts at one thing.
    pub(super) fn attempts(&self) -> Attempts {
        Attempts::new(self.retries)
    }

    /// Tells of something that did not work, and goes on without it; fails where nothing else would work either.
    pub(super) fn go_on_without(&self, what: Place, failure: Failure) -> Result<(), Failure> {
        if is_lost(&failure) {
            return Err(failure);
        }
        self.telling.failed(what, failure);
        Ok(())
    }

    /// Takes hold of a transfer in the journal, if it is one that is written down.
    pub(super) fn claim(
        &self,
        key: impl FnOnce() -> Key,
        size: Option<u64>,
    ) -> Result<Option<Claim>, LocalFailure> {
        let Some(journal) = &self.journal else { return Ok(None) };
        if size.is_none_or(|size| size < JOURNAL_FROM_BYTES) {
            return Ok(None);
        }
        match journal.claim(key()) {
            Ok(claim) => Ok(Some(claim)),
            Err(busy @ LocalFailure::Busy(_)) => Err(busy),
            Err(why) => {
                self.telling.note(Note::NoJournal(why));
                Ok(None)
            }
        }
    }
}
