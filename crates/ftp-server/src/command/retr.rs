//! RETR (RFC 959 §4.1.3), with REST (RFC 3659 §5) or RANG (draft-bryan-ftp-range §4.3) in their places.

use carrack_ftp_proto::command::{PathArgument, Span};
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::Representation;

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{AsciiSource, Coding, FileSource, Head, Job, Source};
use crate::visitor::Visitor;

pub(super) async fn open(
    at: &Visitor,
    path: &PathArgument,
    offset: u64,
    representation: Representation,
    coding: Coding,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let path = at.resolve(path)?;
    demand_protection(at, &path, clear)?;
    at.on_disk(move |session| {
        let (source, text): (Box<dyn Source>, String) = match representation {
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
        let mut source = coding.apply(source);
        let head = Head::read(source.as_mut())?;
        Ok(Opened { job: Job::Send { source, head }, text: text.into_bytes() })
    })
    .await
}

/// The octets of a range, as far as the file has them: where it ends before them there are none.
pub(super) async fn open_span(
    at: &Visitor,
    path: &PathArgument,
    span: Span,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let path = at.resolve(path)?;
    demand_protection(at, &path, clear)?;
    at.on_disk(move |session| {
        let file = session.open_read_range(&path, span.first..span.end.unwrap_or(u64::MAX))?;
        let text = format!("Here comes the range ({} bytes).", file.remaining());
        let mut source: Box<dyn Source> = Box::new(FileSource(file));
        let head = Head::read(source.as_mut())?;
        Ok(Opened { job: Job::Send { source, head }, text: text.into_bytes() })
    })
    .await
}
