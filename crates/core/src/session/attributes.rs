//! How are times and modes set, and how much room is there?

use crate::backend::{Attributes, Capability, Metadata};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Change;
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// Sets the time or the mode of a complete file or a folder; what it is then, which may be less exact than what was
    /// asked for. It takes `overwrite`; the home, and folders that rules name, stay as they are.
    pub fn set_attributes(&self, path: &VirtualPath, attributes: &Attributes) -> Result<Metadata> {
        let place = self.mounts.locate(self.policy.alter(path)?);
        let abilities = place.store.capabilities();
        let lacks = |wanted: bool, ability| wanted && !abilities.has(ability);
        if lacks(attributes.modified.is_some(), Capability::SetTime)
            || lacks(attributes.mode.is_some(), Capability::SetMode)
        {
            return Err(Error::new(ErrorKind::Unsupported).at(path));
        }
        let outcome = place.store.set_attributes(&place.at, attributes);
        let metadata = self.outcome("set the time or mode of", path, outcome)?;
        self.changed(Change::SetAttributes { path: path.clone(), attributes: *attributes });
        Ok(metadata)
    }

    /// How many bytes a folder has room for. It takes `write` or `overwrite`.
    pub fn space(&self, folder: &VirtualPath) -> Result<u64> {
        let place = self.mounts.locate(self.policy.space(folder)?);
        if !place.store.capabilities().has(Capability::Space) {
            return Err(Error::new(ErrorKind::Unsupported).at(folder));
        }
        self.outcome("ask for the space of", folder, place.store.space(&place.at))
    }
}
