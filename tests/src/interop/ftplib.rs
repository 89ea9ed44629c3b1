//! Python's ftplib (OpenSSL), as it comes.

use super::{Can, Client, Fault, IN_CLEAR, Visit};

const IMPLICIT: Can = Can::Lacks(
    "ftplib knows TLS by AUTH only; a subclass that begins with TLS does everything, `tests/tests/python.rs`",
);
const RESUMES: Can = Can::No(
    Fault::Client,
    "ftplib begins a new TLS session on every data connection; the subclass in docs/clients.md resumes",
);

pub(super) const CLIENT: Client = Client {
    name: "ftplib",
    origin: "Python's own (OpenSSL)",
    programs: &["python3"],
    files: &[],
    ways: [Can::Yes, Can::Yes, IMPLICIT, IMPLICIT, IN_CLEAR],
    resumes: [RESUMES; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("python3", &[], "ftplib_stock.py", &[])
}
