//! How do files and folders go from this machine to the server?

mod folders;
mod search;
mod send;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use carrack_ftp_proto::client::{EntryName, RemotePath};

use super::down::spooling;
use super::known::{Is, is_nothing, known};
use super::naming::{NoPlace, Put, SourceIs, Sources, TargetIs, put};
use super::task::{Task, TaskKind};
use super::terms::Terms;
use super::work::Work;
use super::{Event, Failure, Omission, Place, Recursion, Side};
use crate::filter;
use crate::local::folder::{self, Folder, Kind, Missing};
use crate::local::glob::{Expanded, expand};
use crate::local::source::SourceFile;
use crate::relative::Relative;
use crate::url::UrlPath;
use crate::{Client, LocalFailure};
use folders::Folders;
use search::Search;
use send::Outgoing;

/// A copy from this machine to the server.
pub(super) struct Up {
    /// The folder that was named as the target, or the one the target lies in: it is not made.
    base: RemotePath,
    roots: Vec<Root>,
    folders: Folders,
}

/// One source, patterns expanded.
struct Root {
    source: PathBuf,
    target: RemotePath,
}

/// A source, looked at.
struct Named {
    path: PathBuf,
    is: SourceIs,
    /// Of a file.
    size: u64,
}

impl Up {
    /// Looks at the sources and the target, and adds what is to be done to the work. `None` where nothing is left to do.
    pub(super) async fn begin(
        terms: &Terms,
        client: &mut Client,
        sources: Vec<PathBuf>,
        target: &UrlPath,
        work: &Work,
    ) -> Result<Option<Up>, Failure> {
        let several = sources.len() > 1;
        let named = look(terms, sources);
        if named.is_empty() {
            return Ok(None);
        }
        let sources = if several || named.len() > 1 { Sources::Several } else { Sources::One };
        let (target, is) = look_at_target(terms, client, target).await?;
        let base = match is {
            TargetIs::Folder => target.clone(),
            _ => target.parent().unwrap_or_else(RemotePath::root),
        };
        let mut up = Up { base, roots: Vec::new(), folders: Folders::default() };
        let mut taken = HashSet::new();
        let (mut files, mut bytes) = (0, 0_u64);
        for Named { path, is: source, size } in named {
            let place = Place::Local(path.clone());
            let name = match source {
                SourceIs::Contents => None,
                SourceIs::File | SourceIs::Folder => match name_of(&path) {
                    Ok(name) => Some(name),
                    Err(failure) => {
                        terms.telling.failed(place, failure);
                        continue;
                    }
                },
            };
            let remote = match put(source, name, sources, is) {
                Ok(Put::Into(name)) => target.child(&name),
                Ok(Put::AsTarget) => target.clone(),
                Err(NoPlace::NoFolder) => return Err(Failure::NoFolder(Place::Remote(target))),
                Err(NoPlace::FileInTheWay) => {
                    terms.telling.failed(place, Failure::FileInTheWay(Place::Remote(target.clone())));
                    continue;
                }
            };
            // Contents of several folders may go into one.
            if source != SourceIs::Contents && !taken.insert(remote.clone()) {
                terms.telling.failed(place, Failure::SameName(Place::Remote(remote)));
                continue;
            }
            let Ok(root) = u32::try_from(up.roots.len()) else { break };
            let kind = if source == SourceIs::File { TaskKind::File } else { TaskKind::Folder };
            if kind == TaskKind::File {
                files += 1;
                bytes = bytes.saturating_add(size);
            }
            up.roots.push(Root { source: path, target: remote });
            let task = Task { root, path: Relative::default(), kind, size: Some(size), modified: None };
            work.add([task]).map_err(|error| spooling(terms, error))?;
        }
        if files > 0 {
            terms.telling.tell(Event::Found { files, bytes });
        }
        Ok(Some(up))
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
        let outcome = match task.kind {
            TaskKind::File => self.send(terms, client, root, task).await,
            TaskKind::Folder | TaskKind::Unknown => self.search(terms, client, work, root, task).await,
        };
        outcome.or_else(|failure| {
            let path = task.path.names().map(OsStr::from_bytes);
            terms.go_on_without(Place::Local(root.source.join(path.collect::<PathBuf>())), failure)
        })
    }

    async fn send(
        &self,
        terms: &Terms,
        client: &mut Client,
        root: &Root,
        task: &Task,
    ) -> Result<(), Failure> {
        let source = match task.path.split_last() {
            None => SourceFile::open(&root.source)?,
            Some((parent, name)) => {
                let target = parent.within_remote(&root.target);
                self.folders.ensure(terms, client, &self.base, &target).await?;
                let folder = Folder::open(&root.source)?.beneath(&parent, Missing::Fail)?;
                SourceFile::open_in(&folder, name.as_bytes())?
            }
        };
        let target = task.path.within_remote(&root.target);
        Outgoing { terms, source, target }.send(client).await
    }

    async fn search(
        &self,
        terms: &Terms,
        client: &mut Client,
        work: &Work,
        root: &Root,
        task: &Task,
    ) -> Result<(), Failure> {
        let folder = Folder::open(&root.source)?.beneath(&task.path, Missing::Fail)?;
        if task.path.is_empty() || terms.filter.makes(task.path.as_bytes()) {
            let target = task.path.within_remote(&root.target);
            self.folders.ensure(terms, client, &self.base, &target).await?;
        }
        let mut search = Search::begin(terms, task, folder)?;
        while let Some(tasks) = search.next().await? {
            work.add(tasks).map_err(|error| spooling(terms, error))?;
        }
        Ok(())
    }
}

/// Looks at each source; what cannot be copied is told and left out.
fn look(terms: &Terms, sources: Vec<PathBuf>) -> Vec<Named> {
    let mut named = Vec::new();
    for source in sources {
        let pattern = || source.display().to_string();
        let meant = match expand(&source) {
            Ok(Expanded::Literal) => vec![source],
            Ok(Expanded::Matches(found)) if found.is_empty() => {
                let failure = Failure::NoMatch { pattern: pattern(), side: Side::Local };
                terms.telling.failed(Place::Local(source), failure);
                continue;
            }
            Ok(Expanded::Matches(found)) => found,
            Ok(Expanded::TooMany) => {
                let failure = Failure::TooManyMatches(pattern());
                terms.telling.failed(Place::Local(source), failure);
                continue;
            }
            Err(failure) => {
                terms.telling.failed(Place::Local(source), failure.into());
                continue;
            }
        };
        for path in meant {
            let failed = |failure: Failure| terms.telling.failed(Place::Local(path.clone()), failure);
            match folder::stat(&path) {
                Err(errno) => failed(LocalFailure::io("open", &path, errno).into()),
                Ok(found) => match found.kind {
                    Kind::File if is_filtered(terms, &path) => {
                        terms.telling.skipped(Place::Local(path), Omission::Filtered);
                    }
                    Kind::File => named.push(Named { path, is: SourceIs::File, size: found.size }),
                    Kind::Folder if terms.recursion == Recursion::FilesOnly => {
                        failed(Failure::IsFolder(Place::Local(path.clone())));
                    }
                    Kind::Folder => named.push(Named { is: folder_kind(&path), path, size: 0 }),
                    Kind::Link | Kind::Special => failed(LocalFailure::NotAFile(path.clone()).into()),
                },
            }
        }
    }
    named
}

fn is_filtered(terms: &Terms, path: &Path) -> bool {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    !terms.filter.keeps(name, filter::Kind::File)
}

/// `a/`, `a/.`, `.` and `..` mean what is in the folder.
fn folder_kind(path: &Path) -> SourceIs {
    let last = path.as_os_str().as_bytes().rsplit(|byte| *byte == b'/').next();
    if matches!(last, Some(b"" | b"." | b"..")) { SourceIs::Contents } else { SourceIs::Folder }
}

fn name_of(path: &Path) -> Result<EntryName, Failure> {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    EntryName::parse(name).map_err(|why| Failure::Name { path: path.to_owned(), why })
}

/// What the target is, links followed by the server.
pub(super) async fn look_at_target(
    terms: &Terms,
    client: &mut Client,
    target: &UrlPath,
) -> Result<(RemotePath, TargetIs), Failure> {
    let path = client.resolve(target);
    let is = match known(terms, client, &path).await {
        Ok(known) if known.is == Is::Folder => TargetIs::Folder,
        Ok(_) => TargetIs::File,
        Err(failure) if is_nothing(&failure) && target.ends_in_slash() => TargetIs::MissingFolder,
        Err(failure) if is_nothing(&failure) => TargetIs::Missing,
        Err(failure) => return Err(failure),
    };
    Ok((path, is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_folder_is_named_by_says_whether_it_goes_with_its_name() {
        for (path, is) in [
            ("a", SourceIs::Folder),
            ("a/b", SourceIs::Folder),
            ("/a", SourceIs::Folder),
            ("a/", SourceIs::Contents),
            ("a/.", SourceIs::Contents),
            (".", SourceIs::Contents),
            ("..", SourceIs::Contents),
            ("a/..", SourceIs::Contents),
            ("/", SourceIs::Contents),
            ("a..", SourceIs::Folder),
        ] {
            assert_eq!(folder_kind(Path::new(path)), is, "{path}");
        }
    }
}
