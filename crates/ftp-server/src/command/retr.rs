//! RETR (RFC 959 §4.1.3), with REST in its place (RFC 3659 §5).

use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::Representation;

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{AsciiSource, FileSource, Head, Job, Source};
use crate::visitor::Visitor;

pub(super) async fn open(
    at: &Visitor,
    path: &PathArgument,
    offset: u64,
    representation: Representation,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let path = at.resolve(path)?;
    demand_protection(at, &path, clear)?;
    at.on_disk(move |session| {
        let (mut source, text): (Box<dyn Source>, String) = match representation {
            Representation::Image => {
                let file = session.open_read(&path, offset)?;
                // Clients without SIZE take the length from here.
                let text = format!("Here comes the file ({} bytes).", file.length());
                (Box::new(FileSource(file)), text)
            }
            Representation::Ascii => {
                let file = session.open_read(&path, 0)?;
                (Box::new(AsciiSource::new(file, offset)), "Here comes the text.".into())
            }
        };
        let head = Head::read(source.as_mut())?;
        Ok(Opened { job: Job::Send { source, head }, text: text.into_bytes() })
    })
    .await
}
