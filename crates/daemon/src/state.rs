//! What does the server keep for itself, and where: identity, generated password, and the lock that makes the folder its own?

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use carrack_tls::Identity;
use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

/// A self-signed certificate is renewed when it has less than this left.
const RENEW_BEFORE_END: Duration = Duration::from_secs(30 * 24 * 3600);

/// Letters and digits of a generated password: none that are mistaken for one another, none that a shell or a URL minds. 32, so
/// that each is exactly five bits of a random byte.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Groups of four in a generated password: 5 × 4 × 5 bits = 100 bits.
const PASSWORD_GROUPS: usize = 5;

/// Why the state folder is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another server runs on it.
    #[error(
        "the state folder {folder} is in use by another carrack{}\n  mend: stop that one, or give this one a folder of its own with --state DIR",
        process.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        folder: String,
        /// Its process id, where it is known.
        process: Option<u32>,
    },
    /// The system said no.
    #[error(
        "{doing} {path}: {source}\n  mend: make the folder writable for this user, or name another with --state DIR"
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The kept identity is damaged.
    #[error(
        "the identity in {folder} is of no use: {why}\n  mend: move cert.pem and key.pem away; new ones are made at the next start"
    )]
    Identity {
        /// The folder.
        folder: String,
        /// What is wrong with it.
        why: String,
    },
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.display().to_string();
    move |source| StateError::Io { doing, path, source }
}

/// `$XDG_STATE_HOME/carrack`, or `~/.local/state/carrack`; `None` where neither variable is set.
pub fn standard_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("carrack"))
}

/// The state folder, held by this process for as long as the value lives.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    // The lock is the open file: the system takes it back however the process ends.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder if it is not there (0700) and takes it for this process.
    ///
    /// # Errors
    /// Another server has it, or the system says no.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("cannot make", path))?;
        let path = fs::canonicalize(path).map_err(failed("cannot open", path))?;
        // SECURITY: keys and a password lie here; a folder that somebody made with wider rights is narrowed, not trusted.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
            .map_err(failed("cannot protect", &path))?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed("cannot open", &lock_path))?;
        if let Err(error) = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed("cannot lock", &lock_path)(error.into()));
            }
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            return Err(StateError::InUse {
                folder: path.display().to_string(),
                process: holder.trim().parse().ok(),
            });
        }
        let write_holder = |lock: &mut File| {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        write_holder(&mut lock).map_err(failed("cannot write", &lock_path))?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The certificate shown to clients where the configuration names none.
    pub fn certificate(&self) -> PathBuf {
        self.path.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.path.join("key.pem")
    }

    /// The self-signed identity for these names: made at the first start and kept. The key stays the same for good; the
    /// certificate is made anew for it when it ends soon or a name is missing.
    ///
    /// # Errors
    /// What is there does not parse or cannot be written.
    pub fn identity(&self, names: &[String]) -> Result<Identity, StateError> {
        let (certificate, key) = (self.certificate(), self.key());
        let damaged = |why: String| StateError::Identity { folder: self.path.display().to_string(), why };
        if !key.exists() {
            let made = Identity::self_signed(names).map_err(|error| damaged(error.to_string()))?;
            // The key goes first: a certificate without its key could never be used or renewed.
            self.write_private("key.pem", made.key_pem.as_bytes())?;
            self.write_private("cert.pem", made.certificate_pem.as_bytes())?;
        } else if !certificate.exists() || !self.certificate_serves(names).map_err(&damaged)? {
            let key_pem = Zeroizing::new(fs::read_to_string(&key).map_err(failed("cannot read", &key))?);
            let renewed =
                Identity::renew_self_signed(names, &key_pem).map_err(|error| damaged(error.to_string()))?;
            self.write_private("cert.pem", renewed.as_bytes())?;
        }
        Identity::load(&certificate, &key).map_err(|error| damaged(error.to_string()))
    }

    /// Whether the certificate that is there has all names and time left.
    fn certificate_serves(&self, names: &[String]) -> Result<bool, String> {
        let identity = Identity::load(&self.certificate(), &self.key()).map_err(|error| error.to_string())?;
        let lasts = identity.not_after() > SystemTime::now() + RENEW_BEFORE_END;
        Ok(lasts && names.iter().all(|name| identity.names().contains(name)))
    }

    /// The password of a server that was given none: generated at the first start and kept, so that commands that were pasted into scripts
    /// go on working.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn password(&self) -> Result<Zeroizing<String>, StateError> {
        let path = self.path.join("password");
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(Zeroizing::new(text.trim().to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("cannot read", &path)(error));
            }
            _ => {}
        }
        let password = generate_password().map_err(failed("cannot generate", &path))?;
        self.write_private("password", format!("{}\n", *password).as_bytes())?;
        Ok(password)
    }

    /// Writes a file that only this user may read (0600), whole or not at all.
    fn write_private(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(name);
        let unfinished = self.path.join(format!("{name}.new"));
        let write = || {
            let _ = fs::remove_file(&unfinished);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(failed("cannot write", &path))
    }
}

fn generate_password() -> io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0_u8; PASSWORD_GROUPS * 4]);
    SystemRandom::new().fill(random.as_mut_slice()).map_err(|_| io::Error::other("no randomness"))?;
    let mut password = Zeroizing::new(String::new());
    for (index, byte) in random.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            password.push('-');
        }
        password.extend(ALPHABET.get(usize::from(byte & 31)).map(|letter| char::from(*letter)));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    }

    #[test]
    fn one_server_per_folder() {
        let dir = tempfile::tempdir().unwrap();
        let held = StateFolder::open(dir.path()).unwrap();
        let error = StateFolder::open(dir.path()).unwrap_err();
        let process = std::process::id();
        assert!(matches!(error, StateError::InUse { process: Some(id), .. } if id == process), "{error}");
        drop(held);
        StateFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn the_password_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&dir.path().join("a/b")).unwrap();
        let first = state.password().unwrap();
        assert_eq!(first.len(), 24);
        assert_eq!(*state.password().unwrap(), *first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.path().join("password")), 0o600);
        assert_eq!(mode(state.path()), 0o700);
    }

    #[test]
    fn the_identity_is_kept_and_its_key_outlives_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        let first = state.identity(&names()).unwrap();
        assert_eq!(state.identity(&names()).unwrap().fingerprint(), first.fingerprint());
        assert_eq!(fs::metadata(state.key()).unwrap().permissions().mode() & 0o777, 0o600);

        let mut more = names();
        more.push("192.0.2.7".to_owned());
        let renewed = state.identity(&more).unwrap();
        assert_ne!(renewed.fingerprint(), first.fingerprint());
        assert_eq!(renewed.spki_fingerprint(), first.spki_fingerprint());
        assert!(renewed.names().contains(&"192.0.2.7".to_owned()));
    }

    #[test]
    fn a_damaged_identity_is_not_replaced_silently() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        state.identity(&names()).unwrap();
        fs::write(state.key(), "nonsense").unwrap();
        assert!(matches!(state.identity(&names()), Err(StateError::Identity { .. })));
    }
}
