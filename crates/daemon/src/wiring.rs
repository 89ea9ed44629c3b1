//! How does a checked configuration become accounts, stores and settings of the servers?
//!
//! The words of the file are translated here, once, into the types of the crates that act on them.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use carrack_core::account::{Account, Folder, InTransit, LoginRule};
use carrack_core::backend::{Backend, PartialIndex};
use carrack_core::certificate::{CertificateRule, Name};
use carrack_core::digest::{Algorithm, WhileUploading};
use carrack_core::password::{Credential, PasswordHash, PasswordHashError};
use carrack_core::permission::{Permission, Permissions};
use carrack_ftp_server as ftp;
use carrack_records::accounts::ConfiguredAccounts;
use carrack_storage::local::{self, Links, LocalSettings, LocalStore};
use carrack_tls::{AcceptedClients, ClientCertificates, DataReuse, PartnerTls};

use crate::config::{
    Ccc, CertificateName, ClientCertificate, Config, DataClose, DataProtection, DataTlsReuse, Listen, Login,
    Mode, Partials, Permission as Word, Plaintext, Publish, RevokedSessions, UploadDigest, User,
};
use crate::log::{self, Guard, LogFileError, XferLog};

/// Why accounts could not be made of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// A home cannot be served.
    #[error(
        "the home {home} cannot be opened: {source}\n  mend: it must be a folder that this user may read"
    )]
    Home {
        /// The folder.
        home: String,
        /// What the system said.
        source: io::Error,
    },
    /// A password hash that was not checked before.
    #[error("the password of {user:?} is of no use: {source}\n  mend: paste what `carrack user hash` prints")]
    Password {
        /// Whose.
        user: String,
        /// Why.
        source: PasswordHashError,
    },
    /// Users that were not checked before.
    #[error("{0}")]
    Duplicate(#[from] carrack_records::accounts::DuplicateAccount),
}

/// The accounts of the configuration, each on the store of its home. Users with the same home and
/// the same treatment of links share a store.
pub(crate) fn accounts(
    config: &Config,
    excluded: &[PathBuf],
    index: &Arc<dyn PartialIndex>,
) -> Result<ConfiguredAccounts, WiringError> {
    let mut stores: HashMap<(PathBuf, Links), Arc<dyn Backend>> = HashMap::new();
    let mut accounts = Vec::new();
    for user in config.user.iter() {
        let links = links(config, user);
        let key = (user.home.clone(), links);
        let store = match stores.get(&key) {
            Some(store) => Arc::clone(store),
            None => {
                let settings = LocalSettings {
                    publish: match config.upload.publish {
                        Publish::Atomic => local::Publish::Atomic,
                        Publish::InPlace => local::Publish::InPlace,
                    },
                    sync: config.upload.sync,
                    partials: match config.upload.partials {
                        Partials::Hidden => local::Partials::Hidden,
                        Partials::Owner => local::Partials::Owner,
                    },
                    links,
                    excluded: excluded.to_vec(),
                    index: Arc::clone(index),
                };
                let store: Arc<dyn Backend> =
                    Arc::new(LocalStore::open(&user.home, settings).map_err(|source| WiringError::Home {
                        home: user.home.display().to_string(),
                        source,
                    })?);
                stores.insert(key, Arc::clone(&store));
                store
            }
        };
        accounts.push(account(user, store)?);
    }
    Ok(ConfiguredAccounts::new(accounts)?)
}

/// SECURITY: rules of folders go by the path; a symbolic link would lead into a folder past its rules, or out of those
/// that `[plaintext]` grants.
fn links(config: &Config, user: &User) -> Links {
    let confined = config
        .plaintext
        .as_ref()
        .is_some_and(|grant| !grant.folders.is_empty() && grant.user.as_str() == user.name.as_str());
    if confined || !user.folder.is_empty() { Links::Refuse } else { Links::Follow }
}

fn account(user: &User, home: Arc<dyn Backend>) -> Result<Account, WiringError> {
    let name = user.name.as_str().to_owned();
    let credential = match &user.password {
        Some(hash) => Credential::Password(
            PasswordHash::parse(hash.as_str())
                .map_err(|source| WiringError::Password { user: name.clone(), source })?,
        ),
        None if user.login == Login::Certificate => Credential::NoPassword,
        None => Credential::Anyone,
    };
    let everywhere = permissions(&user.permissions);
    let folders = user.folder.iter().map(|folder| Folder {
        path: folder.path.0.clone(),
        permissions: folder.permissions.as_deref().map_or(everywhere, permissions),
        in_transit: match folder.data_protection {
            None => InTransit::AsElsewhere,
            Some(DataProtection::Require) => InTransit::Protected,
            Some(DataProtection::Optional) => InTransit::MayBeClear,
            Some(DataProtection::Refuse) => InTransit::Never,
        },
    });
    // An account that anybody may use is many people: none of them learns anything of another.
    let shared = matches!(credential, Credential::Anyone);
    Ok(Account {
        permissions: everywhere,
        certificates: certificates(user),
        login: match user.login {
            Login::Password => LoginRule::Password,
            Login::Certificate => LoginRule::Certificate,
            Login::Both => LoginRule::Both,
            Login::Either => LoginRule::Either,
        },
        folders: folders.collect(),
        shared,
        ..Account::new(name, credential, home)
    })
}

/// The certificates that prove who somebody is.
fn certificates(user: &User) -> Vec<CertificateRule> {
    let keys = user.spki_sha256.iter().map(|key| CertificateRule::Key(*key.as_bytes()));
    let named = user.certificate.iter().flat_map(|certificate| {
        let name = |said: &Option<CertificateName>, kind: fn(String) -> Name| {
            said.as_ref().map(|name| CertificateRule::Named {
                issuer: certificate.issuer.as_str().to_owned(),
                name: kind(name.as_str().to_owned()),
            })
        };
        [
            name(&certificate.email, Name::Email),
            name(&certificate.upn, Name::Upn),
            name(&certificate.uri, Name::Uri),
            name(&certificate.dns, Name::Dns),
            name(&certificate.subject, Name::Subject),
        ]
        .into_iter()
        .flatten()
    });
    keys.chain(named).collect()
}

fn permissions(words: &[Word]) -> Permissions {
    words
        .iter()
        .map(|word| match word {
            Word::List => Permission::List,
            Word::Read => Permission::Read,
            Word::Write => Permission::Write,
            Word::Overwrite => Permission::Overwrite,
            Word::Delete => Permission::Delete,
            Word::Rename => Permission::Rename,
            Word::Mkdir => Permission::Mkdir,
        })
        .collect()
}

/// What one listener's FTP server is told. `partners` is how it speaks TLS with partner servers, where there are any.
pub(crate) fn ftp_settings(
    config: &Config,
    listen: &Listen,
    public_address: &ftp::PublicAddresses,
    partners: Option<&Arc<PartnerTls>>,
) -> ftp::FtpSettings {
    let grant = config.plaintext.as_ref();
    let plaintext = match (listen.plaintext, grant) {
        (Plaintext::Allow, _) => ftp::Plaintext::Allow,
        (Plaintext::Limit, Some(grant)) => ftp::Plaintext::Limit { user: grant.user.as_str().to_owned() },
        // The check refuses a limit without a grant; nothing is granted here either.
        (Plaintext::Limit, None) | (Plaintext::Refuse, _) => ftp::Plaintext::Refuse,
    };
    ftp::FtpSettings {
        mode: match listen.mode {
            Mode::Explicit => ftp::Mode::Explicit,
            Mode::Implicit => ftp::Mode::Implicit,
        },
        plaintext,
        plaintext_grant: ftp::PlaintextGrant {
            folders: grant
                .map(|grant| grant.folders.iter().map(|folder| folder.0.clone()).collect())
                .unwrap_or_default(),
            write: grant.is_some_and(|grant| grant.write),
        },
        data_protection: match listen.data_protection {
            DataProtection::Require => ftp::DataProtection::Require,
            DataProtection::Optional => ftp::DataProtection::Optional,
            DataProtection::Refuse => ftp::DataProtection::Refuse,
        },
        clearing: match listen.ccc {
            Ccc::Refuse => ftp::Clearing::Refused,
            Ccc::Allow => ftp::Clearing::Allowed,
        },
        hosts: listen.hosts.iter().map(|host| host.name.clone()).collect(),
        data_tls_reuse: reuse(listen.data_tls_reuse),
        data_tls_reuse_of_user: config
            .user
            .iter()
            .filter_map(|user| Some((user.name.as_str().to_owned(), reuse(user.data_tls_reuse?))))
            .collect(),
        charset_of_user: config
            .user
            .iter()
            .filter_map(|user| Some((user.name.as_str().to_owned(), user.charset.as_ref()?.charset)))
            .collect(),
        data_close: match listen.data_close {
            DataClose::Strict => ftp::DataClose::Strict,
            DataClose::Lenient => ftp::DataClose::Lenient,
        },
        compression: if listen.deflate { ftp::Compression::Offered } else { ftp::Compression::Refused },
        timeouts: ftp::Timeouts {
            login: config.timeouts.login_s.into(),
            idle: config.timeouts.idle_s.into(),
            data_accept: config.timeouts.data_accept_s.into(),
            data_stall: config.timeouts.data_stall_s.into(),
        },
        revoked_sessions: match config.tls.as_ref().map(|tls| tls.revoked_sessions) {
            Some(RevokedSessions::Keep) => ftp::RevokedSessions::Keep,
            Some(RevokedSessions::End) | None => ftp::RevokedSessions::End,
        },
        login_failures: config.limits.login_failures.0,
        public_address: public_address.clone(),
        fxp: config.fxp.as_ref().map(|fxp| ftp::PartnerSettings {
            partners: fxp.partners.clone().into(),
            tls: partners.cloned(),
        }),
    }
}

fn reuse(word: DataTlsReuse) -> DataReuse {
    match word {
        DataTlsReuse::RequireOwn => DataReuse::RequireOwn,
        DataTlsReuse::Require => DataReuse::Require,
        DataTlsReuse::Prefer => DataReuse::Prefer,
        DataTlsReuse::Off => DataReuse::Off,
    }
}

/// Of which uploads digests are computed while they come.
pub(crate) fn while_uploading(config: &Config) -> WhileUploading {
    match config.upload.digest {
        UploadDigest::Asked => WhileUploading::Asked,
        UploadDigest::Sha256 => WhileUploading::Always(Algorithm::Sha256),
        UploadDigest::None => WhileUploading::Never,
    }
}

/// The transfer log in wu-ftpd's form, where the configuration has one.
pub(crate) fn xferlog(config: &Config) -> Result<Option<(XferLog, Guard)>, LogFileError> {
    let Some(path) = &config.log.xferlog else { return Ok(None) };
    let without_password = |user: &&User| user.password.is_none() && user.login != Login::Certificate;
    let anonymous = config.user.iter().filter(without_password).map(|user| user.name.as_str().to_owned());
    log::xferlog(path, anonymous.collect()).map(Some)
}

/// Whether a listener asks for certificates.
pub(crate) fn client_certificates(
    listen: &Listen,
    accepted: Option<&Arc<AcceptedClients>>,
) -> ClientCertificates {
    match (listen.client_certificate, accepted) {
        (ClientCertificate::Optional, Some(accepted)) => ClientCertificates::Optional(Arc::clone(accepted)),
        (ClientCertificate::Required, Some(accepted)) => ClientCertificates::Required(Arc::clone(accepted)),
        // The check has made sure that something is accepted wherever clients are asked.
        (ClientCertificate::Off, _) | (_, None) => ClientCertificates::NotAsked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_refused_where_folders_have_rules() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let user = |name: &str, rules: &str| {
            format!("[[user]]\nname = \"{name}\"\npassword = \"{hash}\"\nhome = \"home\"\n{rules}")
        };
        let text = format!(
            "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n{}{}",
            user("alice", ""),
            user("bob", "[[user.folder]]\npath = \"/archive\"\npermissions = [\"list\"]\n")
        );
        let checked = crate::config::parse(&text, dir.path()).unwrap();
        let found: Vec<_> = checked.config.user.iter().map(|user| links(&checked.config, user)).collect();
        assert_eq!(found, [Links::Follow, Links::Refuse]);
    }
}
