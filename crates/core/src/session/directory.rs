//! How do folders come and go?

use crate::error::Result;
use crate::event::Change;
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// Makes a folder. Those above it must be there.
    pub fn make_directory(&self, path: &VirtualPath) -> Result<()> {
        let place = self.mounts.locate(self.policy.make_directory(path)?);
        self.outcome("make a folder", path, place.store.make_directory(&place.at))?;
        self.changed(Change::MadeDirectory(path.clone()));
        Ok(())
    }

    /// Removes a folder that holds nothing, or nothing but unfinished uploads that nobody is writing.
    pub fn remove_directory(&self, path: &VirtualPath) -> Result<()> {
        let place = self.mounts.locate(self.policy.delete(path)?);
        self.outcome("remove a folder", path, place.store.remove_directory(&place.at))?;
        self.told.forget_beneath(path);
        self.changed(Change::RemovedDirectory(path.clone()));
        Ok(())
    }
}
