//! How do files and folders go from one server to another?
//!
//! The servers exchange them directly where they will (FXP), and else each file is relayed: received from the one and sent
//! to the other as it comes, never resting here. One file at a time, with a connection to each server.

use std::collections::HashSet;

use carrack_ftp_proto::client::{EntryName, RemotePath};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::down::{Search, look, spooling};
use super::engine::IN_VAIN;
use super::known::{Is, Known, is_nothing, known};
use super::naming::{NoPlace, Put, SourceIs, Sources, put};
use super::task::{Task, TaskKind};
use super::telling::{End, Transfer};
use super::terms::Terms;
use super::up::look_at_target;
use super::work::{Prefer, Taker, Work};
use super::{Ended, Event, Failure, Note, Omission, Place, Verified, Verify, digest};
use crate::exchange::{NotExchanged, exchange};
use crate::filter::Kind;
use crate::relative::Relative;
use crate::url::UrlPath;
use crate::{Client, Error, ErrorKind, Pace, Store, Watch as _};

/// Bytes that are relayed at a time; with what the sockets hold, all that a relayed file takes of memory.
const PIECE: usize = 256 * 1024;

/// A copy from one server to another.
pub(super) struct Across<'t> {
    terms: &'t Terms,
    source: Client,
    target: Client,
    roots: Vec<Root>,
    way: Way,
}

/// One source, patterns expanded, and where it goes.
struct Root {
    source: RemotePath,
    target: RemotePath,
}

/// How bytes go from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Directly, as long as the servers will.
    Directly,
    /// Through this machine.
    Relayed,
}

impl<'t> Across<'t> {
    pub(super) fn new(terms: &'t Terms, source: Client, target: Client) -> Across<'t> {
        // Bytes that pass elsewhere cannot be held to a rate.
        let way = if terms.limiter.is_some() { Way::Relayed } else { Way::Directly };
        Across { terms, source, target, roots: Vec::new(), way }
    }

    /// Copies everything, to the end or until nothing more can be done.
    pub(super) async fn run(mut self, sources: Vec<UrlPath>, target: &UrlPath) -> Result<Ended, Failure> {
        let work = Work::new(&self.terms.spools);
        self.begin(sources, target, &work).await?;
        while let Some(taken) = self.next(&work).await? {
            if self.terms.stop.is_stopped() {
                return Ok(Ended::Stopped);
            }
            self.carry_out(&work, &taken).await?;
            if self.terms.telling.in_vain() >= IN_VAIN {
                return Err(Failure::GaveUp(self.terms.telling.in_vain()));
            }
        }
        self.source.quit().await;
        self.target.quit().await;
        Ok(Ended::Complete)
    }

    async fn next(&self, work: &Work) -> Result<Option<Task>, Failure> {
        let taken = work.take(Prefer::Files, Taker::Connected).await;
        let taken = taken.map_err(|error| spooling(self.terms, error))?;
        Ok(taken.map(|taken| taken.task.clone()))
    }

    /// Looks at the sources and the target, and adds what is to be done to the work.
    async fn begin(&mut self, sources: Vec<UrlPath>, target: &UrlPath, work: &Work) -> Result<(), Failure> {
        let several = sources.len() > 1;
        let named = look(self.terms, &mut self.source, sources).await?;
        if named.is_empty() {
            return Ok(());
        }
        let sources = if several || named.len() > 1 { Sources::Several } else { Sources::One };
        let (target, is) = look_at_target(self.terms, &mut self.target, target).await?;
        let mut taken = HashSet::new();
        let (mut files, mut bytes) = (0, 0_u64);
        for named in named {
            let (path, known) = (named.path, named.known);
            let place = Place::Remote(path.clone());
            // SECURITY: the source's name is one component, so that nothing goes beside the target.
            let name = path.name().and_then(|name| EntryName::parse(name).ok());
            let to = match put(named.is, name, sources, is) {
                Ok(Put::Into(name)) => target.child(&name),
                Ok(Put::AsTarget) => target.clone(),
                Err(NoPlace::NoFolder) => return Err(Failure::NoFolder(Place::Across(target))),
                Err(NoPlace::FileInTheWay) => {
                    self.terms.telling.failed(place, Failure::FileInTheWay(Place::Across(target.clone())));
                    continue;
                }
            };
            if self.is_onto_itself(&path, &to) {
                self.terms.telling.failed(place, Failure::OntoItself(Place::Across(to)));
                continue;
            }
            // Contents of several folders may go into one.
            if named.is != SourceIs::Contents && !taken.insert(to.clone()) {
                self.terms.telling.failed(place, Failure::SameName(Place::Across(to)));
                continue;
            }
            let Ok(root) = u32::try_from(self.roots.len()) else { break };
            let kind = if known.is == Is::File { TaskKind::File } else { TaskKind::Folder };
            if kind == TaskKind::File {
                files += 1;
                bytes = bytes.saturating_add(known.size.unwrap_or(0));
            }
            self.roots.push(Root { source: path, target: to });
            let path = Relative::default();
            let task = Task { root, path, kind, size: known.size, modified: known.modified };
            work.add([task]).map_err(|error| spooling(self.terms, error))?;
        }
        if files > 0 {
            self.terms.telling.tell(Event::Found { files, bytes });
        }
        Ok(())
    }

    /// Whether `to` on the target's server is `path` on the source's, or lies in it. A server that is reached by two names is
    /// not found out.
    fn is_onto_itself(&self, path: &RemotePath, to: &RemotePath) -> bool {
        let (source, target) = (self.source.settings(), self.target.settings());
        let is_same = source.host.eq_ignore_ascii_case(&target.host) && source.port == target.port;
        let rest = to.as_bytes().strip_prefix(path.as_bytes());
        is_same
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || path.as_bytes() == b"/")
    }

    /// Does one task. Fails only where no connection is to be had.
    async fn carry_out(&mut self, work: &Work, task: &Task) -> Result<(), Failure> {
        let Some(root) = self.roots.get(task.root as usize) else { return Ok(()) };
        let source = task.path.within_remote(&root.source);
        let target = task.path.within_remote(&root.target);
        let outcome = match task.kind {
            TaskKind::File => self.file(&source, &target, task.size).await,
            TaskKind::Folder => self.folder(work, source.clone(), &target, task).await,
            TaskKind::Unknown => self.find_out(work, source.clone(), &target, task).await,
        };
        outcome.or_else(|failure| self.terms.go_on_without(Place::Remote(source), failure))
    }

    /// What a listing did not tell the kind of.
    async fn find_out(
        &mut self,
        work: &Work,
        source: RemotePath,
        target: &RemotePath,
        task: &Task,
    ) -> Result<(), Failure> {
        let terms = self.terms;
        let keeps = |kind| terms.filter.keeps(task.path.as_bytes(), kind);
        let Known { is, size, .. } = known(terms, &mut self.source, &source).await?;
        match is {
            Is::File if keeps(Kind::File) => {
                terms.telling.tell(Event::Found { files: 1, bytes: size.unwrap_or(0) });
                self.file(&source, target, size).await
            }
            Is::Folder if keeps(Kind::Folder) => self.folder(work, source, target, task).await,
            Is::File | Is::Folder => Ok(()),
            Is::Special => {
                terms.telling.skipped(Place::Remote(source), Omission::Special);
                Ok(())
            }
        }
    }

    async fn folder(
        &mut self,
        work: &Work,
        folder: RemotePath,
        target: &RemotePath,
        task: &Task,
    ) -> Result<(), Failure> {
        self.make(target).await?;
        Search { terms: self.terms, folder, task }.search(&mut self.source, work).await
    }

    /// Makes a folder on the target's server, unless it is there.
    async fn make(&mut self, folder: &RemotePath) -> Result<(), Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            match self.target.make_folder(folder).await {
                Ok(()) => break,
                // Also what servers say of a folder that is there.
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFoundOrDenied(_) | ErrorKind::Refused { .. }) =>
                {
                    match known(self.terms, &mut self.target, folder).await {
                        Ok(Known { is: Is::Folder, .. }) => break,
                        Ok(_) => return Err(Failure::FileInTheWay(Place::Across(folder.clone()))),
                        Err(failure) if is_nothing(&failure) => return Err(error.into()),
                        Err(failure) => return Err(failure),
                    }
                }
                Err(error) => attempts.again(error.into(), &self.terms.telling, None).await?,
            }
        }
        self.terms.telling.tell(Event::Folder { target: Place::Across(folder.clone()) });
        Ok(())
    }

    async fn file(
        &mut self,
        source: &RemotePath,
        target: &RemotePath,
        size: Option<u64>,
    ) -> Result<(), Failure> {
        let terms = self.terms;
        let (from, to) = (Place::Remote(source.clone()), Place::Across(target.clone()));
        let mut transfer = Transfer::begin(&terms.telling, from, to, size);
        let mut attempts = terms.attempts();
        let outcome = loop {
            transfer.restarted(0);
            let moved = match self.attempt(source, target, size, &transfer).await {
                Ok(moved) => moved,
                Err(failure) => match attempts.again(failure, &terms.telling, Some(transfer.id())).await {
                    Ok(()) => continue,
                    Err(failure) => break Err(failure),
                },
            };
            break self.verify(source, target, moved).await;
        };
        transfer.end(outcome.map(End::Done))
    }

    /// Moves the file once, and says how many bytes it has, as far as that is known.
    async fn attempt(
        &mut self,
        source: &RemotePath,
        target: &RemotePath,
        size: Option<u64>,
        transfer: &Transfer,
    ) -> Result<Option<u64>, Failure> {
        if self.way == Way::Directly {
            match exchange(&mut self.source, source, &mut self.target, target).await {
                Ok(()) => {
                    let size = match size {
                        None => self.source.size(source).await?,
                        size => size,
                    };
                    let meter = transfer.meter(None, &self.terms.stop, u64::MAX);
                    // All at once: nobody here has seen them pass.
                    let _pace = meter.moved(size.unwrap_or(0));
                    return Ok(size);
                }
                Err(NotExchanged::Source(error) | NotExchanged::Target(error)) => return Err(error.into()),
                Err(NotExchanged::Unable(why)) => {
                    self.way = Way::Relayed;
                    self.terms.telling.note(Note::Relayed(why));
                }
            }
        }
        self.relay(source, target, transfer).await.map(Some)
    }

    /// Receives the file from the one server and sends it to the other as it comes.
    async fn relay(
        &mut self,
        source: &RemotePath,
        target: &RemotePath,
        transfer: &Transfer,
    ) -> Result<u64, Failure> {
        let meter = transfer.meter(self.terms.limiter.as_ref(), &self.terms.stop, u64::MAX);
        // The source first: a file that cannot be read leaves nothing at the target.
        let mut download = self.source.retrieve(source, 0).await?;
        let mut upload = self.target.store(target, Store::Replace).await?;
        let mut buffer = vec![0; PIECE];
        loop {
            let bytes = download.read(&mut buffer).await.map_err(carried)?;
            if bytes == 0 {
                break;
            }
            upload.write_all(buffer.get(..bytes).unwrap_or_default()).await.map_err(carried)?;
            match meter.moved(bytes as u64) {
                Pace::Wait(time) => tokio::time::sleep(time).await,
                Pace::Go => {}
                Pace::Stop => {
                    return Err(Error::new(crate::Operation::Download, source, ErrorKind::Stopped).into());
                }
            }
        }
        // SECURITY: only a source that has ended in order makes an upload that ends so.
        download.finish().await?;
        Ok(upload.finish().await?)
    }

    async fn verify(
        &mut self,
        source: &RemotePath,
        target: &RemotePath,
        expected: Option<u64>,
    ) -> Result<Verified, Failure> {
        match self.terms.verify {
            Verify::Off => return Ok(Verified::Nothing),
            Verify::Size => {}
            Verify::Auto => {
                if let Some(verified) = self.compare_hashes(source, target).await? {
                    return Ok(verified);
                }
            }
        }
        let Some(expected) = expected else { return Ok(Verified::Nothing) };
        match self.target.size(target).await? {
            None => Ok(Verified::Nothing),
            Some(arrived) if arrived == expected => Ok(Verified::Size),
            Some(arrived) => {
                Err(Failure::SizeDiffers { place: Place::Across(target.clone()), expected, arrived })
            }
        }
    }

    /// Compares the hashes that the two servers make of the file, if both make the same kind.
    async fn compare_hashes(
        &mut self,
        source: &RemotePath,
        target: &RemotePath,
    ) -> Result<Option<Verified>, Failure> {
        let Some(algorithm) = digest::offered_by_both(self.source.features(), self.target.features()) else {
            return Ok(None);
        };
        let place = Place::Across(target.clone());
        let (Ok(Some(here)), Ok(Some(there))) =
            (self.source.hash(source, algorithm).await, self.target.hash(target, algorithm).await)
        else {
            // A server may be too slow for a large file, or refuse for reasons of its own; the size is left then.
            self.terms.telling.note(Note::NoHash(place));
            return Ok(None);
        };
        if here == there {
            return Ok(Some(Verified::Hash(algorithm)));
        }
        let (algorithm, sent, arrived) = (algorithm.name(), here.to_string(), there.to_string());
        Err(Failure::HashesDiffer { place, algorithm, sent, arrived })
    }
}

/// The error of the transfer that an error of its stream stands for.
fn carried(error: std::io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::Stream(super::StreamSide::Input, error),
    }
}
