//! ProFTPD: mod_tls with its required session reuse, mod_digest for hashes, mod_facts for machine listings.

use std::process::Command;

use super::{Abilities, Ability, Peer, Site, walled};
use crate::programs::Tls;
use crate::server::Mode;

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::Yes,
    implicit: Ability::Yes,
    held_to_tls12: Ability::Yes,
    requires_reuse: Ability::Yes,
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

pub(super) fn command(site: &Site<'_>) -> Command {
    let program = Peer::Proftpd.program();
    let modules = program.ancestors().nth(2).unwrap().join("lib/proftpd");
    let versions = match site.only {
        None => "TLSv1.2 TLSv1.3",
        Some(Tls::V12) => "TLSv1.2",
        Some(Tls::V13) => "TLSv1.3",
    };
    let implicit = if site.mode == Mode::Implicit { "TLSOptions UseImplicitSSL\n" } else { "" };
    let clients = match &site.clients {
        None => String::from("TLSVerifyClient off\n"),
        Some(file) => format!("TLSVerifyClient on\nTLSCACertificateFile {}\n", file.display()),
    };
    let partners = match &site.partners {
        None => String::new(),
        Some(file) => format!(
            "AllowForeignAddress on\nTLSOptions NoSessionReuseRequired\nTLSCACertificateFile {}\n",
            file.display()
        ),
    };
    let text = format!(
        "ModulePath {modules}\nLoadModule mod_tls.c\nLoadModule mod_digest.c\n\
         ServerType standalone\nServerName test\nDefaultAddress {address}\nSocketBindTight on\nPort {port}\n\
         User nobody\nGroup nogroup\nUseIPv6 off\nUseReverseDNS off\nDelayEngine off\nWtmpLog off\n\
         PidFile {work}/pid\nScoreboardFile {work}/scoreboard\nDelayTable none\nControlsEngine off\n\
         SystemLog {work}/system.log\nTransferLog none\nExtendedLog {work}/commands.log ALL\n\
         AuthOrder mod_auth_unix.c\nAuthPAM off\nRequireValidShell off\nDefaultRoot ~\nUmask 022\n\
         AllowOverwrite on\nAllowStoreRestart on\nMaxInstances none\nMaxLoginAttempts 3\n\
         DigestEngine on\nDigestAlgorithms all\n\
         TLSEngine on\nTLSRequired ctrl\nTLSLog {work}/tls.log\nTLSProtocol {versions}\n{implicit}\
         TLSECCertificateFile {certificate}\nTLSECCertificateKeyFile {key}\n{clients}{partners}",
        modules = modules.display(),
        address = site.address.ip(),
        port = site.address.port(),
        work = site.work.display(),
        certificate = site.files.certificate.display(),
        key = site.files.key.display(),
    );
    let config = site.write("proftpd.conf", &text);
    let mut command = walled::command(site, &program);
    command.args(["--nodaemon", "--quiet", "--config"]).arg(config);
    command
}
