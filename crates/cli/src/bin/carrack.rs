//! The program `carrack`, as most people run it: with the newest release of the cryptographic library.

use std::process::ExitCode;

fn main() -> ExitCode {
    carrack_cli::run()
}
