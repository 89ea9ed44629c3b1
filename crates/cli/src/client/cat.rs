//! `carrack cat`: what is in files?

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use carrack_ftp_client::url::Url;
use tokio::io::AsyncReadExt;

use super::each;
use super::output::Output;
use super::session::Session;
use crate::arguments::files::Cat;
use crate::exit::{Failure, failed_read};

/// Bytes that are written at a time: what a pipe takes at once, if it was given room.
const PIECE: usize = 256 * 1024;

/// Runs `carrack cat …`.
pub(crate) async fn cat(arguments: Cat, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    // Past the buffer that standard output has for lines.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut piece = vec![0; PIECE];
    each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        let mut download = client.retrieve(&path, 0).await?;
        loop {
            let length = download.read(&mut piece).await.map_err(failed_read)?;
            match piece.get(..length) {
                Some([]) | None => break,
                Some(bytes) => out.write_all(bytes)?,
            }
        }
        download.finish().await?;
        Ok(())
    })
    .await
}
