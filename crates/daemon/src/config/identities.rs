//! Are the certificates that a configuration names fit to be shown, and for how long?

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use carrack_ftp_server::HostName;
use carrack_tls::identity::Source;
use carrack_tls::{Identity, IdentityError, Set};

use super::check::Faults;
use super::name::ServerName;
use super::table::Config;
use super::value::beside;
use super::warnings::Warning;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// From so many days before its end on a certificate's end is told.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// The identities of `[tls]`, the default first, then those of virtual servers; `None` without `[tls]` and where something is wrong.
pub(super) fn load(config: &mut Config, base: &Path, faults: &mut Faults) -> Option<Set> {
    beside_a_default(config, faults);
    let tls = config.tls.as_mut()?;
    let (certificate, key) = match (&mut tls.certificate, &mut tls.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (certificate, key) => {
            let lonely = [
                ("certificate", certificate.is_some()),
                ("key", key.is_some()),
                ("staple", tls.staple.is_some()),
                ("identity", !tls.identity.is_empty()),
            ];
            let lonely = lonely.into_iter().find(|(_, is_there)| *is_there);
            if let Some((name, _)) = lonely {
                faults.add(
                    format!("tls.{name}"),
                    format!("[tls] has `{name}`, and not both `certificate` and `key`"),
                    "name both files, or leave all of them out",
                );
            }
            return None;
        }
    };
    let mut loaded = vec![one("tls", base, (certificate, key, &mut tls.staple), faults)];
    for (index, row) in tls.identity.0.iter_mut().enumerate() {
        let place = format!("tls.identity.{index}");
        let identity = one(&place, base, (&mut row.certificate, &mut row.key, &mut row.staple), faults);
        if identity.as_ref().is_some_and(|identity| identity.names().is_empty()) {
            faults.add(
                format!("{place}.certificate"),
                format!("{} stands for no name, so nobody could ask for it", row.certificate.display()),
                "have it issued with the server's names (subject alternative names), or take this table out",
            );
        }
        loaded.push(identity);
    }
    for (index, server) in config.virtual_server.0.iter_mut().enumerate() {
        let (Some(certificate), Some(key)) = (&mut server.certificate, &mut server.key) else { continue };
        let place = format!("virtual_server.{index}");
        let identity = one(&place, base, (certificate, key, &mut server.staple), faults);
        let lacks = |identity: &Identity| server.names.iter().find(|name| !identity.is_for(name.as_str()));
        if let Some(name) = identity.as_ref().and_then(lacks) {
            faults.add(
                format!("{place}.certificate"),
                format!("{} does not stand for {}", certificate.display(), name.as_str()),
                "have it issued with all names of the server (subject alternative names), or leave the name out",
            );
        }
        loaded.push(identity);
    }
    let mut all = loaded.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    Some(Set { default: all.next()?, further: all.collect() })
}

/// A certificate of a virtual server is one beside that for clients that name nobody.
fn beside_a_default(config: &Config, faults: &mut Faults) {
    let has_default = config.tls.as_ref().is_some_and(|tls| tls.certificate.is_some() && tls.key.is_some());
    for (index, server) in config.virtual_server.iter().enumerate() {
        let said = [
            ("certificate", server.certificate.is_some()),
            ("key", server.key.is_some()),
            ("staple", server.staple.is_some()),
        ];
        let Some((name, _)) = said.into_iter().find(|(_, is_there)| *is_there) else { continue };
        let place = format!("virtual_server.{index}.{name}");
        if server.certificate.is_none() || server.key.is_none() {
            faults.add(
                place,
                format!("the virtual server has `{name}`, and not both `certificate` and `key`"),
                "name both files, or leave all of them out",
            );
        } else if !has_default {
            faults.add(
                place,
                "[tls] has no certificate for clients that name nobody",
                "add [tls] with certificate and key; they may be the same files",
            );
        }
    }
}

fn one(
    place: &str,
    base: &Path,
    (certificate, key, staple): (&mut PathBuf, &mut PathBuf, &mut Option<PathBuf>),
    faults: &mut Faults,
) -> Option<Identity> {
    let mut there = true;
    let files = [("certificate", Some(certificate)), ("key", Some(key)), ("staple", staple.as_mut())];
    let files = files.map(|(name, path)| {
        let path = path?;
        *path = beside(base, path);
        let why = match File::open(&*path) {
            Ok(_) => return Some(&*path),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => "is not there".to_owned(),
                ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
                _ => format!("cannot be read: {error}"),
            },
        };
        there = false;
        let mend = match (name, place) {
            ("staple", _) => "mend the path, or take it out until there is one",
            (_, "tls") => "mend the path, or take [tls] out for a self-signed identity",
            (_, server) if server.starts_with("virtual_server") => {
                "mend the path, or take certificate and key out of this [[virtual_server]]"
            }
            _ => "mend the path, or take this [[tls.identity]] out",
        };
        faults.add(format!("{place}.{name}"), format!("{} {why}", path.display()), mend);
        Some(&*path)
    });
    let [Some(certificate), Some(key), staple] = files else { return None };
    if !there {
        return None;
    }
    let told = |name: &str, error: IdentityError, faults: &mut Faults| {
        let (place, text) = (format!("{place}.{name}"), error.to_string());
        let (what, mend) =
            text.split_once("; ").unwrap_or((&text, "name a certificate and its key, both PEM"));
        if !faults.is_told(&place) {
            faults.add(place, what, mend);
        }
    };
    let identity = Identity::load(certificate, key).map_err(|error| {
        // One file may hold both: what is wrong with it is told of the key then, as it stands last.
        let of_certificate = certificate != key && *error.location() == Source::File(certificate.clone());
        told(if of_certificate { "certificate" } else { "key" }, error, faults);
    });
    let identity = identity.ok()?;
    match staple {
        None => Some(identity),
        Some(staple) => identity.with_staple(staple).map_err(|error| told("staple", error, faults)).ok(),
    }
}

/// What is allowed of certificates and should be known.
pub(super) fn warnings(config: &Config, set: &Set, warnings: &mut Vec<Warning>) {
    let Some(tls) = &config.tls else { return };
    let now = SystemTime::now();
    let of_servers = config.virtual_server.iter().filter_map(|server| server.certificate.as_ref());
    let files =
        tls.certificate.iter().chain(tls.identity.iter().map(|row| &row.certificate)).chain(of_servers);
    let all: Vec<(&PathBuf, &Identity)> = files.zip(set.iter()).collect();
    for (position, (file, identity)) in all.iter().enumerate() {
        let shown = file.display();
        let mut warn = |text: String| warnings.push(Warning(text));
        if let Some(text) = out_of_time(identity, now) {
            warn(format!("{shown}: {text}"));
        }
        if let Some(staple) = identity.staple().filter(|staple| !staple.is_in_date(now)) {
            warn(format!(
                "the OCSP answer for {shown} holds from {} until {}, so it is not shown now; fetch a new one",
                staple.from(),
                staple.until()
            ));
        }
        let kind = |identity: &Identity| identity.description().key.split(' ').next().map(str::to_owned);
        let earlier = all.iter().take(position).find(|(_, earlier)| {
            kind(earlier) == kind(identity)
                && identity.names().iter().all(|name| earlier.names().contains(name))
        });
        if let Some((earlier, _)) = earlier {
            warn(format!(
                "{shown} is never shown: {} comes before it, for the same names and with the same kind of key",
                earlier.display()
            ));
        }
    }
    hosts(config, &all, warnings);
    virtual_servers(config, &all, warnings);
}

/// What is wrong with the time of a certificate, or soon will be.
fn out_of_time(identity: &Identity, now: SystemTime) -> Option<String> {
    let first = identity.first_to_end();
    let whose = if first.fingerprint == identity.fingerprint() {
        "the certificate".to_owned()
    } else {
        format!("the certificate of its issuer {}", first.subject)
    };
    let days = |duration: Duration| match duration.as_secs() / DAY.as_secs() {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let end = SystemTime::from(first.not_after);
    let start = SystemTime::from(identity.description().not_before);
    if let Ok(since) = now.duration_since(end) {
        return Some(format!(
            "{whose} ended {} ago, at {}: clients refuse it; renew it",
            days(since),
            first.not_after
        ));
    }
    if let Ok(wait) = start.duration_since(now)
        && !wait.is_zero()
    {
        return Some(format!(
            "{whose} is good only in {}, from {} on: clients refuse it until then; is the clock right?",
            days(wait),
            identity.description().not_before
        ));
    }
    let left = end.duration_since(now).unwrap_or_default();
    (left < SOON).then(|| format!("{whose} ends in {}, at {}; renew it", days(left), first.not_after))
}

/// Names of virtual servers that no certificate has.
fn virtual_servers(config: &Config, all: &[(&PathBuf, &Identity)], warnings: &mut Vec<Warning>) {
    let names = config.virtual_server.iter().flat_map(|server| &server.names);
    let without = |name: &&ServerName| !all.iter().any(|(_, identity)| identity.is_for(name.as_str()));
    for name in names.filter(without) {
        let refused = match all {
            [_] => "clients that check certificates refuse it",
            _ => "a handshake that asks for it is refused, as there are several certificates",
        };
        warnings.push(Warning(format!(
            "no certificate of [tls] stands for the virtual server {}: {refused}",
            name.as_str()
        )));
    }
}

/// Names that a listener answers to and no certificate has.
fn hosts(config: &Config, all: &[(&PathBuf, &Identity)], warnings: &mut Vec<Warning>) {
    let mut told = Vec::new();
    for host in config.listen.iter().flat_map(|listen| &listen.hosts) {
        let HostName::Domain(name) = &host.name else { continue };
        if all.len() > 1 && !told.contains(name) && !all.iter().any(|(_, identity)| identity.is_for(name)) {
            warnings.push(Warning(format!(
                "`hosts` has {name}, for which no certificate of [tls] stands; clients that check certificates refuse it"
            )));
            told.push(name.clone());
        }
    }
}
