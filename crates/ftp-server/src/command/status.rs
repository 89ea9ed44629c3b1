//! STAT (RFC 959 §4.1.3): how the session stands, or a listing over the control connection.

use std::net::SocketAddr;

use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::listing;
use carrack_ftp_proto::reply::{Code, Reply};

use super::list;
use crate::visitor::Visitor;

/// Entries that a listing over the control connection shows: what a person can still read. LIST has
/// no such limit.
const ENTRIES: usize = 1000;

/// How a session stands, in the words of the reply.
pub(crate) struct Situation<'a> {
    pub(crate) peer: SocketAddr,
    pub(crate) user: Option<&'a str>,
    /// Version and cipher suite, on a control connection under TLS.
    pub(crate) tls: Option<String>,
    /// What moves now, and how many bytes of it did.
    pub(crate) transfer: Option<u64>,
}

impl Situation<'_> {
    /// The `211` reply.
    pub(crate) fn reply(&self) -> Reply {
        let user = self.user.map_or("Not logged in.".to_owned(), |user| format!("Logged in as {user}."));
        let tls = self.tls.as_ref().map_or("Control connection in clear.".to_owned(), |tls| {
            format!("Control connection under {tls}.")
        });
        let transfer = self.transfer.map_or("No transfer in progress.".to_owned(), |moved| {
            format!("Transfer in progress, {moved} bytes moved.")
        });
        let body = [format!("Connected from {}.", self.peer), user, tls, transfer];
        Reply::lines(Code::SYSTEM_STATUS, "Carrack FTP server status:", body, "End of status.")
    }
}

/// A listing over the control connection, held to a length that fits there.
pub(super) async fn of_path(at: &Visitor, path: &PathArgument) -> Result<Reply, Reply> {
    let path = at.resolve(path)?;
    let permissions = at.session().permissions(&path);
    let now_s = list::now_s();
    at.on_disk(move |session| {
        let (_, entries) = list::entries(session, &path)?;
        let mut lines = Vec::new();
        for entry in entries {
            if lines.len() == ENTRIES {
                lines.push(b"... and more: use LIST.".to_vec());
                break;
            }
            let entry = entry?;
            let mut line = Vec::new();
            let view = Visitor::view(entry.name.as_bytes(), &entry.metadata, permissions);
            listing::long_entry(&mut line, &view, now_s);
            lines.push(line);
        }
        Ok(Reply::lines(Code::FILE_STATUS, "Status follows:", lines, "End of status."))
    })
    .await
}
