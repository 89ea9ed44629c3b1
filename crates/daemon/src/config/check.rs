//! Does a configuration that reads well also make sense, and is everything there that it names?

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use carrack_tls::{Authorities, Identity};

use super::problem::{Excerpt, Problem, Source};
use super::reader::Places;
use super::table::{Ccc, Config, DataProtection, Listen, Mode, Plaintext, User};
use super::value::beside;
use super::warnings::Warning;
use super::{fips, homes, warnings};

/// A configuration that may be run: paths are absolute, homes are there, keys match their certificates.
#[derive(Debug)]
pub struct Checked {
    /// The values, with absolute paths.
    pub config: Config,
    /// The state folder in force.
    pub state: PathBuf,
    /// The identity of `[tls]`; without it the state folder's own is used.
    pub identity: Option<Identity>,
    /// Whom to believe as the TLS client of a partner server; `None` without `fxp.ca`.
    pub partner_authorities: Option<Authorities>,
    /// What is allowed but should be known.
    pub warnings: Vec<Warning>,
}

/// Something that is wrong, still without its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    place: String,
    message: String,
    mend: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  mend: {}", self.message, self.mend)
    }
}

impl Fault {
    pub(super) fn into_problem(self, source: Source<'_>, places: &Places) -> Problem {
        let shown = self.place.split('.').fold(String::new(), |mut shown, part| {
            if part.parse::<usize>().is_ok() {
                shown.push_str("[]");
            } else {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(part);
            }
            shown
        });
        source.problem(places.of(&self.place), Excerpt::Line, shown, self.message, self.mend)
    }
}

#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub(super) fn add(
        &mut self,
        place: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.0.push(Fault { place: place.into(), message: message.into(), mend: mend.into() });
    }
}

/// Checks values against each other and against the world. Relative paths begin at `base`.
///
/// # Errors
/// Everything that is wrong.
pub fn check(mut config: Config, base: &Path) -> Result<Checked, Vec<Fault>> {
    let mut faults = Faults::default();
    let state = match config.state.as_deref() {
        Some(state) => Some(beside(base, state)),
        None => crate::state::standard_folder(),
    };
    if state.is_none() {
        faults.add(
            "state",
            "neither XDG_STATE_HOME nor HOME is set, so there is no standard state folder",
            "add state = \"/var/lib/carrack\"",
        );
    }
    config.state = state.clone();
    listeners(&config, &mut faults);
    plaintext(&config, &mut faults);
    fips::check(&config, &mut faults);
    let roots = roots(&mut config, base, &mut faults);
    users(&mut config, base, &roots, &mut faults);
    if let Some(state) = &state {
        homes::outside(&config, state, &mut faults);
    }
    let identity = identity(&mut config, base, &mut faults);
    let partner_authorities = fxp(&mut config, base, &mut faults);
    match state {
        Some(state) if faults.0.is_empty() => {
            let warnings = warnings::warnings(&config, &state);
            Ok(Checked { config, state, identity, partner_authorities, warnings })
        }
        _ => Err(faults.0),
    }
}

fn listeners(config: &Config, faults: &mut Faults) {
    if config.listen.is_empty() {
        faults.add(
            "listen",
            "there is no [[listen]], so nobody could connect",
            "add [[listen]] with an address",
        );
    }
    for (index, listen) in config.listen.iter().enumerate() {
        let place = |key: &str| format!("listen.{index}.{key}");
        implicit_rules(listen, index, faults);
        let Listen { address, .. } = listen;
        if address.port() == 0 {
            continue;
        }
        if config.listen.iter().take(index).any(|other| other.address == *address) {
            faults.add(
                place("address"),
                format!("{address} is used by two listeners"),
                "give each its own port",
            );
        }
        if config.passive.ports.0.contains(&address.port()) {
            faults.add(
                place("address"),
                format!("port {} lies in passive.ports, {}", address.port(), config.passive.ports),
                "move one of the two",
            );
        }
    }
}

/// Implicit FTPS protects control and data at all times; a file that says otherwise does not mean what it says.
fn implicit_rules(listen: &Listen, index: usize, faults: &mut Faults) {
    if listen.mode != Mode::Implicit {
        return;
    }
    if listen.plaintext != Plaintext::Refuse {
        faults.add(
            format!("listen.{index}.plaintext"),
            "an implicit listener speaks TLS from the first byte; there are no plaintext clients to allow",
            "take it out, or use mode = \"explicit\"",
        );
    }
    if listen.data_protection == DataProtection::Optional {
        faults.add(
            format!("listen.{index}.data_protection"),
            "on an implicit listener data connections are always protected",
            "take it out, or use mode = \"explicit\"",
        );
    }
    if listen.ccc != Ccc::Refuse {
        faults.add(
            format!("listen.{index}.ccc"),
            "on an implicit listener the control connection is always protected",
            "take it out, or use mode = \"explicit\"",
        );
    }
}

fn plaintext(config: &Config, faults: &mut Faults) {
    let limited = config.listen.iter().position(|listen| listen.plaintext == Plaintext::Limit);
    match (&config.plaintext, limited) {
        (None, Some(index)) => faults.add(
            format!("listen.{index}.plaintext"),
            "\"limit\" grants what [plaintext] says, and there is no [plaintext]",
            "add [plaintext] with user and folders",
        ),
        (Some(_), None) => faults.add(
            "plaintext",
            "[plaintext] grants nothing, as no listener has plaintext = \"limit\"",
            "set plaintext = \"limit\" on a listener, or take [plaintext] out",
        ),
        (Some(grant), Some(_)) => {
            if !config.user.iter().any(|user| user.name == grant.user) {
                let name = grant.user.as_str();
                faults.add(
                    "plaintext.user",
                    format!("there is no [[user]] named {name:?}"),
                    format!("add [[user]] with name = {name:?} and a home; it may go without a password"),
                );
            }
            if grant.folders.is_empty() {
                faults.add(
                    "plaintext.folders",
                    "no folder is granted",
                    "name at least one, as in [\"/pub\"]",
                );
            }
        }
        (None, None) => {}
    }
}

/// The roots as the system knows them, without links.
fn roots(config: &mut Config, base: &Path, faults: &mut Faults) -> Vec<PathBuf> {
    let mut resolved = Vec::new();
    for root in &mut config.roots {
        *root = beside(base, root);
        match homes::folder(root) {
            Ok(real) => resolved.push(real),
            Err(why) => faults.add("roots", why, "make the folder, or mend the path"),
        }
    }
    resolved
}

fn users(config: &mut Config, base: &Path, roots: &[PathBuf], faults: &mut Faults) {
    if config.user.is_empty() {
        faults.add(
            "user",
            "there is no [[user]], so nobody could log in",
            "add [[user]] with name, password and home",
        );
    }
    let without_password = config.plaintext.as_ref().map(|grant| grant.user.clone());
    let mut seen = HashMap::new();
    for (index, user) in config.user.0.iter_mut().enumerate() {
        let place = |key: &str| format!("user.{index}.{key}");
        if seen.insert(user.name.clone(), index).is_some() {
            faults.add(
                place("name"),
                format!("there are two users named {:?}", user.name.as_str()),
                "rename or remove one",
            );
        }
        if user.password.is_none() && without_password.as_ref() != Some(&user.name) {
            faults.add(
                place("password"),
                format!("{:?} has no password", user.name.as_str()),
                "add password = \"…\" with what `carrack user hash` prints",
            );
        }
        folders(user, index, faults);
        user.home = beside(base, &user.home);
        homes::check(user, index, (&config.roots, roots), faults);
    }
}

fn folders(user: &User, index: usize, faults: &mut Faults) {
    for (at, folder) in user.folder.iter().enumerate() {
        let place = format!("user.{index}.folder.{at}.path");
        if user.folder.iter().take(at).any(|other| other.path == folder.path) {
            faults.add(
                place,
                format!("{} has rules twice", folder.path.text()),
                "put them into one [[user.folder]]",
            );
        }
    }
}

fn identity(config: &mut Config, base: &Path, faults: &mut Faults) -> Option<Identity> {
    let tls = config.tls.as_mut()?;
    tls.certificate = beside(base, &tls.certificate);
    tls.key = beside(base, &tls.key);
    for (place, path) in [("tls.certificate", &tls.certificate), ("tls.key", &tls.key)] {
        if let Err(error) = std::fs::File::open(path) {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "is not there".to_owned(),
                std::io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            faults.add(
                place,
                format!("{} {why}", path.display()),
                "mend the path, or take [tls] out for a self-signed identity",
            );
        }
    }
    match Identity::load(&tls.certificate, &tls.key) {
        Ok(identity) => Some(identity),
        Err(error) => {
            if !faults.0.iter().any(|fault| fault.place.starts_with("tls.")) {
                let text = error.to_string();
                let (what, mend) =
                    text.split_once("; ").unwrap_or((&text, "name a certificate and its key, both PEM"));
                faults.add("tls.key", what, mend);
            }
            None
        }
    }
}

fn fxp(config: &mut Config, base: &Path, faults: &mut Faults) -> Option<Authorities> {
    let fxp = config.fxp.as_mut()?;
    if fxp.partners.is_empty() {
        faults.add(
            "fxp.partners",
            "there is no partner, so nothing could be exchanged",
            "name the other servers' addresses, or take [fxp] out",
        );
    }
    let ca = fxp.ca.as_mut()?;
    *ca = beside(base, ca);
    match Authorities::load(ca) {
        Ok(authorities) => Some(authorities),
        Err(error) => {
            let text = error.to_string();
            let (what, mend) =
                text.split_once("; ").unwrap_or((&text, "name a file of certificates, PEM, or take it out"));
            faults.add("fxp.ca", what, mend);
            None
        }
    }
}
