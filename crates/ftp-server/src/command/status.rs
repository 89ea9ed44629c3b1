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
pub(crate) struct Situation {
    pub(crate) peer: SocketAddr,
    pub(crate) user: Option<String>,
    /// Version, cipher suite and group, on a control connection under TLS.
    pub(crate) tls: Option<String>,
    /// What the protocol machine says of itself.
    pub(crate) machine: Vec<String>,
    /// How many bytes of the transfer in progress have moved.
    pub(crate) moved: Option<u64>,
}

impl Situation {
    /// The `211` reply.
    pub(crate) fn reply(self) -> Reply {
        let mut body = vec![format!("Connected from {}.", self.peer)];
        body.extend(self.user.map(|user| format!("User {user}.")));
        body.extend(self.tls.map(|tls| format!("Protected by {tls}.")));
        body.extend(self.machine);
        body.push(match self.moved {
            Some(moved) => format!("Transfer in progress, {moved} bytes moved."),
            None => "No transfer in progress.".to_owned(),
        });
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
