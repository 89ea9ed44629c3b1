//! What does the server keep for itself, and where: identity, generated password, and the lock that makes the folder its own?

mod acme;
mod bans;
mod folder;
mod usage;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use carrack_tls::Identity;
use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

pub(crate) use acme::{AcmeFolder, Attempt};
pub(crate) use bans::BansFile;
pub(crate) use folder::make as make_durably;
use folder::{LOCK, PrivateFolder, holder_text};
pub(crate) use usage::UsageFile;

/// A self-signed certificate is renewed when it has less than this left.
const RENEW_BEFORE_END: Duration = Duration::from_secs(30 * 24 * 3600);

/// Names of a self-signed certificate. Those that are no longer needed stay in it, the latest first, and a machine that moves from
/// network to network would collect them for ever.
const NAMES_MOST: usize = 32;

/// Letters and digits of a generated password: none that are mistaken for one another, none that a shell or a URL minds. 32, so
/// that each is exactly five bits of a random byte.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The certificate of the identity made here.
const CERTIFICATE: &str = "cert.pem";
/// Its private key.
const KEY: &str = "key.pem";
/// The generated password.
const PASSWORD: &str = "password";

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
    /// It belongs to another user.
    #[error(
        "the state folder {folder} belongs to another user (uid {owner})\n  mend: run as that user, or name a folder of your own with --state DIR (`state` in the file)"
    )]
    NotOwned {
        /// The folder.
        folder: String,
        /// Whose it is.
        owner: u32,
    },
    /// It holds things that are not a server's state.
    #[error(
        "the folder {} holds other things, so it is not taken for a state folder\n  mend: name one below it, as in --state {} (`state` in the file)",
        folder.display(), folder.join("carrack").display()
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
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
    /// What was kept of ACME is damaged.
    #[error("{file} is of no use: {why}\n  mend: move it away; a new one is made or ordered then")]
    Acme {
        /// The file.
        file: String,
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

/// Makes the folder if it is not there (0700), for a client, which keeps remembered keys and journals beside what a server
/// keeps. Nothing is taken: a server may run on it. Its path without links.
///
/// # Errors
/// As [`StateFolder::open`], but that it is in use.
pub fn make_folder(path: &Path) -> Result<PathBuf, StateError> {
    let folder = PrivateFolder::open(path)?;
    // The mark of a state folder: without it a server would refuse what a client has begun.
    folder.lock_file()?;
    Ok(folder.path().to_owned())
}

/// The state folder, held by this process for as long as the value lives.
#[derive(Debug)]
pub struct StateFolder {
    folder: PrivateFolder,
    // The lock is the open file: the system takes it back however the process ends.
    lock: File,
}

impl StateFolder {
    /// Makes the folder if it is not there (0700) and takes it for this process.
    ///
    /// # Errors
    /// Another server has it, it belongs to another user, it holds other things, or the system says no.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let folder = PrivateFolder::open(path)?;
        let lock_path = folder.path().join(LOCK);
        let mut lock = folder.lock_file()?;
        if let Err(error) = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed("cannot lock", &lock_path)(error.into()));
            }
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            return Err(StateError::InUse {
                folder: folder.path().display().to_string(),
                process: holder.trim().parse().ok(),
            });
        }
        let state = Self { folder, lock };
        state.note_holder().map_err(failed("cannot write", &lock_path))?;
        Ok(state)
    }

    /// Takes the folder over from the process that holds it, by its lock.
    ///
    /// # Errors
    /// As [`StateFolder::open`], and where that is the lock of another folder.
    pub fn take_over(path: &Path, lock: OwnedFd) -> Result<Self, StateError> {
        let folder = PrivateFolder::open(path)?;
        let lock_path = folder.path().join(LOCK);
        let lock = File::from(lock);
        let system = |doing| failed(doing, &lock_path);
        let (held, there) = (lock.metadata(), folder.lock_file()?.metadata());
        let (held, there) =
            (held.map_err(system("cannot look at"))?, there.map_err(system("cannot look at"))?);
        // What is locked is the open file, which both processes hold then; another one is locked by nobody.
        if (held.dev(), held.ino()) != (there.dev(), there.ino()) {
            let why = io::Error::other("the server whose place is to be taken runs on another state folder");
            return Err(system("cannot take over")(why));
        }
        Ok(Self { folder, lock })
    }

    /// Its lock, for the process that takes over. It holds until both are closed.
    pub(crate) fn share_lock(&self) -> io::Result<OwnedFd> {
        Ok(self.lock.try_clone()?.into())
    }

    /// Writes down that this process holds it.
    pub(crate) fn note_holder(&self) -> io::Result<()> {
        self.lock.write_all_at(holder_text(std::process::id()).as_bytes(), 0)
    }

    /// The folder, without links.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate shown to clients where the configuration names none.
    pub fn certificate(&self) -> PathBuf {
        self.path().join(CERTIFICATE)
    }

    /// What is kept of certificates that are ordered by ACME.
    ///
    /// # Errors
    /// As [`StateFolder::open`].
    pub(crate) fn acme(&self) -> Result<AcmeFolder, StateError> {
        AcmeFolder::open(self.path())
    }

    /// Where bans are kept.
    ///
    /// # Errors
    /// As [`StateFolder::open`].
    pub(crate) fn bans(&self) -> Result<BansFile, StateError> {
        BansFile::open(self.path())
    }

    /// Where it is kept how full homes are.
    ///
    /// # Errors
    /// As [`StateFolder::open`].
    pub(crate) fn usage(&self) -> Result<UsageFile, StateError> {
        UsageFile::open(self.path())
    }

    /// The self-signed identity for these names: made at the first start and kept. The key stays the same for good; the
    /// certificate is made anew for it when it ends soon or a name is missing, and then has the names of the one before as well.
    ///
    /// # Errors
    /// What is there cannot be read, does not parse or cannot be written.
    pub fn identity(&self, names: &[String]) -> Result<Identity, StateError> {
        let damaged = |why: String| StateError::Identity { folder: self.path().display().to_string(), why };
        let parsed = |certificate: &[u8], key: &[u8]| {
            Identity::from_pem(certificate, key).map_err(|error| damaged(error.to_string()))
        };
        let Some(key) = self.folder.read(KEY)? else {
            let made = Identity::self_signed(names).map_err(|error| damaged(error.to_string()))?;
            // The key goes first: a certificate without its key could never be used or renewed.
            self.folder.write(KEY, made.key_pem.as_bytes())?;
            self.folder.write(CERTIFICATE, made.certificate_pem.as_bytes())?;
            return parsed(made.certificate_pem.as_bytes(), made.key_pem.as_bytes());
        };
        let kept = match self.folder.read(CERTIFICATE)? {
            Some(certificate) => Some(parsed(&certificate, &key)?),
            None => None,
        };
        let old_names = kept.as_ref().map(Identity::names).unwrap_or_default();
        let all_names = merged(names, old_names);
        if let Some(kept) = kept.filter(|kept| serves(kept, names)) {
            return Ok(kept);
        }
        let key_pem = std::str::from_utf8(&key).map_err(|_| damaged("the key is not text".to_owned()))?;
        let renewed =
            Identity::renew_self_signed(&all_names, key_pem).map_err(|error| damaged(error.to_string()))?;
        self.folder.write(CERTIFICATE, renewed.as_bytes())?;
        parsed(renewed.as_bytes(), &key)
    }

    /// The password of a server that was given none: generated at the first start and kept, so that commands that were pasted into scripts
    /// go on working.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn password(&self) -> Result<Zeroizing<String>, StateError> {
        let path = self.path().join(PASSWORD);
        if let Some(bytes) = self.folder.read(PASSWORD)? {
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| failed("cannot read", &path)(io::Error::other("it is not UTF-8")))?;
            if !text.trim().is_empty() {
                return Ok(Zeroizing::new(text.trim().to_owned()));
            }
        }
        let password = generate_password().map_err(failed("cannot generate", &path))?;
        self.folder.write(PASSWORD, Zeroizing::new(format!("{}\n", *password)).as_bytes())?;
        Ok(password)
    }
}

/// Whether a certificate has all names and time left.
fn serves(identity: &Identity, names: &[String]) -> bool {
    let lasts = identity.not_after() > SystemTime::now() + RENEW_BEFORE_END;
    lasts && names.iter().all(|name| identity.names().contains(name))
}

/// The names that are needed, and then those of the certificate before, as far as there is room.
fn merged(needed: &[String], old: &[String]) -> Vec<String> {
    let mut names = needed.to_vec();
    for name in old {
        if names.len() < NAMES_MOST && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
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
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

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
    fn clients_and_one_server_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("carrack");
        assert_eq!(make_folder(&path).unwrap(), path.canonicalize().unwrap());
        fs::write(path.join("known_servers"), "").unwrap();
        let held = StateFolder::open(&path).unwrap();
        make_folder(&path).unwrap();
        drop(held);
        fs::write(dir.path().join("letter.txt"), "").unwrap();
        assert!(matches!(make_folder(dir.path()), Err(StateError::Foreign { .. })));
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
        assert_eq!(fs::metadata(state.path().join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);

        let mut more = names();
        more.push("192.0.2.7".to_owned());
        let renewed = state.identity(&more).unwrap();
        assert_ne!(renewed.fingerprint(), first.fingerprint());
        assert_eq!(renewed.spki_fingerprint(), first.spki_fingerprint());
        assert!(renewed.names().contains(&"192.0.2.7".to_owned()));
    }

    #[test]
    fn names_stay_in_the_certificate_when_others_come() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        let at = |ip: &str| [names(), vec![ip.to_owned()]].concat();
        state.identity(&at("192.0.2.7")).unwrap();
        let both = state.identity(&at("192.0.2.8")).unwrap();
        assert_eq!(both.names(), ["localhost", "127.0.0.1", "192.0.2.8", "192.0.2.7"]);
        // Back at the first address, or with none, nobody has to copy the certificate again.
        for names in [at("192.0.2.7"), at("192.0.2.8"), names()] {
            assert_eq!(state.identity(&names).unwrap().fingerprint(), both.fingerprint());
        }
    }

    #[test]
    fn a_certificate_does_not_collect_names_for_ever() {
        let old: Vec<_> = (0..NAMES_MOST).map(|n| format!("192.0.2.{n}")).collect();
        let all = merged(&names(), &old);
        assert_eq!((all.len(), &all[..2]), (NAMES_MOST, &names()[..]));
        assert!(all.contains(&old[0]) && !all.contains(&old[NAMES_MOST - 1]));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        // A link that leads nowhere looks like no file to whoever follows it, and so does a folder that may not be entered.
        symlink("/nowhere/key.pem", state.path().join(KEY)).unwrap();
        assert!(matches!(state.identity(&names()), Err(StateError::Io { .. })));
        assert!(fs::symlink_metadata(state.path().join(KEY)).unwrap().is_symlink());
        assert!(!state.certificate().exists());
    }

    #[test]
    fn a_damaged_identity_is_not_replaced_silently() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        state.identity(&names()).unwrap();
        fs::write(state.path().join(KEY), "nonsense").unwrap();
        assert!(matches!(state.identity(&names()), Err(StateError::Identity { .. })));
    }
}
