//! RNFR and RNTO (RFC 959 §4.1.3).

use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::{Code, Reply};

use crate::visitor::Visitor;

/// Says early whether there is something to rename that may be; whether it may get its new name is
/// decided with that.
pub(super) async fn from(at: &Visitor, path: &PathArgument) -> Result<Reply, Reply> {
    let path = at.resolve(path)?;
    at.on_disk(move |session| session.may_rename(&path)).await?;
    Ok(Reply::new(Code::PENDING_FURTHER_INFORMATION, "Ready for the new name."))
}

pub(super) async fn to(at: &Visitor, from: &PathArgument, to: &PathArgument) -> Result<Reply, Reply> {
    let (from, to) = (at.resolve(from)?, at.resolve(to)?);
    at.on_disk(move |session| session.rename(&from, &to)).await?;
    Ok(Reply::new(Code::FILE_ACTION_OKAY, "Renamed."))
}
