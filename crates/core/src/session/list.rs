//! What is in a folder?

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::backend::{Entry, Kind, Listing};
use crate::error::{Error, ErrorKind, Result};
use crate::path::{Name, VirtualPath};

use super::Session;

impl Session {
    /// The entries of a folder, streamed. Names with control bytes are left out: no listing could carry them.
    ///
    /// A folder that may not be listed but that lies on the way to one where something is permitted shows just that
    /// way.
    pub fn list(&self, path: &VirtualPath) -> Result<Listing> {
        let permit = match self.policy.list(path) {
            Ok(permit) => permit,
            Err(denied) => return self.waypoints(path, denied),
        };
        let place = self.mounts.locate(permit);
        // SECURITY: what strangers who share an account have unfinished is shown to none of them.
        let owner = (!self.account.shared).then(|| self.account.id());
        let listing = self.outcome("list", path, place.store.list(&place.at, owner.as_deref()))?;
        // SECURITY: a name that holds a line break would forge further lines.
        let listing =
            listing.filter(|entry| entry.as_ref().map_or(true, |entry| entry.name.is_presentable()));
        let (told, folder) = (Arc::clone(&self.told), path.clone());
        Ok(Box::new(listing.inspect(move |entry| {
            if let Ok(Entry { name, metadata }) = entry
                && metadata.unfinished
                && let Ok(path) = folder.child(name)
            {
                told.remember(&path, metadata.size);
            }
        })))
    }

    /// Goes into a folder: it must be there, and the user must have some business in it or beneath it.
    pub fn enter(&self, path: &VirtualPath) -> Result<()> {
        let permit = match self.policy.stat(path) {
            Ok(permit) => permit,
            Err(denied) if !self.policy.leads_somewhere(path) => return Err(denied),
            Err(_) => self.policy.look(path)?,
        };
        let place = self.mounts.locate(permit);
        match self.outcome("look at", path, place.store.stat(&place.at))?.kind {
            Kind::Directory => Ok(()),
            Kind::File | Kind::Link | Kind::Special => Err(Error::new(ErrorKind::NotADirectory).at(path)),
        }
    }

    fn waypoints(&self, path: &VirtualPath, denied: Error) -> Result<Listing> {
        let depth = path.components().count();
        let next = |waypoint: &VirtualPath| Name::parse(waypoint.components().nth(depth)?).ok();
        let names: BTreeSet<Name> = self.policy.waypoints(path).filter_map(next).collect();
        if names.is_empty() {
            return Err(denied);
        }
        let entries = names.into_iter().filter_map(|name| {
            let metadata = self.stat(&path.child(&name).ok()?).ok()?;
            Some(Ok(Entry { name, metadata }))
        });
        Ok(Box::new(entries.collect::<Vec<_>>().into_iter()))
    }
}
