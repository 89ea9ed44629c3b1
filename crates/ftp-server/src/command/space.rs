//! AVBL (draft-peterson-streamlined-ftp-command-extensions).

use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::{Code, Reply};

use crate::visitor::Visitor;

pub(super) async fn of(at: &Visitor, path: Option<&PathArgument>) -> Result<Reply, Reply> {
    let folder = at.resolve_or_here(path)?;
    let bytes = at.on_disk(move |session| session.space(&folder)).await?;
    Ok(Reply::new(Code::FILE_STATUS, bytes.to_string()))
}
