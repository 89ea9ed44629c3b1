//! Our own server, as the client meets it.

use rustix::process::Signal;

use super::{Abilities, Ability, Site};
use crate::certificates::Identity;
use crate::programs::Tls;
use crate::server::{Server, under_fips};
use crate::setup::{EVERYTHING, Setup, USER};

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::Yes,
    implicit: Ability::Yes,
    held_to_tls12: Ability::No("Carrack's server can be held to TLS 1.3, never to the older version"),
    requires_reuse: Ability::No("Carrack's server prefers resumption; `data_tls_reuse` can require it"),
    client_certificates: Ability::Yes,
    active: Ability::Yes,
    clear_data: Ability::Yes,
    machine_listings: Ability::Yes,
    set_times: Ability::Yes,
    hash: Ability::Yes,
    restart_downloads: Ability::Yes,
    restart_uploads: Ability::Yes,
    append: Ability::Yes,
};

pub(super) fn start(site: &Site<'_>) -> Server {
    let minimum = if site.only == Some(Tls::V13) { "\"1.3\"" } else { "\"1.2\"" };
    // FIPS 140-3 leaves nothing in clear.
    let protection = if under_fips() { "require" } else { "optional" };
    let mut setup = Setup::new()
        .user_at(USER, site.home, &[EVERYTHING])
        .explicit(&format!("data_protection = {protection:?}"))
        .option("tls", "certificate", &format!("{:?}", site.files.certificate))
        .option("tls", "key", &format!("{:?}", site.files.key))
        .option("tls", "minimum_version", minimum);
    if let Some(authorities) = &site.clients {
        setup = setup.listen("client_certificate = \"required\"").option(
            "tls",
            "client_ca",
            &format!("{authorities:?}"),
        );
    }
    setup.start()
}

/// Has the server show what lies in its files now.
pub(super) fn reload(server: &Server, identity: &Identity) {
    let expected = identity.description().fingerprint.to_string();
    server.signal(Signal::HUP);
    server.logged("certificate_replaced", |line| line.text("sha256") == expected);
}
