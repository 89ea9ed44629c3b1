//! Ruby's Net::FTP (OpenSSL).

use super::{Can, Client, Fault, IN_CLEAR, Visit};

const IMPLICIT: Can =
    Can::Lacks("net-ftp 0.1, which Debian 12 has, knows TLS by AUTH only; 0.2 has implicit_ftps");

const ONE_TICKET: Can = Can::No(
    Fault::Client,
    "Net::FTP keeps one TLS 1.3 ticket of the several it is given, and uses it up: after an upload, which brings no new one, \
     its data connections begin new sessions",
);

pub(super) const CLIENT: Client = Client {
    name: "net/ftp",
    origin: "Ruby's own, Debian's `ruby` (OpenSSL)",
    programs: &["ruby"],
    files: &[],
    ways: [Can::Yes, Can::Yes, IMPLICIT, IMPLICIT, IN_CLEAR],
    resumes: [Can::Yes, ONE_TICKET],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("ruby", &[], "net_ftp.rb", &[])
}
