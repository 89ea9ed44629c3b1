//! `carrack stat`: what is known of files and folders?

use carrack_ftp_client::url::Url;

use super::each;
use super::output::entry::{self, Json, Names};
use super::output::{Form, Output};
use super::session::Session;
use crate::arguments::files::Stat;
use crate::exit::Failure;

/// Runs `carrack stat …`.
pub(crate) async fn stat(arguments: Stat, session: &mut Session, output: &Output) -> Result<(), Failure> {
    let urls = each::parse(&arguments.urls)?;
    let mut first = true;
    let outcome = each::each(&urls, session, output, async |url: &Url, session: &mut Session| {
        let client = session.client(url).await?;
        let path = client.resolve(&url.path);
        let facts = client.stat(&path).await?;
        if output.form() == Form::Json {
            return output.json(&Json::new(url.to_string(), path.as_bytes(), &facts));
        }
        let gap = if std::mem::take(&mut first) { "" } else { "\n" };
        output.bytes(format!("{gap}path      ").as_bytes())?;
        // Keys and values are for people: a path cannot end its line in a pipe either.
        output.line(&Names::Escaped.write(path.as_bytes()))?;
        output.bytes(entry::properties(&facts, output.zone()).as_bytes())
    })
    .await;
    output.flush()?;
    outcome
}
