//! Where do keys come from, and where their passwords?

use std::path::Path;

use carrack_tls::issue::{KeyError, PrivateKey};
use zeroize::Zeroizing;

use super::files::{self, in_file};
use crate::arguments::cert::NewKey;
use crate::exit::Failure;
use crate::password;

/// A password that somebody has, and where it is given instead of at the prompt.
pub(super) fn known_password(
    file: Option<&Path>,
    of: &Path,
    flag: &str,
) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(file) => Ok(password::from_file(file)?.0),
        None => password::prompt_known(&format!("Password of {}: ", of.display()), &format!("{flag} FILE")),
    }
}

/// A password for something that is made.
pub(super) fn new_password(file: Option<&Path>, flag: &str) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(file) => Ok(password::from_file(file)?.0),
        None => password::prompt_new(&format!("{flag} FILE")),
    }
}

/// The private key of a file; a password is asked for only where it has one.
pub(super) fn read(file: &Path, password_file: Option<&Path>) -> Result<PrivateKey, Failure> {
    let text = files::bytes(file)?;
    let key = match PrivateKey::from_pem(&text, None) {
        Err(KeyError::PasswordNeeded) => {
            let password = known_password(password_file, file, "--key-password-file")?;
            PrivateKey::from_pem(&text, Some(&password))
        }
        other => other,
    };
    key.map_err(|error| in_file(file)(&error))
}

/// A new key, and the text that rests.
pub(super) fn make(wanted: &NewKey) -> Result<(PrivateKey, Zeroizing<String>), Failure> {
    let password = wanted_password(wanted)?;
    let key = PrivateKey::generate(wanted.key_type).map_err(Failure::failed)?;
    let text = key.to_pem(password.as_deref().map(String::as_str)).map_err(Failure::failed)?;
    Ok((key, text))
}

/// The password that a new key gets.
pub(super) fn wanted_password(wanted: &NewKey) -> Result<Option<Zeroizing<String>>, Failure> {
    let file = wanted.key_password_file.as_deref();
    match (wanted.encrypt_key, file) {
        (true, file) => new_password(file, "--key-password-file").map(Some),
        (false, None) => Ok(None),
        (false, Some(_)) => {
            Err(Failure::usage("--key-password-file is for a key that is encrypted; give --encrypt-key, too"))
        }
    }
}
