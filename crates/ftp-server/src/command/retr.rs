//! RETR (RFC 959 §4.1.3), with REST (RFC 3659 §5) or RANG (draft-bryan-ftp-range §4.3) in their places.

use carrack_core::download::Download;
use carrack_core::path::VirtualPath;
use carrack_ftp_proto::command::{PathArgument, Span};
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::Representation;

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{AsciiSource, Coding, FileSource, Head, Job, SEND_STEP, Source};
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
    if representation == Representation::Image
        && coding == Coding::Plain
        && let Some(opened) = open_at_once(at, &path, offset)
    {
        return Ok(opened);
    }
    at.on_disk(move |session| {
        let (source, text): (Box<dyn Source>, String) = match representation {
            Representation::Image => {
                let file = session.open_read(&path, offset)?;
                let text = announcement(&file);
                (Box::new(FileSource(file)), text)
            }
            Representation::Ascii => {
                let mut file = session.open_read(&path, 0)?;
                file.as_text();
                (Box::new(AsciiSource::new(file, offset)), "Here comes the text.".into())
            }
        };
        let mut source = coding.apply(source);
        let head = Head::read(source.as_mut())?;
        Ok(Opened { job: Job::Send { source, head }, text: text.into_bytes() })
    })
    .await
}

/// A small file that the system has in memory, opened and read without another thread, which would cost more than that does.
fn open_at_once(at: &Visitor, path: &VirtualPath, offset: u64) -> Option<Opened> {
    let (bytes, file) = at.session().read_at_once(path, offset, SEND_STEP)?;
    let text = announcement(&file).into_bytes();
    Some(Opened { job: Job::Send { source: Box::new(FileSource(file)), head: Head::whole(bytes) }, text })
}

/// Clients without SIZE take the length from here.
fn announcement(file: &Download) -> String {
    format!("Here comes the file ({} bytes).", file.length())
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
