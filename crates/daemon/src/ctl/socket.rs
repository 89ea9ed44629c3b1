//! Where does the control socket lie, and who may come to it?

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};

/// The socket in the state folder.
const NAME: &str = "ctl.sock";

/// The longest path that a socket address holds for sure (unix(7): 108 bytes with the NUL).
const LONGEST: usize = 107;

/// The control socket of this process; it is gone with the value.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is: another process may have put its own there meanwhile.
    inode: u64,
    /// Whether the file goes with the value.
    is_ours: Arc<AtomicBool>,
}

impl ControlSocket {
    /// Listens in this state folder, which the caller holds: a socket that lies there is a dead one's.
    ///
    /// # Errors
    /// The system says no.
    pub(crate) fn bind(state: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        // Under a name of its own first, so that nobody meets it before it is protected, and none is ever missing.
        let (path, unfinished) = (state.join(NAME), state.join(format!("{NAME}.new")));
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (address, _held) = short(&unfinished)?;
        let listener = UnixListener::bind(address)?;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600))?;
        let inode = fs::symlink_metadata(&unfinished)?.ino();
        fs::rename(&unfinished, &path)?;
        Ok(Self { listener, path, inode, is_ours: Arc::new(AtomicBool::new(true)) })
    }

    /// The one that another process has made, which hands it over.
    ///
    /// # Errors
    /// The system says no.
    pub(crate) fn over(listener: std::os::unix::net::UnixListener, state: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        listener.set_nonblocking(true)?;
        let (listener, path) = (UnixListener::from_std(listener)?, state.join(NAME));
        let inode = fs::symlink_metadata(&path)?.ino();
        // It is the other one's until that has gone.
        Ok(Self { listener, path, inode, is_ours: Arc::default() })
    }

    /// The same socket once more, for another process.
    ///
    /// # Errors
    /// The process has as many file descriptors as it may.
    pub(crate) fn share(&self) -> io::Result<std::os::unix::net::UnixListener> {
        Ok(self.listener.as_fd().try_clone_to_owned()?.into())
    }

    /// By which is said whether the file is this process's.
    pub(crate) fn ownership(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_ours)
    }

    /// The next who may ask: root, or the user that the server runs as. Cancellation safe.
    pub(crate) async fn accept(&self) -> UnixStream {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: it is tried again, and sessions come first.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            // SECURITY: the folder and the file are closed to others already; this holds where somebody has opened them.
            let ours = rustix::process::geteuid().as_raw();
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == ours || peer.uid() == 0 => return stream,
                Ok(peer) => tracing::warn!(target: "carrack", uid = peer.uid(), "control_refused"),
                Err(_) => {}
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        use std::os::unix::fs::MetadataExt;
        if self.is_ours.load(Ordering::Relaxed)
            && fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the socket of this state folder lies.
pub(crate) fn of_state(state: &Path) -> PathBuf {
    state.join(NAME)
}

/// The path as a socket address can hold it, with the folder that it may go by.
pub(super) fn short(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= LONGEST {
        return Ok((path.to_owned(), None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(folder, flags, Mode::empty())?;
    Ok((Path::new("/proc/self/fd").join(held.as_raw_fd().to_string()).join(name), Some(held)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_for_its_user_alone_at_the_end_of_any_path_and_replaces_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("x".repeat(200));
        fs::create_dir(&state).unwrap();
        let dead = ControlSocket::bind(&state).unwrap();
        let socket = ControlSocket::bind(&state).unwrap();
        // Who comes later has the name, and keeps it.
        drop(dead);
        let path = of_state(&state);
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (address, _held) = short(&path).unwrap();
        let (asked, _accepted) = tokio::join!(UnixStream::connect(address), socket.accept());
        asked.unwrap();
        drop(socket);
        assert!(!path.exists());
    }
}
