//! What does the service manager hear of this server (sd_notify(3))? Where there is none, nobody does.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The service manager that has started this process, if any.
pub(super) struct Systemd {
    /// How often it is to hear that the server lives (`WatchdogSec=`): twice in the time that it waits.
    watchdog: Option<Interval>,
}

impl Systemd {
    /// The one that the environment names.
    pub(super) fn of_environment() -> Self {
        let every = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        let every = every.filter(|every| *every > Duration::ZERO).map(interval);
        let watchdog = every.map(|mut every| {
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            every
        });
        Self { watchdog }
    }

    /// It serves, on so many listeners.
    pub(super) fn ready(&self, listeners: usize) {
        let s = if listeners == 1 { "" } else { "s" };
        tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving on {listeners} listener{s}"))]);
    }

    /// It reads its configuration again; [`Systemd::ready`] comes behind that, whatever it comes to.
    pub(super) fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration again")]);
        }
    }

    /// It goes down, and so many connections are there still.
    pub(super) fn stopping(&self, connections: usize) {
        let text = format!("draining, {connections} connections");
        tell(&[NotifyState::Stopping, NotifyState::Status(&text)]);
    }

    /// Another process has its place now.
    pub(super) fn succeeded_by(&self, process: u32) {
        tell(&[NotifyState::MainPid(process)]);
    }

    /// Waits until the manager is to hear that the server lives; for ever where it does not want to. Cancellation safe.
    pub(super) async fn due(&mut self) {
        match &mut self.watchdog {
            Some(every) => {
                every.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Tells that it lives, once the event loop has come round: where all its threads are stuck, it does not.
    pub(super) fn lives(&self) {
        tokio::spawn(async { tell(&[NotifyState::Watchdog]) });
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(target: "carrack", why = %error, "service_manager_not_told");
    }
}
