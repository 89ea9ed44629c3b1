//! Pure-FTPd: a process per connection, set up by its command line alone.

use std::fs;
use std::process::Command;

use super::{Abilities, Ability, Peer, Site, walled};

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::Yes,
    implicit: Ability::No("implicit TLS is an option of building Pure-FTPd that Debian leaves out"),
    held_to_tls12: Ability::Yes,
    requires_reuse: Ability::No("Pure-FTPd offers resumption and does not insist on it"),
    client_certificates: Ability::Yes,
    active: Ability::Yes,
    clear_data: Ability::Yes,
    machine_listings: Ability::Yes,
    set_times: Ability::Yes,
    hash: Ability::No("Pure-FTPd knows no command that computes a hash"),
    restart_downloads: Ability::Yes,
    restart_uploads: Ability::Yes,
    append: Ability::Yes,
};

pub(super) fn command(site: &Site<'_>) -> Command {
    let mut command = walled::command(site, &Peer::PureFtpd.program());
    let (address, port) = (site.address.ip(), site.address.port());
    command.arg("--bind").arg(format!("{address},{port}"));
    command.args(["--login", "unix", "--noanonymous", "--chrooteveryone", "--dontresolve", "--ipv4only"]);
    command.args(["--minuid", "1", "--umask", "022:022", "--limitrecursion", "2000000:64"]);
    command.args(["--maxclientsnumber", "200", "--maxclientsperip", "200", "--verboselog"]);
    let mut certificate = fs::read_to_string(&site.files.both).unwrap();
    if let Some(clients) = &site.clients {
        // "-C:" asks for a certificate; its authority is looked for in the server's own file.
        command.args(["--tlsciphersuite", "-C:HIGH"]);
        certificate += &fs::read_to_string(clients).unwrap();
    }
    command.arg("--certfile").arg(site.write("server.pem", &certificate)).args(["--tls", "2"]);
    command.arg("--pidfile").arg(site.work.join("pid"));
    command.arg("--altlog").arg(format!("clf:{}", site.work.join("transfers.log").display()));
    command.env("OPENSSL_CONF", site.openssl_settings());
    command
}
