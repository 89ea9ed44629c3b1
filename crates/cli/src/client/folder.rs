//! What is in a folder of a server, and how much of it is held at a time?

use carrack_ftp_client::{Client, Entry, Error, Listed, RemotePath, escaped};

use super::output::Output;
use crate::exit::{Failure, Status};

/// Entries that are held to be sorted, or to be gone through while the connection is used for something else: some 100 MB.
pub(crate) const HELD: usize = 200_000;

/// Levels of folders that are gone down. No file system of people is half as deep, and a server can say what it likes.
pub(crate) const DEPTH: usize = 256;

/// Lines of a listing that are told when they cannot be used; a hostile server can list a million.
const TOLD: u64 = 10;

/// Entries of a folder.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// As many as are held, sorted by the bytes of their names.
    pub(crate) entries: Vec<Entry>,
    /// Whether these are all.
    pub(crate) is_whole: bool,
    /// Lines that could not be used.
    pub(crate) skipped: Skipped,
}

/// Lines of listings that name nothing that may be touched.
#[derive(Debug, Default)]
pub(crate) struct Skipped(u64);

impl Skipped {
    /// Tells of one.
    pub(crate) fn tell(
        &mut self,
        line: &[u8],
        why: &dyn std::fmt::Display,
        output: &Output,
    ) -> Result<(), Failure> {
        self.0 += 1;
        match self.0 {
            1..=TOLD => output.failed(None, &Failure::failed(format!("{why}: {}", escaped(line)))),
            _ if self.0 == TOLD + 1 => output.failed(None, &Failure::failed("more such lines are not told")),
            _ => Ok(()),
        }
    }

    /// Whether all lines could be used.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        if self.0 == 0 { Ok(()) } else { Err(Failure::told(Status::Failed)) }
    }
}

/// Reads a folder, up to `most` entries of it.
pub(crate) async fn read(
    client: &mut Client,
    path: &RemotePath,
    most: usize,
    output: &Output,
) -> Result<Contents, Failure> {
    let mut listing = client.list(path).await?;
    let mut contents = Contents { is_whole: true, ..Contents::default() };
    while let Some(listed) = listing.next().await {
        match listed? {
            Listed::Entry(_) if contents.entries.len() == most => {
                // The rest of the listing is not read; the client opens another connection when it is used again.
                contents.is_whole = false;
                break;
            }
            Listed::Entry(entry) => contents.entries.push(entry),
            Listed::Current(_) => {}
            Listed::Skipped { line, why } => contents.skipped.tell(&line, &why, output)?,
        }
    }
    contents.entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(contents)
}

/// Whether the server has refused, so that something else may be asked; a lost connection or a wrong name is none.
pub(crate) fn is_refusal(error: &Error) -> bool {
    use carrack_ftp_client::ErrorKind::{NotFoundOrDenied, Refused};
    matches!(error.kind(), NotFoundOrDenied(_) | Refused { .. })
}
