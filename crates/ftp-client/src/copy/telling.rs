//! Who is told what happens, and what does it come to?

use std::collections::HashSet;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limiter::Limiter;
use super::retries::is_lost;
use super::{
    Ended, Event, Failure, Note, Observer, Omission, Place, Resumable, Stop, Summary, TransferId, Verified,
};
use crate::{ErrorKind, Pace, Retry, Watch};

/// The observer, and the totals of what it was told.
pub(super) struct Telling {
    observer: Arc<dyn Observer>,
    summary: Mutex<Summary>,
    /// Apart from the rest, because it changes with every piece that moves.
    bytes: AtomicU64,
    last_id: AtomicU64,
    noted: Mutex<HashSet<Discriminant<Note>>>,
    /// How many things in a row were given up though each was tried again.
    in_vain: AtomicU32,
}

impl Telling {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Telling {
        Telling {
            observer,
            summary: Mutex::default(),
            bytes: AtomicU64::new(0),
            last_id: AtomicU64::new(0),
            noted: Mutex::default(),
            in_vain: AtomicU32::new(0),
        }
    }

    /// Tells the observer, and counts.
    pub(super) fn tell(&self, event: Event) {
        self.count(&event);
        self.observer.event(event);
    }

    /// Tells that something is not copied, though it should be.
    pub(super) fn failed(&self, what: Place, error: Failure) {
        self.tell(Event::Failed { id: None, what, error });
    }

    /// Tells that something is never copied.
    pub(super) fn skipped(&self, what: Place, why: Omission) {
        self.tell(Event::Skipped { what, why });
    }

    /// Tells something worth knowing, the first time.
    pub(super) fn note(&self, note: Note) {
        // Nothing panics while one of these locks is held.
        if self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(discriminant(&note)) {
            self.tell(Event::Note(note));
        }
    }

    /// How many things in a row were given up though each was tried again.
    pub(super) fn in_vain(&self) -> u32 {
        self.in_vain.load(Ordering::Relaxed)
    }

    /// The totals so far.
    pub(super) fn summary(&self, ended: Ended, elapsed: Duration) -> Summary {
        let counted = *self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        Summary { ended, elapsed, bytes: self.bytes.load(Ordering::Relaxed), ..counted }
    }

    fn count(&self, event: &Event) {
        if let Event::Moved { bytes, .. } = event {
            self.bytes.fetch_add(*bytes, Ordering::Relaxed);
            return;
        }
        match event {
            Event::Done { .. } => self.in_vain.store(0, Ordering::Relaxed),
            Event::Failed { error: Failure::Server(error), .. } if error.retry() != Retry::Never => {
                self.in_vain.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Done { verified, from, .. } => {
                summary.files += 1;
                summary.resumed += u64::from(*from > 0);
                match verified {
                    Verified::Hash(_) => summary.verified_by_hash += 1,
                    Verified::Size => summary.verified_by_size += 1,
                    Verified::Nothing => {}
                }
            }
            Event::Left { .. } => summary.left += 1,
            Event::Failed { .. } => summary.failed += 1,
            Event::Stopped { resumable, .. } => summary.resumable += u64::from(*resumable == Resumable::Yes),
            Event::Skipped { .. } => summary.skipped += 1,
            Event::Folder { .. } => summary.folders += 1,
            _ => {}
        }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// One transfer as it is told. Dropped before its end, it was stopped.
pub(super) struct Transfer {
    telling: Arc<Telling>,
    id: TransferId,
    source: Place,
    began: Instant,
    /// Bytes of all attempts.
    moved: Arc<AtomicU64>,
    /// The first byte that moved in the last attempt.
    from: u64,
    resumable: Resumable,
    ended: bool,
}

impl Transfer {
    pub(super) fn begin(telling: &Arc<Telling>, source: Place, target: Place, size: Option<u64>) -> Transfer {
        let id = telling.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        telling.tell(Event::Started { id, source: source.clone(), target, size });
        Transfer {
            telling: Arc::clone(telling),
            id,
            source,
            began: Instant::now(),
            moved: Arc::default(),
            from: 0,
            resumable: Resumable::No,
            ended: false,
        }
    }

    pub(super) fn id(&self) -> TransferId {
        self.id
    }

    /// An attempt begins at this byte.
    pub(super) fn restarted(&mut self, from: u64) {
        self.from = from;
        self.telling.tell(Event::Restarted { id: self.id, from });
    }

    /// The first byte of the last attempt.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    /// Whether bytes have moved, in any attempt.
    pub(super) fn has_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed) > 0
    }

    /// From now on the same copy can go on with it after an interruption.
    pub(super) fn is_resumable(&mut self) {
        self.resumable = Resumable::Yes;
    }

    /// What watches one attempt of it. More than `most` bytes end the attempt.
    pub(super) fn meter(&self, limiter: Option<&Arc<Limiter>>, stop: &Stop, most: u64) -> Meter {
        Meter {
            telling: Arc::clone(&self.telling),
            id: self.id,
            moved: Arc::clone(&self.moved),
            limiter: limiter.cloned(),
            stop: stop.clone(),
            left: AtomicU64::new(most),
            exceeded: AtomicBool::new(false),
            at_first: Mutex::new(None),
        }
    }

    /// Tells how it ended. Gives back the failures that concern more than this transfer: no connection is to be had.
    pub(super) fn end(mut self, outcome: Result<End, Failure>) -> Result<(), Failure> {
        let id = self.id;
        let event = match outcome {
            Ok(End::Done(verified)) => {
                let (bytes, elapsed) = (self.moved.load(Ordering::Relaxed), self.began.elapsed());
                Event::Done { id, from: self.from, bytes, elapsed, verified }
            }
            Ok(End::Left(size)) => Event::Left { id, size },
            Err(failure) if is_lost(&failure) => return Err(failure),
            Err(Failure::Server(error)) if matches!(error.kind(), ErrorKind::Stopped) => return Ok(()),
            Err(error) => Event::Failed { id: Some(id), what: self.source.clone(), error },
        };
        self.ended = true;
        self.telling.tell(event);
        Ok(())
    }
}

/// How a transfer ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Complete.
    Done(Verified),
    /// It was before: so many bytes.
    Left(u64),
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.ended {
            self.telling.tell(Event::Stopped { id: self.id, resumable: self.resumable });
        }
    }
}

/// Done once, when the first bytes have moved.
type AtFirst = Box<dyn FnOnce() + Send>;

/// Watches one attempt of a transfer.
pub(super) struct Meter {
    telling: Arc<Telling>,
    id: TransferId,
    moved: Arc<AtomicU64>,
    limiter: Option<Arc<Limiter>>,
    stop: Stop,
    /// How many bytes may still come.
    left: AtomicU64,
    exceeded: AtomicBool,
    at_first: Mutex<Option<AtFirst>>,
}

impl Meter {
    /// Does this once, when the first bytes have moved.
    pub(super) fn at_first(self, what: impl FnOnce() + Send + 'static) -> Meter {
        Meter { at_first: Mutex::new(Some(Box::new(what))), ..self }
    }

    /// Whether it ended the attempt because more came than may.
    pub(super) fn was_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

impl Watch for Meter {
    fn moved(&self, bytes: u64) -> Pace {
        if bytes == 0 {
            return if self.stop.is_stopped() { Pace::Stop } else { Pace::Go };
        }
        if let Some(what) = self.at_first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            what();
        }
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        self.telling.tell(Event::Moved { id: self.id, bytes });
        let take = |left: u64| left.checked_sub(bytes);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            self.exceeded.store(true, Ordering::Relaxed);
            return Pace::Stop;
        }
        // Last, because the observer may be who throws it.
        if self.stop.is_stopped() {
            return Pace::Stop;
        }
        match self.limiter.as_ref().map(|limiter| limiter.moved(bytes, Instant::now())) {
            None | Some(Duration::ZERO) => Pace::Go,
            Some(wait) => Pace::Wait(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::copy::Unobserved;

    fn transfer() -> (Arc<Telling>, Transfer) {
        let telling = Arc::new(Telling::new(Arc::new(Unobserved)));
        let transfer = Transfer::begin(&telling, Place::Stream, Place::Stream, None);
        (telling, transfer)
    }

    #[test]
    fn more_than_may_come_ends_the_attempt() {
        let (telling, transfer) = transfer();
        let meter = transfer.meter(None, &Stop::new(), 10);
        assert_eq!(meter.moved(10), Pace::Go);
        assert!(!meter.was_exceeded());
        assert_eq!(meter.moved(1), Pace::Stop);
        assert!(meter.was_exceeded());
        assert_eq!(telling.summary(Ended::Complete, Duration::ZERO).bytes, 11);
    }

    #[test]
    fn a_stop_is_seen_with_the_next_bytes_and_before_the_first() {
        let (_, transfer) = transfer();
        let stop = Stop::new();
        let meter = transfer.meter(None, &stop, u64::MAX);
        assert_eq!(meter.moved(1), Pace::Go);
        stop.stop();
        assert_eq!((meter.moved(0), meter.moved(1)), (Pace::Stop, Pace::Stop));
        assert!(!meter.was_exceeded());
    }

    #[test]
    fn the_rate_of_all_transfers_together_is_waited_for() {
        let (_, transfer) = transfer();
        let limiter = Arc::new(Limiter::new(NonZeroU64::new(1_000).unwrap()));
        let one = transfer.meter(Some(&limiter), &Stop::new(), u64::MAX);
        let other = transfer.meter(Some(&limiter), &Stop::new(), u64::MAX);
        let Pace::Wait(first) = one.moved(10_000) else { panic!("not held up") };
        let Pace::Wait(second) = other.moved(10_000) else { panic!("not held up") };
        assert!(first > Duration::from_secs(9) && second > Duration::from_secs(18));
    }

    #[test]
    fn the_first_bytes_are_told_once() {
        let (_, transfer) = transfer();
        let firsts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&firsts);
        let meter = transfer.meter(None, &Stop::new(), u64::MAX);
        let meter = meter.at_first(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        meter.moved(0);
        assert_eq!(firsts.load(Ordering::Relaxed), 0);
        meter.moved(1);
        meter.moved(1);
        assert_eq!(firsts.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn notes_are_told_once_and_what_is_dropped_was_stopped() {
        let (telling, mut transfer) = transfer();
        transfer.is_resumable();
        drop(transfer);
        telling.note(Note::TimesNotSet);
        telling.note(Note::TimesNotSet);
        assert_eq!(telling.noted.lock().unwrap().len(), 1);
        assert_eq!(telling.summary(Ended::Stopped, Duration::ZERO).resumable, 1);
    }
}
