//! Does a configuration that reads well also make sense, and is everything there that it names?

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use carrack_tls::{Authorities, Believed, ClientTrust, Set};

use super::problem::{Excerpt, Problem, Source};
use super::reader::Places;
use super::table::{Ccc, Config, DataProtection, Listen, Login, Mode, Plaintext, User};
use super::tls_policy::Policies;
use super::users::Seen;
use super::value::beside;
use super::warnings::Warning;
use super::{
    acme, addresses, clients, created, defence, fips, homes, hook, identities, limits, logs, plaintext,
    server, tls_policy, virtual_server, warnings,
};

/// A configuration that may be run: paths are absolute, homes are there, keys match their certificates.
#[derive(Debug)]
pub struct Checked {
    /// The values, with absolute paths.
    pub config: Config,
    /// The state folder in force.
    pub state: PathBuf,
    /// The identities that `[tls]` names, the default first.
    pub identities: Option<Set>,
    /// Which TLS is spoken where.
    pub tls: Policies,
    /// Whom to believe as the TLS client of a partner server; `None` without `fxp.ca` and `fxp.spki_sha256`.
    pub partners: Option<Believed>,
    /// Whose certificates are accepted; `None` where no listener asks for one.
    pub client_trust: Option<ClientTrust>,
    /// What is allowed but should be known.
    pub warnings: Vec<Warning>,
    /// How many of the users stand in the configuration file itself; they are the first.
    pub(crate) own_users: usize,
    /// The users file with the others, where there is one.
    pub(crate) users_file: Option<Seen>,
}

impl Checked {
    /// The configuration without the users of the users file.
    pub fn own_config(&self) -> Config {
        let mut own = self.config.clone();
        own.user.0.truncate(self.own_users);
        own
    }
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
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), mend: mend.into() }
    }

    /// The fault as one of the users behind the first `own`, counted from there; or as it is, where it is about something else.
    pub(super) fn of_user_behind(self, own: usize) -> Result<Self, Self> {
        let parsed = self.place.strip_prefix("user.").map(|rest| rest.split_once('.').unwrap_or((rest, "")));
        let index =
            parsed.and_then(|(index, key)| Some((index.parse::<usize>().ok()?.checked_sub(own)?, key)));
        match index {
            Some((index, key)) => Ok(Self { place: format!("user.{index}.{key}"), ..self }),
            None => Err(self),
        }
    }

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
    /// All of them.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Fault> {
        self.0.into_iter()
    }

    /// Whether there is one about this place.
    pub(super) fn is_told(&self, place: &str) -> bool {
        self.0.iter().any(|fault| fault.place == place)
    }

    /// Adds one.
    pub(super) fn add(
        &mut self,
        place: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.0.push(Fault::new(place, message, mend));
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
    server::check(&config, &mut faults);
    listeners(&config, &mut faults);
    virtual_server::check(&config, &mut faults);
    plaintext::check(&config, &mut faults);
    fips::check(&config, &mut faults);
    defence::check(&config, &mut faults);
    limits::check(&config, &mut faults);
    let roots = roots(&mut config, base, &mut faults);
    users(&mut config, base, &roots, &mut faults);
    super::users::check(&mut config, base, &mut faults);
    created::check(&config, &mut faults);
    if let Some(state) = &state {
        homes::outside(&config, state, &mut faults);
    }
    logs::check(&mut config, base, &mut faults);
    hook::check(&mut config, base, &mut faults);
    let identities = identities::load(&mut config, base, &mut faults);
    if let Some(acme) = config.acme.as_mut() {
        acme::check(acme, base, &mut faults);
    }
    let tls = tls_policy::policies(&config, identities.as_ref(), &mut faults);
    let partners = fxp(&mut config, base, &mut faults);
    let client_trust = clients::check(&mut config, base, &mut faults);
    match (state, tls) {
        (Some(state), Some(tls)) if faults.0.is_empty() => {
            let mut warnings = warnings::warnings(&config, &state);
            if let Some(set) = &identities {
                identities::warnings(&config, set, &mut warnings);
            }
            let own_users = config.user.len();
            Ok(Checked {
                config,
                state,
                identities,
                tls,
                partners,
                client_trust,
                warnings,
                own_users,
                users_file: None,
            })
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
        implicit_rules(listen, index, faults);
    }
    addresses::check(config, faults);
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

/// The roots as the system knows them, without links.
pub(super) fn roots(config: &mut Config, base: &Path, faults: &mut Faults) -> Vec<PathBuf> {
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
    if config.user.is_empty() && config.users.file.is_none() && !config.users.asks() {
        faults.add(
            "user",
            "there is no [[user]], so nobody could log in",
            "add [[user]] with name, password and home",
        );
    }
    let grants = plaintext::grants(config).map(|grant| (grant.user.clone(), grant.server.cloned()));
    let without_password: Vec<_> = grants.collect();
    let mut seen = HashMap::new();
    for (index, user) in config.user.0.iter_mut().enumerate() {
        let place = |key: &str| format!("user.{index}.{key}");
        let who = (user.name.clone(), user.virtual_server.clone());
        let needs_password = user.login != Login::Certificate && !without_password.contains(&who);
        if seen.insert(who, index).is_some() {
            let at = user.virtual_server.as_ref().map(|server| format!(" at {}", server.as_str()));
            faults.add(
                place("name"),
                format!("there are two users named {:?}{}", user.name.as_str(), at.unwrap_or_default()),
                "rename or remove one",
            );
        }
        if user.password.is_none() && (needs_password || matches!(user.login, Login::Both | Login::Either)) {
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

pub(super) fn folders(user: &User, index: usize, faults: &mut Faults) {
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

fn fxp(config: &mut Config, base: &Path, faults: &mut Faults) -> Option<Believed> {
    let fxp = config.fxp.as_mut()?;
    if fxp.partners.is_empty() {
        faults.add(
            "fxp.partners",
            "there is no partner, so nothing could be exchanged",
            "name the other servers' addresses, or take [fxp] out",
        );
    }
    let keys = fxp.spki_sha256.clone();
    if keys.as_ref().is_some_and(Vec::is_empty) {
        faults.add(
            "fxp.spki_sha256",
            "no key is pinned, so no partner could be believed",
            "name the partners' keys, or leave it out",
        );
    }
    let Some(ca) = fxp.ca.as_mut() else { return keys.map(Believed::Keys) };
    *ca = beside(base, ca);
    match (Authorities::load(ca), keys) {
        (Ok(authorities), None) => Some(Believed::Authorities(authorities)),
        (Ok(authorities), Some(keys)) => Some(Believed::KeysUnder(authorities, keys)),
        (Err(error), _) => {
            let text = error.to_string();
            let (what, mend) =
                text.split_once("; ").unwrap_or((&text, "name a file of certificates, PEM, or take it out"));
            faults.add("fxp.ca", what, mend);
            None
        }
    }
}
