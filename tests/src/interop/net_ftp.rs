//! Perl's Net::FTP (OpenSSL, by IO::Socket::SSL).

use super::{Can, Client, Fault, IN_CLEAR, Visit};

const RESUMES: Can = Can::No(
    Fault::Client,
    "Net::FTP keeps the session under the name of the control connection and looks for it under that of the data connection",
);

pub(super) const CLIENT: Client = Client {
    name: "Net::FTP",
    origin: "Perl's own, with Debian's `libio-socket-ssl-perl` (OpenSSL)",
    programs: &["perl"],
    files: &["/usr/share/perl5/IO/Socket/SSL.pm"],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, IN_CLEAR],
    resumes: [RESUMES; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("perl", &[], "net_ftp.pl", &[])
}
