//! `carrack user`: hashes for the configuration file, and users of other servers.

use carrack_core::password::{Cost, hash_with};
use carrack_daemon::config::Fips;

use crate::arguments::server::User;
use crate::exit::Failure;
use crate::import;
use crate::password::{self, VARIABLE};

/// Runs `carrack user …`.
pub(crate) fn user(command: User, fips: Fips) -> Result<(), Failure> {
    let password_file = match command {
        User::Hash { password_file } => password_file,
        User::Import(import) => return import::import(import),
    };
    let password = match password::given(password_file.as_deref())? {
        Some((_, password)) => password,
        None => password::prompt_new(&format!("--password-file FILE or {VARIABLE}"))?,
    };
    let cost = match fips {
        Fips::AsConfigured => Cost::RECOMMENDED,
        Fips::Demanded => Cost::APPROVED,
    };
    let hash = hash_with(password.as_bytes(), cost).map_err(Failure::failed)?;
    say!("{hash}");
    Ok(())
}
