//! How is the state folder made this user's own, and how are its files read and written?
//!
//! Everything is done relative to a handle of the folder, and no symbolic link in it is followed: whoever could put one there would choose
//! which file is read, or written over.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{StateError, failed};

/// The file whose lock makes the folder one server's own. It holds a process id, and tells a state folder from any other.
pub(super) const LOCK: &str = "lock";

/// The longest content of [`LOCK`]: ten digits and a line end.
const LOCK_BYTES: usize = 11;

/// What [`LOCK`] holds: always as many bytes, so that a disk writes all or none of them.
pub(super) fn holder_text(process: u32) -> String {
    format!("{process:<10}\n")
}

/// Rights of every file here.
const PRIVATE: u32 = 0o600;

/// A folder of this user that nobody else may look into.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    path: PathBuf,
    dir: OwnedFd,
}

impl PrivateFolder {
    /// Makes the folder if it is not there (0700), and narrows it where it is certain to be a state folder.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let made = make(path).map_err(failed("cannot make", path))?;
        let path = fs::canonicalize(path).map_err(failed("cannot open", path))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let system = |doing: &'static str| {
            let failed = failed(doing, &path);
            move |errno: Errno| failed(errno.into())
        };
        let dir = rustix::fs::open(&path, flags, Mode::empty()).map_err(system("cannot open"))?;
        let stat = rustix::fs::fstat(&dir).map_err(system("cannot look at"))?;
        // SECURITY: what another user's folder holds, that user may change; and root must not take over a folder of the system.
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(StateError::NotOwned { folder: path.display().to_string(), owner: stat.st_uid });
        }
        let folder = Self { path, dir };
        if !made && !folder.is_empty()? && !folder.holds_our_lock()? {
            return Err(StateError::Foreign { folder: folder.path });
        }
        // SECURITY: keys and a password lie here; a folder that somebody made with wider rights is narrowed, not trusted.
        rustix::fs::fchmod(&folder.dir, Mode::RWXU)
            .map_err(|errno| failed("cannot protect", &folder.path)(errno.into()))?;
        Ok(folder)
    }

    /// The folder, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn is_empty(&self) -> Result<bool, StateError> {
        let failed = |errno: Errno| failed("cannot list", &self.path)(errno.into());
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            // A file system of its own has `lost+found` from the first day on.
            if !matches!(entry.map_err(failed)?.file_name().to_bytes(), b"." | b".." | b"lost+found") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds_our_lock(&self) -> Result<bool, StateError> {
        let stat = match rustix::fs::statat(&self.dir, LOCK, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(failed("cannot look at", &self.path.join(LOCK))(errno.into())),
        };
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        let short = usize::try_from(stat.st_size).is_ok_and(|size| size <= LOCK_BYTES);
        if !regular || !short || stat.st_uid != rustix::process::geteuid().as_raw() {
            return Ok(false);
        }
        // Empty: its server was cut off between making and writing it. Zeros: so was the power, in the days when it was not made whole.
        let text = self.read(LOCK)?.unwrap_or_default();
        Ok(text.trim_ascii().iter().all(|byte| byte.is_ascii_digit() || *byte == 0))
    }

    /// The lock file, made if it is not there: whole, and on the disk before anything else is here. What a power cut leaves of the first
    /// start would else be a folder that holds other things.
    pub(super) fn lock_file(&self) -> Result<File, StateError> {
        self.open_or_make_lock().map_err(failed("cannot open", &self.path.join(LOCK)))
    }

    fn open_or_make_lock(&self) -> io::Result<File> {
        match self.open_file(LOCK, OFlags::RDWR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // Where the file system knows no files without a name it is made under its own.
        if let Ok(unnamed) = rustix::fs::openat(&self.dir, c".", flags, Mode::from_raw_mode(PRIVATE)) {
            let mut unnamed = File::from(unnamed);
            unnamed.write_all(holder_text(0).as_bytes())?;
            unnamed.sync_all()?;
            let path = format!("/proc/self/fd/{}", unnamed.as_raw_fd());
            // Another process may have been quicker; its lock is as good.
            let _ = rustix::fs::linkat(rustix::fs::CWD, path, &self.dir, LOCK, AtFlags::SYMLINK_FOLLOW);
        }
        let file = self.open_file(LOCK, OFlags::RDWR | OFlags::CREATE)?;
        rustix::fs::fsync(&self.dir)?;
        Ok(file)
    }

    /// What a file holds; `None` only where there is none: one that cannot be read is an error.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        let path = self.path.join(name);
        let mut file = match self.open_file(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot open", &path)(error)),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(failed("cannot read", &path))?;
        Ok(Some(bytes))
    }

    /// Writes a file that only this user may read (0600), whole or not at all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let unfinished = format!("{name}.new");
        let write = || -> io::Result<()> {
            match rustix::fs::unlinkat(&self.dir, &unfinished, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut file = self.open_file(&unfinished, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            rustix::fs::renameat(&self.dir, &unfinished, &self.dir, name)?;
            rustix::fs::fsync(&self.dir)?;
            Ok(())
        };
        write().map_err(failed("cannot write", &self.path.join(name)))
    }

    /// Opens a regular file of the folder. A FIFO put in its place does not hold up the start.
    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, name, flags, Mode::from_raw_mode(PRIVATE)) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) => {
                return Err(io::Error::other("it is a symbolic link; none is followed here"));
            }
            Err(errno) => return Err(errno.into()),
        };
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
    }
}

/// Makes the folder and those above it, all of this user alone (0700), so that a power cut takes none of them away again; false where
/// it was there already.
pub(crate) fn make(path: &Path) -> io::Result<bool> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    let parent = path.parent().map(|parent| if parent == Path::new("") { Path::new(".") } else { parent });
    let mut made = builder.create(path);
    if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        && let Some(parent) = parent
    {
        make(parent)?;
        made = builder.create(path);
    }
    match made {
        Ok(()) => {
            match parent.map(File::open) {
                Some(Ok(parent)) => parent.sync_all()?,
                // One that may be gone through and not be read cannot be synced, either.
                Some(Err(error)) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                Some(Err(_)) | None => {}
            }
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = if rustix::process::geteuid().is_root() {
            set_mode(dir.path(), 0o755);
            chown(dir.path(), Some(1), None).unwrap();
            dir.path()
        } else {
            Path::new("/usr")
        };
        let error = PrivateFolder::open(theirs).unwrap_err();
        assert!(matches!(error, StateError::NotOwned { .. }), "{error}");
        assert!(error.to_string().contains("\n  mend: "), "{error}");
        assert_eq!(mode(theirs), 0o755);
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        fs::write(dir.path().join("letter.txt"), "").unwrap();
        let error = PrivateFolder::open(dir.path()).unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains("/carrack"), "the mend names a folder below it: {error}");
        assert_eq!(mode(dir.path()), 0o755);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_of_another_program_does_not_make_it_ours() {
        let ours = |make: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("letter.txt"), "").unwrap();
            make(&dir.path().join(LOCK));
            PrivateFolder::open(dir.path()).is_ok()
        };
        assert!(ours(&|lock| fs::write(lock, "4711\n").unwrap()));
        assert!(ours(&|lock| fs::write(lock, "").unwrap()));
        assert!(ours(&|lock| fs::write(lock, holder_text(u32::MAX)).unwrap()));
        assert!(ours(&|lock| fs::write(lock, "47\0\0\0").unwrap()));
        assert!(!ours(&|lock| fs::write(lock, "held by dpkg").unwrap()));
        assert!(!ours(&|lock| fs::create_dir(lock).unwrap()));
        assert!(!ours(&|lock| symlink("letter.txt", lock).unwrap()));
    }

    #[test]
    fn a_folder_that_is_ours_is_narrowed() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("a/b")] {
            PrivateFolder::open(&path).unwrap();
            assert_eq!(mode(&path), 0o700);
            PrivateFolder::open(&path).unwrap().lock_file().unwrap();
            set_mode(&path, 0o755);
            PrivateFolder::open(&path).unwrap();
            assert_eq!(mode(&path), 0o700);
        }
    }

    #[test]
    fn files_are_private_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::open(&dir.path().join("state")).unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "theirs").unwrap();
        for name in ["secret", "secret.new", LOCK] {
            symlink(&outside, folder.path().join(name)).unwrap();
        }
        assert!(folder.read("secret").unwrap_err().to_string().contains("symbolic link"));
        assert!(folder.lock_file().is_err());
        folder.write("secret", b"ours").unwrap();
        assert_eq!(folder.read("secret").unwrap().unwrap().as_slice(), b"ours");
        assert_eq!(mode(&folder.path().join("secret")), 0o600);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
        assert!(folder.read("nothing").unwrap().is_none());
    }
}
