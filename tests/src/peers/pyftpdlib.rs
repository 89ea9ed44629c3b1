//! pyftpdlib: one Python process, TLS by PyOpenSSL.

use std::process::Command;

use super::{Abilities, Ability, Peer, Site};
use crate::programs::python_path;
use crate::setup::{USER, password};

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::Yes,
    implicit: Ability::No("pyftpdlib's handler begins in clear and knows TLS by AUTH only"),
    held_to_tls12: Ability::Yes,
    requires_reuse: Ability::No("pyftpdlib does not ask whether a data connection resumed a session"),
    client_certificates: Ability::Yes,
    active: Ability::Yes,
    clear_data: Ability::Yes,
    machine_listings: Ability::Yes,
    set_times: Ability::Yes,
    hash: Ability::No("pyftpdlib knows no command that computes a hash"),
    restart_downloads: Ability::Yes,
    restart_uploads: Ability::Yes,
    append: Ability::Yes,
};

pub(super) fn command(site: &Site<'_>) -> Command {
    let mut command = Command::new(Peer::Pyftpdlib.program());
    command.arg(python_path("pyftpdlib_server.py"));
    arguments(&mut command, site);
    command
}

/// The arguments that both Python servers take.
pub(super) fn arguments(command: &mut Command, site: &Site<'_>) {
    command.arg(site.address.ip().to_string()).arg(site.address.port().to_string());
    command.arg(&site.files.certificate).arg(&site.files.key).arg(site.home);
    command.args([USER, &password(USER)]);
    command.arg(match site.only {
        None => "both",
        Some(crate::programs::Tls::V12) => "1.2",
        Some(crate::programs::Tls::V13) => "1.3",
    });
    command.args(&site.clients);
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
}
