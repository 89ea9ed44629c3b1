//! DELE (RFC 959 §4.1.3).

use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::{Code, Reply};

use crate::visitor::Visitor;

pub(super) async fn file(at: &Visitor, path: &PathArgument) -> Result<Reply, Reply> {
    let path = at.resolve(path)?;
    at.on_disk(move |session| session.delete(&path)).await?;
    Ok(Reply::new(Code::FILE_ACTION_OKAY, "File deleted."))
}
