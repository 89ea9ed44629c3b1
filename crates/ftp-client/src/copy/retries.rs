//! When is something tried again that did not work?

use std::time::Duration;

use super::telling::Telling;
use super::{Event, Failure, TransferId};
use crate::{Error, ErrorKind, Operation, Retry, Stage};

/// How often and after which pauses. The first pause doubles up to the longest, each is shortened by up to a half at
/// random so that many clients do not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many attempts follow the first one; 0 for none.
    pub attempts: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Retries {
    /// Five more attempts, after 1, 2, 4, 8 and 16 seconds at the most: half a minute for a router or a server to come
    /// back.
    fn default() -> Retries {
        Retries { attempts: 5, first: Duration::from_secs(1), longest: Duration::from_secs(30) }
    }
}

impl Retries {
    /// None at all.
    #[must_use]
    pub const fn none() -> Retries {
        Retries { attempts: 0, first: Duration::ZERO, longest: Duration::ZERO }
    }

    /// The pause before the attempt that follows `failed` failed ones (at least 1); `None` when there is no further
    /// attempt. `random` is any number.
    pub(super) fn pause(&self, failed: u32, random: u64) -> Option<Duration> {
        if failed > self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.longest);
        // 1,024 steps between a half and the whole.
        let steps = 512 + u32::try_from(random % 513).unwrap_or(0);
        Some(full.saturating_mul(steps) / 1_024)
    }
}

/// How far a transfer must come in one attempt for the count to begin anew: a file of a terabyte may be interrupted more
/// often than a small one, but a server that gives a byte at a time does not hold anybody for ever.
const PROGRESS_BYTES: u64 = 1024 * 1024;

/// The attempts at one thing.
#[derive(Debug)]
pub(super) struct Attempts {
    retries: Retries,
    failed: u32,
    /// Where the attempt began that came furthest.
    furthest: u64,
}

impl Attempts {
    pub(super) fn new(retries: Retries) -> Attempts {
        Attempts { retries, failed: 0, furthest: 0 }
    }

    /// Whether one has failed before.
    pub(super) fn is_repeated(&self) -> bool {
        self.failed > 0
    }

    /// The next attempt begins at this byte of what is moved.
    pub(super) fn begins_at(&mut self, from: u64) {
        if from >= self.furthest.saturating_add(PROGRESS_BYTES) {
            self.furthest = from;
            self.failed = 0;
        }
    }

    /// Waits for the next attempt where there is one; gives the failure back where there is none.
    pub(super) async fn again(
        &mut self,
        failure: Failure,
        telling: &Telling,
        id: Option<TransferId>,
    ) -> Result<(), Failure> {
        let Failure::Server(error) = failure else { return Err(failure) };
        if error.retry() == Retry::Never {
            return Err(error.into());
        }
        self.failed += 1;
        let Some(wait) = self.retries.pause(self.failed, random()) else { return Err(error.into()) };
        telling.tell(Event::Retrying { id, error, wait });
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// Whether it means that there is no connection to the server to be had, so that nothing else would work either.
pub(super) fn is_lost(failure: &Failure) -> bool {
    let Failure::Server(error) = failure else { return false };
    error.operation() == Operation::Connect
        || matches!(
            error.kind(),
            ErrorKind::Resolve(_)
                | ErrorKind::Connect(_)
                | ErrorKind::TimedOut(Stage::Connect | Stage::Greeting | Stage::Handshake)
                | ErrorKind::Untrusted(_)
                | ErrorKind::Tls(_)
                | ErrorKind::ProtectionRefused { .. }
                | ErrorKind::LoginRefused(_)
                | ErrorKind::PasswordNeeded
                | ErrorKind::ServiceClosed(_)
        )
}

/// Whether the server said no to a command, and will say it again.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFoundOrDenied(_) | ErrorKind::Refused { .. })
        && error.retry() == Retry::Never
}

/// A number to spread pauses with; nobody's security depends on it.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let retries = Retries { attempts: 7, ..Retries::default() };
        let longest: Vec<_> = (1..=8).map(|failed| retries.pause(failed, 512)).collect();
        let seconds = [1, 2, 4, 8, 16, 30, 30];
        let expected: Vec<_> = seconds.map(|seconds| Some(Duration::from_secs(seconds))).to_vec();
        assert_eq!(longest[..7], expected);
        assert_eq!(longest[7], None);
        for (failed, full) in (1..).zip(seconds) {
            assert_eq!(retries.pause(failed, 0), Some(Duration::from_secs(full) / 2));
        }
        for random in [1, 77, u64::MAX] {
            let pause = retries.pause(3, random).unwrap();
            assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&pause));
        }
    }

    #[test]
    fn without_retries_there_is_no_second_attempt() {
        assert_eq!(Retries::none().pause(1, 0), None);
        let many = Retries { attempts: u32::MAX, first: Duration::MAX, longest: Duration::MAX };
        assert!(many.pause(u32::MAX, 512).is_some());
    }

    fn lost() -> Failure {
        Error::new(Operation::Download, "/a", ErrorKind::ConnectionLost).into()
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_waited_for_and_what_may_not_is_given_back() {
        let telling = Telling::new(std::sync::Arc::new(crate::copy::Unobserved));
        let mut attempts = Attempts::new(Retries { attempts: 2, ..Retries::default() });
        let began = tokio::time::Instant::now();
        attempts.again(lost(), &telling, None).await.unwrap();
        attempts.again(lost(), &telling, None).await.unwrap();
        let waited = began.elapsed();
        assert!(
            (Duration::from_millis(1_500)..=Duration::from_millis(3_010)).contains(&waited),
            "{waited:?}"
        );
        assert!(attempts.again(lost(), &telling, None).await.is_err());

        let mut attempts = Attempts::new(Retries::default());
        let stopped = Error::new(Operation::Download, "/a", ErrorKind::Stopped).into();
        assert!(attempts.again(stopped, &telling, None).await.is_err());
        assert!(attempts.again(Failure::Sources, &telling, None).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_further_may_try_again_and_who_comes_a_byte_further_may_not() {
        let telling = Telling::new(std::sync::Arc::new(crate::copy::Unobserved));
        let mut attempts = Attempts::new(Retries { attempts: 1, ..Retries::default() });
        for attempt in 0..100 {
            attempts.begins_at(attempt * PROGRESS_BYTES);
            attempts.again(lost(), &telling, None).await.unwrap();
        }
        attempts.begins_at(99 * PROGRESS_BYTES + 1);
        assert!(attempts.again(lost(), &telling, None).await.is_err());
    }

    #[test]
    fn what_ends_everything_is_told_from_what_ends_one_file() {
        let failure = |kind| Failure::from(Error::new(Operation::Download, "/a", kind));
        assert!(is_lost(&Error::new(Operation::Connect, "host", ErrorKind::ConnectionLost).into()));
        assert!(is_lost(&failure(ErrorKind::Connect(std::io::ErrorKind::ConnectionRefused.into()))));
        assert!(is_lost(&failure(ErrorKind::PasswordNeeded)));
        assert!(!is_lost(&failure(ErrorKind::ConnectionLost)));
        assert!(!is_lost(&failure(ErrorKind::TimedOut(Stage::Data))));
        assert!(!is_lost(&Failure::Sources));
    }
}
