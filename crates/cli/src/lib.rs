//! The program `carrack`: arguments, prompts, output.
//!
//! **What it does.** Reads arguments, calls the crate that does the work, prints for people: results to standard output, everything
//! else to standard error.
//!
//! **What it does not.** It serves nothing itself, speaks no protocol and decides nothing about files.
//!
//! What the exit status says stands in [`exit`].
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout)]

#[macro_use]
mod say;

mod arguments;
mod cert;
mod client;
mod completions;
mod config;
mod ctl;
mod exit;
mod fips;
mod hints;
mod import;
mod manual;
mod netrc;
mod password;
mod program;
mod serve;
mod state;
mod terminal;
mod user;
mod version;

use std::process::ExitCode;

use carrack_daemon::config::Fips;
use clap::Parser;

use arguments::{Arguments, Command};
use exit::Failure;

/// The C library's allocator keeps the 19 MiB of every password hash in the arena of the thread that
/// hashed, for ever: over a gigabyte after a hundred logins. This one gives memory back.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does what the arguments of this process say.
pub fn run() -> ExitCode {
    if let Some(status) = carrack_daemon::sandbox::run_if_called() {
        return status;
    }
    let Arguments { command, fips } = Arguments::parse();
    let outcome = fips::demand(fips, &command).and_then(|fips| run_command(command, fips));
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if !failure.text().is_empty() {
        client::screen::line(&format!("carrack: {}", failure.text()));
    }
    ExitCode::from(failure.status() as u8)
}

fn run_command(command: Command, fips: Fips) -> Result<(), Failure> {
    match command {
        Command::Talk(command) => client::talk(command),
        Command::Trust(command) => client::trust(command),
        Command::Serve(arguments) => serve::serve(*arguments, fips),
        Command::User(command) => user::user(command, fips),
        Command::Config(command) => config::config(command, fips),
        Command::Ctl(arguments) => ctl::ctl(arguments),
        Command::Cert(command) => cert::cert(command),
        Command::Completions { shell } => completions::completions(shell),
        Command::Manual { folder } => manual::manual(&folder),
        Command::Version { json } => version::version(json, fips),
    }
}
