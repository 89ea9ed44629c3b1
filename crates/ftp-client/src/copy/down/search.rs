//! What is in a folder of the server, and what of it is copied?

use carrack_ftp_proto::client::{Entry, EntryKind, Listed, RemotePath};

use crate::copy::spool::Spool;
use crate::copy::task::{Task, TaskKind};
use crate::copy::terms::Terms;
use crate::copy::work::Work;
use crate::copy::{Event, Failure, Omission, Place};
use crate::filter::Kind;
use crate::local::partial::is_partial;
use crate::{Client, LocalFailure};

/// Lines of a listing: ten times the largest folders that are met. They wait on the disk, a gigabyte at most.
pub(in crate::copy) const LINES: u64 = 10_000_000;

/// Lines of one listing that name nothing safe or cannot be read: each is told, and what a server has more of is no listing.
const BAD_LINES: u64 = 1_000;

/// A folder to be looked into.
pub(in crate::copy) struct Search<'t> {
    pub(in crate::copy) terms: &'t Terms,
    pub(in crate::copy) folder: RemotePath,
    /// The task that it is, of which the children are further tasks.
    pub(in crate::copy) task: &'t Task,
}

/// What one listing brought.
struct Found {
    tasks: Spool,
    files: u64,
    bytes: u64,
    /// Lines that something was said of.
    remarks: u64,
    lines: u64,
    bad_lines: u64,
}

impl Search<'_> {
    /// Lists the folder and adds what is in it to the work. Nothing of a listing that was cut short is believed: its last
    /// name may be half a name.
    pub(in crate::copy) async fn search(&self, client: &mut Client, work: &Work) -> Result<(), Failure> {
        let mut attempts = self.terms.attempts();
        // What was said during an attempt that failed is not said again.
        let mut remarked = 0;
        let found = loop {
            match self.list(client, &mut remarked).await {
                Ok(found) => break found,
                Err(failure) => attempts.again(failure, &self.terms.telling, None).await?,
            }
        };
        if found.files > 0 {
            self.terms.telling.tell(Event::Found { files: found.files, bytes: found.bytes });
        }
        Ok(work.add_all(found.tasks).map_err(|error| spooling(self.terms, error))?)
    }

    async fn list(&self, client: &mut Client, remarked: &mut u64) -> Result<Found, Failure> {
        let mut found = Found {
            tasks: Spool::new(&self.terms.spools),
            files: 0,
            bytes: 0,
            remarks: 0,
            lines: 0,
            bad_lines: 0,
        };
        let mut listing = client.list(&self.folder).await?;
        while let Some(listed) = listing.next().await {
            found.lines += 1;
            if found.lines > LINES {
                return Err(Failure::EndlessListing(Place::Remote(self.folder.clone())));
            }
            let remark = match listed? {
                Listed::Entry(entry) => self.take(entry, &mut found)?,
                Listed::Current(_) => None,
                Listed::Skipped { line, why } => {
                    found.bad_lines += 1;
                    if found.bad_lines > BAD_LINES {
                        return Err(Failure::NoListing(Place::Remote(self.folder.clone())));
                    }
                    let folder = self.folder.clone();
                    let what = Place::Remote(folder.clone());
                    Some(Event::Failed { id: None, what, error: Failure::Listing { folder, line, why } })
                }
            };
            if let Some(remark) = remark {
                found.remarks += 1;
                if found.remarks > *remarked {
                    *remarked = found.remarks;
                    self.terms.telling.tell(remark);
                }
            }
        }
        Ok(found)
    }

    /// Takes an entry as a task; what there is to be said of one that is none.
    fn take(&self, entry: Entry, found: &mut Found) -> Result<Option<Event>, Failure> {
        let what = || Place::Remote(self.folder.child(&entry.name));
        let path = match self.task.path.child(&entry.name) {
            Ok(path) => path,
            Err(why) => {
                let error = Failure::TooDeep { place: what(), why };
                return Ok(Some(Event::Failed { id: None, what: what(), error }));
            }
        };
        let keeps = |kind| self.terms.filter.keeps(path.as_bytes(), kind);
        let kept = match entry.kind {
            EntryKind::File => keeps(Kind::File),
            EntryKind::Folder => keeps(Kind::Folder),
            EntryKind::Link { .. } | EntryKind::Other | EntryKind::Unknown => {
                keeps(Kind::File) || keeps(Kind::Folder)
            }
        };
        if !kept {
            return Ok(None);
        }
        let kind = match entry.kind {
            EntryKind::File => TaskKind::File,
            EntryKind::Folder => TaskKind::Folder,
            // The filter is asked again when it is known.
            EntryKind::Unknown => TaskKind::Unknown,
            // SECURITY: a link is neither followed nor made: it could lead out of the folder that was asked for, there or
            // here (CVE-2014-4877).
            EntryKind::Link { .. } => return Ok(Some(Event::Skipped { what: what(), why: Omission::Link })),
            EntryKind::Other => return Ok(Some(Event::Skipped { what: what(), why: Omission::Special })),
        };
        // SECURITY: under such a name something else may just be received.
        if is_partial(entry.name.as_bytes()) {
            return Ok(Some(Event::Skipped { what: what(), why: Omission::Unfinished }));
        }
        // Of a folder or a link it is not the size of what a transfer brings.
        let size = entry.size.filter(|_| kind == TaskKind::File);
        if kind == TaskKind::File {
            found.files += 1;
            found.bytes = found.bytes.saturating_add(size.unwrap_or(0));
        }
        let task = Task { root: self.task.root, path, kind, size, modified: entry.modified };
        found.tasks.push(task).map_err(|error| spooling(self.terms, error))?;
        Ok(None)
    }
}

/// What does not fit in memory could not be put on the disk.
pub(in crate::copy) fn spooling(terms: &Terms, error: std::io::Error) -> LocalFailure {
    LocalFailure::io("write to a file in", &terms.spools, error)
}
