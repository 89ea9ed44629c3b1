//! `carrack user`: hashes for the configuration file.

use crate::arguments::server::User;
use crate::exit::Failure;
use crate::password::{self, VARIABLE};

/// Runs `carrack user …`.
pub(crate) fn user(command: User) -> Result<(), Failure> {
    let User::Hash { password_file } = command;
    let password = match password::given(password_file.as_deref())? {
        Some((_, password)) => password,
        None => password::prompt_new(&format!("--password-file FILE or {VARIABLE}"))?,
    };
    let hash = carrack_core::password::hash(password.as_bytes()).map_err(Failure::failed)?;
    println!("{hash}");
    Ok(())
}
