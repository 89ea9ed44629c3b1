//! LIST, NLST, MLSD (RFC 959 §4.1.3, RFC 3659 §7).

use std::time::{SystemTime, UNIX_EPOCH};

use carrack_core::backend::{Entry, Kind};
use carrack_core::error::Error;
use carrack_core::path::VirtualPath;
use carrack_core::permission::Permissions;
use carrack_core::session::Session;
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::listing;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::ListFormat;

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{FormatEntry, Head, Job, ListingSource, Source};
use crate::visitor::Visitor;

/// The entries that a listing of a path goes through.
pub(super) type Entries = Box<dyn Iterator<Item = Result<Entry, Error>> + Send>;

pub(super) async fn open(
    at: &Visitor,
    path: Option<&PathArgument>,
    format: ListFormat,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let path = at.resolve_or_here(path)?;
    demand_protection(at, &path, clear)?;
    let format_entry = formatter(format, at.session().permissions(&path));
    let opened = at
        .on_disk(move |session| {
            let (kind, entries) = entries(session, &path)?;
            let mut source: Box<dyn Source> = Box::new(ListingSource::new(entries, format_entry));
            let head = Head::read(source.as_mut())?;
            Ok((kind, Job::Send { source, head }))
        })
        .await?;
    match opened {
        // RFC 3659 §7.2.1: what is not a folder is a bad argument here.
        (kind, _) if kind != Kind::Directory && matches!(format, ListFormat::Facts(_)) => {
            Err(Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, "Not a folder; use MLST for a single entry."))
        }
        (_, job) => Ok(Opened { job, text: "Here comes the listing.".into() }),
    }
}

/// The entries of a folder, or the one entry that the path names.
pub(super) fn entries(session: &Session, path: &VirtualPath) -> Result<(Kind, Entries), Error> {
    let metadata = session.facts(path)?;
    let kind = metadata.kind;
    Ok(match (kind, path.name()) {
        (Kind::Directory, _) | (_, None) => (kind, session.list(path)?),
        (_, Some(name)) => {
            let entry = Entry { name, metadata };
            (kind, Box::new(std::iter::once(Ok(entry))))
        }
    })
}

fn formatter(format: ListFormat, permissions: Permissions) -> FormatEntry {
    let now_s = now_s();
    Box::new(move |out, entry| {
        let view = Visitor::view(entry.name.as_bytes(), &entry.metadata, permissions);
        match format {
            ListFormat::Long => listing::long(out, &view, now_s),
            ListFormat::Names => listing::names(out, &view),
            ListFormat::Facts(facts) => listing::facts(out, &view, facts),
        }
    })
}

/// Now, in seconds since 1970, which decides whether a line shows a time or a year.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
