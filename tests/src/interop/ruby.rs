//! Ruby's Net::FTP (OpenSSL).

use super::{Can, Client, Fault, Visit};

const IMPLICIT: Can = Can::Lacks("net-ftp 0.1, which Debian 12 has, knows TLS by AUTH only; 0.2 has implicit_ftps");

pub(super) const CLIENT: Client = Client {
    name: "net/ftp",
    origin: "Ruby's own, Debian's `ruby` (OpenSSL)",
    programs: &["ruby"],
    files: &[],
    ways: [Can::Yes, Can::Yes, IMPLICIT, IMPLICIT, Can::Untried("x")],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("ruby", &[], "net_ftp.rb", &[])
}
