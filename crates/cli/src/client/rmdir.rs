//! `carrack rmdir`: empty folders are no more.

use carrack_ftp_client::url::Url;

use super::output::Output;
use super::session::Session;
use super::{each, rm};
use crate::arguments::files::RemoveFolder;
use crate::exit::Failure;

/// Runs `carrack rmdir …`.
pub(crate) async fn rmdir(
    arguments: RemoveFolder,
    session: &mut Session,
    output: &Output,
) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let outcome = each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        client.remove_folder(&path).await?;
        rm::tell(output, url, "folder")
    })
    .await;
    output.flush()?;
    outcome
}
