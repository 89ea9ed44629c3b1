//! How does this program talk to a server: one module for each command, and what they share.
//!
//! ```text
//!   arguments ─► ls tree cat cp mv rm rmdir mkdir stat hash bench ─► session ─► ftp-client
//!                          │                                      ├─ login  (who, with what: file, environment, ~/.netrc, prompt)
//!                          │                                      └─ trust  (pin, --ca, remembered, the machine's; else the user)
//!                          ▼
//!              output: results to standard output            screen: everything else to standard error
//! ```

pub(crate) mod chain;
pub(crate) mod output;
pub(crate) mod screen;

mod bench;
mod cat;
mod cp;
mod dialogue;
mod each;
mod folder;
mod hash;
mod interrupt;
mod login;
mod ls;
mod mkdir;
mod mv;
mod progress;
mod rm;
mod rmdir;
mod session;
mod stat;
mod tree;
mod trust;

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::arguments::Talk;
use crate::arguments::connection::{Connection, Results, Telling};
use crate::arguments::trust::Trust;
use crate::exit::Failure;
use interrupt::until;
use output::{Form, Notes, Output};
use session::Session;

/// Runs a command that talks to a server about files.
pub(crate) fn talk(talk: Talk) -> Result<(), Failure> {
    let (connection, results) = flags(&talk);
    let output = Arc::new(output(results, &connection.telling));
    let mut session = Session::new(connection, &output);
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = interrupt::listen()?;
        let outcome = match talk {
            // It ends by itself when it is told to, so that it can go on another time.
            Talk::Cp(arguments) => return cp::cp(*arguments, &mut session, &output, &stop).await,
            // It takes its files away again when it is told to stop.
            Talk::Bench(arguments) => return bench::bench(arguments, &mut session, &output, &stop).await,
            Talk::Ls(arguments) => until(&stop, ls::ls(arguments, &mut session, &output)).await,
            Talk::Tree(arguments) => until(&stop, tree::tree(arguments, &mut session, &output)).await,
            Talk::Cat(arguments) => until(&stop, cat::cat(arguments, &mut session, &output)).await,
            Talk::Mv(arguments) => until(&stop, mv::mv(arguments, &mut session, &output)).await,
            Talk::Rm(arguments) => until(&stop, rm::rm(arguments, &mut session, &output)).await,
            Talk::Rmdir(arguments) => until(&stop, rmdir::rmdir(arguments, &mut session, &output)).await,
            Talk::Mkdir(arguments) => until(&stop, mkdir::mkdir(arguments, &mut session, &output)).await,
            Talk::Stat(arguments) => until(&stop, stat::stat(arguments, &mut session, &output)).await,
            Talk::Hash(arguments) => until(&stop, hash::hash(arguments, &mut session, &output)).await,
        };
        if outcome.is_ok() {
            session.quit().await;
        }
        outcome
    });
    // A thread that still waits for an answer on the terminal is not waited for.
    runtime.shutdown_background();
    told(outcome, &output)
}

/// Runs `carrack trust …`.
pub(crate) fn trust(command: Trust) -> Result<(), Failure> {
    match command {
        Trust::List(arguments) => {
            let output = Output::new(form(Some(arguments.results)), Notes::Told);
            let outcome = trust::list::list(arguments, &output);
            told(outcome, &output)
        }
        Trust::Remove(arguments) => {
            let output = output(None, &arguments.telling);
            trust::remove::remove(arguments, &output)
        }
        Trust::Add(arguments) => {
            let output = output(None, &arguments.telling);
            run(trust::add::add(arguments, &output))
        }
    }
}

/// Runs something that connects, until it ends or is interrupted.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = interrupt::listen()?;
        until(&stop, work).await
    });
    runtime.shutdown_background();
    outcome
}

/// The failure of the command as a whole, told in the form of the others.
pub(crate) fn told(outcome: Result<(), Failure>, output: &Output) -> Result<(), Failure> {
    let outcome = outcome.and_then(|()| output.flush());
    match outcome {
        Err(failure) if !failure.text().is_empty() => {
            output.failed(None, &failure)?;
            Err(Failure::told(failure.status()))
        }
        outcome => outcome,
    }
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("carrack")
        .build()
        .map_err(|error| Failure::failed(format!("threads cannot be started: {error}")))
}

fn output(results: Option<Results>, telling: &Telling) -> Output {
    Output::new(form(results), if telling.quiet { Notes::Silent } else { Notes::Told })
}

fn form(results: Option<Results>) -> Form {
    match results {
        Some(Results { json: true }) => Form::Json,
        _ => Form::Text,
    }
}

pub(crate) fn flags(talk: &Talk) -> (&Connection, Option<Results>) {
    match talk {
        Talk::Ls(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Tree(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Cat(arguments) => (&arguments.connection, None),
        Talk::Cp(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Mv(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Rm(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Rmdir(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Mkdir(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Stat(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Hash(arguments) => (&arguments.connection, Some(arguments.results)),
        Talk::Bench(arguments) => (&arguments.connection, Some(arguments.results)),
    }
}
