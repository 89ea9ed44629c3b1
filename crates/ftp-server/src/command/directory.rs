//! PWD, CWD, CDUP, MKD, RMD (RFC 959 §4.1.1, §4.1.3).

use carrack_core::path::VirtualPath;
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::{Code, Reply};

use super::Outcome;
use crate::visitor::Visitor;

pub(super) fn print(at: &Visitor) -> Reply {
    Reply::pathname(at.directory.as_bytes(), "is the working directory.")
}

pub(super) async fn change(at: &Visitor, path: &PathArgument) -> Result<Outcome, Reply> {
    enter(at, at.resolve(path)?).await
}

pub(super) async fn change_to_parent(at: &Visitor) -> Result<Outcome, Reply> {
    // The parent of the root is the root, as in a shell.
    enter(at, at.directory.parent().unwrap_or_else(VirtualPath::root)).await
}

async fn enter(at: &Visitor, path: VirtualPath) -> Result<Outcome, Reply> {
    let entered = path.clone();
    at.on_disk(move |session| session.enter(&path)).await?;
    let reply = Reply::new(Code::FILE_ACTION_OKAY, "Working directory changed.");
    Ok(Outcome { reply, directory: Some(entered) })
}

pub(super) async fn make(at: &Visitor, path: &PathArgument) -> Result<Reply, Reply> {
    let path = at.resolve(path)?;
    let made = path.clone();
    at.on_disk(move |session| session.make_directory(&path)).await?;
    Ok(Reply::pathname(made.as_bytes(), "created."))
}

pub(super) async fn remove(at: &Visitor, path: &PathArgument) -> Result<Reply, Reply> {
    let path = at.resolve(path)?;
    at.on_disk(move |session| session.remove_directory(&path)).await?;
    Ok(Reply::new(Code::FILE_ACTION_OKAY, "Folder removed."))
}
