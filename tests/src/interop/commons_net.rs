//! Java's commons-net (JSSE).

use super::{Can, Client, Fault, Visit};

const JAR: &str = "/usr/share/java/commons-net.jar";

pub(super) const CLIENT: Client = Client {
    name: "commons-net",
    origin: "Debian's `libcommons-net-java` (Java's own TLS)",
    programs: &["java", "javac"],
    files: &[JAR],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, Can::Untried("x")],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    visit.script("java", &["-XX:TieredStopAtLevel=1", "-cp", JAR], "CommonsNet.java", &[])
}
