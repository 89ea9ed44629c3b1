//! How does a server go down: in order, and with an end to its patience?

use std::time::Duration;

use carrack_net::Phase;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use super::cut::{CutTransfers, CutWhy, Stopped};
use super::doors::Door;
use super::serving::Serving;
use super::signals::Signals;
use crate::ctl::Order;
use crate::log::Queue;

/// For how long sessions wait for a pause, where another process has taken this one's place.
const PAUSES: Duration = Duration::from_secs(30);

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
        if self.successor.is_some() {
            drain.close();
        } else {
            drain.start();
        }
        self.generation.doors.iter().for_each(Door::close);
        self.metrics_socket = None;
        let patience = self.patience();
        let (sessions, deadline_s) = (drain.live(), patience.as_secs());
        tracing::info!(target: "carrack", signal = why, sessions, deadline_s, "draining");
        self.systemd.stopping(sessions);
        let deadline = Instant::now() + patience;
        let all_leave = Instant::now() + patience.min(PAUSES);
        let logs = self.logs.clone();
        let impatient = loop {
            tokio::select! {
                () = drain.idle() => break None,
                () = sleep_until(all_leave), if drain.phase() < Phase::Draining => drain.start(),
                () = sleep_until(deadline) => break Some(CutWhy::Deadline { drain_s: deadline_s }),
                _ = signals.stop(|| logs.iter().for_each(Queue::reopen)) => break Some(CutWhy::SecondSignal),
                () = self.systemd.due() => self.tell_that_it_lives(),
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
