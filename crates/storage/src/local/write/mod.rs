//! How does an upload begin on the disk? Beside its target, or, where that is wanted, in the target itself.

mod appender;
mod atomic;
mod copying;
mod extend;
mod rewrite;

use std::sync::Arc;

use carrack_core::backend::{Kind, Replacing, Start, WriteFile};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::path::VirtualPath;

use self::atomic::AtomicWrite;
use self::extend::ExtendWrite;
use self::rewrite::RewriteWrite;
use super::stat::kind;
use super::{Publish, Shared};

impl Shared {
    /// Opens a file to be written. A symbolic link's target is written, and stays beneath the root.
    pub(super) fn create(
        self: &Arc<Shared>,
        path: &VirtualPath,
        owner: &str,
        start: Start,
        replacing: Replacing,
    ) -> Result<Box<dyn WriteFile>> {
        let (slot, target) = self.root.slot_of_target(path)?;
        match target.as_ref().map(kind) {
            None => {}
            Some(Kind::File) if replacing == Replacing::Allowed => {}
            Some(Kind::File) => return Err(ErrorKind::Exists.into()),
            Some(Kind::Directory) => return Err(ErrorKind::IsADirectory.into()),
            Some(Kind::Link | Kind::Special) => return Err(ErrorKind::NotAFile.into()),
        }
        let shared = Arc::clone(self);
        Ok(match (self.settings.publish, start) {
            (_, Start::Continue) => Box::new(AtomicWrite::resume(shared, slot, owner, replacing)?),
            (Publish::Atomic, Start::InPlace) => Box::new(ExtendWrite::open(shared, slot)?),
            (Publish::Atomic, Start::Anew) => Box::new(AtomicWrite::begin(shared, slot, owner, replacing)?),
            (Publish::Atomic, Start::CopyOf { first }) => {
                Box::new(AtomicWrite::copy(shared, slot, owner, replacing, first)?)
            }
            (Publish::InPlace, Start::InPlace) => Box::new(RewriteWrite::extend(shared, slot)?),
            (Publish::InPlace, Start::Anew) => Box::new(RewriteWrite::from(shared, slot, owner, 0)?),
            (Publish::InPlace, Start::CopyOf { first }) => {
                Box::new(RewriteWrite::from(shared, slot, owner, first)?)
            }
        })
    }
}
