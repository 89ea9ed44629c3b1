//! `carrack cat`: what is in files?

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use carrack_ftp_client::Unwatched;
use carrack_ftp_client::url::Url;

use super::each;
use super::output::Output;
use super::session::Session;
use crate::arguments::files::Cat;
use crate::exit::{Failure, failed_pour};

/// Runs `carrack cat …`.
pub(crate) async fn cat(arguments: Cat, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    // Past the buffer that standard output has for lines.
    let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        let download = client.retrieve(&path, 0).await?;
        download.pour(&out, Arc::new(Unwatched)).await.map_err(failed_pour)?;
        Ok(())
    })
    .await
}
