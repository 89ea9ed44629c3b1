//! Who may come without TLS, and to what?

use super::check::Faults;
use super::limits::ByteRate;
use super::name::ServerName;
use super::section::{Tables, section};
use super::table::{Config, Permission, Plaintext, User};
use super::value::{FolderPath, UserName};
use super::virtual_server::{plaintext, server_named};

section! {
    /// What `plaintext = "limit"` grants: without TLS only this user may log in, and those of `[[plaintext.grant]]`, and each has its
    /// folders and nothing else. Where a user has no password the same holds with TLS: TLS hides what travels, it does not tell who comes.
    pub struct PlaintextGrant {
        /// The user. There must be a `[[user]]` of this name; it may go without a password. Then any is taken, with TLS as well, and this
        /// grant narrows the user's own permissions whether the client asks for TLS or not.
        NewSessions user: UserName = [UserName::anonymous()];
        /// The `virtual_server` of that user.
        NewSessions virtual_server: Option<ServerName> = [optional];
        /// The folders granted, as this user sees them.
        NewSessions folders: Vec<FolderPath> = [required];
        /// Whether this user may change anything without TLS, as far as its own permissions go; where it has no password, with TLS too.
        NewSessions write: bool = [false];
        /// What may be done there without TLS, as far as the user's own permissions go, instead of `write`: `["write"]` is a drop box.
        /// Left out: what `write` says.
        NewSessions permissions: Option<Vec<Permission>> = [optional];
        /// How fast all uploads of this user without TLS together may be, instead of what holds with TLS. 0: no limit.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// The same for downloads.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
        /// Further users.
        NewSessions grant: Tables<PlaintextUser> = [Tables::default()];
    }
}

section! {
    /// A further user who may log in without TLS, and what it has then; as in `[plaintext]`.
    pub struct PlaintextUser {
        /// The user.
        NewSessions user: UserName = [required];
        /// The `virtual_server` of that user.
        NewSessions virtual_server: Option<ServerName> = [optional];
        /// The folders granted, as this user sees them.
        NewSessions folders: Vec<FolderPath> = [required];
        /// Whether this user may change anything without TLS, as far as its own permissions go; where it has no password, with TLS too.
        NewSessions write: bool = [false];
        /// What may be done there without TLS, as far as the user's own permissions go, instead of `write`: `["write"]` is a drop box.
        /// Left out: what `write` says.
        NewSessions permissions: Option<Vec<Permission>> = [optional];
        /// How fast all uploads of this user without TLS together may be, instead of what holds with TLS. 0: no limit.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// The same for downloads.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
    }
}

/// What one user is granted without TLS, whichever table says so.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'c> {
    /// The user.
    pub user: &'c UserName,
    /// The virtual server that it belongs to.
    pub server: Option<&'c ServerName>,
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
        server: table.virtual_server.as_ref(),
        folders: &table.folders,
        write: table.write,
        permissions: table.permissions.as_deref(),
        upload: table.upload_bytes_per_s,
        download: table.download_bytes_per_s,
    });
    let further = config.plaintext.iter().flat_map(|table| table.grant.iter()).map(|table| Grant {
        user: &table.user,
        server: table.virtual_server.as_ref(),
        folders: &table.folders,
        write: table.write,
        permissions: table.permissions.as_deref(),
        upload: table.upload_bytes_per_s,
        download: table.download_bytes_per_s,
    });
    first.chain(further)
}

/// What a client of the user's server gets that does not ask for TLS, listener by listener.
fn words_of<'c>(config: &'c Config, user: &User) -> impl Iterator<Item = Plaintext> + 'c {
    let server = server_named(config, user.virtual_server.as_ref());
    config.listen.iter().map(move |listen| plaintext(listen, server))
}

/// Who comes, and finds nothing; and what is granted, and to nobody.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let user_with = |word| config.user.iter().any(|user| user.plaintext == Some(word));
    let limited = config.listen.iter().position(|listen| listen.plaintext == Plaintext::Limit);
    let limited = limited.map(|index| format!("listen.{index}.plaintext"));
    let limited = limited.or_else(|| {
        let mut servers = config.virtual_server.iter();
        let limited = servers.position(|server| server.plaintext == Some(Plaintext::Limit))?;
        Some(format!("virtual_server.{limited}.plaintext"))
    });
    let limits_a_user = config.user.iter().any(|user| {
        user.plaintext == Some(Plaintext::Limit)
            && words_of(config, user).any(|word| word == Plaintext::Allow)
    });
    match (&config.plaintext, limited) {
        (None, Some(place)) if !user_with(Plaintext::Allow) => faults.add(
            place,
            "\"limit\" grants what [plaintext] says, and there is no [plaintext]",
            "add [plaintext] with user and folders",
        ),
        (Some(_), None) if !limits_a_user => faults.add(
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
        if grants(config)
            .take(index)
            .any(|earlier| (earlier.user, earlier.server) == (grant.user, grant.server))
        {
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
    if !config.user.iter().any(|user| grant.is_for(user)) {
        let (at, with) = match grant.server {
            None => (String::new(), String::new()),
            Some(server) => {
                let server = server.as_str();
                (format!(" at {server}"), format!(", virtual_server = {server:?}"))
            }
        };
        faults.add(
            format!("{place}.user"),
            format!("there is no [[user]] named {name:?}{at}"),
            format!("add [[user]] with name = {name:?}{with} and a home; it may go without a password"),
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
    let has_grant = grants(config).any(|grant| grant.is_for(user));
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
    if word != Plaintext::Refuse && words_of(config, user).all(|word| word == Plaintext::Refuse) {
        faults.add(
            place,
            "no listener lets anybody in without TLS",
            match user.virtual_server {
                None => "set plaintext = \"limit\" on a listener, or take it out",
                Some(_) => {
                    "set plaintext = \"limit\" on a listener, and nothing stricter at the virtual server, or take it out"
                }
            },
        );
    }
}
