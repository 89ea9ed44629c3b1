//! LIST, NLST, MLSD (RFC 959 §4.1.3, RFC 3659 §7).

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use carrack_core::backend::{Entry, Kind};
use carrack_core::error::{Error, ErrorKind};
use carrack_core::path::VirtualPath;
use carrack_core::permission::Permissions;
use carrack_core::session::Session;
use carrack_ftp_proto::charset::Charset;
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::glob;
use carrack_ftp_proto::listing;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::ListFormat;

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{Coding, FormatEntry, Head, Job, ListingSource, Source};
use crate::visitor::Visitor;

/// The entries that a listing of a path goes through.
pub(super) type Entries = Box<dyn Iterator<Item = Result<Entry, Error>> + Send>;

pub(super) async fn open(
    at: &Visitor,
    path: Option<&PathArgument>,
    format: ListFormat,
    coding: Coding,
    charset: Option<Charset>,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let asked = path;
    let path = at.resolve_or_here(asked)?;
    demand_protection(at, &path, clear)?;
    let permissions = at.session().permissions(&path);
    let leading = asked.map_or(&[][..], |asked| leading_folders(asked.as_bytes())).to_vec();
    let opened = at
        .on_disk(move |session| {
            let (kind, entries) = entries(session, &path)?;
            // What was asked for by name is fetched by the name that was asked (`mget in/*.csv`); what
            // stands in a folder that was asked for is named as it stands there.
            let leading = if kind == Kind::Directory { Vec::new() } else { leading };
            let format_entry = formatter(format, permissions, leading, charset);
            let source: Box<dyn Source> = Box::new(ListingSource::new(entries, format_entry));
            let mut source = coding.apply(source);
            let head = Head::read(source.as_mut())?;
            Ok((kind, Job::Send { source, head }))
        })
        .await?;
    match opened {
        // RFC 3659 §7.2.1: what is not a folder is a bad argument here.
        (kind, _) if kind != Kind::Directory && matches!(format, ListFormat::Facts(_)) => {
            Err(Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, "Not a folder; use MLST for a single entry."))
        }
        (_, job) => Ok(Opened { job, text: b"Here comes the listing.".to_vec() }),
    }
}

/// The entries of a folder, the one entry that the path names, or those that its last component
/// means as a pattern.
pub(super) fn entries(session: &Session, path: &VirtualPath) -> Result<(Kind, Entries), Error> {
    let metadata = match session.facts(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return meant(session, path).ok_or(error)?,
        Err(error) => return Err(error),
    };
    let kind = metadata.kind;
    Ok(match (kind, path.name()) {
        (Kind::Directory, _) | (_, None) => (kind, session.list(path)?),
        (_, Some(name)) => (kind, Box::new(std::iter::once(Ok(Entry { name, metadata })))),
    })
}

/// The entries that a pattern means; none where the path is no pattern. A name that is really there
/// comes first, whatever it looks like.
fn meant(session: &Session, path: &VirtualPath) -> Option<Result<(Kind, Entries), Error>> {
    let (folder, pattern) = (path.parent()?, path.name()?);
    if !glob::is_pattern(pattern.as_bytes()) {
        return None;
    }
    let meant = move |entry: &Result<Entry, Error>| {
        entry.as_ref().map_or(true, |entry| glob::matches(pattern.as_bytes(), entry.name.as_bytes()))
    };
    Some(session.list(&folder).map(|entries| (Kind::File, Box::new(entries.filter(meant)) as Entries)))
}

/// The part of an argument before its last component, as the client spelled it.
fn leading_folders(argument: &[u8]) -> &[u8] {
    let end = argument.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    argument.get(..end).unwrap_or_default()
}

fn formatter(
    format: ListFormat,
    permissions: Permissions,
    leading: Vec<u8>,
    charset: Option<Charset>,
) -> FormatEntry {
    let now_s = now_s();
    let leading = spelled(&leading, charset).into_owned();
    Box::new(move |out, entry| {
        let name = spelled(entry.name.as_bytes(), charset);
        let view = Visitor::view(&name, &entry.metadata, permissions);
        match format {
            ListFormat::Long => listing::long(out, &view, now_s),
            ListFormat::Names => {
                out.extend_from_slice(&leading);
                listing::names(out, &view);
            }
            ListFormat::Facts(facts) => listing::facts(out, &view, facts),
        }
    })
}

/// A name as the client spells it.
fn spelled(name: &[u8], charset: Option<Charset>) -> Cow<'_, [u8]> {
    match charset {
        Some(charset) => Cow::Owned(charset.encode(name)),
        None => Cow::Borrowed(name),
    }
}

/// Now, in seconds since 1970, which decides whether a line shows a time or a year.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
