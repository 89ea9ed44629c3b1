//! How long is something waited for?

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Duration, Instant, Sleep, sleep_until};

use crate::error::Stage;

/// One time limit after the other, over one timer.
///
/// A timer that is set for each of several thousand files a second would wake the runtime as often. This one is left as it is
/// while it ends early enough; when it ends too early it is set again.
#[derive(Default)]
pub(crate) struct Patience {
    limit: Option<Limit>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy)]
struct Limit {
    due: Instant,
    /// What is waited for; none for a reply, of which the machine knows more.
    stage: Option<Stage>,
}

impl Patience {
    /// A reply is waited for, from now on.
    pub(crate) fn for_reply(&mut self, time: Duration) {
        self.limit = Some(Limit { due: Instant::now() + time, stage: None });
    }

    /// Something else is waited for, from now on.
    pub(crate) fn for_stage(&mut self, stage: Stage, time: Duration) {
        self.limit = Some(Limit { due: Instant::now() + time, stage: Some(stage) });
    }

    /// There is all the time there is, from now on.
    pub(crate) fn unlimited(&mut self) {
        self.limit = None;
    }

    /// Ready when the time is up, with what was waited for. Without a limit there is all the time there is.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Stage>> {
        let Some(Limit { due, stage }) = self.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(stage);
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn waits(patience: &mut Patience) -> (Option<Stage>, u64) {
        let begin = Instant::now();
        let stage = poll_fn(|cx| patience.poll(cx)).await;
        (stage, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_its_own_whatever_came_before() {
        let mut patience = Patience::default();
        patience.for_reply(10 * SECOND);
        assert_eq!(waits(&mut patience).await, (None, 10));
        patience.for_stage(Stage::Data, 60 * SECOND);
        assert!(tokio::time::timeout(SECOND, waits(&mut patience)).await.is_err());
        // A shorter one behind a longer one, and a longer one behind a shorter one.
        patience.for_stage(Stage::DataConnect, 5 * SECOND);
        assert!(tokio::time::timeout(SECOND, waits(&mut patience)).await.is_err());
        assert_eq!(waits(&mut patience).await, (Some(Stage::DataConnect), 4));
        patience.for_reply(5 * SECOND);
        assert!(tokio::time::timeout(SECOND, waits(&mut patience)).await.is_err());
        patience.for_stage(Stage::Completion, 20 * SECOND);
        assert_eq!(waits(&mut patience).await, (Some(Stage::Completion), 20));
    }
}
