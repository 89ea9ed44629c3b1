//! A server in namespaces of its own: it sees a user that the system does not have, and ends with all its children.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Site;
use crate::programs::Program;
use crate::setup::{USER, password};

/// The user's number, and the group's; nobody else's on any usual system.
pub(super) const USER_ID: u32 = 60_021;

/// Lays private files over the system's, in a mount namespace that ends with the server, then runs the server.
///
/// The shell stays: the kernel ends it with its parent, which it does not do with a process that has changed its user,
/// as servers do; and as the first process of its namespace it takes all others with it.
const ENTER: &str = r#"
for name in passwd shadow pam.d; do
    if [ -e "$1/$name" ]; then mount --bind "$1/$name" "/etc/$name" || exit 1; fi
done
shift
"$@"
exit $?
"#;

/// `program`, as root, where [`USER`] can log in with their password. Killing the process that this starts kills all
/// that the server has started: they are in its process namespace.
pub(super) fn command(site: &Site<'_>, program: &Path) -> Command {
    let system = fs::read_to_string("/etc/passwd").unwrap();
    let home = site.home.display();
    site.write("passwd", &format!("{system}{USER}:x:{USER_ID}:{USER_ID}::{home}:/bin/sh\n"));
    site.write("shadow", &format!("{USER}:{}:20000:0:99999:7:::\n", crypt(&password(USER))));
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", ENTER, "sh"]);
    command.arg(site.work).arg(program);
    // The system's authorities are nobody's here, and reading them takes longer than everything else in a session.
    command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/dev/null");
    command
}

/// A password as /etc/shadow keeps it.
fn crypt(password: &str) -> String {
    let run = Program::new("openssl").args(["passwd", "-6", "-stdin"]).input(format!("{password}\n")).run();
    run.ok().stdout.trim().to_owned()
}
