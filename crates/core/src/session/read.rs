//! How does a download begin?

use std::ops::Range;

use crate::backend::ReadFile;
use crate::download::Download;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Direction;
use crate::limits::Allowance;
use crate::path::VirtualPath;

use super::Session;

impl Session {
    /// Opens a complete file to be read from `offset`. An offset beyond its end is
    /// [`ErrorKind::OffsetMismatch`]; one at its end gives no bytes. [`ErrorKind::Unfinished`] where this session was told
    /// the length of an unfinished upload of this name: its client would take a piece of this file for the whole, or
    /// wait for bytes that never come.
    pub fn open_read(&self, path: &VirtualPath, offset: u64) -> Result<Download> {
        let file = self.open_complete(path)?;
        let length = file.length();
        if offset > length {
            return Err(Error::new(ErrorKind::OffsetMismatch { length }).at(path));
        }
        let allowance =
            self.allot(Direction::Download, length - offset).map_err(|limit| self.reached(limit))?;
        Ok(self.download(file, path, offset..length, allowance))
    }

    /// Reads a complete file from `offset` to its end on an event thread, where that is known to be in memory and is `most` bytes
    /// at most: the bytes, and the download that they are all of. `None` where a disk may have to be waited for, and where
    /// [`open_read`](Session::open_read) has an error to tell.
    pub fn read_at_once(&self, path: &VirtualPath, offset: u64, most: usize) -> Option<(Vec<u8>, Download)> {
        let place = self.mounts.locate(self.policy.read(path).ok()?);
        let file = place.store.open_at_once(&place.at)?;
        let length = file.length();
        if self.told.length(path).is_some_and(|told| told != length) {
            return None;
        }
        let rest = usize::try_from(length.checked_sub(offset)?).ok().filter(|rest| *rest <= most)?;
        let mut bytes = vec![0; rest];
        if rest > 0 && file.read_at_once(offset, &mut bytes)? != rest {
            return None;
        }
        // A limit that refuses it is told where it is opened the other way.
        let allowance = self.allot(Direction::Download, rest as u64).ok()?;
        let mut download = self.download(file, path, offset..length, allowance);
        download.advance(rest as u64);
        Some((bytes, download))
    }

    /// Opens the bytes from `first` to before `end` of a complete file, as far as it has them.
    pub fn open_read_range(&self, path: &VirtualPath, range: Range<u64>) -> Result<Download> {
        let file = self.open_complete(path)?;
        let length = file.length();
        let range = range.start.min(length)..range.end.min(length);
        let allowance =
            self.allot(Direction::Download, range.end - range.start).map_err(|limit| self.reached(limit))?;
        Ok(self.download(file, path, range, allowance))
    }

    fn download(
        &self,
        file: Box<dyn ReadFile>,
        path: &VirtualPath,
        range: Range<u64>,
        allowance: Allowance,
    ) -> Download {
        Download::new(file, &self.core, &self.origin, &self.account.name, path, range, allowance)
    }

    /// Opens a complete file that the user may read, and means.
    pub(super) fn open_complete(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        let place = self.mounts.locate(self.policy.read(path)?);
        let file = self.outcome("open", path, place.store.open(&place.at))?;
        let told_another = self.told.length(path).is_some_and(|told| told != file.length());
        if told_another && self.partial(path)?.is_some() {
            return Err(Error::new(ErrorKind::Unfinished).at(path));
        }
        Ok(file)
    }
}
