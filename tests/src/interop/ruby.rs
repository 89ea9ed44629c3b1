//! Ruby's Net::FTP (OpenSSL).

use super::{Can, Client, Fault, Visit};

pub(super) const CLIENT: Client = Client {
    name: "net/ftp",
    origin: "Ruby's own, Debian's `ruby` (OpenSSL)",
    programs: &["ruby"],
    files: &[],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, Can::Untried("x")],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("ruby", &[], "net_ftp.rb", &[])
}
