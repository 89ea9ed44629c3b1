//! `carrack tree`: what is below a folder?

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, Entry, EntryKind, EntryName, RemotePath};
use serde::Serialize;

use super::each;
use super::folder::{self, DEPTH, HELD};
use super::output::entry::{self, Json};
use super::output::quantity::{bytes, counted};
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::Tree;
use crate::exit::{Failure, Tally};

/// What was seen.
#[derive(Debug, Default, Serialize)]
struct Total {
    folders: u64,
    files: u64,
    others: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct TotalEvent<'t> {
    event: &'static str,
    #[serde(flatten)]
    total: &'t Total,
}

/// A folder that is gone through.
struct Level {
    url: Url,
    path: RemotePath,
    /// Still to come, the last one first.
    entries: Vec<Entry>,
}

struct Walk<'o> {
    depth: usize,
    output: &'o Output,
    total: Total,
    tally: Tally,
    levels: Vec<Level>,
}

/// Runs `carrack tree …`.
pub(crate) async fn tree(arguments: Tree, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let url = each::parse_one(&arguments.url)?;
    let client = session.client(&url).await?;
    let depth = arguments.depth.map_or(DEPTH, |depth| usize::from(depth).min(DEPTH));
    let mut walk =
        Walk { depth, output, total: Total::default(), tally: Tally::default(), levels: Vec::new() };
    let path = client.resolve(&url.path);
    if output.form() == Form::Text {
        output.line(url.to_string().as_bytes())?;
    }
    walk.open(url, path, client).await?;
    walk.go(client).await?;
    walk.end()
}

impl Walk<'_> {
    async fn go(&mut self, client: &mut Client) -> Result<(), Failure> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.pop() else {
                self.levels.pop();
                continue;
            };
            let (url, path, is_folder) = (
                level.url.child(&entry.name),
                level.path.child(&entry.name),
                entry.kind == EntryKind::Folder,
            );
            self.show(&url, entry)?;
            if !is_folder {
                continue;
            }
            if self.levels.len() < self.depth {
                if let Err(failure) = self.open(url.clone(), path, client).await {
                    self.fail(&url, failure)?;
                }
            } else if self.depth == DEPTH {
                let text = format!("{url} lies {DEPTH} folders deep; it is not looked into");
                self.fail(&url, Failure::failed(text))?;
            }
        }
        Ok(())
    }

    /// Reads a folder and goes into it.
    async fn open(&mut self, url: Url, path: RemotePath, client: &mut Client) -> Result<(), Failure> {
        let held: usize = self.levels.iter().map(|level| level.entries.len()).sum();
        let mut contents = folder::read(client, &path, HELD.saturating_sub(held), self.output).await?;
        if !contents.is_whole {
            return Err(Failure::failed(format!(
                "{url} has more entries than are held at a time ({HELD}); list it with `ls`"
            )));
        }
        if let Err(failure) = contents.skipped.outcome() {
            self.tally.failed(failure.status());
        }
        self.tally.done();
        contents.entries.reverse();
        self.levels.push(Level { url, path, entries: contents.entries });
        Ok(())
    }

    fn show(&mut self, url: &Url, entry: Entry) -> Result<(), Failure> {
        match entry.kind {
            EntryKind::Folder => self.total.folders += 1,
            EntryKind::File => {
                self.total.files += 1;
                self.total.bytes = self.total.bytes.saturating_add(entry.size.unwrap_or(0));
            }
            _ => self.total.others += 1,
        }
        if self.output.form() == Form::Json {
            let name: EntryName = entry.name.clone();
            return self.output.json(&Json::new(url.to_string(), name.as_bytes(), &entry::facts(entry)));
        }
        let mut line = Vec::new();
        let (last, above) = match self.levels.split_last() {
            Some((last, above)) => (last.entries.is_empty(), above),
            None => (true, &[][..]),
        };
        for level in above {
            line.extend_from_slice(if level.entries.is_empty() { "    " } else { "│   " }.as_bytes());
        }
        line.extend_from_slice(if last { "└── " } else { "├── " }.as_bytes());
        line.extend(entry::short_line(&entry, self.output.names()));
        self.output.line(&line)
    }

    fn fail(&mut self, url: &Url, failure: Failure) -> Result<(), Failure> {
        if failure.status().ends_all() {
            return Err(failure);
        }
        self.tally.failed(failure.status());
        self.output.failed(Some(&url.to_string()), &failure)
    }

    fn end(self) -> Result<(), Failure> {
        let Total { folders, files, others, bytes: size } = &self.total;
        match self.output.form() {
            Form::Json => self.output.json(&TotalEvent { event: "total", total: &self.total })?,
            Form::Text => {
                let others =
                    if *others == 0 { String::new() } else { format!(", {}", counted(*others, "other")) };
                let (folders, files) = (counted(*folders, "folder"), counted(*files, "file"));
                self.output.line(format!("\n{folders}, {files}{others}, {}", bytes(*size)).as_bytes())?;
            }
        }
        self.output.flush()?;
        self.tally.outcome()
    }
}
