//! GNU wget (GnuTLS): it only fetches.

use super::{Can, Client, Visit};
use crate::server::Mode;
use crate::setup::USER;

const FETCHES: Can = Can::Lacks("wget only fetches");

pub(super) const CLIENT: Client = Client {
    name: "wget",
    origin: "Debian's `wget` (GnuTLS)",
    programs: &["wget"],
    files: &[],
    ways: [Can::Yes; 5],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes, FETCHES, Can::Yes, Can::Yes, FETCHES, FETCHES, FETCHES],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let wget = |arguments: &[&str]| {
        let program = visit.program("wget").args([
            "--no-config",
            "--no-check-certificate",
            "-nv",
            "--tries=1",
            "--timeout=60",
        ]);
        let program =
            program.arg(format!("--user={USER}")).arg(format!("--password={}", visit.server.password()));
        let implicit: &[&str] = if visit.mode() == Mode::Implicit { &["--ftps-implicit"] } else { &[] };
        visit.finish(program.args(implicit).args(arguments))
    };
    let url = |path: &str| {
        visit.url(path).replacen("ftp://", if visit.tls().is_some() { "ftps://" } else { "ftp://" }, 1)
    };
    let mut printed = wget(&["-O", "-", &url("")]);
    printed += &wget(&[&url("down")]);
    printed += &wget(&["-c", &url("cut")]);
    printed
}
