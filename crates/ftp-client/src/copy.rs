//! How are files and whole trees copied between this machine and a server?
//!
//! ```text
//!   Plan ──► errand ──► down │ up: sources and target are looked at, patterns expanded, names given
//!                           │
//!                           ▼        ┌── worker (a Client) ──┐
//!                    work: what waits├── worker (a Client) ──┤  a folder: listed, what is in it waits then
//!                  (memory, then disk)── worker (a Client) ──┘  a file: moved, verified, tried again
//!                                                │
//!                    journal ◄── what is needed to go on after an interruption
//!                   Observer ◄── what happens
//! ```
//!
//! Memory does not grow with what is copied: what was found and waits is kept in memory up to a megabyte and on the disk
//! beyond, folders are followed 128 levels deep, a pattern may mean 100,000 names, and listings are read as they come.
//!
//! ```no_run
//! # async fn example(client: carrack_ftp_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use carrack_ftp_client::copy::{Plan, Recursion, Source, Stop, Target, Unobserved, copy};
//! use carrack_ftp_client::url::UrlPath;
//!
//! let source = Source::Remote(UrlPath::from_bytes(b"/pub/photos")?);
//! let mut plan = Plan::new(vec![source], Target::Local("backup".into()));
//! plan.recursion = Recursion::Folders;
//! plan.filter.exclude("*.tmp")?;
//! plan.state = Some("state".into());
//! let summary = copy(plan, client, Arc::new(Unobserved), Stop::new()).await?;
//! println!("{} files, {} failed", summary.files, summary.failed);
//! # Ok(())
//! # }
//! ```

mod across;
mod digest;
mod down;
mod engine;
mod errand;
mod event;
mod failure;
mod known;
mod limiter;
mod naming;
mod plan;
mod retries;
mod spool;
mod stop;
mod stream;
mod task;
mod telling;
mod terms;
mod up;
mod verify;
mod work;

use std::sync::Arc;
use std::time::Instant;

pub use event::{
    Ended, Event, Note, Observer, Omission, Resumable, Summary, TransferId, Unobserved, Verified,
};
pub use failure::{Failure, Place, Side, StreamSide};
pub use plan::{Existing, JOBS, JOBS_MOST, Plan, Recursion, Resume, Source, Target, Times, Verify};
pub use retries::Retries;
pub use stop::Stop;

use crate::Client;
use across::Across;
use down::Down;
use engine::{Engine, STOP_GRACE};
use errand::Errand;
use telling::Telling;
use terms::Terms;
use up::Up;
use work::Work;

/// Copies what a plan says, beginning over `client` and opening more connections like it where there is work for them.
///
/// What cannot be copied is told to the observer and counted, and the rest goes on.
///
/// # Errors
/// What ends everything: a plan that makes no sense, a target that is not what it must be, and a server that can no
/// longer be reached.
pub async fn copy(
    mut plan: Plan,
    client: Client,
    observer: Arc<dyn Observer>,
    stop: Stop,
) -> Result<Summary, Failure> {
    let began = Instant::now();
    let sources = std::mem::take(&mut plan.sources);
    let target = std::mem::replace(&mut plan.target, Target::Local(std::path::PathBuf::new()));
    let errand = Errand::of(sources, target)?;
    let telling = Arc::new(Telling::new(observer));
    let terms = Terms::of(plan, Arc::clone(client.settings()), Arc::clone(&telling), stop.clone());
    let ended = carry_out(terms, errand, client, &stop).await?;
    Ok(telling.summary(ended, began.elapsed()))
}

/// Copies what a plan says from one server to another, which is the plan's target: directly where the servers will, else
/// relayed as the bytes come. One file at a time, each from its beginning.
///
/// Of the plan, [`Plan::jobs`], [`Plan::resume`], [`Plan::times`] and [`Plan::state`] have no meaning here. With a
/// [`Plan::rate`] everything is relayed: nobody here can hold the servers to one.
///
/// # Errors
/// As [`copy`]; [`Failure::Sources`] where the sources are not all remote, or the target is not, or files are to be appended
/// to.
pub async fn copy_across(
    mut plan: Plan,
    source: Client,
    target: Client,
    observer: Arc<dyn Observer>,
    stop: Stop,
) -> Result<Summary, Failure> {
    let began = Instant::now();
    let to = std::mem::replace(&mut plan.target, Target::Local(std::path::PathBuf::new()));
    let sources = std::mem::take(&mut plan.sources).into_iter().map(|source| match source {
        Source::Remote(path) => Ok(path),
        Source::Local(_) | Source::Stream(_) => Err(Failure::Sources),
    });
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    let (Target::Remote(to), Existing::Replace) = (to, plan.existing) else { return Err(Failure::Sources) };
    plan.state = None;
    let telling = Arc::new(Telling::new(observer));
    let terms = Terms::of(plan, Arc::clone(source.settings()), Arc::clone(&telling), stop.clone());
    let overdue = async {
        stop.stopped().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    let ended = tokio::select! {
        biased;
        ended = Across::new(&terms, source, target).run(sources, &to) => ended?,
        // SECURITY: what is under way is dropped with its connections, so neither server takes a part for the whole.
        () = overdue => Ended::Stopped,
    };
    Ok(telling.summary(ended, began.elapsed()))
}

async fn carry_out(terms: Terms, errand: Errand, mut client: Client, stop: &Stop) -> Result<Ended, Failure> {
    let work = Work::new(&terms.spools);
    let begun = tokio::select! {
        biased;
        () = stop.stopped() => return Ok(Ended::Stopped),
        begun = begin(&terms, errand, &mut client, &work) => begun?,
    };
    match begun {
        Begun::Side(side) => Engine::new(terms, work, side).run(client).await,
        Begun::Over(ended) => {
            client.quit().await;
            Ok(ended)
        }
    }
}

/// How far a copy is, once its sources and its target were looked at.
enum Begun {
    Side(engine::Side),
    /// There is nothing left to do.
    Over(Ended),
}

async fn begin(terms: &Terms, errand: Errand, client: &mut Client, work: &Work) -> Result<Begun, Failure> {
    let over = || Begun::Over(Ended::Complete);
    Ok(match errand {
        Errand::Down { sources, target } => {
            let down = Down::begin(terms, client, sources, &target, work).await?;
            down.map_or_else(over, |down| Begun::Side(engine::Side::Down(down)))
        }
        Errand::Up { sources, target } => {
            let up = Up::begin(terms, client, sources, &target, work).await?;
            up.map_or_else(over, |up| Begun::Side(engine::Side::Up(up)))
        }
        Errand::ToStream { sources, mut target } => {
            Begun::Over(stream::to_stream(terms, client, sources, &mut target).await?)
        }
        Errand::FromStream { mut source, target } => {
            Begun::Over(stream::from_stream(terms, client, &mut source, &target).await?)
        }
    })
}

#[cfg(test)]
mod tests;
