//! Who may come without TLS, and to what?

use super::check::Faults;
use super::limits::ByteRate;
use super::table::{Config, Permission, Plaintext, User};
use super::value::{FolderPath, UserName};

/// What one user is granted without TLS, whichever table says so.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'c> {
    /// The user.
    pub user: &'c UserName,
    /// The folders, as this user sees them.
    pub folders: &'c [FolderPath],
    /// Whether anything may be changed, where `permissions` does not say what may be done.
    pub write: bool,
    /// What may be done.
    pub permissions: Option<&'c [Permission]>,
    /// How fast uploads may be.
    pub upload: Option<ByteRate>,
    /// How fast downloads may be.
    pub download: Option<ByteRate>,
}

/// The grants of `[plaintext]` and of every `[[plaintext.grant]]`.
pub fn grants(config: &Config) -> impl Iterator<Item = Grant<'_>> {
    let first = config.plaintext.iter().map(|table| Grant {
        user: &table.user,
        folders: &table.folders,
        write: table.write,
        permissions: table.permissions.as_deref(),
        upload: table.upload_bytes_per_s,
        download: table.download_bytes_per_s,
    });
    let further = config.plaintext.iter().flat_map(|table| table.grant.iter()).map(|table| Grant {
        user: &table.user,
        folders: &table.folders,
        write: table.write,
        permissions: table.permissions.as_deref(),
        upload: table.upload_bytes_per_s,
        download: table.download_bytes_per_s,
    });
    first.chain(further)
}

/// Who comes, and finds nothing; and what is granted, and to nobody.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let listener_with = |word| config.listen.iter().position(|listen| listen.plaintext == word);
    let user_with = |word| config.user.iter().any(|user| user.plaintext == Some(word));
    let limited = listener_with(Plaintext::Limit);
    let is_limited_elsewhere = listener_with(Plaintext::Allow).is_some() && user_with(Plaintext::Limit);
    match (&config.plaintext, limited) {
        (None, Some(index)) if !user_with(Plaintext::Allow) => faults.add(
            format!("listen.{index}.plaintext"),
            "\"limit\" grants what [plaintext] says, and there is no [plaintext]",
            "add [plaintext] with user and folders",
        ),
        (Some(_), None) if !is_limited_elsewhere => faults.add(
            "plaintext",
            "[plaintext] grants nothing, as no listener has plaintext = \"limit\"",
            "set plaintext = \"limit\" on a listener, or take [plaintext] out",
        ),
        _ => {}
    }
    for (index, grant) in grants(config).enumerate() {
        let place = match index.checked_sub(1) {
            None => "plaintext".to_owned(),
            Some(index) => format!("plaintext.grant.{index}"),
        };
        granted(config, grant, &place, faults);
        if grants(config).take(index).any(|earlier| earlier.user == grant.user) {
            faults.add(
                format!("{place}.user"),
                format!("{:?} has a grant already", grant.user.as_str()),
                "put both into one",
            );
        }
    }
    for (index, user) in config.user.iter().enumerate() {
        said(config, user, &format!("user.{index}.plaintext"), faults);
    }
}

fn granted(config: &Config, grant: Grant<'_>, place: &str, faults: &mut Faults) {
    let name = grant.user.as_str();
    if !config.user.iter().any(|user| user.name == *grant.user) {
        faults.add(
            format!("{place}.user"),
            format!("there is no [[user]] named {name:?}"),
            format!("add [[user]] with name = {name:?} and a home; it may go without a password"),
        );
    }
    if grant.folders.is_empty() {
        faults.add(format!("{place}.folders"), "no folder is granted", "name at least one, as in [\"/pub\"]");
    }
    if grant.write && grant.permissions.is_some() {
        faults.add(
            format!("{place}.write"),
            "permissions say what may be done, so write has nothing to say",
            "take one of the two out",
        );
    }
}

/// What a user's own `plaintext` comes to.
fn said(config: &Config, user: &User, place: &str, faults: &mut Faults) {
    let Some(word) = user.plaintext else { return };
    let name = user.name.as_str();
    let has_grant = grants(config).any(|grant| *grant.user == user.name);
    if word == Plaintext::Limit && !has_grant {
        faults.add(
            place,
            format!("\"limit\" leaves {name:?} what it is granted without TLS, and there is no grant"),
            format!("add [[plaintext.grant]] with user = {name:?} and folders"),
        );
    }
    if word != Plaintext::Limit && has_grant {
        faults.add(
            place,
            format!("{name:?} has a grant without TLS, and here another rule"),
            "write \"limit\", or take the grant out",
        );
    }
    if word != Plaintext::Refuse && config.listen.iter().all(|listen| listen.plaintext == Plaintext::Refuse) {
        faults.add(
            place,
            "no listener lets anybody in without TLS",
            "set plaintext = \"limit\" on a listener, or take it out",
        );
    }
}
