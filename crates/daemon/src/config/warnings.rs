//! What does a configuration allow that should be known?

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use carrack_net::Network;

use super::homes::{real, uid, writable};
use super::plaintext;
use super::table::{Config, Listen, Permission, Plaintext, User};

/// The bits of a file's mode that let its group or everybody read it.
const READ_BY_OTHERS: u32 = 0o044;

/// Something that is allowed but should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What should be known of a configuration that may be run.
pub(super) fn warnings(config: &Config, state: &Path) -> Vec<Warning> {
    let mut warnings = Vec::new();
    homes(config, state, &mut warnings);
    super::defence::warnings(config, &mut warnings);
    super::logs::warnings(config, &mut warnings);
    super::virtual_server::warnings(config, &mut warnings);
    for listen in config.listen.iter().filter(|listen| listen.plaintext == Plaintext::Allow) {
        warnings.push(Warning(format!(
            "{} takes logins without TLS: passwords and files travel in clear",
            listen.address
        )));
    }
    let everybody = |listen: &&Listen| listen.proxy_protocol.iter().any(Network::is_everything);
    for listen in config.listen.iter().filter(everybody) {
        warnings.push(Warning(format!(
            "the proxy_protocol of {} lists every address: whoever connects there may say that it comes from another one (list the \
             load balancers alone)",
            listen.address
        )));
    }
    let comes_in_clear = |user: &User| {
        let is_granted = plaintext::grants(config).any(|grant| grant.is_for(user));
        user.password.is_some() && (is_granted || user.plaintext == Some(Plaintext::Allow))
    };
    for user in config.user.iter().filter(|user| comes_in_clear(user)) {
        warnings.push(Warning(format!(
            "{:?} may log in without TLS: its password travels in clear then",
            user.name.as_str()
        )));
    }
    if let Some(tls) = &config.tls {
        let further = tls.identity.iter().map(|identity| &identity.key);
        let of_servers = config.virtual_server.iter().filter_map(|server| server.key.as_ref());
        tls.key.iter().chain(further).chain(of_servers).for_each(|path| key(path, &mut warnings));
    }
    if let Some(metrics) = config.metrics.as_ref().filter(|metrics| !metrics.address.ip().is_loopback()) {
        warnings.push(Warning(format!(
            "the metrics at {} are for everybody who can connect there, without a login and without TLS",
            metrics.address
        )));
    }
    config
        .hook
        .iter()
        .filter_map(|hook| hook.secret_file.as_ref())
        .for_each(|path| secret(path, &mut warnings));
    if let Some(eab) = config.acme.as_ref().and_then(|acme| acme.eab_key_file.as_ref()) {
        key(eab, &mut warnings);
    }
    warnings
}

fn homes(config: &Config, state: &Path, warnings: &mut Vec<Warning>) {
    let state = real(state);
    for user in config.user.iter() {
        let home = real(&user.home);
        if state.starts_with(&home) {
            warnings.push(Warning(format!(
                "the state folder {} lies in the served folder {}; no path of a client reaches it, but a place outside \
                 is better (--state DIR, or `state` in the file)",
                state.display(),
                home.display()
            )));
        }
        if changes(user) && !writable(&home) {
            warnings.push(Warning(format!(
                "{:?} may write, but this process (uid {}) cannot write to the home {}: uploads into it will fail \
                 (give the process the right to it, or take the permission away)",
                user.name.as_str(),
                uid(),
                home.display()
            )));
        }
    }
}

/// Whether a user may change anything anywhere.
fn changes(user: &User) -> bool {
    let of_folders = user.folder.iter().filter_map(|folder| folder.permissions.as_ref()).flatten();
    user.permissions
        .iter()
        .chain(of_folders)
        .any(|permission| !matches!(permission, Permission::List | Permission::Read))
}

/// SECURITY: whoever reads it can sign events.
fn secret(path: &Path, warnings: &mut Vec<Warning>) {
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.mode() & 0o7777);
    if mode & READ_BY_OTHERS != 0 {
        let shown = path.display();
        warnings.push(Warning(format!(
            "the secret {shown} can be read by others (mode {mode:04o}); `chmod 600 '{shown}'` keeps it to its owner"
        )));
    }
}

/// SECURITY: whoever reads the key can pass for this server.
fn key(path: &Path, warnings: &mut Vec<Warning>) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.mode() & 0o7777;
    if mode & READ_BY_OTHERS != 0 {
        let who = if mode & 0o004 != 0 { "everybody on this machine" } else { "its group" };
        let shown = path.display();
        warnings.push(Warning(format!(
            "the private key {shown} can be read by {who} (mode {mode:04o}); `chmod 600 '{shown}'` keeps it to its owner"
        )));
    }
}
