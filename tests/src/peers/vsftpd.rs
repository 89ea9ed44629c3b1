//! vsftpd: a process per connection, PAM, and data connections that have to resume a session.

use std::fs;
use std::process::Command;

use super::{Abilities, Ability, Peer, Site, walled};
use crate::server::Mode;

pub(super) const ABILITIES: Abilities = Abilities {
    explicit: Ability::Yes,
    implicit: Ability::Yes,
    held_to_tls12: Ability::Yes,
    requires_reuse: Ability::Yes,
    client_certificates: Ability::Yes,
    active: Ability::Yes,
    clear_data: Ability::Yes,
    machine_listings: Ability::No("vsftpd knows neither MLSD nor MLST; LIST is read instead"),
    set_times: Ability::Yes,
    hash: Ability::No("vsftpd knows no command that computes a hash"),
    restart_downloads: Ability::Yes,
    restart_uploads: Ability::Yes,
    append: Ability::Yes,
};

pub(super) fn command(site: &Site<'_>) -> Command {
    let empty = site.work.join("empty");
    fs::create_dir_all(&empty).unwrap();
    fs::create_dir_all(site.work.join("pam.d")).unwrap();
    site.write("pam.d/vsftpd", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n");
    let yes_or_no = |yes: bool| if yes { "YES" } else { "NO" };
    let clients = match &site.clients {
        None => String::new(),
        Some(file) => format!(
            "ssl_request_cert=YES\nrequire_cert=YES\nvalidate_cert=YES\nca_certs_file={}\n",
            file.display()
        ),
    };
    let text = format!(
        "listen=YES\nbackground=NO\nlisten_address={address}\nlisten_port={port}\nmax_per_ip=0\nmax_clients=0\n\
         anonymous_enable=NO\nlocal_enable=YES\nwrite_enable=YES\nlocal_umask=022\npam_service_name=vsftpd\n\
         chroot_local_user=YES\nallow_writeable_chroot=YES\nsecure_chroot_dir={empty}\ndelay_failed_login=0\n\
         ssl_enable=YES\nimplicit_ssl={implicit}\nrequire_ssl_reuse=YES\nssl_sslv2=NO\nssl_sslv3=NO\n\
         ssl_ciphers=HIGH\nforce_local_logins_ssl=YES\nforce_local_data_ssl=NO\nrsa_cert_file={certificate}\n\
         rsa_private_key_file={key}\n{clients}\
         xferlog_enable=YES\nlog_ftp_protocol=YES\nxferlog_std_format=NO\nvsftpd_log_file={work}/protocol.log\n",
        address = site.address.ip(),
        port = site.address.port(),
        empty = empty.display(),
        implicit = yes_or_no(site.mode == Mode::Implicit),
        certificate = site.files.certificate.display(),
        key = site.files.key.display(),
        work = site.work.display(),
    );
    let config = site.write("vsftpd.conf", &text);
    let mut command = walled::command(site, &Peer::Vsftpd.program());
    command.arg(config).env("OPENSSL_CONF", site.openssl_settings());
    command
}
