//! curl (OpenSSL): a run per file, or one run for many.

use super::{Can, Client, Visit};
use crate::programs;

pub(super) const CLIENT: Client = Client {
    name: "curl",
    origin: "Debian's `curl` (OpenSSL)",
    programs: &["curl"],
    files: &[],
    ways: [Can::Yes; 5],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let (mode, tls) = (visit.mode(), visit.tls());
    let curl = |arguments: &[&str]| {
        let program = match tls {
            Some(tls) => programs::curl(visit.server, mode, tls),
            None => programs::curl_protecting(visit.server, programs::Tls::V13, &[]),
        };
        visit.finish(program.folder(&visit.local).args(arguments))
    };
    let root = visit.url("");
    curl(&["-T", "up", &root]);
    curl(&["-O", &visit.url("down")]);
    curl(&["-C", "-", "-O", &visit.url("cut")]);
    curl(&["-C", "-", "-T", "half", &root]);
    curl(&["-Q", "-RNFR old", "-Q", "-RNTO new", "-Q", "-DELE gone", &root])
}
