//! What does `fips = true` refuse?
//!
//! Everything that would do without the module, or without protection at all. TLS itself is not asked here: beside the module none
//! can be configured that it does not approve of.

use carrack_core::password::{Cost, PasswordHash};
use carrack_tls::fips::Approved;
use carrack_tls::{Approval, Group, Suite};

use super::check::Faults;
use super::table::{Ccc, Config, DataProtection, Plaintext, User};

/// Who asked for FIPS 140-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fips {
    /// The file, if anybody.
    #[default]
    AsConfigured,
    /// The command line: as if the file said `fips = true`.
    Demanded,
}

/// Adds what the mode refuses, if it is on.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    if !config.fips {
        return;
    }
    if let Err(why) = Approved::demand() {
        let text = why.to_string();
        let (what, mend) = text.split_once("\n  mend: ").unwrap_or((&text, "take fips = true out"));
        faults.add("fips", what, mend);
    }
    if let Some(tls) = &config.tls {
        spoken("tls", (&tls.suites, &tls.groups), faults);
    }
    for (index, listen) in config.listen.iter().enumerate() {
        spoken(&format!("listen.{index}"), (&listen.suites, &listen.groups), faults);
        let place = |key: &str| format!("listen.{index}.{key}");
        if listen.plaintext != Plaintext::Refuse {
            faults.add(
                place("plaintext"),
                "with fips = true nobody is served without TLS",
                "take it out; \"refuse\" is what counts then",
            );
        }
        if listen.data_protection == DataProtection::Optional {
            faults.add(
                place("data_protection"),
                "with fips = true no file and no listing travels in clear",
                "take it out; \"require\" is what counts then",
            );
        }
        if listen.ccc != Ccc::Refuse {
            faults.add(
                place("ccc"),
                "with fips = true the control connection stays under TLS",
                "take it out; \"refuse\" is what counts then",
            );
        }
    }
    if config.plaintext.is_some() {
        faults.add("plaintext", "with fips = true nobody is served without TLS", "take [plaintext] out");
    }
    for (index, user) in config.user.iter().enumerate() {
        users(user, index, faults);
    }
}

/// Suites and groups that FIPS 140-3 does not approve of.
fn spoken(
    table: &str,
    (suites, groups): (&Option<Vec<&'static Suite>>, &Option<Vec<&'static Group>>),
    faults: &mut Faults,
) {
    let suites = suites.iter().flatten().map(|suite| ("suites", suite.name, suite.approval));
    let groups = groups.iter().flatten().map(|group| ("groups", group.name, group.approval));
    for (key, name, approval) in suites.chain(groups) {
        if approval == Approval::NotApproved {
            faults.add(
                format!("{table}.{key}"),
                format!("{name} is not approved by FIPS 140-3"),
                "take it out of the list",
            );
        }
    }
}

pub(super) fn users(user: &User, index: usize, faults: &mut Faults) {
    let name = user.name.as_str();
    let is_approved = |hash: &PasswordHash| matches!(hash.cost(), Cost::Pbkdf2 { .. });
    let hash = user.password.as_ref().and_then(|hash| PasswordHash::parse(hash.as_str()).ok());
    if hash.as_ref().is_some_and(|hash| !is_approved(hash)) {
        faults.add(
            format!("user.{index}.password"),
            format!(
                "the password of {name:?} is not kept as a PBKDF2 hash, and FIPS 140-3 approves of no other"
            ),
            "have the password hashed again, by `carrack user hash --fips`",
        );
    }
    if user.plaintext.is_some_and(|word| word != Plaintext::Refuse) {
        faults.add(
            format!("user.{index}.plaintext"),
            "with fips = true nobody is served without TLS",
            "take it out; \"refuse\" is what counts then",
        );
    }
    for (at, folder) in user.folder.iter().enumerate() {
        if folder.data_protection == Some(DataProtection::Optional) {
            faults.add(
                format!("user.{index}.folder.{at}.data_protection"),
                "with fips = true no file and no listing travels in clear",
                "take it out; \"require\" is what counts then",
            );
        }
    }
}
