//! lftp (GnuTLS): one script on one control connection.

use super::{Can, Client, Visit};
use crate::programs::{self, Tls};

pub(super) const CLIENT: Client = Client {
    name: "lftp",
    origin: "Debian's `lftp` (GnuTLS)",
    programs: &["lftp"],
    files: &[],
    ways: [Can::Yes; 5],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

const SCRIPT: &str = "ls\nput up\nget down\nget -c cut\nput -c half\nmv old new\nrm gone";

fn drive(visit: &Visit<'_>) -> String {
    let tls = visit.tls().unwrap_or(Tls::V13);
    let clear = if visit.tls().is_none() { "set ftp:ssl-force no\nset ftp:ssl-allow no\n" } else { "" };
    let script = format!("set cmd:fail-exit no\n{clear}{SCRIPT}");
    visit.finish(programs::lftp(visit.server, visit.mode(), tls, &script).folder(&visit.local))
}
