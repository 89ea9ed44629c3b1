//! How does a file or folder get another name?

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// Whether [`rename`](Session::rename) from here can work: it takes `rename`, and something that is there.
    pub fn may_rename(&self, path: &VirtualPath) -> Result<()> {
        self.policy.rename(path)?;
        let place = self.mounts.locate(self.policy.look(path)?);
        self.outcome("look at", path, place.store.stat(&place.at)).map(drop)
    }

    /// Renames. It takes `rename` at both ends, and `overwrite` at the target where a file is replaced.
    ///
    /// Unfinished uploads stay with the name that they are uploads of; those inside a folder move with the folder.
    pub fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> Result<()> {
        let source = self.mounts.locate(self.policy.rename(from)?);
        let target = self.mounts.locate(self.policy.rename_to(to)?);
        if !Arc::ptr_eq(source.store, target.store) {
            return Err(Error::new(ErrorKind::CrossesStorage).at(to));
        }
        if from != to && to.starts_with(from) {
            return Err(Error::new(ErrorKind::InvalidName).at(to));
        }
        self.outcome("rename", from, source.store.rename(&source.at, &target.at))?;
        self.told.forget_beneath(from);
        self.told.forget_beneath(to);
        self.changed(Change::Renamed { from: from.clone(), to: to.clone() });
        Ok(())
    }
}
