//! `carrack mkdir`: new folders.

use carrack_ftp_client::url::Url;
use carrack_ftp_client::{Client, EntryKind, RemotePath};
use serde::Serialize;

use super::each;
use super::folder::is_refusal;
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::MakeFolder;
use crate::exit::{Failure, Status};

/// A folder that was made, for programs.
#[derive(Debug, Serialize)]
struct Made<'u> {
    event: &'static str,
    url: &'u str,
    /// How many folders were made, those above it included.
    folders: usize,
}

/// Runs `carrack mkdir …`.
pub(crate) async fn mkdir(
    arguments: MakeFolder,
    session: &mut Session,
    output: &Output,
) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let parents = arguments.parents;
    let outcome = each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        let folders = if parents {
            with_parents(path, client).await?
        } else {
            client.make_folder(&path).await?;
            1
        };
        match output.form() {
            Form::Text => Ok(()),
            Form::Json => output.json(&Made { event: "made", url: &url.to_string(), folders }),
        }
    })
    .await;
    output.flush()?;
    outcome
}

/// Makes a folder and those above it that are missing; how many were made.
async fn with_parents(path: RemotePath, client: &mut Client) -> Result<usize, Failure> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(path) = next {
        if is_folder(&path, client).await? {
            break;
        }
        next = path.parent();
        missing.push(path);
    }
    let made = missing.len();
    while let Some(path) = missing.pop() {
        if let Err(error) = client.make_folder(&path).await {
            // Somebody else may have made it in the meantime.
            if !(is_refusal(&error) && is_folder(&path, client).await?) {
                return Err(error.into());
            }
        }
    }
    Ok(made)
}

async fn is_folder(path: &RemotePath, client: &mut Client) -> Result<bool, Failure> {
    match client.stat(path).await {
        // A link may lead to a folder; the server knows.
        Ok(facts) if matches!(facts.kind, EntryKind::File | EntryKind::Other) => {
            Err(Failure::new(Status::Missing, format!("{path} is there and is no folder")))
        }
        Ok(_) => Ok(true),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
