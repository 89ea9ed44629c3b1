//! PHP's ftp extension (OpenSSL).

use super::{Can, Client, Fault, Visit};

pub(super) const CLIENT: Client = Client {
    name: "PHP",
    origin: "Debian's `php-cli`, the ftp extension (OpenSSL)",
    programs: &["php"],
    files: &[],
    ways: [Can::Yes, Can::Yes, Can::Lacks("ftp_ssl_connect begins in clear, then says AUTH"), Can::Lacks("ftp_ssl_connect begins in clear, then says AUTH"), Can::Untried("x")],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("php", &[], "ftp.php", &[])
}
