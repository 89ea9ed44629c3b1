//! `carrack rm`: files, and with `-r` whole folders, are no more.

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, EntryKind, RemotePath};
use serde::Serialize;

use super::each;
use super::folder::{self, DEPTH, HELD, is_refusal};
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::Remove;
use crate::exit::{Failure, Status, Tally};

/// Something is gone.
#[derive(Debug, Serialize)]
struct Removed<'u> {
    event: &'static str,
    url: &'u str,
    kind: &'static str,
}

/// Tells programs that something is gone.
pub(super) fn tell(output: &Output, url: &Url, kind: &'static str) -> Result<(), Failure> {
    match output.form() {
        Form::Text => Ok(()),
        Form::Json => output.json(&Removed { event: "removed", url: &url.to_string(), kind }),
    }
}

/// Runs `carrack rm …`.
pub(crate) async fn rm(arguments: Remove, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let recursive = arguments.recursive;
    let outcome = each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        if recursive { any(url, path, client, output).await } else { file(url, &path, client, output).await }
    })
    .await;
    output.flush()?;
    outcome
}

async fn file(url: &Url, path: &RemotePath, client: &mut Client, output: &Output) -> Result<(), Failure> {
    let Err(error) = client.remove_file(path).await else { return tell(output, url, "file") };
    let is_folder =
        is_refusal(&error) && client.stat(path).await.is_ok_and(|facts| facts.kind == EntryKind::Folder);
    if is_folder {
        return Err(Failure::new(
            Status::Missing,
            format!("{url} is a folder; `rm -r` removes it with all that is in it, `rmdir` if it is empty"),
        ));
    }
    Err(error.into())
}

async fn any(url: &Url, path: RemotePath, client: &mut Client, output: &Output) -> Result<(), Failure> {
    // A folder that the user is in, or that holds it, is never meant by a path; an empty variable in a script says it.
    if client.login_folder().is_within(&path) {
        return Err(Failure::usage(format!(
            "{url} is the folder that the user logs in to, or one above it; name what is to be removed"
        )));
    }
    if client.stat(&path).await?.kind != EntryKind::Folder {
        return file(url, &path, client, output).await;
    }
    if is_unlinked(&path, client).await? {
        return tell(output, url, "file");
    }
    Removal { output, tally: Tally::default(), levels: Vec::new() }.run(url, path, client).await
}

/// Whether something that is said to be a folder could be removed like a file. SECURITY: many servers list a link to a
/// folder as a folder; who goes into it empties a folder that nobody has named.
async fn is_unlinked(path: &RemotePath, client: &mut Client) -> Result<bool, Failure> {
    match client.remove_file(path).await {
        Ok(()) => Ok(true),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A folder that is being emptied.
struct Level {
    url: Url,
    path: RemotePath,
    /// Folders in it that are still to be emptied.
    folders: Vec<(Url, RemotePath)>,
    /// Whether all of its entries were seen; else it is read again once these are gone.
    is_whole: bool,
    /// Failures before it was read: where there are more, reading again would bring the same entries.
    failures_before: u64,
}

/// Goes through folders from the bottom up.
struct Removal<'o> {
    output: &'o Output,
    tally: Tally,
    levels: Vec<Level>,
}

impl Removal<'_> {
    async fn run(mut self, url: &Url, path: RemotePath, client: &mut Client) -> Result<(), Failure> {
        self.open(url.clone(), path, client).await?;
        while let Some(level) = self.levels.last_mut() {
            if let Some((url, path)) = level.folders.pop() {
                if self.levels.len() >= DEPTH {
                    let text = format!("{url} lies {DEPTH} folders deep; it is not looked into");
                    self.fail(&url, Failure::failed(text))?;
                } else if let Err(failure) = self.go_into(&url, path, client).await {
                    self.fail(&url, failure)?;
                }
                continue;
            }
            let Some(level) = self.levels.pop() else { break };
            if !level.is_whole && self.tally.failures() == level.failures_before {
                if let Err(failure) = self.open(level.url.clone(), level.path, client).await {
                    self.fail(&level.url, failure)?;
                }
                continue;
            }
            match client.remove_folder(&level.path).await {
                Ok(()) => self.removed(&level.url, "folder")?,
                // Something in it could not be removed, which was told.
                Err(error) if is_refusal(&error) && self.tally.failures() > level.failures_before => {}
                Err(error) => self.fail(&level.url, error.into())?,
            }
        }
        self.tally.outcome()
    }

    async fn go_into(&mut self, url: &Url, path: RemotePath, client: &mut Client) -> Result<(), Failure> {
        if is_unlinked(&path, client).await? {
            return self.removed(url, "file");
        }
        self.open(url.clone(), path, client).await
    }

    /// Reads a folder and removes what is no folder in it; the folders in it come next.
    async fn open(&mut self, url: Url, path: RemotePath, client: &mut Client) -> Result<(), Failure> {
        let failures_before = self.tally.failures();
        let contents = folder::read(client, &path, HELD, self.output).await?;
        if let Err(failure) = contents.skipped.outcome() {
            self.tally.failed(failure.status());
        }
        let mut folders = Vec::new();
        for entry in contents.entries {
            let (url, path) = (url.child(&entry.name), path.child(&entry.name));
            // Links are removed like files: what they lead to is somebody else's.
            if entry.kind == EntryKind::Folder {
                folders.push((url, path));
            } else {
                match client.remove_file(&path).await {
                    Ok(()) => self.removed(&url, "file")?,
                    Err(error) => self.fail(&url, error.into())?,
                }
            }
        }
        self.levels.push(Level { url, path, folders, is_whole: contents.is_whole, failures_before });
        Ok(())
    }

    fn removed(&mut self, url: &Url, kind: &'static str) -> Result<(), Failure> {
        self.tally.done();
        tell(self.output, url, kind)
    }

    fn fail(&mut self, url: &Url, failure: Failure) -> Result<(), Failure> {
        if failure.status().ends_all() {
            return Err(failure);
        }
        self.tally.failed(failure.status());
        self.output.failed(Some(&url.to_string()), &failure)
    }
}
