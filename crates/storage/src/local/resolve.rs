//! How does a path reach the operating system? Beneath the root handle, resolved by the kernel in one step.
//!
//! Every open is an `openat2` with `RESOLVE_BENEATH`: the kernel follows symbolic links and refuses those that lead
//! out, whatever is renamed meanwhile. What changes a folder is done relative to a handle of that folder, so no
//! path is ever looked at first and used later. Needs Linux 5.6 and `/proc`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::{Name, RESERVED_PREFIX, VirtualPath};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::Links;
use super::at_once::AtOnce;
use super::errno::{failed, unresolved};
use super::stat::same_file;

/// How often a resolution is tried again that the kernel gave up because something was renamed meanwhile.
const RESOLVE_ATTEMPTS: u32 = 32;

/// A way without turns.
const PLAIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);

/// What is asked of every file: what listings show.
const ASKED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// The folder that everything lies beneath.
pub(super) struct Root {
    dir: OwnedFd,
    links: Links,
    /// Folders that no path reaches, relative to the root, without slashes at the ends.
    excluded: Vec<Vec<u8>>,
    /// What those folders, and the excluded ones elsewhere, are: a bind mount gives them other paths.
    forbidden: Vec<Statx>,
}

/// A name in a folder that is held open. What is done to it cannot be led elsewhere any more.
pub(super) struct Slot {
    /// The folder.
    pub(super) dir: OwnedFd,
    /// The name in it.
    pub(super) name: Name,
}

impl Root {
    pub(super) fn open(path: &Path, links: Links, excluded: &[impl AsRef<Path>]) -> std::io::Result<Root> {
        let dir = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // Fails at once, and clearly, where the kernel is too old or /proc is not there.
        beneath(dir.as_fd(), b".", OFlags::PATH, links)?;
        let location = location(&dir)?;
        let mut root = Root { dir, links, excluded: Vec::new(), forbidden: Vec::new() };
        for folder in excluded {
            let handle = rustix::fs::open(folder.as_ref(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            root.forbidden.push(fstat(&handle)?);
            let folder = self::location(&handle)?;
            match relative(&location, &folder) {
                Some(inside) if !inside.is_empty() => root.excluded.push(inside.to_vec()),
                _ if relative(&folder, &location).is_some() => {
                    let why = "the root lies in a folder that no path may reach";
                    return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
                }
                _ => {}
            }
        }
        Ok(root)
    }

    /// Whether files beneath it may be opened on event threads.
    pub(super) fn at_once(&self) -> AtOnce {
        AtOnce::beneath(&self.dir)
    }

    /// A handle of what is there, symbolic links followed. It is not opened: no FIFO and no device notices.
    pub(super) fn handle(&self, path: &VirtualPath) -> Result<OwnedFd> {
        self.reach(path, OFlags::PATH)
    }

    /// The same; `None` where there is certainly nothing, not even a link that leads nowhere.
    pub(super) fn handle_if_any(&self, path: &VirtualPath) -> Result<Option<OwnedFd>> {
        self.reach_if_any(path, OFlags::PATH)
    }

    /// A handle, where the kernel knows the way without asking a disk or another machine, and it is a
    /// [plain](Self::plainly) one.
    pub(super) fn handle_at_once(&self, path: &VirtualPath) -> Option<OwnedFd> {
        self.plainly(path, OFlags::PATH, ResolveFlags::CACHED)?.ok()
    }

    /// An open folder, symbolic links followed.
    pub(super) fn directory(&self, path: &VirtualPath) -> Result<OwnedFd> {
        self.reach(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The last name of `path` in its folder; a symbolic link of that name is not followed.
    pub(super) fn slot(&self, path: &VirtualPath) -> Result<Slot> {
        self.slot_and_found(path).map(|(slot, _)| slot)
    }

    /// The same, and what stands under the name.
    pub(super) fn slot_and_found(&self, path: &VirtualPath) -> Result<(Slot, Option<Statx>)> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let slot = Slot { dir: self.directory(&parent)?, name };
        let found = slot.lstat()?;
        self.check_slot(&slot, found.as_ref())?;
        Ok((slot, found))
    }

    /// Like [`slot`](Root::slot), but of what a symbolic link of that name leads to, which must be there. With what stands
    /// under the name.
    pub(super) fn slot_of_target(&self, path: &VirtualPath) -> Result<(Slot, Option<Statx>)> {
        let (slot, found) = self.slot_and_found(path)?;
        if !found.as_ref().is_some_and(is_link) {
            return Ok((slot, found));
        }
        let target = self.handle(path)?;
        let location = location(&target).map_err(failed)?;
        let inside = self.inside(&location)?;
        let path = VirtualPath::parse(&[b"/", inside.as_slice()].concat())?;
        // Somebody may have moved the target since it was asked where it is.
        let (slot, Some(named)) = self.slot_and_found(&path)? else {
            return Err(ErrorKind::NotFound.into());
        };
        if !same_file(&named, &fstat(&target).map_err(failed)?) {
            return Err(ErrorKind::Interrupted.into());
        }
        Ok((slot, Some(named)))
    }

    /// An absolute path relative to the root, which may itself have been moved.
    pub(super) fn inside(&self, location: &[u8]) -> Result<Vec<u8>> {
        let root = self::location(&self.dir).map_err(failed)?;
        relative(&root, location).map(<[u8]>::to_vec).ok_or_else(|| ErrorKind::Forbidden.into())
    }

    fn reach(&self, path: &VirtualPath, flags: OFlags) -> Result<OwnedFd> {
        self.reach_if_any(path, flags)?.ok_or_else(|| unresolved(Errno::NOENT))
    }

    fn reach_if_any(&self, path: &VirtualPath, flags: OFlags) -> Result<Option<OwnedFd>> {
        match self.plainly(path, flags, ResolveFlags::empty()) {
            Some(Ok(reached)) => return Ok(Some(reached)),
            // Nothing that is winding lies before the end of the way.
            Some(Err(Errno::NOENT)) => return Ok(None),
            Some(Err(_)) | None => {}
        }
        let reached = beneath(self.dir.as_fd(), inside_of(path), flags, self.links).map_err(unresolved)?;
        self.check_reachable(&reached)?;
        Ok(Some(reached))
    }

    /// Opens a path that lies where its text says: no symbolic link on the way, none at its end, and no other mount. `None`
    /// where an excluded folder lies beneath the root, so that more has to be looked at.
    //
    // SECURITY: the kernel vouches for that, so what is reached is no partial (no path names one), and no excluded folder:
    // none lies beneath the root, and one that was mounted there would be another mount.
    fn plainly(
        &self,
        path: &VirtualPath,
        flags: OFlags,
        also: ResolveFlags,
    ) -> Option<rustix::io::Result<OwnedFd>> {
        if !self.excluded.is_empty() {
            return None;
        }
        let (dir, resolve) = (self.dir.as_fd(), PLAIN | also);
        Some(rustix::fs::openat2(dir, inside_of(path), flags | OFlags::CLOEXEC, Mode::empty(), resolve))
    }

    /// Refuses unfinished uploads and what lies in an excluded folder, by whichever links it was reached.
    fn check_reachable(&self, handle: &OwnedFd) -> Result<()> {
        let location = location(handle).map_err(failed)?;
        // SECURITY: no path names a partial, but a link may lead to one.
        if location.rsplit(|&byte| byte == b'/').next().is_some_and(|name| name.starts_with(RESERVED_PREFIX))
            && location != self::location(&self.dir).map_err(failed)?
        {
            return Err(ErrorKind::NotFound.into());
        }
        self.check_location(&location)
    }

    /// The names in this folder that are excluded folders.
    pub(super) fn hidden_in(&self, dir: &OwnedFd) -> Result<Vec<Vec<u8>>> {
        if self.excluded.is_empty() {
            return Ok(Vec::new());
        }
        let inside = self.inside(&location(dir).map_err(failed)?)?;
        let names = self.excluded.iter().filter_map(|folder| {
            let name = if inside.is_empty() { folder } else { relative(&inside, folder)? };
            (!name.contains(&b'/')).then(|| name.to_vec())
        });
        Ok(names.collect())
    }

    /// Refuses a name that is an excluded folder, in a folder that is none and lies in none.
    fn check_slot(&self, slot: &Slot, found: Option<&Statx>) -> Result<()> {
        match found {
            _ if !self.excluded.is_empty() => self.check_location(&slot.location()?),
            Some(found) if self.is_forbidden(found) => Err(ErrorKind::NotFound.into()),
            _ => Ok(()),
        }
    }

    fn is_forbidden(&self, found: &Statx) -> bool {
        self.forbidden.iter().any(|one| same_file(one, found))
    }

    /// Refuses an absolute path that is, or lies in, an excluded folder.
    //
    // SECURITY: the kernel is asked where the handle is; the text of the path proves nothing.
    fn check_location(&self, location: &[u8]) -> Result<()> {
        if self.forbidden.is_empty() {
            return Ok(());
        }
        let inside = self.inside(location)?;
        if self.excluded.iter().any(|folder| relative(folder, &inside).is_some()) {
            return Err(ErrorKind::NotFound.into());
        }
        self.check_mounts(&inside)
    }

    /// Refuses an excluded folder that was mounted at another place beneath the root, and what lies beneath that.
    /// (A folder inside of an excluded one that is mounted elsewhere is its mounter's to answer for.)
    fn check_mounts(&self, inside: &[u8]) -> Result<()> {
        let ends = inside.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(end, _)| end);
        for end in ends.chain([inside.len()]) {
            let Some(folder) = inside.get(..end).filter(|folder| !folder.is_empty()) else { continue };
            let found = lstat(&self.dir, folder);
            if found.is_ok_and(|found| self.is_forbidden(&found)) {
                return Err(ErrorKind::NotFound.into());
            }
        }
        Ok(())
    }

    /// Refuses a folder that contains an excluded one, for operations that would move it.
    pub(super) fn check_movable(&self, slot: &Slot) -> Result<()> {
        if self.excluded.is_empty() {
            return Ok(());
        }
        let inside = self.inside(&slot.location()?)?;
        if self.excluded.iter().any(|folder| relative(&inside, folder).is_some()) {
            return Err(ErrorKind::Forbidden.into());
        }
        Ok(())
    }
}

impl Slot {
    /// The absolute path of the name, symbolic links resolved.
    pub(super) fn location(&self) -> Result<Vec<u8>> {
        Ok(join(&location(&self.dir).map_err(failed)?, self.name.as_bytes()))
    }

    /// What stands under the name, a symbolic link being one.
    pub(super) fn lstat(&self) -> Result<Option<Statx>> {
        match lstat(&self.dir, self.name.as_bytes()) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }
}

/// A path relative to the root.
fn inside_of(path: &VirtualPath) -> &[u8] {
    path.as_bytes().strip_prefix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(b".")
}

/// Opens `path` beneath `dir`, following links that stay beneath it, or none.
fn beneath(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, links: Links) -> rustix::io::Result<OwnedFd> {
    let resolve = match links {
        Links::Follow => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        Links::Refuse => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS,
    };
    let mut outcome = Err(Errno::AGAIN);
    for _ in 0..RESOLVE_ATTEMPTS {
        outcome = rustix::fs::openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
        if !matches!(outcome, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    outcome
}

/// Opens, for reading or writing, the very file that a handle stands for.
pub(super) fn reopen(handle: &OwnedFd, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, proc_path(handle), flags | OFlags::CLOEXEC, Mode::empty())
}

/// The absolute path of what a handle stands for, as the kernel has it now.
pub(super) fn location(handle: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    rustix::fs::readlinkat(CWD, proc_path(handle), Vec::new()).map(|path| path.into_bytes())
}

/// A path that leads to what a handle stands for, and to nothing else.
pub(super) fn proc_path(handle: impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd())
}

/// What a name in a folder is, links not followed.
pub(super) fn lstat(dir: impl AsFd, name: impl Arg) -> rustix::io::Result<Statx> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(dir, name, flags, ASKED)
}

/// What a handle stands for.
pub(super) fn fstat(handle: impl AsFd) -> rustix::io::Result<Statx> {
    rustix::fs::statx(handle, c"", AtFlags::EMPTY_PATH, ASKED)
}

fn is_link(found: &Statx) -> bool {
    rustix::fs::FileType::from_raw_mode(found.stx_mode.into()) == rustix::fs::FileType::Symlink
}

/// `path` without `folder` and the slash behind it, where it is the folder or lies beneath it.
fn relative<'a>(folder: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// A name behind an absolute folder.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    [folder, b"/", name].concat()
}

/// Folder and name of an absolute path from the index.
pub(super) fn split_indexed(path: &[u8]) -> Result<(&[u8], &[u8])> {
    let slash = path.iter().rposition(|&byte| byte == b'/').ok_or(ErrorKind::InvalidName)?;
    let (folder, name) = path.split_at_checked(slash).ok_or(ErrorKind::InvalidName)?;
    let name = name.strip_prefix(b"/").ok_or(ErrorKind::InvalidName)?;
    Ok((if folder.is_empty() { b"/" } else { folder }, name))
}

/// A folder that the index names, resolved without any link; `None` where it is gone.
pub(super) fn indexed_folder(path: &[u8]) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(unresolved(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_of_whole_names() {
        assert_eq!(relative(b"/srv", b"/srv/a/b"), Some(b"a/b".as_slice()));
        assert_eq!(relative(b"/srv", b"/srv"), Some(b"".as_slice()));
        assert_eq!(relative(b"/srv", b"/srvx"), None);
        assert_eq!(relative(b"/", b"/a"), Some(b"a".as_slice()));
        assert_eq!(join(b"/", b"a"), b"/a");
    }
}
