//! The program `carrack`: arguments, prompts, output.
//!
//! **What it does.** Reads arguments, calls the crate that does the work, prints for people: results to standard output, everything
//! else to standard error.
//!
//! **What it does not.** It serves nothing itself, speaks no protocol and decides nothing about files.
//!
//! What the exit status says stands in [`exit`].
#![forbid(unsafe_code)]

mod arguments;
mod cert;
mod client;
mod completions;
mod config;
mod exit;
mod hints;
mod manual;
mod netrc;
mod password;
mod program;
mod serve;
mod state;
mod terminal;
mod user;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// The C library's allocator keeps the 19 MiB of every password hash in the arena of the thread that
/// hashed, for ever: over a gigabyte after a hundred logins. This one gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does what the arguments of this process say.
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Talk(command) => client::talk(command),
        Command::Trust(command) => client::trust(command),
        Command::Serve(arguments) => serve::serve(*arguments),
        Command::User(command) => user::user(command),
        Command::Config(command) => config::config(command),
        Command::Cert(command) => cert::cert(command),
        Command::Completions { shell } => completions::completions(shell),
        Command::Manual { folder } => manual::manual(&folder),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if !failure.text().is_empty() {
        client::screen::line(&format!("carrack: {}", failure.text()));
    }
    ExitCode::from(failure.status() as u8)
}
