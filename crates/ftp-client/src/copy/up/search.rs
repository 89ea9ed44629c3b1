//! What is in a folder of this machine, and what of it is copied?

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use carrack_ftp_proto::client::{EntryName, Modified, Precision};

use crate::LocalFailure;
use crate::copy::task::{Task, TaskKind};
use crate::copy::terms::Terms;
use crate::copy::{Event, Failure, Omission, Place};
use crate::filter;
use crate::local::folder::{Folder, Found, Kind};
use crate::local::partial::is_partial;
use crate::local::scan::{Scan, Scanned};

/// How many names are looked at before others have their turn: a few milliseconds of a disk's work.
const BATCH: usize = 1_000;

/// A folder of this machine that is being looked into.
pub(super) struct Search<'t> {
    terms: &'t Terms,
    /// The task that it is, of which the children are further tasks.
    task: &'t Task,
    path: PathBuf,
    /// `None` at its end.
    scan: Option<Scan>,
}

impl<'t> Search<'t> {
    pub(super) fn begin(
        terms: &'t Terms,
        task: &'t Task,
        folder: Folder,
    ) -> Result<Search<'t>, LocalFailure> {
        let path = folder.path().to_owned();
        Ok(Search { terms, task, path, scan: Some(Scan::begin(folder)?) })
    }

    /// Some more of what is to be copied; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Task>>, Failure> {
        let Some(mut scan) = self.scan.take() else { return Ok(None) };
        // A disk may be slow, and another connection's bytes should not wait for it.
        let batch = tokio::task::spawn_blocking(move || {
            let batch: Vec<_> = scan.by_ref().take(BATCH).collect();
            (batch, scan)
        });
        let (batch, scan) = batch
            .await
            .map_err(|error| LocalFailure::io("list", &self.path, std::io::Error::other(error)))?;
        if !batch.is_empty() {
            self.scan = Some(scan);
        }
        let mut tasks = Vec::with_capacity(batch.len());
        let (mut files, mut bytes) = (0, 0_u64);
        for scanned in batch {
            let Some(task) = self.take(scanned) else { continue };
            if task.kind == TaskKind::File {
                files += 1;
                bytes = bytes.saturating_add(task.size.unwrap_or(0));
            }
            tasks.push(task);
        }
        if files > 0 {
            self.terms.telling.tell(Event::Found { files, bytes });
        }
        Ok(Some(tasks))
    }

    /// What is found as a task; what is none is told.
    fn take(&self, scanned: Result<Scanned, LocalFailure>) -> Option<Task> {
        let telling = &self.terms.telling;
        let (name, found): (EntryName, Found) = match scanned {
            Ok(Scanned::Entry(name, found)) => (name, found),
            Ok(Scanned::Unspeakable(name, why)) => {
                let path = self.path.join(OsStr::from_bytes(&name));
                telling.failed(Place::Local(path.clone()), Failure::Name { path, why });
                return None;
            }
            Err(failure) => {
                telling.failed(Place::Local(self.path.clone()), failure.into());
                return None;
            }
        };
        let place = || Place::Local(self.path.join(OsStr::from_bytes(name.as_bytes())));
        let path = match self.task.path.child(&name) {
            Ok(path) => path,
            Err(why) => {
                telling.failed(place(), Failure::TooDeep { place: place(), why });
                return None;
            }
        };
        let keeps = |kind| self.terms.filter.keeps(path.as_bytes(), kind);
        let kept = match found.kind {
            Kind::Folder => keeps(filter::Kind::Folder),
            Kind::File | Kind::Link | Kind::Special => keeps(filter::Kind::File),
        };
        if !kept {
            return None;
        }
        let kind = match found.kind {
            Kind::File => TaskKind::File,
            Kind::Folder => TaskKind::Folder,
            // Neither copied as a link, which FTP cannot, nor followed: it may lead out of what was meant to be sent, or
            // round in a circle.
            Kind::Link => {
                telling.skipped(place(), Omission::Link);
                return None;
            }
            Kind::Special => {
                telling.skipped(place(), Omission::Special);
                return None;
            }
        };
        if is_partial(name.as_bytes()) {
            telling.skipped(place(), Omission::Unfinished);
            return None;
        }
        let (unix_s, nanos) = found.modified;
        let modified = Some(Modified { unix_s, nanos, precision: Precision::Subsecond });
        Some(Task { root: self.task.root, path, kind, size: Some(found.size), modified })
    }
}
