//! What was a transfer granted of its user's limits, and what does it give back?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::users::TransferPlace;
use super::{AccountLimits, Limit, Most, Pace, Rates, SessionPlace};
use crate::event::Direction;
use crate::limits::Buckets;

/// What one session has moved so far.
#[derive(Debug, Default)]
pub(crate) struct SessionUse {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl SessionUse {
    /// Counts bytes no longer that did not move, where they were counted.
    fn give_back(&self, bytes: u64) {
        let fewer = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }
}

/// What a transfer holds of the limits, until it is dropped. Where there are none it holds nothing.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    pace: Option<Pace>,
    place: Option<TransferPlace>,
    /// The file that is counted already, until it is clear that it is opened.
    file: Option<Arc<SessionUse>>,
    bytes: Option<(Arc<SessionUse>, Most)>,
}

impl Allowance {
    /// What a session may still move: one file, and `bytes` of it, which may be 0 where they are [taken](Allowance::take) as
    /// they come.
    pub(crate) fn of_session(
        limits: &AccountLimits,
        used: &Arc<SessionUse>,
        bytes: u64,
    ) -> Result<Allowance, Limit> {
        let mut allowance = Allowance::default();
        if let Some(most) = limits.bytes_per_session {
            // A session that has used everything up begins nothing.
            if used.bytes.load(Ordering::Relaxed) >= most.count {
                return Err(Limit::Bytes(most));
            }
            allowance.bytes = Some((Arc::clone(used), most));
            allowance.take(bytes)?;
        }
        if let Some(most) = limits.files_per_session {
            let one_more = |files| (files < most.count).then_some(files + 1);
            let counted = used.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
            if counted.is_err() {
                allowance.give_back(bytes);
                return Err(Limit::Files(most));
            }
            allowance.file = Some(Arc::clone(used));
        }
        Ok(allowance)
    }

    /// A place among the user's transfers, and a part in the budgets.
    pub(crate) fn begin(
        &mut self,
        limits: &AccountLimits,
        session: &SessionPlace,
        server: (&Rates, &Buckets),
        direction: Direction,
    ) -> Result<(), Limit> {
        if let Some(most) = limits.transfers {
            self.place = Some(session.begin_transfer(most).map_err(Limit::Transfers)?);
        }
        let (rates, buckets) = server;
        self.pace = Pace::of([
            (rates.of(direction), Some(buckets.of(direction))),
            (limits.rates.of(direction), Some(session.buckets().of(direction))),
            (limits.transfer_rates.of(direction), None),
        ]);
        Ok(())
    }

    /// The file is open: from here on it counts, however the transfer ends.
    pub(crate) fn opened(mut self) -> Allowance {
        self.file = None;
        self
    }

    /// How fast it may go; asked for once.
    pub(crate) fn take_pace(&mut self) -> Option<Pace> {
        self.pace.take()
    }

    /// Counts bytes of the session, unless they are too many.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Limit> {
        let Some((used, most)) = &self.bytes else { return Ok(()) };
        let more = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= most.count);
        let counted = used.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.map(drop).map_err(|_| Limit::Bytes(*most))
    }

    /// Counts bytes no longer that did not move.
    pub(crate) fn give_back(&self, bytes: u64) {
        if let Some((used, _)) = &self.bytes {
            used.give_back(bytes);
        }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        if let Some(used) = &self.file {
            used.files.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(count: u64) -> Option<Most> {
        Some(Most { count, option: "an option" })
    }

    #[test]
    fn a_session_moves_its_bytes_and_no_more() {
        let limits = AccountLimits { bytes_per_session: most(100), ..AccountLimits::default() };
        let used = Arc::default();
        let download = Allowance::of_session(&limits, &used, 60).unwrap();
        assert!(Allowance::of_session(&limits, &used, 41).is_err());
        download.give_back(50);
        let upload = Allowance::of_session(&limits, &used, 0).unwrap();
        upload.take(90).unwrap();
        assert!(matches!(upload.take(1), Err(Limit::Bytes(_))));
        assert!(Allowance::of_session(&limits, &used, 0).is_err(), "nothing is left to begin with");
    }

    #[test]
    fn a_file_counts_once_it_is_open() {
        let limits = AccountLimits {
            files_per_session: most(1),
            bytes_per_session: most(10),
            ..AccountLimits::default()
        };
        let used = Arc::default();
        drop(Allowance::of_session(&limits, &used, 1).unwrap());
        assert_eq!(used.files.load(Ordering::Relaxed), 0, "it could not be opened");
        used.bytes.store(0, Ordering::Relaxed);
        drop(Allowance::of_session(&limits, &used, 1).unwrap().opened());
        assert!(matches!(Allowance::of_session(&limits, &used, 1), Err(Limit::Files(_))));
        assert_eq!(used.bytes.load(Ordering::Relaxed), 1, "what was refused takes nothing");
    }
}
