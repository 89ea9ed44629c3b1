//! rclone (Go's TLS): a run per verb, each with connections of its own.

use super::{Can, Client, IN_CLEAR, Visit};
use crate::server::Mode;
use crate::setup::USER;

pub(super) const CLIENT: Client = Client {
    name: "rclone",
    origin: "Debian's `rclone` (Go's own TLS)",
    programs: &["rclone"],
    files: &[],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, IN_CLEAR],
    resumes: [Can::Yes; 2],
    verbs: [
        Can::Yes,
        Can::Yes,
        Can::Yes,
        Can::Lacks("rclone moves whole files: what was cut is begun anew"),
        Can::Lacks("rclone moves whole files: what was cut is begun anew"),
        Can::Yes,
        Can::Yes,
    ],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let password = visit.program("rclone").args(["obscure", &visit.server.password()]).run().ok().stdout;
    let tls = if visit.mode() == Mode::Explicit { "EXPLICIT_TLS" } else { "TLS" };
    let rclone = |arguments: &[&str]| {
        let program = visit.program("rclone").env("RCLONE_FTP_HOST", "127.0.0.1");
        let program = program.env("RCLONE_FTP_PORT", visit.port()).env("RCLONE_FTP_USER", USER);
        let program =
            program.env("RCLONE_FTP_PASS", password.trim()).env("RCLONE_FTP_NO_CHECK_CERTIFICATE", "true");
        let old = if visit.version() == "1.2" { "true" } else { "false" };
        let program = program.env("RCLONE_FTP_DISABLE_TLS13", old).env(&format!("RCLONE_FTP_{tls}"), "true");
        visit.finish(program.args(arguments))
    };
    let printed = rclone(&["ls", ":ftp:"]);
    rclone(&["copyto", "up", ":ftp:up"]);
    rclone(&["copyto", ":ftp:down", "down"]);
    rclone(&["moveto", ":ftp:old", ":ftp:new"]);
    rclone(&["deletefile", ":ftp:gone"]);
    printed
}
