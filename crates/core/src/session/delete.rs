//! How does a file go away?

use crate::error::{ErrorKind, Result};
use crate::event::Change;
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// Removes this user's unfinished upload of the name, and then the complete file. It has worked if there was
    /// either.
    pub fn delete(&self, path: &VirtualPath) -> Result<()> {
        self.outcome("delete", path, self.try_delete(path))
    }

    fn try_delete(&self, path: &VirtualPath) -> Result<()> {
        let file = self.mounts.locate(self.policy.delete(path)?);
        let partial = self.mounts.locate(self.policy.delete_partial(path)?);
        let _claim = self.claim(path)?;
        let dropped = match partial.store.drop_partial(&partial.at, &self.account.id()) {
            // SECURITY: that a stranger left something unfinished is nothing to this one.
            Ok(dropped) => dropped && !self.account.shared,
            // No folder, no partial; the complete file's error says the same.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if dropped {
            self.told.forget(path);
        }
        match file.store.remove_file(&file.at) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && dropped => {}
            Err(error) => return Err(error),
        }
        self.told.forget(path);
        self.changed(Change::Deleted(path.clone()));
        Ok(())
    }
}
