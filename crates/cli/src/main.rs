//! The program `carrack`: arguments, prompts, output.
//!
//! **What it does.** Reads arguments, calls the crate that does the work, prints for people: results to standard output, everything
//! else to standard error.
//!
//! **What it does not.** It serves nothing itself and decides nothing about files.
//!
//! Exit status: 0 done, 1 failed or transfers were cut, 2 wrong usage.
#![forbid(unsafe_code)]

mod arguments;
mod cert;
mod config;
mod hints;
mod password;
mod serve;
mod user;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// The C library's allocator keeps the 19 MiB of every password hash in the arena of the thread that
/// hashed, for ever: over a gigabyte after a hundred logins. This one gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What went wrong, as one sentence and its mend.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    status: u8,
}

impl Failure {
    /// Something did not work.
    pub(crate) fn failed(text: impl ToString) -> Self {
        Self { text: text.to_string(), status: 1 }
    }

    /// The command was given wrongly.
    pub(crate) fn usage(text: impl ToString) -> Self {
        Self { text: text.to_string(), status: 2 }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(*arguments),
        Command::User(command) => user::user(command),
        Command::Config(command) => config::config(command),
        Command::Cert(command) => cert::cert(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { text, status }) => {
            eprintln!("carrack: {text}");
            ExitCode::from(status)
        }
    }
}
