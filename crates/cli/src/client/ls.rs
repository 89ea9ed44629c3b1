//! `carrack ls`: what is in folders?

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, Entry, EntryKind, EntryName, ErrorKind, Listed, Listing};

use super::each;
use super::folder::{HELD, Skipped, is_refusal};
use super::output::entry::{self, Json};
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::List;
use crate::exit::Failure;

/// Runs `carrack ls …`.
pub(crate) async fn ls(arguments: List, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let lines = Lines { long: arguments.long, output };
    let with_titles = urls.len() > 1 && output.form() == Form::Text;
    let mut first = true;
    each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        if with_titles {
            let gap = if std::mem::take(&mut first) { "" } else { "\n" };
            output.line(format!("{gap}{url}:").as_bytes())?;
        }
        lines.folder_or_file(url, client).await?;
        output.flush()
    })
    .await
}

struct Lines<'o> {
    long: bool,
    output: &'o Output,
}

impl Lines<'_> {
    async fn folder_or_file(&self, url: &Url, client: &mut Client) -> Result<(), Failure> {
        let path = client.resolve(&url.path);
        let error = match client.list(&path).await {
            Ok(listing) => return self.folder(url, listing).await,
            Err(error) => error,
        };
        if !is_refusal(&error) {
            return Err(error.into());
        }
        match client.stat(&path).await {
            Ok(facts) if facts.kind != EntryKind::Folder && !url.path.ends_in_slash() => {
                let name = path.name().and_then(|name| EntryName::parse(name).ok());
                match name {
                    Some(name) => self.put(url.to_string(), facts.named(name)),
                    None => Err(error.into()),
                }
            }
            // Servers refuse to list what is not there with many replies, some of which mean something else.
            Err(missing) if matches!(missing.kind(), ErrorKind::NotFoundOrDenied(_)) => Err(missing.into()),
            _ => Err(error.into()),
        }
    }

    /// Sorted as far as entries are held; what comes behind those stands behind them as it comes.
    async fn folder(&self, url: &Url, mut listing: Listing<'_>) -> Result<(), Failure> {
        let (mut held, mut is_sorted, mut skipped) = (Vec::new(), true, Skipped::default());
        while let Some(listed) = listing.next().await {
            match listed? {
                Listed::Entry(entry) if is_sorted => {
                    held.push(entry);
                    if held.len() == HELD {
                        self.sorted(url, std::mem::take(&mut held))?;
                        is_sorted = false;
                        self.output.note(&format!(
                            "{url} has more than {HELD} entries; those behind them are not sorted"
                        ));
                    }
                }
                Listed::Entry(entry) => self.entry(url, entry)?,
                Listed::Current(_) => {}
                Listed::Skipped { line, why } => skipped.tell(&line, &why, self.output)?,
            }
        }
        self.sorted(url, held)?;
        skipped.outcome()
    }

    fn sorted(&self, url: &Url, mut entries: Vec<Entry>) -> Result<(), Failure> {
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        entries.into_iter().try_for_each(|entry| self.entry(url, entry))
    }

    fn entry(&self, folder: &Url, entry: Entry) -> Result<(), Failure> {
        let url = if self.output.form() == Form::Json {
            folder.child(&entry.name).to_string()
        } else {
            String::new()
        };
        self.put(url, entry)
    }

    fn put(&self, url: String, entry: Entry) -> Result<(), Failure> {
        match self.output.form() {
            Form::Json => {
                let name = entry.name.clone();
                self.output.json(&Json::new(url, name.as_bytes(), &entry::facts(entry)))
            }
            Form::Text if self.long => {
                self.output.line(&entry::long_line(&entry, self.output.names(), self.output.zone()))
            }
            Form::Text => self.output.line(&entry::short_line(&entry, self.output.names())),
        }
    }
}
