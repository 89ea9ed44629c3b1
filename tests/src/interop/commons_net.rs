//! Java's commons-net (JSSE).

use super::{Can, Client, Fault, IN_CLEAR, Visit};

const JAR: &str = "/usr/share/java/commons-net.jar";

const RESUMES: Can = Can::No(
    Fault::Client,
    "FTPSClient begins a new TLS session on every data connection; a subclass can put the session where Java looks for it",
);

pub(super) const CLIENT: Client = Client {
    name: "commons-net",
    origin: "Debian's `libcommons-net-java` (Java's own TLS)",
    programs: &["java", "javac"],
    files: &[JAR],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, IN_CLEAR],
    resumes: [RESUMES; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("java", &["-XX:TieredStopAtLevel=1", "-cp", JAR], "CommonsNet.java", &[])
}
