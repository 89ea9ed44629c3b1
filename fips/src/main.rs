//! The program `carrack`, linked with the FIPS 140-3 validated module.
use std::process::ExitCode;

fn main() -> ExitCode {
    carrack_cli::run()
}
