//! May this user do this here? The only place that makes [`Permit`]s, without which no store can be called.

use std::sync::Arc;

use crate::account::{Account, InTransit};
use crate::error::{Error, ErrorKind, Result};
use crate::path::VirtualPath;
use crate::permission::{Permission, Permissions};

/// The proof that `A` is allowed on a path. Made in this module only, used up by [mounts](crate::mounts).
#[derive(Debug)]
pub struct Permit<A> {
    path: VirtualPath,
    action: A,
}

impl<A> Permit<A> {
    /// What it is for, as the user names it.
    pub fn path(&self) -> &VirtualPath {
        &self.path
    }

    pub(crate) fn into_parts(self) -> (VirtualPath, A) {
        (self.path, self.action)
    }
}

/// Look at an entry.
#[derive(Debug)]
pub struct Stat(());
/// List a folder.
#[derive(Debug)]
pub struct List(());
/// Read a complete file.
#[derive(Debug)]
pub struct Read(());
/// Write a file.
#[derive(Debug)]
pub struct Write(Replacing);
/// Ask for, and drop, one's own unfinished upload.
#[derive(Debug)]
pub struct Resume(());
/// Remove an entry.
#[derive(Debug)]
pub struct Delete(());
/// Take the name off an entry.
#[derive(Debug)]
pub struct Rename(());
/// Give a name to an entry.
#[derive(Debug)]
pub struct RenameTo(Replacing);
/// Make a folder.
#[derive(Debug)]
pub struct Mkdir(());
/// Change the time or the mode of an entry.
#[derive(Debug)]
pub struct Alter(());
/// Ask how much room a folder has.
#[derive(Debug)]
pub struct Space(());

/// What becomes of a complete file under the target's name, also of one that appears after the permit was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacing {
    /// It is replaced.
    Allowed,
    /// It stays, and the operation fails with [`ErrorKind::Exists`].
    Refused,
}

impl Write {
    /// What the store does about a file that is there at the end.
    pub fn replacing(&self) -> Replacing {
        self.0
    }
}

impl RenameTo {
    /// What the store does about a file that is there.
    pub fn replacing(&self) -> Replacing {
        self.0
    }
}

/// What lets a user upload, under new names or over complete files.
const UPLOADS: Permissions = Permissions::of(&[Permission::Write, Permission::Overwrite]);

/// The rules that hold for one session.
#[derive(Debug)]
pub(crate) struct Policy {
    account: Arc<Account>,
    /// What the server as a whole leaves of any grant.
    ceiling: Permissions,
}

impl Policy {
    pub(crate) fn new(account: Arc<Account>, ceiling: Permissions) -> Policy {
        Policy { account, ceiling }
    }

    /// What holds at `path`: the longest folder rule that contains it, or else the account's own.
    pub(crate) fn permissions(&self, path: &VirtualPath) -> Permissions {
        let granted = self.account.rule(path).map_or(self.account.permissions, |folder| folder.permissions);
        granted.intersection(self.ceiling)
    }

    /// What the operator would change to have something granted at `path`.
    pub(crate) fn option(&self, path: &VirtualPath) -> &'static str {
        let rule = self.account.rule(path);
        match rule {
            None if path.is_root() && !self.account.confined => "user.home",
            None if self.account.confined => "plaintext.folders",
            None => "user.permissions",
            Some(rule) if rule.permissions.intersection(self.ceiling) != rule.permissions => {
                "plaintext.permissions"
            }
            Some(_) if self.account.confined => "user.permissions",
            Some(_) => "user.folder.permissions",
        }
    }

    pub(crate) fn in_transit(&self, path: &VirtualPath) -> InTransit {
        self.account.rule(path).map_or(self.account.in_transit, |folder| folder.in_transit)
    }

    /// Whether something is granted at `path` or beneath it, so that the user may stand there.
    pub(crate) fn leads_somewhere(&self, path: &VirtualPath) -> bool {
        !self.permissions(path).is_empty() || self.waypoints(path).next().is_some()
    }

    /// The folders beneath `path` for which something is granted.
    pub(crate) fn waypoints(&self, path: &VirtualPath) -> impl Iterator<Item = &VirtualPath> {
        let ceiling = self.ceiling;
        let beneath = self.account.folders.iter().filter(move |folder| folder.path.starts_with(path));
        beneath.filter(move |folder| folder.permissions.intersects(ceiling)).map(|folder| &folder.path)
    }

    /// To see what an entry is: where the user may list or read, and on the way to such a place.
    pub(crate) fn stat(&self, path: &VirtualPath) -> Result<Permit<Stat>> {
        let visible = self.permissions(path).intersects(Permissions::READ_ONLY)
            || self.waypoints(path).next().is_some();
        permit(visible, path, Stat(()))
    }

    /// For the server itself to look before it writes or renames; the user is told no more than the outcome.
    pub(crate) fn look(&self, path: &VirtualPath) -> Result<Permit<Stat>> {
        permit(!self.permissions(path).is_empty(), path, Stat(()))
    }

    pub(crate) fn list(&self, path: &VirtualPath) -> Result<Permit<List>> {
        permit(self.has(path, Permission::List), path, List(()))
    }

    pub(crate) fn read(&self, path: &VirtualPath) -> Result<Permit<Read>> {
        permit(self.has(path, Permission::Read), path, Read(()))
    }

    /// To upload under a name that is not there. One that turns up meanwhile is replaced only where that, too, is
    /// permitted.
    pub(crate) fn create(&self, path: &VirtualPath) -> Result<Permit<Write>> {
        permit(self.has(path, Permission::Write), path, Write(self.replacing(path)))
    }

    /// To upload under a name that nobody has, ever replacing nothing.
    pub(crate) fn create_unique(&self, path: &VirtualPath) -> Result<Permit<Write>> {
        permit(self.has(path, Permission::Write), path, Write(Replacing::Refused))
    }

    /// To replace or extend a complete file.
    pub(crate) fn replace(&self, path: &VirtualPath) -> Result<Permit<Write>> {
        permit(self.has(path, Permission::Overwrite), path, Write(Replacing::Allowed))
    }

    /// To resume an upload: who may upload may know how far it got.
    pub(crate) fn resume(&self, path: &VirtualPath) -> Result<Permit<Resume>> {
        permit(self.permissions(path).intersects(UPLOADS), path, Resume(()))
    }

    pub(crate) fn delete(&self, path: &VirtualPath) -> Result<Permit<Delete>> {
        self.refuse_landmark(path)?;
        permit(self.has(path, Permission::Delete), path, Delete(()))
    }

    /// To drop one's own unfinished upload together with the file.
    pub(crate) fn delete_partial(&self, path: &VirtualPath) -> Result<Permit<Resume>> {
        permit(self.has(path, Permission::Delete), path, Resume(()))
    }

    pub(crate) fn rename(&self, path: &VirtualPath) -> Result<Permit<Rename>> {
        self.refuse_landmark(path)?;
        permit(self.has(path, Permission::Rename), path, Rename(()))
    }

    pub(crate) fn rename_to(&self, path: &VirtualPath) -> Result<Permit<RenameTo>> {
        self.refuse_landmark(path)?;
        permit(self.has(path, Permission::Rename), path, RenameTo(self.replacing(path)))
    }

    pub(crate) fn make_directory(&self, path: &VirtualPath) -> Result<Permit<Mkdir>> {
        permit(self.has(path, Permission::Mkdir), path, Mkdir(()))
    }

    /// To change an entry's time or mode: that is a change of something complete, one's own uploads included.
    pub(crate) fn alter(&self, path: &VirtualPath) -> Result<Permit<Alter>> {
        self.refuse_landmark(path)?;
        permit(self.has(path, Permission::Overwrite), path, Alter(()))
    }

    /// To ask how much room a folder has: who may upload there may know.
    pub(crate) fn space(&self, path: &VirtualPath) -> Result<Permit<Space>> {
        permit(self.permissions(path).intersects(UPLOADS), path, Space(()))
    }

    fn has(&self, path: &VirtualPath, permission: Permission) -> bool {
        self.permissions(path).contains(permission)
    }

    fn replacing(&self, path: &VirtualPath) -> Replacing {
        if self.has(path, Permission::Overwrite) { Replacing::Allowed } else { Replacing::Refused }
    }

    /// Refuses to move, remove or lock the home, a folder that a rule names, and whatever contains one.
    //
    // SECURITY: otherwise a rule stays behind when its folder is renamed, and the files lie open under the new name.
    fn refuse_landmark(&self, path: &VirtualPath) -> Result<()> {
        let landmark = path.is_root() || self.account.folders.iter().any(|rule| rule.path.starts_with(path));
        if landmark { Err(Error::new(ErrorKind::Denied).at(path)) } else { Ok(()) }
    }
}

fn permit<A>(granted: bool, path: &VirtualPath, action: A) -> Result<Permit<A>> {
    if granted {
        Ok(Permit { path: path.clone(), action })
    } else {
        Err(Error::new(ErrorKind::Denied).at(path))
    }
}
