//! Node's basic-ftp (OpenSSL).

use super::{Can, Client, IN_CLEAR, Visit, top};

const MODULES: &str = "target/clients/node_modules";

pub(super) const CLIENT: Client = Client {
    name: "basic-ftp",
    origin: "npm's `basic-ftp` (Node, OpenSSL)",
    programs: &["node"],
    files: &["target/clients/node_modules/basic-ftp"],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, IN_CLEAR],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes; 7],
    drive,
};

fn drive(visit: &Visit<'_>) -> String {
    let modules = top().join(MODULES);
    visit.script("node", &[], "basic_ftp.mjs", &[modules.to_str().unwrap()])
}
