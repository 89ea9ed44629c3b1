//! Servers that clients name: their tables, and users of the same name at each of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::certificates::{Authority, Identity, Kind};
use crate::control::Control;
use crate::programs::Tls;
use crate::server::Server;
use crate::setup::{EVERYTHING, Setup, quick_hash};
use crate::tls_client::TlsClient;

/// The names of the two that tests have.
pub const BOTH: [&str; 2] = ["a.example", "b.example"];

/// The user that each of them has, with a password and a home of its own.
pub const ALICE: &str = "alice";

/// Her password there.
pub fn password_at(server: &str) -> String {
    format!("{ALICE}s own at {server}")
}

/// Her home there, in which the file `where` has the server's name.
pub fn home_at(folder: &Path, server: &str) -> PathBuf {
    folder.join("homes").join(server)
}

/// `[[virtual_server]]` with a name and these lines, and with [`ALICE`].
pub fn with_server(setup: Setup, name: &str, lines: &str) -> Setup {
    let greeting = format!("banner = \"Here is {name}.\"");
    with_user(
        setup.table(&format!("\n[[virtual_server]]\nnames = [{name:?}]\n{greeting}\n{lines}")),
        name,
        "",
    )
}

/// [`ALICE`] at a virtual server, with these lines.
pub fn with_user(setup: Setup, server: &str, lines: &str) -> Setup {
    let home = home_at(setup.folder(), server);
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("where"), server).unwrap();
    let hash = quick_hash(&password_at(server));
    setup.table(&format!(
        "\n[[user]]\nname = {ALICE:?}\nvirtual_server = {server:?}\npassword = {hash:?}\nhome = {home:?}\n{EVERYTHING}\n{lines}"
    ))
}

/// Both servers, and one certificate for whoever asks, which the server makes itself.
pub fn behind_one_certificate(setup: Setup) -> Setup {
    BOTH.into_iter().fold(setup, |setup, name| with_server(setup, name, ""))
}

/// Both servers with certificates of their own, and `localhost` with one for those who name nobody; all three from this authority.
pub fn behind_their_own(setup: Setup, authority: &Authority) -> Setup {
    let folder = setup.scratch();
    let [certificate, key] = write(&folder, "localhost", &authority.issue(Kind::Good, &["localhost"]));
    let setup = setup.option("tls", "certificate", &certificate).option("tls", "key", &key);
    BOTH.into_iter().fold(setup, |setup, name| {
        let [certificate, key] = write(&folder, name, &authority.issue(Kind::Good, &[name]));
        with_server(setup, name, &format!("certificate = {certificate}\nkey = {key}"))
    })
}

/// The files of an identity as they stand in a configuration.
fn write(folder: &Path, name: &str, identity: &Identity) -> [String; 2] {
    let [certificate, key] = ["pem", "key"].map(|ending| folder.join(format!("{name}.{ending}")));
    fs::write(&certificate, &identity.certificate_pem).unwrap();
    fs::write(&key, &identity.key_pem).unwrap();
    [certificate, key].map(|file| format!("{file:?}"))
}

/// A client whose handshakes name nobody.
pub fn nameless(version: Tls) -> TlsClient {
    TlsClient::new(version).naming("127.0.0.1")
}

/// Logins are many here, and what they cost is tested elsewhere.
pub fn setup() -> Setup {
    Setup::new().quick_logins()
}

/// The other one of both.
pub fn other(name: &str) -> &'static str {
    if name == BOTH[0] { BOTH[1] } else { BOTH[0] }
}

/// Logs in as the user of that server, and says what came with it.
pub fn enter(control: &mut Control, server: &str) -> String {
    control.expect(&format!("USER {ALICE}"), 331);
    control.expect(&format!("PASS {}", password_at(server)), 230).to_string()
}

/// That the right password of the other server's user is a wrong one here.
pub fn is_not_the_other(control: &mut Control, server: &str) {
    control.expect(&format!("USER {ALICE}"), 331);
    control.expect(&format!("PASS {}", password_at(other(server))), 530);
}

/// Connected in clear, and greeted.
pub fn clear(server: &Server, client: &TlsClient) -> Control {
    let mut control = Control::connect(server.explicit, client);
    control.wait_for(220);
    control
}

/// Begins TLS.
pub fn secure(control: &mut Control) {
    control.expect("AUTH TLS", 234);
    control.secure();
}
