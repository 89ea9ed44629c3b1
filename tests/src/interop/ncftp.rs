//! NcFTP: no TLS at all.

use super::{Can, Client, Fault, Visit};
use crate::setup::USER;

const CLEAR: Can = Can::Lacks("NcFTP knows no TLS");

const SENDS_ALL: Can = Can::No(
    Fault::Client,
    "`ncftpput -z` of Debian 12 asks for the rest with REST and STOR, and then sends the whole file (its sendfile begins at 0): \
     the file ends up longer than it was; upload anew",
);

pub(super) const CLIENT: Client = Client {
    name: "NcFTP",
    origin: "Debian's `ncftp` (no TLS)",
    programs: &["ncftpls", "ncftpput", "ncftpget", "ncftp"],
    files: &[],
    ways: [CLEAR, CLEAR, CLEAR, CLEAR, Can::Yes],
    resumes: [CLEAR; 2],
    verbs: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, SENDS_ALL, Can::Yes, Can::Yes],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let (port, password) = (visit.port(), visit.server.password());
    let ncftp = |name: &str, arguments: &[&str]| {
        let program = visit.program(name).args(["-u", USER, "-p", &password, "-P", &port]);
        visit.finish(program.args(arguments))
    };
    let printed = ncftp("ncftpls", &["-l", &visit.url("")]);
    ncftp("ncftpput", &["127.0.0.1", "/", "up"]);
    ncftp("ncftpget", &["127.0.0.1", ".", "/down"]);
    ncftp("ncftpget", &["-z", "127.0.0.1", ".", "/cut"]);
    ncftp("ncftpput", &["-z", "127.0.0.1", "/", "half"]);
    ncftp("ncftpls", &["-W", "RNFR old", "-W", "RNTO new", "-W", "DELE gone", &visit.url("")]);
    printed
}
