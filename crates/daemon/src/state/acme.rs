//! What is kept of certificates that are ordered by ACME, and in which files of the state folder?
//!
//! ```text
//! acme/account-<hash of the directory's URL>.json    the account and its key: one account for each ACME server
//! acme/<first name>.pem                              chain and private key in one file, so that one rename replaces both
//! acme/<first name>.attempt                          how often ordering has failed, and when it is tried again
//! ```

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use carrack_tls::{Identity, Sha256Fingerprint};
use zeroize::Zeroizing;

use super::StateError;
use super::folder::PrivateFolder;

/// The folder within the state folder.
const FOLDER: &str = "acme";

/// Bytes of the hash in an account's file name: enough that two directories never share one.
const HASH_BYTES: usize = 8;

/// Why a certificate is not ordered at once: ordering it has failed so often, and is tried again then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Failures in a row.
    pub(crate) failures: u32,
    /// When it is tried again.
    pub(crate) next: SystemTime,
}

/// The folder `acme/`.
#[derive(Debug)]
pub(crate) struct AcmeFolder {
    folder: PrivateFolder,
}

impl AcmeFolder {
    /// Opens the one in the state folder, or makes it (0700).
    pub(super) fn open(state: &Path) -> Result<Self, StateError> {
        let folder = PrivateFolder::open(&state.join(FOLDER))?;
        // The mark without which the next start would take it for somebody else's folder. The state folder's lock holds for both.
        folder.lock_file()?;
        Ok(Self { folder })
    }

    /// Where the account with this directory is kept.
    pub(crate) fn account_file(&self, directory: &str) -> PathBuf {
        self.folder.path().join(account_name(directory))
    }

    /// The account with this directory, as it was kept.
    pub(crate) fn account(&self, directory: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        self.folder.read(&account_name(directory))
    }

    /// Keeps it.
    pub(crate) fn keep_account(&self, directory: &str, account: &[u8]) -> Result<(), StateError> {
        self.folder.write(&account_name(directory), account)
    }

    /// The certificate whose first name this is, to be shown, wherever it was ordered.
    ///
    /// # Errors
    /// What is there cannot be read or does not parse.
    pub(crate) fn shown(&self, name: &str) -> Result<Option<Identity>, StateError> {
        let Some(pem) = self.folder.read(&identity_name(name))? else { return Ok(None) };
        Identity::from_pem(&pem, &pem).map(Some).map_err(|error| StateError::Acme {
            file: self.identity_file(name).display().to_string(),
            why: error.to_string(),
        })
    }

    /// Where the certificate whose first name this is lies, with its key.
    pub(crate) fn identity_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(identity_name(name))
    }

    /// The certificate whose first name this is.
    ///
    /// # Errors
    /// What is there cannot be read or does not parse.
    pub(crate) fn identity(&self, name: &str) -> Result<Option<Identity>, StateError> {
        let file = identity_name(name);
        let Some(pem) = self.folder.read(&file)? else { return Ok(None) };
        let damaged = |error: carrack_tls::IdentityError| StateError::Acme {
            file: self.folder.path().join(&file).display().to_string(),
            why: error.to_string(),
        };
        Identity::from_pem(&pem, &pem).map(Some).map_err(damaged)
    }

    /// Puts a certificate chain with its key in the place of the one before.
    pub(crate) fn keep_identity(&self, name: &str, chain: &str, key: &str) -> Result<(), StateError> {
        let pem = Zeroizing::new(format!("{}\n{key}", chain.trim_end()));
        self.folder.write(&identity_name(name), pem.as_bytes())
    }

    /// What is known of attempts that have failed; `None` also where that is damaged, as nothing is lost with it.
    pub(crate) fn attempt(&self, name: &str) -> Result<Option<Attempt>, StateError> {
        let Some(bytes) = self.folder.read(&attempt_name(name))? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(failures)), Some(Ok(next))) = (numbers.next(), numbers.next()) else { return Ok(None) };
        let next = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(next));
        let failures = u32::try_from(failures).ok().filter(|failures| *failures > 0);
        Ok(failures.zip(next).map(|(failures, next)| Attempt { failures, next }))
    }

    /// Keeps what is known of attempts; `None` where the last one was a success.
    pub(crate) fn keep_attempt(&self, name: &str, attempt: Option<Attempt>) -> Result<(), StateError> {
        let text = attempt.map_or_else(
            || "0 0\n".to_owned(),
            |Attempt { failures, next }| {
                let next = next.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                format!("{failures} {next}\n")
            },
        );
        self.folder.write(&attempt_name(name), text.as_bytes())
    }
}

fn account_name(directory: &str) -> String {
    let hash = Sha256Fingerprint::of(directory.as_bytes());
    let hex: String = hash.as_bytes().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("account-{hex}.json")
}

/// A `*` would ask for quotes in every shell.
fn identity_name(name: &str) -> String {
    format!("{}.pem", name.replace('*', "_"))
}

fn attempt_name(name: &str) -> String {
    format!("{}.attempt", name.replace('*', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_kept_is_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = Identity::self_signed(&["ftp.example.com".to_owned()]).unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let attempt = Attempt { failures: 3, next: at(1_800_000_000) };
        {
            let folder = AcmeFolder::open(dir.path()).unwrap();
            assert!(folder.identity("*.example.com").unwrap().is_none());
            folder.keep_identity("*.example.com", &made.certificate_pem, &made.key_pem).unwrap();
            folder.keep_account("https://one.example/", b"{}").unwrap();
            folder.keep_attempt("*.example.com", Some(attempt)).unwrap();
        }
        let folder = AcmeFolder::open(dir.path()).unwrap();
        assert_eq!(folder.identity("*.example.com").unwrap().unwrap().names(), ["ftp.example.com"]);
        assert_eq!(folder.account("https://one.example/").unwrap().unwrap().as_slice(), b"{}");
        assert!(folder.account("https://two.example/").unwrap().is_none());
        assert_eq!(folder.attempt("*.example.com").unwrap(), Some(attempt));
        folder.keep_attempt("*.example.com", None).unwrap();
        assert_eq!(folder.attempt("*.example.com").unwrap(), None);
        for entry in fs::read_dir(dir.path().join(FOLDER)).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
    }

    #[test]
    fn a_damaged_certificate_is_named_and_a_damaged_attempt_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = AcmeFolder::open(dir.path()).unwrap();
        folder.keep_identity("ftp.example.com", "nothing", "of use").unwrap();
        let error = folder.identity("ftp.example.com").unwrap_err().to_string();
        assert!(error.contains("acme/ftp.example.com.pem") && error.contains("mend: "), "{error}");
        for damaged in ["", "x y", "1", "0 5", "99999999999 5"] {
            fs::write(dir.path().join(FOLDER).join("ftp.example.com.attempt"), damaged).unwrap();
            assert_eq!(folder.attempt("ftp.example.com").unwrap(), None, "{damaged:?}");
        }
    }
}
