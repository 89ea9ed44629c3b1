//! How is one thing done for each of several URLs?

use carrack_ftp_client::url::Url;

use super::output::Output;
use super::session::Session;
use crate::exit::{Failure, Status, Tally};

/// Reads all URLs before anything is done for one of them.
pub(crate) fn parse(texts: &[String]) -> Result<Vec<Url>, Failure> {
    texts.iter().map(|text| parse_one(text)).collect()
}

/// Reads a URL.
pub(crate) fn parse_one(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(Failure::usage)
}

/// Does the same for each URL; what fails is told, and the others are done.
pub(crate) async fn each(
    urls: &[Url],
    session: &mut Session,
    output: &Output,
    mut one: impl AsyncFnMut(&Url, &mut Session) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut tally = Tally::default();
    for url in urls {
        match one(url, session).await {
            Ok(()) => tally.done(),
            // Nobody reads the rest.
            Err(failure) if failure.status() == Status::Done => return Err(failure),
            Err(failure) => {
                output.failed(Some(&url.to_string()), &failure)?;
                tally.failed(failure.status());
            }
        }
    }
    tally.outcome()
}
