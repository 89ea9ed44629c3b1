//! What happens at Ctrl-C?
//!
//! The first one (or SIGTERM) lets a command end in order: transfers stop, and what is needed to go on with them is kept.
//! The second one ends the program at once.

use std::future::Future;

use carrack_ftp_client::copy::Stop;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Failure, Status};

/// Listens from now on; the switch is thrown by the first signal.
pub(crate) fn listen() -> Result<Stop, Failure> {
    let failed = |error| Failure::failed(format!("signals cannot be listened to: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let stop = Stop::new();
    let thrown = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                thrown.stop();
            } else {
                std::process::exit(Status::Interrupted as i32);
            }
        }
    });
    Ok(stop)
}

/// Works until it is told to stop. What was under way is dropped, which ends its connections.
pub(crate) async fn until<T>(
    stop: &Stop,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome,
        () = stop.stopped() => Err(Failure::new(Status::Interrupted, "interrupted")),
    }
}
