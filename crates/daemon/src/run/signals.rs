//! What does the operator tell a running server?

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal means.
pub(super) enum Told {
    /// To go down; at the second time at once.
    Stop(&'static str),
    /// To read certificate and key again, and to open logs anew.
    Reload,
    /// To open logs anew.
    Reopen,
}

/// The signals of this process, ours for as long as the value lives.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
}

impl Signals {
    /// Takes them over.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for what the operator says next.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hang_up.recv() => Told::Reload,
            _ = self.user_1.recv() => Told::Reopen,
        }
    }

    /// Waits for the next signal to go down; `reopen` is called for those that have logs opened anew.
    pub(super) async fn stop(&mut self, reopen: impl Fn()) -> &'static str {
        loop {
            match self.next().await {
                Told::Stop(signal) => return signal,
                Told::Reload | Told::Reopen => reopen(),
            }
        }
    }
}
