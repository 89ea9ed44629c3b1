//! `carrack mv`: files and folders of a server get other names.

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{EntryKind, EntryName};
use serde::Serialize;

use super::each;
use super::folder::is_refusal;
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::Move;
use crate::exit::{Failure, Status};

/// Something that was moved, for programs.
#[derive(Debug, Serialize)]
struct Moved<'u> {
    event: &'static str,
    source: &'u str,
    target: &'u str,
}

/// Runs `carrack mv …`.
pub(crate) async fn mv(arguments: Move, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let mut sources = each::parse(&arguments.urls)?;
    let destination = match sources.pop() {
        Some(destination) if !sources.is_empty() => destination,
        _ => return Err(Failure::usage("where to is missing; it is `carrack mv SRC... DST`")),
    };
    if let Some(stranger) =
        sources.iter().find(|url| url.origin() != destination.origin() || url.user != destination.user)
    {
        return Err(Failure::usage(format!(
            "{stranger} and {destination} are not the same server and user, so nothing can be renamed from one to the other; copy with `cp`, then `rm`"
        )));
    }
    let into = is_folder(&destination, session).await?;
    if !into && sources.len() > 1 {
        return Err(Failure::new(
            Status::Missing,
            format!("{destination} is no folder, so only one source can become it"),
        ));
    }
    let outcome = each::each(&sources, session, output, async |source: &Url, session: &mut Session| {
        let client = session.client(source).await?;
        let from = client.resolve(&source.path);
        let target = match from.name().and_then(|name| EntryName::parse(name).ok()) {
            Some(name) if into => destination.child(&name),
            Some(_) => destination.clone(),
            None => return Err(Failure::usage(format!("{source} has no name that could be changed"))),
        };
        let to = client.resolve(&target.path);
        client.rename(&from, &to).await?;
        match output.form() {
            Form::Text => Ok(()),
            Form::Json => output.json(&Moved {
                event: "moved",
                source: &source.to_string(),
                target: &target.to_string(),
            }),
        }
    })
    .await;
    output.flush()?;
    outcome
}

/// Whether things are moved into the destination instead of becoming it.
async fn is_folder(destination: &Url, session: &mut Session) -> Result<bool, Failure> {
    let client = session.client(destination).await?;
    let path = client.resolve(&destination.path);
    match client.stat(&path).await {
        Ok(facts) if facts.kind == EntryKind::Folder => Ok(true),
        Ok(_) if destination.path.ends_in_slash() => {
            Err(Failure::new(Status::Missing, format!("{destination} ends in a slash and is no folder")))
        }
        Ok(_) => Ok(false),
        Err(error) if is_refusal(&error) && !destination.path.ends_in_slash() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
