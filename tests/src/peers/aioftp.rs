//! aioftp: one Python process on asyncio, TLS from the first byte or not at all, few commands.

use std::process::Command;

use super::{Abilities, Ability, Peer, Site, pyftpdlib};
use crate::programs::python_path;

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::No("aioftp's server does not know AUTH: all its connections are under TLS or none"),
    implicit: Ability::Yes,
    held_to_tls12: Ability::Yes,
    requires_reuse: Ability::No("aioftp does not ask whether a data connection resumed a session"),
    client_certificates: Ability::Yes,
    active: Ability::No("aioftp knows neither PORT nor EPRT"),
    clear_data: Ability::No("aioftp answers PROT C with 502: all its connections are under TLS"),
    machine_listings: Ability::Yes,
    set_times: Ability::No("aioftp does not know MFMT"),
    hash: Ability::No("aioftp knows no command that computes a hash"),
    restart_downloads: Ability::Yes,
    restart_uploads: Ability::Yes,
    append: Ability::Yes,
};

pub(super) fn command(site: &Site<'_>) -> Command {
    let mut command = Command::new(Peer::Aioftp.program());
    command.arg(python_path("aioftp_server.py"));
    pyftpdlib::arguments(&mut command, site);
    command
}
