//! What is a path that somebody named, on the server?

use carrack_ftp_proto::client::{EntryKind, Facts, Modified, RemotePath};

use super::Failure;
use super::retries::is_refusal;
use super::terms::Terms;
use crate::{Client, ErrorKind};

/// What the server says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) is: Is,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Modified>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    File,
    Folder,
    /// A device, FIFO or socket.
    Special,
}

/// What a path is, links followed by the server. The refusal where it is nothing, or nothing that may be seen.
pub(super) async fn known(terms: &Terms, client: &mut Client, path: &RemotePath) -> Result<Known, Failure> {
    let mut attempts = terms.attempts();
    loop {
        match ask(client, path).await {
            Ok(known) => return Ok(known),
            Err(failure) => attempts.again(failure, &terms.telling, None).await?,
        }
    }
}

/// Whether a failure means that there is nothing under a path, as far as a server tells.
pub(super) fn is_nothing(failure: &Failure) -> bool {
    matches!(failure, Failure::Server(error) if matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)))
}

async fn ask(client: &mut Client, path: &RemotePath) -> Result<Known, Failure> {
    let Facts { kind, size, modified, .. } = client.stat(path).await?;
    let is = match kind {
        EntryKind::File => Is::File,
        EntryKind::Folder => Is::Folder,
        EntryKind::Other => Is::Special,
        // Where it leads only the server knows. What has a size is a file; the size told of a link is its own.
        EntryKind::Link { .. } | EntryKind::Unknown => {
            return match client.size(path).await {
                Ok(Some(size)) => Ok(Known { is: Is::File, size: Some(size), modified: None }),
                Ok(None) => Ok(Known { is: Is::Folder, size: None, modified: None }),
                Err(error) if is_refusal(&error) => Ok(Known { is: Is::Folder, size: None, modified: None }),
                Err(error) => Err(error.into()),
            };
        }
    };
    Ok(Known { is, size, modified })
}
