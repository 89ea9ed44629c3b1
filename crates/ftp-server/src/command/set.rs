//! MFMT, MFF, SITE CHMOD, SITE UTIME (draft-somers-ftp-mfxx §3, §5).

use carrack_core::backend::{AccessBits, Attributes};
use carrack_core::error::ErrorKind;
use carrack_core::permission::Permissions;
use carrack_ftp_proto::command::SetFacts;
use carrack_ftp_proto::listing;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::SetAnswer;

use crate::reply_for;
use crate::visitor::Visitor;

pub(super) async fn facts(at: &Visitor, set: &SetFacts, answer: SetAnswer) -> Result<Reply, Reply> {
    let path = at.resolve(&set.path)?;
    let mode = set.changes.unix_mode.map(|mode| AccessBits::new(mode).ok_or(ErrorKind::Unsupported));
    let mode = mode.transpose().map_err(reply_for::kind)?;
    let attributes = Attributes { modified: set.changes.modify, mode };
    let metadata = at.on_disk(move |session| session.set_attributes(&path, &attributes)).await?;
    Ok(match answer {
        SetAnswer::Okay => Reply::new(Code::COMMAND_OKAY, "Done."),
        SetAnswer::Facts => {
            let mut line = Vec::new();
            // As they are now, behind them the path as the client spelled it (§3.1).
            let view = Visitor::view(set.path.as_bytes(), &metadata, Permissions::NONE);
            listing::facts_entry(&mut line, &view, set.changes.facts());
            Reply::new(Code::FILE_STATUS, line)
        }
    })
}
