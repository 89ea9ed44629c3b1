//! The files that a measurement works on: in a folder of their own on the server, made when they are needed, and removed at the end.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, RemotePath, Settings, Store, Unwatched};
use rustix::fs::MemfdFlags;
use tokio::task::JoinSet;

use super::local;
use super::scenario::{Length, Work};
use crate::arguments::bench::{Bench, Scenario};
use crate::exit::Failure;

/// The length of a small file.
const SMALL: u64 = 1024;
/// Sessions that make and remove many files.
const MAKERS: u32 = 8;
/// Small files that one session uploads under names of their own, before they are replaced: as many as are removed in a moment.
const NAMES: u32 = 1000;
/// What files hold is made in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// Where is measured, and what is there.
pub(super) struct Ground {
    folder: RemotePath,
    /// Whether it may be there.
    is_begun: bool,
    /// How many files a listing has.
    entries: u32,
    /// What uploads send. In memory, so that no disk of this machine is measured.
    big: Arc<File>,
    small: Arc<File>,
    /// What has been made on the server, in the order of its making.
    made: Vec<RemotePath>,
    listed: Option<RemotePath>,
    ready: Vec<Length>,
    /// What is downloaded or listed, where it need not be made.
    existing: Option<RemotePath>,
    /// How many names each session has used for small files at most.
    names: Arc<AtomicU32>,
}

/// The names under which a session uploads: a big file again and again, small ones each under a name of its own.
pub(super) struct Uploads {
    folder: RemotePath,
    length: Length,
    session: u32,
    number: u32,
    names: Arc<AtomicU32>,
}

impl Uploads {
    /// Where the next upload goes.
    pub(super) fn next(&mut self) -> Result<RemotePath, Failure> {
        let name = match self.length {
            Length::Big => big_name(self.session),
            Length::Small => small_name(self.session, self.number),
        };
        self.number = (self.number + 1) % NAMES;
        if self.length == Length::Small {
            // Remembered before it is there: an upload may be interrupted.
            self.names.fetch_max(if self.number == 0 { NAMES } else { self.number }, Ordering::Relaxed);
        }
        self.folder.join(name.as_bytes()).map_err(Failure::usage)
    }
}

fn big_name(session: u32) -> String {
    format!("big-{session}")
}

fn small_name(session: u32, number: u32) -> String {
    format!("small-{session}-{number:03}")
}

impl Ground {
    /// A folder of its own below the URL's, which is not made yet.
    pub(super) fn at(client: &Client, url: &Url, arguments: &Bench) -> Result<Ground, Failure> {
        let name = format!("carrack-bench-{}", std::process::id());
        let beneath = client.resolve(&url.path);
        let folder = beneath.join(name.as_bytes()).map_err(Failure::usage)?;
        let existing = arguments.existing.as_ref().map(|path| beneath.join(path.as_bytes()));
        let existing = existing.transpose().map_err(Failure::usage)?;
        let (big, small) = (in_memory(arguments.size)?, in_memory(SMALL)?);
        Ok(Ground {
            folder,
            is_begun: false,
            entries: arguments.entries,
            big: Arc::new(big),
            small: Arc::new(small),
            made: Vec::new(),
            listed: None,
            ready: Vec::new(),
            existing,
            names: Arc::default(),
        })
    }

    pub(super) fn folder(&self) -> &RemotePath {
        &self.folder
    }

    /// Makes the folder.
    pub(super) async fn begin(&mut self, client: &mut Client) -> Result<(), Failure> {
        // An interruption may come before the answer.
        self.is_begun = true;
        let made = client.make_folder(&self.folder).await;
        self.is_begun = made.is_ok();
        Ok(made?)
    }

    /// Whether a scenario has files to make.
    pub(super) fn is_needed_for(&self, scenario: Scenario) -> bool {
        match scenario.work() {
            Work::Get(_) | Work::List => self.existing.is_none(),
            Work::Put(_) => true,
            Work::Login(_) | Work::Stay => false,
        }
    }

    /// Makes what a scenario needs and is not there yet.
    pub(super) async fn prepare(&mut self, scenario: Scenario, client: &mut Client) -> Result<(), Failure> {
        match scenario.work() {
            _ if !self.is_needed_for(scenario) => Ok(()),
            Work::Get(length) if !self.ready.contains(&length) => {
                let path = self.served(length)?;
                self.made.push(path.clone());
                let upload = client.store(&path, Store::Replace).await?;
                upload.send(self.sent(length), 0, Arc::new(Unwatched)).await?;
                self.ready.push(length);
                Ok(())
            }
            Work::List if self.listed.is_none() => self.fill(client).await,
            // Their names are remembered before they are there: an upload may be interrupted.
            Work::Put(Length::Big) => {
                for session in 0..scenario.sessions() {
                    let path = self.path(&big_name(session))?;
                    if !self.made.contains(&path) {
                        self.made.push(path);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The file that is downloaded.
    pub(super) fn served(&self, length: Length) -> Result<RemotePath, Failure> {
        if let Some(existing) = &self.existing {
            return Ok(existing.clone());
        }
        self.path(match length {
            Length::Big => "big",
            Length::Small => "small",
        })
    }

    /// What a session uploads.
    pub(super) fn uploads(&self, length: Length, session: u32) -> Uploads {
        Uploads { folder: self.folder.clone(), length, session, number: 0, names: Arc::clone(&self.names) }
    }

    /// What is uploaded.
    pub(super) fn sent(&self, length: Length) -> &Arc<File> {
        match length {
            Length::Big => &self.big,
            Length::Small => &self.small,
        }
    }

    /// The folder that is listed.
    pub(super) fn listed(&self) -> RemotePath {
        self.existing.as_ref().or(self.listed.as_ref()).unwrap_or(&self.folder).clone()
    }

    /// Removes everything, as far as it is there.
    pub(super) async fn remove(&mut self, settings: &Arc<Settings>) -> Result<(), Failure> {
        if !self.is_begun {
            return Ok(());
        }
        let mut client = Client::connect(Arc::clone(settings)).await?;
        if let Some(listed) = self.listed.take() {
            // What that leaves behind keeps the folder from being removed, which is told.
            let _ = for_each_name(settings, &listed, self.entries, listed_name, &Chore::Remove).await;
            let _ = client.remove_folder(&listed).await;
        }
        let names = self.names.load(Ordering::Relaxed);
        if names > 0 {
            let sessions = Scenario::SmallPut8.sessions();
            let name = move |number| small_name(number % sessions, number / sessions);
            let _ = for_each_name(settings, &self.folder, names * sessions, name, &Chore::Remove).await;
        }
        for path in self.made.drain(..) {
            // It may never have come to be.
            let _ = client.remove_file(&path).await;
        }
        client.remove_folder(&self.folder).await?;
        client.quit().await;
        Ok(())
    }

    async fn fill(&mut self, client: &mut Client) -> Result<(), Failure> {
        let folder = self.path("list")?;
        client.make_folder(&folder).await?;
        self.listed = Some(folder.clone());
        let fill = Chore::Make(Arc::new(in_memory(0)?));
        for_each_name(client.settings(), &folder, self.entries, listed_name, &fill).await
    }

    fn path(&self, name: &str) -> Result<RemotePath, Failure> {
        self.folder.join(name.as_bytes()).map_err(Failure::usage)
    }
}

fn listed_name(number: u32) -> String {
    format!("file-{number:06}.dat")
}

/// What is done with each of many files.
#[derive(Clone)]
enum Chore {
    /// It is made, with what this file holds.
    Make(Arc<File>),
    /// It is removed. Where the making was interrupted, it is not there.
    Remove,
}

/// Does something for so many files, by as many of several sessions as the server grants.
async fn for_each_name(
    settings: &Arc<Settings>,
    folder: &RemotePath,
    files: u32,
    name: impl Fn(u32) -> String + Clone + Send + 'static,
    chore: &Chore,
) -> Result<(), Failure> {
    let mut granted = vec![Client::connect(Arc::clone(settings)).await?];
    while granted.len() < MAKERS.min(files) as usize {
        match Client::connect(Arc::clone(settings)).await {
            Ok(client) => granted.push(client),
            Err(_) => break,
        }
    }
    let next = Arc::new(AtomicU32::new(0));
    let mut makers = JoinSet::new();
    for mut client in granted {
        let (next, folder, chore, name) = (Arc::clone(&next), folder.clone(), chore.clone(), name.clone());
        makers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= files {
                    client.quit().await;
                    return Ok::<_, Failure>(());
                }
                let path = folder.join(name(number).as_bytes()).map_err(Failure::usage)?;
                match &chore {
                    Chore::Make(from) => {
                        client.store(&path, Store::Replace).await?.send(from, 0, Arc::new(Unwatched)).await?;
                    }
                    Chore::Remove => {
                        let _ = client.remove_file(&path).await;
                    }
                }
            }
        });
    }
    while let Some(made) = makers.join_next().await {
        made.map_err(|error| local("a session ended", &error))??;
    }
    Ok(())
}

/// A file of this length that lies in memory. Its bytes do not compress, for servers that would.
fn in_memory(length: u64) -> Result<File, Failure> {
    let failed = |error: std::io::Error| local("no file can be made in memory", &error);
    let fd = rustix::fs::memfd_create("carrack-bench", MemfdFlags::CLOEXEC)
        .map_err(|error| failed(error.into()))?;
    let mut file = File::from(fd);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let piece: Vec<u8> = std::iter::repeat_with(|| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(PIECE / 8)
    .flatten()
    .collect();
    let mut left = length;
    while left > 0 {
        let now = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        file.write_all(piece.get(..now).unwrap_or(&piece)).map_err(failed)?;
        left -= now as u64;
    }
    Ok(file)
}
