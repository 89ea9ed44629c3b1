//! tnftp, the BSDs' `ftp`: no TLS for FTP.

use super::visit::OFFERED;
use super::{Can, Client, Visit};
use crate::setup::USER;

const CLEAR: Can = Can::Lacks("tnftp knows TLS for HTTPS only");

pub(super) const CLIENT: Client = Client {
    name: "tnftp",
    origin: "Debian's `tnftp` (no TLS for FTP)",
    programs: &["tnftp"],
    files: &[],
    ways: [CLEAR, CLEAR, CLEAR, CLEAR, Can::Yes],
    resumes: [CLEAR; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let script = format!(
        "open 127.0.0.1 {}\nuser {USER} \"{}\"\nbinary\nls\nput up\nget down\nreget cut\nrestart {OFFERED}\nput half\n\
         rename old new\ndelete gone\nquit\n",
        visit.port(),
        visit.server.password(),
    );
    visit.finish(visit.program("tnftp").args(["-n", "-i", "-v"]).input(script))
}
