//! SIZE, MDTM, MLST (RFC 3659 §3, §4, §7).

use carrack_core::backend::Kind;
use carrack_core::error::ErrorKind;
use carrack_ftp_proto::command::{PathArgument, SetFacts};
use carrack_ftp_proto::listing::{self, FactSet};
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{Representation, SetAnswer};

use super::set;
use crate::reply_for;
use crate::visitor::Visitor;

pub(super) async fn size(
    at: &Visitor,
    path: &PathArgument,
    representation: Representation,
) -> Result<Reply, Reply> {
    // RFC 3659 §4 wants the count of bytes as they would be transmitted. For TYPE A that takes
    // reading the whole file for a number that nobody can use, so it is refused, as §4.2 allows.
    if representation == Representation::Ascii {
        return Err(Reply::new(Code::FILE_UNAVAILABLE, "SIZE is not available in TYPE A; use TYPE I first."));
    }
    let path = at.resolve(path)?;
    let size = at.on_disk(move |session| session.size_of(&path)).await?;
    Ok(Reply::new(Code::FILE_STATUS, size.to_string()))
}

pub(super) async fn modification_time(
    at: &Visitor,
    path: &PathArgument,
    or_set: Option<&SetFacts>,
) -> Result<Reply, Reply> {
    // A file with a time at the beginning of its name is asked for by that name (RFC 3659 §3.1). Where there is none the
    // client is one that sets times by MDTM.
    if let Some(set) = or_set
        && !exists(at, path).await?
    {
        return set::facts(at, set, SetAnswer::Facts).await;
    }
    let path = at.resolve(path)?;
    let metadata = at.on_disk(move |session| session.facts(&path)).await?;
    if metadata.kind != Kind::File {
        return Err(reply_for::kind(ErrorKind::NotAFile));
    }
    let (seconds, nanoseconds) = metadata.modified;
    Ok(Reply::new(Code::FILE_STATUS, listing::time_val(seconds, nanoseconds)))
}

/// Whether there is such a file, as far as this user may know.
async fn exists(at: &Visitor, path: &PathArgument) -> Result<bool, Reply> {
    // With the time in front it may be no path at all, as when it is longer than a name can be.
    let Ok(path) = at.resolve(path) else { return Ok(false) };
    at.on_disk(move |session| match session.facts(&path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    })
    .await
}

pub(super) async fn facts(at: &Visitor, path: Option<&PathArgument>, facts: FactSet) -> Result<Reply, Reply> {
    let path = at.resolve_or_here(path)?;
    let asked = path.clone();
    let metadata = at.on_disk(move |session| session.facts(&asked)).await?;
    let mut line = Vec::new();
    let permissions = at.session().permissions(&path);
    // The full path, so that the answer stands without the working directory (RFC 3659 §7.3.1).
    listing::facts_entry(&mut line, &Visitor::view(path.as_bytes(), &metadata, permissions), facts);
    Ok(Reply::lines(Code::FILE_ACTION_OKAY, "Facts follow.", [line], "End."))
}
