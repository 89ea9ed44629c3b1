//! What is kept of certificates that are ordered by ACME, and in which files of the state folder?
//!
//! ```text
//! acme/account-<hash of the directory's URL>.json    the account and its key: one account for each ACME server
//! acme/<first name>.pem                              chain and private key in one file, so that one rename replaces both
//! acme/<first name>.attempt                          how often ordering has failed, and when it is tried again
//! ```
//!
//! Certificate and attempt say which directory they belong to, by the hash that is in the account's name: what came from an
//! authority's staging server must not stand in the way of its real one.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use carrack_tls::{Identity, Sha256Fingerprint};
use zeroize::Zeroizing;

use super::StateError;
use super::folder::PrivateFolder;

/// The folder within the state folder.
const FOLDER: &str = "acme";

/// Bytes of a directory's hash: enough that two directories never share one.
const HASH_BYTES: usize = 8;

/// The word before the hash in the first line of a certificate's file; what stands before the first `-----BEGIN` is for people to
/// read (RFC 7468 §5.2).
const DIRECTORY_MARK: &str = "directory ";

/// Why a certificate is not ordered at once: ordering it has failed so often, and is tried again then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Failures in a row.
    pub(crate) failures: u32,
    /// When it is tried again, as far as it is ours to say.
    pub(crate) next: SystemTime,
    /// Until when the authority asked to be left alone; long ago where it did not.
    pub(crate) asked: SystemTime,
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

    /// Where the certificate whose first name this is lies, with its key.
    pub(crate) fn identity_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(identity_name(name))
    }

    /// The certificate whose first name this is, to be shown until there is a better one; wherever it came from.
    ///
    /// # Errors
    /// What is there cannot be read or does not parse.
    pub(crate) fn identity(&self, name: &str) -> Result<Option<Identity>, StateError> {
        self.folder.read(&identity_name(name))?.map(|pem| self.parse(name, &pem)).transpose()
    }

    /// The same, where it came from this directory.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn identity_of(&self, directory: &str, name: &str) -> Result<Option<Identity>, StateError> {
        let Some(pem) = self.folder.read(&identity_name(name))? else { return Ok(None) };
        let first = pem.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_its = first == format!("{DIRECTORY_MARK}{}", hash(directory)).as_bytes();
        is_its.then(|| self.parse(name, &pem)).transpose()
    }

    fn parse(&self, name: &str, pem: &[u8]) -> Result<Identity, StateError> {
        let file = identity_name(name);
        let damaged = |error: carrack_tls::IdentityError| StateError::Acme {
            file: self.folder.path().join(&file).display().to_string(),
            why: error.to_string(),
        };
        Identity::from_pem(pem, pem).map_err(damaged)
    }

    /// Puts a certificate chain with its key in the place of the one before, wherever that came from.
    pub(crate) fn keep_identity(
        &self,
        directory: &str,
        name: &str,
        chain: &str,
        key: &str,
    ) -> Result<(), StateError> {
        let mark = hash(directory);
        let pem = Zeroizing::new(format!("{DIRECTORY_MARK}{mark}\n{}\n{key}", chain.trim_end()));
        self.folder.write(&identity_name(name), pem.as_bytes())
    }

    /// What is known of attempts that have failed; `None` also where that is about another directory, or damaged, as nothing is
    /// lost with it.
    pub(crate) fn attempt(&self, directory: &str, name: &str) -> Result<Option<Attempt>, StateError> {
        let Some(bytes) = self.folder.read(&attempt_name(name))? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let read = || {
            let mut words = text.split_whitespace();
            let failures = words.next()?.parse().ok().filter(|failures| *failures > 0)?;
            let (next, asked) = (moment(words.next()?)?, moment(words.next()?)?);
            (words.next()? == hash(directory)).then_some(Attempt { failures, next, asked })
        };
        Ok(read())
    }

    /// Keeps what is known of attempts; `None` where the last one was a success.
    pub(crate) fn keep_attempt(
        &self,
        directory: &str,
        name: &str,
        attempt: Option<Attempt>,
    ) -> Result<(), StateError> {
        let none = Attempt { failures: 0, next: SystemTime::UNIX_EPOCH, asked: SystemTime::UNIX_EPOCH };
        let Attempt { failures, next, asked } = attempt.unwrap_or(none);
        let seconds =
            |moment: SystemTime| moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = format!("{failures} {} {} {}\n", seconds(next), seconds(asked), hash(directory));
        self.folder.write(&attempt_name(name), text.as_bytes())
    }
}

fn account_name(directory: &str) -> String {
    format!("account-{}.json", hash(directory))
}

/// What stands for a directory in names and files.
fn hash(directory: &str) -> String {
    let hash = Sha256Fingerprint::of(directory.as_bytes());
    hash.as_bytes().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// From seconds since 1970.
fn moment(seconds: &str) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))
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

    const ONE: &str = "https://one.example/";
    const TWO: &str = "https://two.example/";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_kept_is_private_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = Identity::self_signed(&["ftp.example.com".to_owned()]).unwrap();
        let attempt = Attempt { failures: 3, next: at(1_800_000_000), asked: at(1_800_000_500) };
        {
            let folder = AcmeFolder::open(dir.path()).unwrap();
            assert!(folder.identity_of(ONE, "*.example.com").unwrap().is_none());
            folder.keep_identity(ONE, "*.example.com", &made.certificate_pem, &made.key_pem).unwrap();
            folder.keep_account(ONE, b"{}").unwrap();
            folder.keep_attempt(ONE, "*.example.com", Some(attempt)).unwrap();
        }
        let folder = AcmeFolder::open(dir.path()).unwrap();
        assert_eq!(folder.identity_of(ONE, "*.example.com").unwrap().unwrap().names(), ["ftp.example.com"]);
        assert_eq!(folder.account(ONE).unwrap().unwrap().as_slice(), b"{}");
        assert_eq!(folder.attempt(ONE, "*.example.com").unwrap(), Some(attempt));
        for entry in fs::read_dir(dir.path().join(FOLDER)).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
        folder.keep_attempt(ONE, "*.example.com", None).unwrap();
        assert_eq!(folder.attempt(ONE, "*.example.com").unwrap(), None);
    }

    #[test]
    fn what_came_from_another_directory_counts_as_nothing_and_is_still_shown() {
        let dir = tempfile::tempdir().unwrap();
        let name = "ftp.example.com";
        let made = Identity::self_signed(&[name.to_owned()]).unwrap();
        let folder = AcmeFolder::open(dir.path()).unwrap();
        folder.keep_identity(ONE, name, &made.certificate_pem, &made.key_pem).unwrap();
        let attempt = Attempt { failures: 1, next: at(1_800_000_000), asked: at(0) };
        folder.keep_attempt(ONE, name, Some(attempt)).unwrap();
        assert!(folder.account(TWO).unwrap().is_none());
        assert!(folder.identity_of(TWO, name).unwrap().is_none());
        assert!(folder.identity(name).unwrap().is_some(), "it is shown until there is another");
        assert_eq!(folder.attempt(TWO, name).unwrap(), None);
    }

    #[test]
    fn a_damaged_certificate_is_named_and_a_damaged_attempt_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = AcmeFolder::open(dir.path()).unwrap();
        folder.keep_identity(ONE, "ftp.example.com", "nothing", "of use").unwrap();
        let error = folder.identity_of(ONE, "ftp.example.com").unwrap_err().to_string();
        assert!(error.contains("acme/ftp.example.com.pem") && error.contains("mend: "), "{error}");
        let hash = hash(ONE);
        for damaged in ["", "x y", "1", "1 5 5", "0 5 5 H", "99999999999 5 5 H", "1 x 5 H", "1 5 5 H5"] {
            let damaged = damaged.replace('H', &hash);
            fs::write(dir.path().join(FOLDER).join("ftp.example.com.attempt"), &damaged).unwrap();
            assert_eq!(folder.attempt(ONE, "ftp.example.com").unwrap(), None, "{damaged:?}");
        }
    }
}
