//! PHP's ftp extension (OpenSSL).

use super::{Can, Client, Fault, IN_CLEAR, Visit};

const IMPLICIT: Can = Can::Lacks("ftp_ssl_connect begins in clear and knows TLS by AUTH only");
const ONE_TICKET: Can = Can::No(
    Fault::Client,
    "PHP keeps one TLS 1.3 ticket of the several it is given, and uses it up: after an upload, which brings no new one, \
     its data connections begin new sessions",
);

pub(super) const CLIENT: Client = Client {
    name: "PHP",
    origin: "Debian's `php-cli`, the ftp extension (OpenSSL)",
    programs: &["php"],
    files: &[],
    ways: [Can::Yes, Can::Yes, IMPLICIT, IMPLICIT, IN_CLEAR],
    resumes: [Can::Yes, ONE_TICKET],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("php", &[], "ftp.php", &[])
}
