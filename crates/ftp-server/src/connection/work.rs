//! The one piece of work that a connection has under way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use carrack_core::account::Account;
use carrack_core::login::LoginError;
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::{HashKind, Login, Pending, RequestKind, Running, TransferKind};

use crate::command::{Opened, Outcome};
use crate::data::{DataPort, DataRequest};
use crate::transfer::Interrupt;

/// Work under way. Dropping it stops what can be stopped.
pub(super) struct Work {
    future: Pin<Box<dyn Future<Output = Done> + Send>>,
    interrupt: Option<Interrupt>,
}

/// What a piece of work came to, with the question that it answers.
pub(super) enum Done {
    /// A request.
    Answered { pending: Pending<RequestKind>, outcome: Outcome },
    /// A digest.
    Digested { pending: Pending<HashKind>, reply: Reply },
    /// A login.
    Judged { pending: Pending<Login>, verdict: Result<Arc<Account>, LoginError> },
    /// A transfer's files are open, or it was refused.
    Opened { pending: Pending<TransferKind>, opened: Result<Box<Prepared>, Reply> },
    /// A transfer has ended.
    Transferred { running: Running, reply: Reply },
}

/// A transfer that only waits for its data connection.
pub(super) struct Prepared {
    pub(super) opened: Opened,
    pub(super) port: DataPort,
    pub(super) request: DataRequest,
    pub(super) interrupt: Interrupt,
}

impl Work {
    /// Work that cannot be stopped: it is short.
    pub(super) fn new(future: impl Future<Output = Done> + Send + 'static) -> Self {
        Self { future: Box::pin(future), interrupt: None }
    }

    /// A transfer or its opening, or a digest.
    pub(super) fn stoppable(
        interrupt: Interrupt,
        future: impl Future<Output = Done> + Send + 'static,
    ) -> Self {
        Self { future: Box::pin(future), interrupt: Some(interrupt) }
    }

    /// The string that it hangs on, where it can be stopped.
    pub(super) fn interrupt(&self) -> Option<&Interrupt> {
        self.interrupt.as_ref()
    }

    /// Waits for the work, for ever where there is none. Cancellation safe.
    pub(super) async fn next(work: &mut Option<Self>) -> Done {
        match work {
            Some(work) => work.future.as_mut().await,
            None => std::future::pending().await,
        }
    }

    /// Sees the work to its end when nobody waits for its answer any more: a file is settled, not
    /// dropped.
    pub(super) async fn settle(self) {
        let done = self.future.await;
        // An upload that was opened for nobody is dropped where its file may be waited for.
        let _ = tokio::task::spawn_blocking(move || drop(done)).await;
    }
}
