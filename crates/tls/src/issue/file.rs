//! How does a file come to be whole or not at all, and unread by others from its first byte?

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Creates a file that is not there yet, durably. `mode` says who may read it: `0o600` for a key.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where it is there, and what the system says.
pub fn create(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let new = written(path, mode, bytes)?;
    // SECURITY: never over a key that may be the only one.
    let outcome = renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE).map_err(io::Error::from);
    finished(path, &new, outcome)
}

/// Puts a file in the place of one that may be there, durably: a reader, and whoever comes after a crash, finds the old one
/// or the new one.
///
/// # Errors
/// What the system says; the old file is untouched then.
pub fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let new = written(path, mode, bytes)?;
    let outcome = fs::rename(&new, path);
    finished(path, &new, outcome)
}

/// Writes and syncs the bytes beside the path.
fn written(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<PathBuf> {
    let new = beside(path)?;
    // What a crash has left.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // SECURITY: a file of our own that nobody else may read, from the moment it is there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    let outcome = file.write_all(bytes).and_then(|()| file.sync_all());
    if outcome.is_err() {
        let _ = fs::remove_file(&new);
    }
    outcome.map(|()| new)
}

fn finished(path: &Path, new: &Path, outcome: io::Result<()>) -> io::Result<()> {
    if outcome.is_err() {
        let _ = fs::remove_file(new);
    }
    outcome?;
    File::open(folder(path))?.sync_all()
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    Ok(path.with_file_name(hidden))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_created_once_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        // What a crash has left is no hindrance, and lends its mode to nobody.
        let left = dir.path().join(".key.pem.new");
        fs::write(&left, "half a k").unwrap();
        create(&path, 0o600, b"one").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode()), (&b"one"[..], 0o600));
        let error = create(&path, 0o600, b"two").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, 0o644, b"three").unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode()), (&b"three"[..], 0o644));
        assert!(!left.exists());
        assert!(create(&dir.path().join("nowhere/key.pem"), 0o600, b"x").is_err());
        assert!(create(Path::new("/"), 0o600, b"x").is_err());
    }
}
