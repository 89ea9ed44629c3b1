//! STOR, APPE, STOU (RFC 959 §4.1.3), with REST (RFC 3659 §5) or RANG (draft-bryan-ftp-range §4.3) in their
//! places.

use carrack_core::path::VirtualPath;
use carrack_core::session::WriteMode;
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::{Representation, StoreMode};

use super::{ClearData, Opened, demand_protection};
use crate::transfer::{Coding, Job};
use crate::visitor::{Visitor, last_name};

/// How the bytes of an upload come.
pub(super) struct How {
    pub(super) representation: Representation,
    pub(super) coding: Coding,
    /// How many there will be, as far as that was said.
    pub(super) announced: Option<u64>,
}

pub(super) async fn open(
    at: &Visitor,
    path: &PathArgument,
    mode: StoreMode,
    how: How,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let path = at.resolve(path)?;
    let mode = match mode {
        StoreMode::Replace => WriteMode::Replace,
        StoreMode::From(offset) => WriteMode::From(offset),
        StoreMode::Span(span) => WriteMode::Range(span.first..span.end.unwrap_or(u64::MAX)),
        StoreMode::Append => WriteMode::Append,
    };
    demand_protection(at, &path, clear)?;
    receive(at, path, mode, how).await.map(|(job, _)| Opened { job, text: b"Send the file.".to_vec() })
}

pub(super) async fn open_unique(
    at: &Visitor,
    suggestion: Option<&PathArgument>,
    how: How,
    clear: ClearData,
) -> Result<Opened, Reply> {
    let (folder, suggestion) = match suggestion {
        None => (at.directory.clone(), None),
        Some(suggestion) => {
            let path = at.resolve(suggestion)?;
            (path.parent().unwrap_or_else(VirtualPath::root), path.name())
        }
    };
    demand_protection(at, &folder, clear)?;
    let (job, stored) = receive(at, folder, WriteMode::Unique { suggestion }, how).await?;
    // RFC 1123 §4.1.2.9 fixes this form, so that clients can learn the name.
    let text = [b"FILE: ", last_name(&stored)].concat();
    Ok(Opened { job, text })
}

async fn receive(
    at: &Visitor,
    path: VirtualPath,
    mode: WriteMode,
    how: How,
) -> Result<(Job, VirtualPath), Reply> {
    let How { representation, coding, announced } = how;
    let ascii = representation == Representation::Ascii;
    at.on_disk(move |session| {
        let mut upload = Box::new(session.open_announced(&path, mode, announced)?);
        if ascii {
            upload.as_text();
            // What a cut leaves counts converted bytes, which no restart marker can name.
            upload.discard_if_cut();
        }
        let stored = upload.path().clone();
        Ok((Job::Receive { upload, ascii, coding }, stored))
    })
    .await
}
