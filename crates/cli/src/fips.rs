//! What does `--fips` refuse before a command begins?

use carrack_daemon::config::Fips;
use carrack_tls::fips::Approved;

use crate::arguments::{Command, Talk};
use crate::client;
use crate::exit::Failure;

/// Asks the module, and refuses flags that do without protection. What a server's configuration says is checked with the rest of it.
pub(crate) fn demand(is_asked_for: bool, command: &Command) -> Result<Fips, Failure> {
    if !is_asked_for {
        return Ok(Fips::AsConfigured);
    }
    Approved::demand().map_err(Failure::failed)?;
    if let Command::Talk(talk) = command {
        protected(talk)?;
    }
    Ok(Fips::Demanded)
}

/// SECURITY: without these flags and scenarios the client connects under TLS or not at all, and data connections are protected.
fn protected(talk: &Talk) -> Result<(), Failure> {
    let (connection, _) = client::flags(talk);
    for (given, flag, what) in [
        (connection.protection.plaintext, "--plaintext", "nothing is sent without TLS"),
        (connection.protection.clear_data, "--clear-data", "listings and files are protected"),
    ] {
        if given {
            return Err(Failure::usage(format!("with --fips {what}; leave {flag} out")));
        }
    }
    if let Talk::Bench(bench) = talk
        && let Some(scenario) = bench.scenarios.iter().find(|scenario| scenario.is_clear())
    {
        let name = scenario.name();
        return Err(Failure::usage(format!(
            "with --fips files are protected; leave the scenario {name} out"
        )));
    }
    Ok(())
}
