//! Perl's Net::FTP (OpenSSL, by IO::Socket::SSL).

use super::{Can, Client, Fault, Visit};

pub(super) const CLIENT: Client = Client {
    name: "Net::FTP",
    origin: "Perl's own, with Debian's `libio-socket-ssl-perl` (OpenSSL)",
    programs: &["perl"],
    files: &["/usr/share/perl5/IO/Socket/SSL.pm"],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, Can::Untried("x")],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("perl", &[], "net_ftp.pl", &[])
}
