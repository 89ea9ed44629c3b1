//! Which folders and files does a server need, and which option says so?

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::config::Config;

/// What is done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Files are read, folders listed.
    Read,
    /// And made, changed, moved and removed.
    Write,
    /// And sockets made.
    Own,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The option, as in `tls.key`; empty for what the system itself needs.
    pub(super) option: String,
    /// What the option names.
    pub(super) named: PathBuf,
    /// Beneath what it lies: a file is replaced by another, so its folder counts.
    pub(super) path: PathBuf,
    pub(super) used: Use,
}

/// Folders of the system that libraries read: names and addresses, authorities, time zones, character sets, and themselves.
const SYSTEM: &[&str] = &[
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/nix/store",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/sys/kernel/mm/transparent_hugepage",
    "/proc/self",
    "/proc/sys/vm",
    "/proc/sys/net",
    "/proc/sys/kernel/random",
];

/// Files of the system. Those in `/etc` are listed for root alone: who is not root is kept by the modes of the other files there, and may
/// read these also where they were replaced.
const SYSTEM_FILES: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/networks",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/group",
    "/dev/urandom",
    "/dev/random",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
];

/// Devices that are written as well.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero"];

/// Variables that say where authorities lie.
const AUTHORITIES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Folders that hold other people's files: of one there is no more than that file.
const SHARED: [&str; 9] = ["/", "/etc", "/root", "/home", "/dev", "/tmp", "/usr", "/var", "/var/lib"];

/// Where programs have their logs.
const LOGS: &str = "/var/log";

/// What the system's own libraries need. `is_root`: whether file modes keep nobody.
pub(super) fn of_system(is_root: bool) -> Vec<Place> {
    let read =
        |path: &str| Place { option: String::new(), named: path.into(), path: path.into(), used: Use::Read };
    let etc = if is_root { None } else { Some("/etc") };
    let mut places: Vec<_> = SYSTEM.iter().chain(SYSTEM_FILES).copied().chain(etc).map(read).collect();
    places.extend(DEVICES.iter().map(|path| Place { used: Use::Write, ..read(path) }));
    let named = AUTHORITIES.iter().filter_map(std::env::var_os).map(PathBuf::from);
    places.extend(named.flat_map(|path| file("", &path, Use::Read)));
    places
}

/// What a configuration needs. Its relative paths begin at `base`; `state` is the state folder, `file_of_it` where it stands.
pub(super) fn of(config: &Config, base: &Path, state: &Path, file_of_it: Option<&Path>) -> Vec<Place> {
    let folder = |option: &str, path: &Path, used| Place {
        option: option.to_owned(),
        named: path.to_owned(),
        path: path.to_owned(),
        used,
    };
    let mut places = vec![folder("state", state, Use::Own)];
    places.extend(config.roots.iter().map(|root| folder("roots", &base.join(root), Use::Write)));
    if config.roots.is_empty() {
        // At a reload others may come beside them. A server of one folder has no reload.
        let lies_in = |home: &PathBuf| match file_of_it {
            Some(_) => folder_of(&std::fs::canonicalize(home).unwrap_or_else(|_| home.clone())),
            None => home.clone(),
        };
        let homes = config.user.iter().map(|user| Place {
            path: lies_in(&base.join(&user.home)),
            ..folder("user[].home", &base.join(&user.home), Use::Write)
        });
        places.extend(homes);
        places.dedup_by(|one, other| one.path == other.path && one.used == other.used);
    }
    for (option, path) in [("log.file", &config.log.file), ("log.xferlog", &config.log.xferlog)] {
        let Some(path) = path else { continue };
        let folders = file(option, &base.join(path), Use::Write);
        // Its folder may be made anew. What it lies in may be many programs', which file modes keep from everybody but root.
        let may_be_above =
            |above: &&Path| !(is_shared(above) || geteuid().is_root() && *above == Path::new(LOGS));
        let above = folders.iter().filter_map(|one| one.path.parent().filter(may_be_above));
        let above = above.map(|above| Place { path: above.to_owned(), ..folder(option, path, Use::Write) });
        places.extend(above.collect::<Vec<_>>());
        places.extend(folders);
    }
    let mut reads: Vec<(&str, &PathBuf)> = Vec::new();
    if let Some(tls) = &config.tls {
        let of_tls = [
            ("tls.certificate", &tls.certificate),
            ("tls.key", &tls.key),
            ("tls.staple", &tls.staple),
            ("tls.client_ca", &tls.client_ca),
        ];
        reads.extend(of_tls.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?))));
        reads.extend(tls.crl.iter().map(|path| ("tls.crl", path)));
        for identity in tls.identity.iter() {
            reads.extend([
                ("tls.identity[].certificate", &identity.certificate),
                ("tls.identity[].key", &identity.key),
            ]);
            reads.extend(identity.staple.iter().map(|path| ("tls.identity[].staple", path)));
        }
    }
    reads.extend(config.fxp.iter().filter_map(|fxp| Some(("fxp.ca", fxp.ca.as_ref()?))));
    let users = &config.users;
    let of_users =
        [("users.file", &users.file), ("users.secret_file", &users.secret_file), ("users.ca", &users.ca)];
    reads.extend(of_users.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?))));
    for hook in config.hook.iter() {
        let of_hook = [("hook[].secret_file", &hook.secret_file), ("hook[].ca", &hook.ca)];
        reads.extend(of_hook.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?))));
    }
    if let Some(acme) = &config.acme {
        let of_acme = [("acme.eab_key_file", &acme.eab_key_file), ("acme.ca", &acme.ca)];
        reads.extend(of_acme.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?))));
    }
    places.extend(reads.into_iter().flat_map(|(option, path)| file(option, &base.join(path), Use::Read)));
    places.extend(file_of_it.into_iter().flat_map(|path| file("", path, Use::Read)));
    places
}

/// Where a file lies that may be replaced: its folder, and that of the file to which a link leads.
fn file(option: &str, path: &Path, used: Use) -> Vec<Place> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let mut beneath: Vec<_> = [&path, &real].map(|path| folder_of(path)).into();
    beneath.dedup();
    let place = |beneath| Place { option: option.to_owned(), named: path.clone(), path: beneath, used };
    beneath.into_iter().map(place).collect()
}

fn is_shared(folder: &Path) -> bool {
    SHARED.iter().any(|shared| folder == Path::new(shared))
}

fn folder_of(path: &Path) -> PathBuf {
    // A pipe or a device is not replaced.
    let is_special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    match path.parent() {
        Some(parent) if !is_special && !is_shared(parent) => parent.to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_counts_with_the_folders_in_which_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let dir = std::fs::canonicalize(dir.path()).unwrap();
        let (live, archive) = (dir.join("live"), dir.join("archive"));
        for folder in [&live, &archive] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(archive.join("key1.pem"), "").unwrap();
        symlink(archive.join("key1.pem"), live.join("key.pem")).unwrap();
        let paths: Vec<_> =
            file("tls.key", &live.join("key.pem"), Use::Read).into_iter().map(|one| one.path).collect();
        assert_eq!(paths, [live, archive]);
        let alone = |path: &str| {
            file("", Path::new(path), Use::Read).into_iter().map(|one| one.path).collect::<Vec<_>>()
        };
        assert_eq!(
            alone("/etc/nothing.pem"),
            [PathBuf::from("/etc/nothing.pem")],
            "and nothing else of /etc"
        );
        assert_eq!(alone("/dev/null"), [PathBuf::from("/dev/null")]);
    }

    #[test]
    fn nothing_of_root_is_among_what_the_system_needs() {
        let of = |is_root| of_system(is_root).into_iter().map(|one| one.path).collect::<Vec<_>>();
        assert!(!of(true).iter().any(|path| Path::new("/etc/shadow").starts_with(path)));
        assert!(of(false).contains(&PathBuf::from("/etc")));
    }
}
