//! How does a file appear whole or not at all? Written beside its target and renamed over it.
//!
//! Nothing is made, cut or copied before the first byte, or the end of an upload that had a data connection: a
//! client that never comes back after its `150` leaves no trace.

use std::fs::File;
use std::io::IoSlice;
use std::sync::Arc;

use carrack_core::backend::{Kept, Kind, Partial, Replacing, Version, WriteFile};
use carrack_core::error::{Error, ErrorKind, Result};
use carrack_core::limits::quota::Growth;
use rustix::fs::{Access, AtFlags, CWD, Gid, Mode, OFlags, Statx, Uid};
use rustix::io::Errno;

use super::appender::Appender;
use super::copying::Copying;
use crate::local::Shared;
use crate::local::errno::{failed, io};
use crate::local::partial::{Found, lock_existing, lock_new, partial_name};
use crate::local::quota::fits;
use crate::local::resolve::{Slot, fstat, proc_path};
use crate::local::stat::{kind, version};

/// An upload into a partial. Its lock goes with the open file.
pub(super) struct AtomicWrite {
    shared: Arc<Shared>,
    /// The target.
    slot: Slot,
    owner: String,
    /// The partial's name in the target's folder.
    partial: Vec<u8>,
    replacing: Replacing,
    stage: Stage,
    /// The failure after which the partial's bytes are not known.
    broken: Option<ErrorKind>,
    /// That the index failed: no reason to refuse an upload.
    trouble: Option<Error>,
}

enum Stage {
    /// Everything is as it was.
    Due(Due),
    /// The partial gets its first bytes from the target.
    Copying(File, Copying),
    /// The client's bytes follow.
    Open(Appender),
    /// The partial has the target's name.
    Published,
}

/// What the first byte brings about.
struct Due {
    /// The partial that was there; one is made else.
    held: Option<File>,
    /// How many of its bytes stay, and how many of them are on the disk for certain.
    keeps: u64,
    settled: u64,
    /// Whether the upload goes on with it.
    resumes: bool,
    copying: Option<Copying>,
    /// What the partial's bytes count with, where they are counted.
    growth: Option<Growth>,
}

impl AtomicWrite {
    /// With nothing. A partial that is there is emptied when the first byte comes, or when the upload ends.
    pub(super) fn begin(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
    ) -> Result<AtomicWrite> {
        AtomicWrite::new(shared, slot, owner, replacing, None)
    }

    /// With the first bytes of the target.
    pub(super) fn copy(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
        first: u64,
    ) -> Result<AtomicWrite> {
        let copying = Copying::of(&slot, first)?;
        AtomicWrite::new(shared, slot, owner, replacing, Some(copying))
    }

    fn new(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
        copying: Option<Copying>,
    ) -> Result<AtomicWrite> {
        let partial = partial_name(owner, &slot.name);
        let held = match lock_existing(&slot.dir, &partial)? {
            Found::Ours(file) => Some(file),
            Found::Nothing | Found::Foreign => {
                check_writable(&slot)?;
                None
            }
        };
        narrow(held.as_ref(), &slot)?;
        let growth = growth(&shared, held.as_ref(), &slot)?;
        let stage = Stage::Due(Due { held, keeps: 0, settled: 0, resumes: false, copying, growth });
        let owner = owner.to_owned();
        Ok(AtomicWrite { shared, slot, owner, partial, replacing, stage, broken: None, trouble: None })
    }

    /// Where the partial is offered to go on.
    pub(super) fn resume(
        shared: Arc<Shared>,
        slot: Slot,
        owner: &str,
        replacing: Replacing,
    ) -> Result<AtomicWrite> {
        let partial = partial_name(owner, &slot.name);
        let Found::Ours(file) = lock_existing(&slot.dir, &partial)? else {
            return Err(ErrorKind::OffsetMismatch { length: 0 }.into());
        };
        let length = fstat(&file).map_err(failed)?.stx_size;
        let keeps = Partial::offer_of(shared.trusted(&slot.dir, &partial, length));
        let settled = shared.record_of(&slot.dir, &partial).map_or(0, |record| record.settled).min(keeps);
        narrow(Some(&file), &slot)?;
        let growth = shared.growth(length, Some(&slot))?;
        let stage =
            Stage::Due(Due { held: Some(file), keeps, settled, resumes: true, copying: None, growth });
        let owner = owner.to_owned();
        Ok(AtomicWrite { shared, slot, owner, partial, replacing, stage, broken: None, trouble: None })
    }

    /// One piece of what is due; whether it was the last.
    fn proceed(&mut self) -> Result<bool> {
        if matches!(self.stage, Stage::Due(_)) {
            return self.begin_file();
        }
        let Stage::Copying(file, copying) = &mut self.stage else { return Ok(true) };
        if !copying.step(file)? {
            return Ok(false);
        }
        if let Stage::Copying(file, copying) = std::mem::replace(&mut self.stage, Stage::Published) {
            let sync = self.shared.settings.sync;
            self.stage = Stage::Open(Appender::at(file, copying.done, sync, copying.growth));
        }
        Ok(true)
    }

    /// Makes the partial, or cuts the one that is there.
    fn begin_file(&mut self) -> Result<bool> {
        let settled = if let Stage::Due(due) = &self.stage { due.settled } else { 0 };
        if !self.note(settled) {
            // It must not go on vouching for bytes that are about to be replaced.
            let record = self.shared.record_of(&self.slot.dir, &self.partial);
            if record.is_some_and(|record| record.settled > settled) {
                return Err(ErrorKind::Io.into());
            }
        }
        let Stage::Due(due) = &mut self.stage else { return Ok(true) };
        let file = match &due.held {
            Some(file) => {
                file.set_len(due.keeps).map_err(io)?;
                due.growth.iter_mut().for_each(|growth| growth.cut(due.keeps));
                file.try_clone().map_err(io)?
            }
            None => {
                let file = make_partial(&self.shared, &self.slot, &self.partial)?;
                if is_file_there(&self.slot)? {
                    // Without its name, behind a power cut, a client would take the complete file's length for its own.
                    self.shared.sync_directory(&self.slot.dir)?;
                }
                file
            }
        };
        let (keeps, copying, growth) = (due.keeps, due.copying.take(), due.growth.take());
        self.stage = match copying {
            Some(mut copying) => {
                copying.growth = growth;
                Stage::Copying(file, copying)
            }
            None => Stage::Open(Appender::at(file, keeps, self.shared.settings.sync, growth)),
        };
        Ok(matches!(self.stage, Stage::Open(_)))
    }

    /// Tells the index, which may fail: that is told of. It expires from now on.
    fn note(&mut self, settled: u64) -> bool {
        let noted = self.shared.remember(&self.slot, &self.partial, &self.owner, settled);
        noted.map_err(|error| self.trouble.get_or_insert(error)).is_ok()
    }

    fn appender(&mut self) -> Result<&mut Appender> {
        match &mut self.stage {
            Stage::Open(bytes) => Ok(bytes),
            Stage::Due(_) | Stage::Copying(..) | Stage::Published => Err(ErrorKind::Interrupted.into()),
        }
    }

    /// Leaves the partial to be resumed, with as many bytes as can be trusted.
    fn put_by(&mut self) -> Result<Kept> {
        let sync = self.shared.settings.sync;
        let (length, whole) = match &mut self.stage {
            Stage::Published => return Ok(Kept::Nothing),
            // A resume that brought nothing changes nothing.
            Stage::Due(Due { resumes: true, keeps, .. }) => return Ok(Kept::Bytes(*keeps)),
            Stage::Due(_) => (0, Ok(())),
            Stage::Copying(file, copying) => {
                (copying.done, if sync { file.sync_all().map_err(io) } else { Ok(()) })
            }
            // Told when it broke.
            Stage::Open(bytes) if bytes.check().is_err() => (0, Ok(())),
            // A resume trusts the length, after a power cut, too.
            Stage::Open(bytes) => (bytes.position(), bytes.sync()),
        };
        let offer = Partial::offer_of(length);
        if let (Ok(()), None, 1..) = (&whole, self.broken, offer) {
            self.note(if sync { length } else { 0 });
            self.shared.sync_directory(&self.slot.dir)?;
            return Ok(Kept::Bytes(offer));
        }
        self.leave_nothing()?;
        whole.map(|()| Kept::Nothing)
    }

    /// Gives back the space of bytes that nobody knows to be good: after an error of the disk, or when it is full.
    ///
    /// Where a complete file stands under the name an empty partial is left, so that the client's next question
    /// for the size is answered with 0 and not with the length of a file that it was about to replace: it would
    /// append its own end to that, and be told that all is well.
    fn leave_nothing(&mut self) -> Result<()> {
        let over_complete_file = is_file_there(&self.slot)?;
        let file = match &self.stage {
            Stage::Published => return Ok(()),
            Stage::Due(Due { held: None, .. }) if !over_complete_file => return Ok(()),
            Stage::Due(Due { held: None, .. }) => {
                self.note(0);
                make_partial(&self.shared, &self.slot, &self.partial)?;
                return self.shared.sync_directory(&self.slot.dir);
            }
            Stage::Due(Due { held: Some(file), .. }) | Stage::Copying(file, _) => file,
            Stage::Open(bytes) => bytes.file(),
        };
        if over_complete_file && file.set_len(0).is_ok() {
            self.given_back();
            return Ok(());
        }
        self.remove()
    }

    /// None of the partial's bytes is there any more.
    fn given_back(&mut self) {
        let growth = match &mut self.stage {
            Stage::Due(due) => &mut due.growth,
            Stage::Copying(_, copying) => &mut copying.growth,
            Stage::Open(bytes) => bytes.growth(),
            Stage::Published => return,
        };
        if let Some(growth) = growth {
            growth.cut(0);
        }
    }

    /// Removes the partial. The lock is still held: it is this one and nobody else has it.
    fn remove(&mut self) -> Result<()> {
        let outcome = rustix::fs::unlinkat(&self.slot.dir, self.partial.as_slice(), AtFlags::empty());
        self.shared.forget(&self.slot.dir, &self.partial);
        match outcome {
            Ok(()) | Err(Errno::NOENT) => self.given_back(),
            Err(errno) => return Err(failed(errno)),
        }
        self.shared.sync_directory(&self.slot.dir)
    }
}

impl AtomicWrite {
    /// Gives the partial its target's name, and counts what that has replaced.
    fn take_name(&mut self) -> Result<()> {
        let _names = self.shared.changes_names();
        let replaced = self.shared.length_of(&self.slot)?;
        let Stage::Open(bytes) = &mut self.stage else { return Err(ErrorKind::Interrupted.into()) };
        if let Some(growth) = bytes.growth() {
            growth.may_replace(replaced).map_err(ErrorKind::Limit)?;
        }
        crate::local::tree::rename_slot(&self.slot.dir, &self.partial, &self.slot, self.replacing)?;
        if let Some(growth) = bytes.growth() {
            growth.replaced(replaced);
        }
        Ok(())
    }

    /// Writes a new file that has no name before it has its own: nothing of it outlives a crash, so the index need not know of
    /// it. `None` where that cannot be done, because something has the name already or the file system knows no such
    /// files; nothing has happened then.
    fn publish_unnamed(&mut self, pieces: &[IoSlice<'_>]) -> Result<Option<Option<Version>>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = self.shared.file_mode();
        let Ok(file) = rustix::fs::openat(&self.slot.dir, c".", flags, mode) else { return Ok(None) };
        self.shared.dress_file(&file)?;
        let growth = if let Stage::Due(due) = &mut self.stage { due.growth.take() } else { None };
        let mut bytes = Appender::at(File::from(file), 0, self.shared.settings.sync, growth);
        let named = write_and_name(&mut bytes, pieces, &self.slot);
        let Ok(Some(before)) = named else {
            // They went with the file.
            if let (Stage::Due(due), Some(mut growth)) = (&mut self.stage, bytes.growth().take()) {
                growth.cut(0);
                due.growth = Some(growth);
            }
            return named.map(|_| None);
        };
        self.stage = Stage::Published;
        self.shared.sync_directory(&self.slot.dir)?;
        Ok(Some(unchanged(bytes.file(), before)))
    }
}

impl WriteFile for AtomicWrite {
    fn fits(&self, length: u64) -> Result<()> {
        let growth = match &self.stage {
            Stage::Due(due) => due.growth.as_ref(),
            Stage::Copying(_, copying) => copying.growth.as_ref(),
            Stage::Open(bytes) => bytes.grows(),
            Stage::Published => None,
        };
        fits(growth, length)
    }

    fn prepare(&mut self) -> Result<bool> {
        if let Some(kind) = self.broken {
            return Err(kind.into());
        }
        self.proceed().inspect_err(|error| self.broken = Some(error.kind()))
    }

    fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<()> {
        while !self.prepare()? {}
        self.appender()?.write(pieces)
    }

    fn position(&self) -> u64 {
        match &self.stage {
            Stage::Due(Due { copying: Some(copying), .. }) | Stage::Copying(_, copying) => copying.first,
            Stage::Due(due) => due.keeps,
            Stage::Open(bytes) => bytes.position(),
            Stage::Published => 0,
        }
    }

    fn publish(&mut self) -> Result<Option<Version>> {
        while !self.prepare()? {}
        let target = self.slot.lstat()?;
        let shared = Arc::clone(&self.shared);
        let bytes = self.appender()?;
        match target {
            None => shared.dress_file(bytes.file())?,
            Some(target) if kind(&target) == Kind::File => keep_attributes(bytes.file(), &target)?,
            Some(target) if kind(&target) == Kind::Directory => return Err(ErrorKind::IsADirectory.into()),
            Some(_) => return Err(ErrorKind::NotAFile.into()),
        }
        bytes.sync()?;
        let before = version(&fstat(bytes.file()).map_err(failed)?);
        self.take_name()?;
        // From here on the name is the file's: whatever fails now must not touch it any more.
        let published = std::mem::replace(&mut self.stage, Stage::Published);
        self.shared.forget(&self.slot.dir, &self.partial);
        self.shared.sync_directory(&self.slot.dir)?;
        let Stage::Open(bytes) = published else { return Ok(None) };
        Ok(unchanged(bytes.file(), before))
    }

    fn publish_whole(&mut self, pieces: &[IoSlice<'_>]) -> Result<Option<Version>> {
        let is_new = matches!(&self.stage, Stage::Due(Due { held: None, copying: None, .. }));
        if is_new && let Some(published) = self.publish_unnamed(pieces)? {
            return Ok(published);
        }
        self.write(pieces)?;
        self.publish()
    }

    fn keep(mut self: Box<Self>) -> Result<Kept> {
        self.put_by()
    }

    fn give_up(mut self: Box<Self>) -> Result<()> {
        self.leave_nothing()
    }

    fn discard(mut self: Box<Self>) -> Result<()> {
        match self.stage {
            Stage::Due(_) | Stage::Published => Ok(()),
            Stage::Copying(..) | Stage::Open(_) => self.remove(),
        }
    }

    fn trouble(&mut self) -> Option<Error> {
        self.trouble.take()
    }
}

/// Writes a file that has no name, and gives it the slot's; what it was before that. `None` if the name cannot be given.
fn write_and_name(bytes: &mut Appender, pieces: &[IoSlice<'_>], slot: &Slot) -> Result<Option<Version>> {
    bytes.write(pieces)?;
    bytes.sync()?;
    let before = version(&fstat(bytes.file()).map_err(failed)?);
    Ok(name(bytes.file(), slot).is_ok().then_some(before))
}

/// What the partial that is there, or is to be made, counts with.
fn is_file_there(slot: &Slot) -> Result<bool> {
    Ok(slot.lstat()?.is_some_and(|found| kind(&found) == Kind::File))
}

fn growth(shared: &Shared, held: Option<&File>, slot: &Slot) -> Result<Option<Growth>> {
    // Where nothing is counted nothing is asked.
    if shared.settings.quota.is_none() {
        return Ok(None);
    }
    let length = held.map_or(Ok(0), |file| fstat(file).map(|found| found.stx_size).map_err(failed))?;
    shared.growth(length, Some(slot))
}

/// What a published file is now. Somebody else on the machine may have found the name already, and written into it.
fn unchanged(file: &File, before: Version) -> Option<Version> {
    let after = version(&fstat(file).ok()?);
    ((after.size, after.modified) == (before.size, before.modified)).then_some(after)
}

/// Gives an open file without a name the slot's, which must be free.
fn name(file: &File, slot: &Slot) -> rustix::io::Result<()> {
    let follow = AtFlags::SYMLINK_FOLLOW;
    rustix::fs::linkat(CWD, proc_path(file), &slot.dir, slot.name.as_bytes(), follow)
}

/// Makes a partial that is never more readable than what it is to replace.
fn make_partial(shared: &Shared, slot: &Slot, partial: &[u8]) -> Result<File> {
    let of_target = |target: Statx| Mode::from_raw_mode(u32::from(target.stx_mode) & 0o777 | 0o600);
    let mode = slot.lstat()?.map_or_else(|| shared.file_mode(), of_target);
    let file = lock_new(&slot.dir, partial, mode);
    if file.is_err() {
        shared.forget(&slot.dir, partial);
    }
    file
}

/// Takes from a partial that is there what its target does not allow: it may have been begun over another one.
fn narrow(held: Option<&File>, slot: &Slot) -> Result<()> {
    let Some(file) = held else { return Ok(()) };
    let Some(target) = slot.lstat()? else { return Ok(()) };
    let mode = u32::from(fstat(file).map_err(failed)?.stx_mode) & 0o777;
    let narrowed = mode & u32::from(target.stx_mode) | 0o600;
    if mode == narrowed {
        return Ok(());
    }
    rustix::fs::fchmod(file, Mode::from_raw_mode(narrowed)).map_err(failed)
}

/// Refuses at once where no partial can be made, instead of at the first byte.
fn check_writable(slot: &Slot) -> Result<()> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::accessat(&slot.dir, c".", access, AtFlags::EACCESS) {
        Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => Err(failed(errno)),
        // A kernel that cannot say it refuses later.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Gives the new file the owner and mode of the one it replaces.
fn keep_attributes(file: &File, target: &Statx) -> Result<()> {
    let found = fstat(file).map_err(failed)?;
    if (found.stx_uid, found.stx_gid) != (target.stx_uid, target.stx_gid) {
        let (uid, gid) = (Uid::from_raw(target.stx_uid), Gid::from_raw(target.stx_gid));
        // Only root may give files away. For others the file becomes the server's, as with any editor.
        match rustix::fs::fchown(file, Some(uid), Some(gid)) {
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    // SECURITY: set-user-id, set-group-id and sticky were given to other contents, and are not passed on.
    let mode = u32::from(target.stx_mode) & 0o777;
    if u32::from(found.stx_mode) & 0o7777 != mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode)).map_err(failed)?;
    }
    Ok(())
}
