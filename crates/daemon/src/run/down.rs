//! How does a server go down: in order, and with an end to its patience?

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use super::cut::{CutTransfers, CutWhy, Stopped};
use super::serving::Serving;
use super::signals::Signals;
use crate::ctl::Order;

/// How long connections have to say goodbye once they were cut.
const CUT_GRACE: Duration = Duration::from_secs(5);

impl Serving {
    /// Lets transfers finish within `timeouts.drain_s`, and ends what is left then, or when the operator says it once more.
    pub(super) async fn go_down(
        &mut self,
        why: &'static str,
        cut_transfers: &CutTransfers,
        mut signals: Signals,
        mut orders: Receiver<Order>,
    ) -> Stopped {
        let drain = self.lasting.drain.clone();
        drain.start();
        let patience = self.patience();
        let (sessions, deadline_s) = (drain.live(), patience.as_secs());
        tracing::info!(target: "carrack", signal = why, sessions, deadline_s, "draining");
        let deadline = Instant::now() + patience;
        let impatient = loop {
            tokio::select! {
                () = drain.idle() => break None,
                () = sleep_until(deadline) => break Some(CutWhy::Deadline { drain_s: deadline_s }),
                _ = signals.stop() => break Some(CutWhy::SecondSignal),
                Some(order) = orders.recv() => self.answer_while_draining(order),
            }
        };
        let cut = drain.live();
        drain.cut();
        let _ = timeout(CUT_GRACE, drain.idle()).await;
        // A transfer that the storage holds up has not even noticed yet.
        let transfers_cut = cut_transfers.count().max(drain.live());
        tracing::info!(target: "carrack", cut, transfers_cut, "stopped");
        match impatient {
            Some(why) if transfers_cut > 0 => Stopped::Cut { transfers: transfers_cut, why },
            _ => Stopped::Drained,
        }
    }

    /// How long transfers may take to finish.
    pub(super) fn patience(&self) -> Duration {
        self.generation.config.timeouts.drain_s.into()
    }
}
