//! How is the file of known servers read, locked and replaced whole?

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use super::{Known, KnownError, line};

/// What stands at the head of the file, for whoever opens it.
const HEAD: &str = "# Servers whose keys were agreed on; written by `carrack trust`. One server a line.\n";

/// Rights of the files made here.
const PRIVATE: u32 = 0o600;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KnownError {
    move |source| KnownError::Io { doing, path: path.to_owned(), source }
}

/// The servers in the file; none where there is no file.
pub(super) fn read(path: &Path) -> Result<Vec<Known>, KnownError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("cannot open", path)(error)),
    };
    check(&file, path)?;
    parse(&io::read_to_string(file).map_err(failed("cannot read", path))?, path)
}

/// The servers in the text of the file at `path`.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Vec<Known>, KnownError> {
    let mut servers: Vec<Known> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let wrong = |why| KnownError::Line { path: path.to_owned(), line: index + 1, why };
        let known = line::parse(text).map_err(wrong)?;
        if servers.iter().any(|other| other.is(&known.host, known.port)) {
            return Err(wrong("the server stands in it twice".to_owned()));
        }
        servers.push(known);
    }
    Ok(servers)
}

/// SECURITY: whoever may write this file decides whom we trust.
fn check(file: &File, path: &Path) -> Result<(), KnownError> {
    let metadata = file.metadata().map_err(failed("cannot look at", path))?;
    let exposed = |why, mend| Err(KnownError::Exposed { path: path.to_owned(), why, mend });
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() && owner != 0 {
        return exposed(
            "belongs to another user",
            format!("take it over with `chown $USER '{}'`", path.display()),
        );
    }
    if metadata.mode() & 0o022 != 0 {
        return exposed("can be written by other users", format!("`chmod 600 '{}'`", path.display()));
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn create(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.write(true).mode(PRIVATE).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path)
}

/// Waits until no other program changes the file; the lock ends with the value. It is a file of its own, because the one
/// that is protected is replaced.
pub(super) fn lock(path: &Path) -> Result<File, KnownError> {
    let path = beside(path, ".lock");
    let lock = create(&path, OpenOptions::new().create(true)).map_err(failed("cannot make", &path))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)
        .map_err(|errno| failed("cannot lock", &path)(errno.into()))?;
    Ok(lock)
}

/// Replaces the file, whole or not at all.
pub(super) fn write(path: &Path, servers: &[Known]) -> Result<(), KnownError> {
    let unfinished = beside(path, ".new");
    let replace = || -> io::Result<()> {
        let text = format(servers)?;
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(&unfinished, OpenOptions::new().create_new(true))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    replace().map_err(failed("cannot write", path))
}

/// The text of the file.
pub(crate) fn format(servers: &[Known]) -> io::Result<String> {
    let mut text = HEAD.to_owned();
    for known in servers {
        text.push_str(&line::format(known)?);
        text.push('\n');
    }
    Ok(text)
}
