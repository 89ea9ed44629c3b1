//! How does a checked configuration become accounts, stores and settings of the servers?
//!
//! The words of the file are translated here, once, into the types of the crates that act on them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use carrack_core::account::{Account, Folder, InTransit, LoginRule, Networks};
use carrack_core::backend::{Backend, PartialIndex};
use carrack_core::certificate::{CertificateRule, Name};
use carrack_core::digest::{Algorithm, WhileUploading};
use carrack_core::login::HashingLimits;
use carrack_core::password::{Credential, PasswordHash, PasswordHashError};
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::Settings;
use carrack_ftp_server as ftp;
use carrack_net::Limits;
use carrack_records::accounts::ConfiguredAccounts;
use carrack_tls::{AcceptedClients, ClientCertificates, DataReuse, PartnerTls, ServerTls};

use crate::access::UserNetworks;
use crate::config::{
    self, Ccc, CertificateName, ClientCertificate, Config, DataClose, DataProtection, DataTlsReuse, Listen,
    Login, Mode, Permission as Word, RevokedSessions, UploadDigest, User, VirtualServer,
};
use crate::hours::Schedule;
use crate::log::{self, Guard, LogFileError, XferLog};
use crate::quota::Quotas;
use crate::stores::Stores;
use crate::{limits, plaintext};

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
    /// Who is asked about users cannot be.
    #[error("nobody can be asked about users: {0}\n  mend: see `carrack config check`")]
    Outside(String),
    /// Users that were not checked before.
    #[error("{0}")]
    Duplicate(#[from] carrack_records::accounts::DuplicateAccount),
}

/// What was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The end of a server, or a crash, which may have left something to be mended.
    AStop,
    /// A server that runs, in this process or in the one whose place it takes: what is unfinished in the homes is being worked on.
    AReload,
}

/// The accounts of the configuration, each on the store of its home.
pub(crate) fn accounts(
    config: &Config,
    excluded: &[PathBuf],
    index: &Arc<dyn PartialIndex>,
    behind: Behind,
    schedule: &mut Schedule,
    quotas: &Quotas,
) -> Result<ConfiguredAccounts, WiringError> {
    let mut stores = Stores::new(config, excluded, index, behind, quotas.limited(config));
    let mut accounts = Vec::new();
    for user in config.user.iter() {
        let store = stores.of(user)?;
        accounts.push(Account { limits: limits::of_user(config, user, schedule), ..account(user, store)? });
    }
    Ok(ConfiguredAccounts::new(accounts)?)
}

/// The account of a user, whose limits are still to be set.
pub(crate) fn account(user: &User, home: Arc<dyn Backend>) -> Result<Account, WiringError> {
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
        networks: (!user.networks.is_empty())
            .then(|| Arc::new(UserNetworks(user.networks.clone())) as Arc<dyn Networks>),
        folders: folders.collect(),
        server: user.virtual_server.as_ref().map(|server| server.as_str().into()),
        shared,
        disabled: user.disabled,
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

/// The permissions that words of the file grant.
pub(crate) fn permissions(words: &[Word]) -> Permissions {
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
    servers: ftp::ByName<Arc<ftp::VirtualServer>>,
    access: ftp::Access,
    public_address: &ftp::PublicAddresses,
    partners: Option<&Arc<PartnerTls>>,
) -> ftp::FtpSettings {
    ftp::FtpSettings {
        mode: match listen.mode {
            Mode::Explicit => ftp::Mode::Explicit,
            Mode::Implicit => ftp::Mode::Implicit,
        },
        greeting: listen.banner.as_str().to_owned(),
        servers,
        plaintext: plaintext::of_listener(config, listen, None),
        plaintext_grants: plaintext::narrowed(config, listen),
        grants_of_anybody: plaintext::of_anybody(config),
        data_protection: data_protection(config::data_protection_at(listen, None)),
        clearing: match listen.ccc {
            Ccc::Refuse => ftp::Clearing::Refused,
            Ccc::Allow => ftp::Clearing::Allowed,
        },
        hosts: listen.hosts.iter().map(|host| host.name.clone()).collect(),
        data_tls_reuse: reuse(listen.data_tls_reuse),
        data_tls_reuse_of_user: config
            .user
            .iter()
            .filter_map(|user| Some((user.id(), reuse(user.data_tls_reuse?))))
            .collect(),
        charset_of_user: config
            .user
            .iter()
            .filter_map(|user| Some((user.id(), user.charset.as_ref()?.charset)))
            .collect(),
        data_close: match listen.data_close {
            DataClose::Strict => ftp::DataClose::Strict,
            DataClose::Lenient => ftp::DataClose::Lenient,
        },
        compression: if listen.deflate { ftp::Compression::Offered } else { ftp::Compression::Refused },
        timeouts: ftp::Timeouts {
            tls: config.timeouts.tls_s.into(),
            login: config.timeouts.login_s.into(),
            idle: config.timeouts.idle_s.into(),
            data_accept: config.timeouts.data_accept_s.into(),
            data_stall: config.timeouts.data_stall_s.into(),
            data_stall_bytes: config.timeouts.data_stall_bytes.0.into(),
        },
        revoked_sessions: match config.tls.as_ref().map(|tls| tls.revoked_sessions) {
            Some(RevokedSessions::Keep) => ftp::RevokedSessions::Keep,
            Some(RevokedSessions::End) | None => ftp::RevokedSessions::End,
        },
        access,
        sessions: listen.sessions.map(|most| usize::try_from(most.0).unwrap_or(usize::MAX)),
        login_failures: config.limits.login_failures.0,
        public_address: public_address.clone(),
        balancers: listen.proxy_protocol.as_slice().into(),
        fxp: config.fxp.as_ref().map(|fxp| ftp::PartnerSettings {
            partners: fxp.partners.clone().into(),
            tls: partners.cloned(),
        }),
    }
}

/// A virtual server as one listener has it, with its names. `tls` is spoken with whoever names it.
pub(crate) fn virtual_server(
    config: &Config,
    listen: &Listen,
    server: &VirtualServer,
    tls: Arc<ServerTls>,
) -> (Vec<String>, Arc<ftp::VirtualServer>) {
    let names: Vec<_> = server.names.iter().map(|name| name.as_str().to_owned()).collect();
    let said = ftp::VirtualServer {
        name: names.first().map(String::as_str).unwrap_or_default().into(),
        greeting: server.banner.as_ref().unwrap_or(&listen.banner).as_str().to_owned(),
        plaintext: plaintext::of_listener(config, listen, Some(server)),
        data_protection: data_protection(config::data_protection_at(listen, Some(server))),
        own_options: config::own_options(listen, server),
        tls,
    };
    (names, Arc::new(said))
}

fn data_protection(word: DataProtection) -> ftp::DataProtection {
    match word {
        DataProtection::Require => ftp::DataProtection::Require,
        DataProtection::Optional => ftp::DataProtection::Optional,
        DataProtection::Refuse => ftp::DataProtection::Refuse,
    }
}

/// How many connections there may be.
pub(crate) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        sessions: as_usize(limits.sessions.0),
        sessions_per_source: as_usize(limits.sessions_per_source.0),
        startups: limits.startups,
    }
}

/// What password checks may take of the machine.
pub(crate) fn hashing(config: &Config) -> HashingLimits {
    let limits = &config.limits;
    HashingLimits {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory_kib: u64::from(limits.hash_memory_mib.0) * 1024,
        queue: as_usize(limits.login_queue.0),
    }
}

fn as_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn reuse(word: DataTlsReuse) -> DataReuse {
    match word {
        DataTlsReuse::RequireOwn => DataReuse::RequireOwn,
        DataTlsReuse::Require => DataReuse::Require,
        DataTlsReuse::Prefer => DataReuse::Prefer,
        DataTlsReuse::Off => DataReuse::Off,
    }
}

/// What is the same for all sessions.
pub(crate) fn core_settings(config: &Config, schedule: &mut Schedule) -> Settings {
    Settings { while_uploading: while_uploading(config), rates: schedule.of_server(config) }
}

/// Of which uploads digests are computed while they come.
fn while_uploading(config: &Config) -> WhileUploading {
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
    let anonymous = config.user.iter().filter(without_password).map(User::id);
    log::xferlog(path, anonymous.collect()).map(Some)
}

/// Whether a listener asks for certificates: clients that name this virtual server, or none.
pub(crate) fn client_certificates(
    listen: &Listen,
    server: Option<&VirtualServer>,
    accepted: Option<&Arc<AcceptedClients>>,
) -> ClientCertificates {
    match (config::client_certificate_at(listen, server), accepted) {
        (ClientCertificate::Optional, Some(accepted)) => ClientCertificates::Optional(Arc::clone(accepted)),
        (ClientCertificate::Required, Some(accepted)) => ClientCertificates::Required(Arc::clone(accepted)),
        // The check has made sure that something is accepted wherever clients are asked.
        (ClientCertificate::Off, _) | (_, None) => ClientCertificates::NotAsked,
    }
}
