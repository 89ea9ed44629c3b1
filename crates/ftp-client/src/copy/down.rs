//! How do files and folders come from the server to this machine?

pub(super) mod pattern;
mod receive;
mod search;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carrack_ftp_proto::client::{EntryName, RemotePath};
use rustix::io::Errno;

use super::known::{Is, Known, known};
use super::naming::{NoPlace, Put, SourceIs, Sources, TargetIs, put};
use super::task::{Task, TaskKind};
use super::terms::Terms;
use super::work::Work;
use super::{Event, Failure, Omission, Place, Recursion};
use crate::filter::Kind;
use crate::local::folder::{self, Folder, Missing};
use crate::relative::Relative;
use crate::url::UrlPath;
use crate::{Client, LocalFailure};
use receive::Incoming;
pub(super) use search::{Search, spooling};

/// A copy from the server to this machine.
pub(super) struct Down {
    /// The folder that the user named as the target, or the one the target lies in.
    target: Folder,
    roots: Vec<Root>,
}

/// One source, patterns expanded.
struct Root {
    source: RemotePath,
    /// Where it goes beneath the target.
    at: Relative,
}

/// A source, looked at.
pub(super) struct Named {
    pub(super) path: RemotePath,
    pub(super) known: Known,
    pub(super) is: SourceIs,
}

impl Down {
    /// Looks at the sources and the target, and adds what is to be done to the work. `None` where nothing is left to do.
    pub(super) async fn begin(
        terms: &Terms,
        client: &mut Client,
        sources: Vec<UrlPath>,
        target: &Path,
        work: &Work,
    ) -> Result<Option<Down>, Failure> {
        let several = sources.len() > 1;
        let named = look(terms, client, sources).await?;
        if named.is_empty() {
            return Ok(None);
        }
        let sources = if several || named.len() > 1 { Sources::Several } else { Sources::One };
        let (target, is, own_name) = open_target(target)?;
        let mut down = Down { target, roots: Vec::new() };
        let mut taken = HashSet::new();
        let (mut files, mut bytes) = (0, 0_u64);
        for Named { path, known, is: source } in named {
            let place = Place::Remote(path.clone());
            let at = match put(source, path.name().and_then(|name| EntryName::parse(name).ok()), sources, is)
            {
                Ok(Put::Into(name)) => Relative::of(&name),
                Ok(Put::AsTarget) => own_name.clone(),
                Err(NoPlace::NoFolder) => return Err(Failure::NoFolder(Place::Local(down.shown(&own_name)))),
                Err(NoPlace::FileInTheWay) => {
                    terms.telling.failed(place, Failure::FileInTheWay(Place::Local(down.shown(&own_name))));
                    continue;
                }
            };
            // Contents of several folders may go into one.
            if source != SourceIs::Contents && !taken.insert(at.clone()) {
                terms.telling.failed(place, Failure::SameName(Place::Local(down.shown(&at))));
                continue;
            }
            let Ok(root) = u32::try_from(down.roots.len()) else { break };
            let kind = if known.is == Is::File { TaskKind::File } else { TaskKind::Folder };
            if kind == TaskKind::File {
                files += 1;
                bytes = bytes.saturating_add(known.size.unwrap_or(0));
            }
            down.roots.push(Root { source: path, at });
            let task =
                Task { root, path: Relative::default(), kind, size: known.size, modified: known.modified };
            work.add([task]).map_err(|error| spooling(terms, error))?;
        }
        if files > 0 {
            terms.telling.tell(Event::Found { files, bytes });
        }
        Ok(Some(down))
    }

    /// Does one task. Fails only where no connection is to be had.
    pub(super) async fn carry_out(
        &self,
        terms: &Terms,
        client: &mut Client,
        work: &Work,
        task: &Task,
    ) -> Result<(), Failure> {
        let Some(root) = self.roots.get(task.root as usize) else { return Ok(()) };
        let source = task.path.within_remote(&root.source);
        let at = task.path.within(&root.at);
        let outcome = match task.kind {
            TaskKind::File => self.receive(terms, client, source.clone(), &at, task).await,
            TaskKind::Folder => self.search(terms, client, work, source.clone(), &at, task).await,
            TaskKind::Unknown => self.find_out(terms, client, work, source.clone(), &at, task).await,
        };
        outcome.or_else(|failure| terms.go_on_without(Place::Remote(source), failure))
    }

    async fn receive(
        &self,
        terms: &Terms,
        client: &mut Client,
        source: RemotePath,
        at: &Relative,
        task: &Task,
    ) -> Result<(), Failure> {
        let Some((parent, name)) = at.split_last() else { return Ok(()) };
        let folder = self.target.beneath(&parent, Missing::Make)?;
        let (size, modified) = (task.size, task.modified);
        Incoming { terms, source, folder: Arc::new(folder), name, size, modified }.receive(client).await
    }

    async fn search(
        &self,
        terms: &Terms,
        client: &mut Client,
        work: &Work,
        folder: RemotePath,
        at: &Relative,
        task: &Task,
    ) -> Result<(), Failure> {
        if task.path.is_empty() || terms.filter.makes(task.path.as_bytes()) {
            let target = self.target.beneath(at, Missing::Make)?;
            terms.telling.tell(Event::Folder { target: Place::Local(target.path().to_owned()) });
        }
        Search { terms, folder, task }.search(client, work).await
    }

    /// What a listing did not tell the kind of.
    async fn find_out(
        &self,
        terms: &Terms,
        client: &mut Client,
        work: &Work,
        source: RemotePath,
        at: &Relative,
        task: &Task,
    ) -> Result<(), Failure> {
        let keeps = |kind| terms.filter.keeps(task.path.as_bytes(), kind);
        let Known { is, size, modified } = known(terms, client, &source).await?;
        match is {
            Is::File if keeps(Kind::File) => {
                terms.telling.tell(Event::Found { files: 1, bytes: size.unwrap_or(0) });
                let task = Task { kind: TaskKind::File, size, modified, ..task.clone() };
                self.receive(terms, client, source, at, &task).await
            }
            Is::Folder if keeps(Kind::Folder) => self.search(terms, client, work, source, at, task).await,
            Is::File | Is::Folder => Ok(()),
            Is::Special => {
                terms.telling.skipped(Place::Remote(source), Omission::Special);
                Ok(())
            }
        }
    }

    fn shown(&self, at: &Relative) -> PathBuf {
        at.names().fold(self.target.path().to_owned(), |path, name| path.join(OsStr::from_bytes(name)))
    }
}

/// Looks at each source; what cannot be copied is told and left out.
pub(super) async fn look(
    terms: &Terms,
    client: &mut Client,
    sources: Vec<UrlPath>,
) -> Result<Vec<Named>, Failure> {
    let mut named = Vec::new();
    for source in sources {
        for (path, known) in pattern::meant_or_told(terms, client, &source).await? {
            let place = || Place::Remote(path.clone());
            let is = match known.is {
                Is::Special => {
                    terms.telling.skipped(place(), Omission::Special);
                    continue;
                }
                Is::Folder if terms.recursion == Recursion::FilesOnly => {
                    terms.telling.failed(place(), Failure::IsFolder(place()));
                    continue;
                }
                Is::File if !terms.filter.keeps(path.name().unwrap_or_default(), Kind::File) => {
                    terms.telling.skipped(place(), Omission::Filtered);
                    continue;
                }
                Is::Folder if source.ends_in_slash() || path.name().is_none() => SourceIs::Contents,
                Is::Folder => SourceIs::Folder,
                Is::File => SourceIs::File,
            };
            named.push(Named { path, known, is });
        }
    }
    Ok(named)
}

/// Opens the target if it is a folder, else the folder it lies in; with what it is, and its name in that folder.
fn open_target(target: &Path) -> Result<(Folder, TargetIs, Relative), Failure> {
    let bytes = target.as_os_str().as_bytes();
    let (path, is) = match folder::stat(target).map(|found| found.kind) {
        Ok(folder::Kind::Folder) => {
            return Ok((Folder::open(target)?, TargetIs::Folder, Relative::default()));
        }
        Ok(folder::Kind::File) => {
            // The user's own link to a file is followed, as cp does.
            let path = target.canonicalize().map_err(|error| LocalFailure::io("open", target, error))?;
            (path, TargetIs::File)
        }
        Ok(_) => return Err(LocalFailure::NotAFile(target.to_owned()).into()),
        // A link that leads to nothing: what should be made, and where, is not said.
        Err(Errno::NOENT) if target.is_symlink() => {
            return Err(LocalFailure::io("follow the link", target, Errno::NOENT).into());
        }
        Err(Errno::NOENT) if bytes.ends_with(b"/") => (target.to_owned(), TargetIs::MissingFolder),
        Err(Errno::NOENT) => (target.to_owned(), TargetIs::Missing),
        Err(errno) => return Err(LocalFailure::io("look at", target, errno).into()),
    };
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let name = EntryName::parse(name).map_err(|why| Failure::Name { path: path.clone(), why })?;
    Ok((Folder::open(path.parent().unwrap_or(Path::new("")))?, is, Relative::of(&name)))
}
