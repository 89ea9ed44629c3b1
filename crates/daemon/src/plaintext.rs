//! What does the configuration's word on plaintext come to on one listener?

use std::collections::HashMap;

use carrack_core::limits::Rate;
use carrack_core::permission::Permissions;
use carrack_ftp_server as ftp;

use crate::config::{
    ByteRate, Config, Grant, Listen, Plaintext, User, VirtualServer, plaintext_at,
    plaintext_grants as grants, server_named,
};
use crate::wiring::permissions;

/// What users may reach, by who they are.
type Grants = HashMap<String, ftp::PlaintextGrant>;

/// What a client gets that does not ask for TLS, at a virtual server or at none.
pub(crate) fn of_listener(
    config: &Config,
    listen: &Listen,
    server: Option<&VirtualServer>,
) -> ftp::Plaintext {
    let names = |is_one: &dyn Fn(&User) -> bool| {
        let users = config.user.iter().filter(|user| user.is_at(server) && is_one(user));
        users.map(|user| user.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let has_grant = |user: &User| grants(config).any(|grant| grant.is_for(user));
    let may_come = |user: &User| match user.plaintext {
        Some(word) => word != Plaintext::Refuse,
        None => has_grant(user),
    };
    match plaintext_at(listen, server) {
        Plaintext::Refuse => ftp::Plaintext::Refuse,
        Plaintext::Limit => ftp::Plaintext::Limit { users: names(&may_come) },
        Plaintext::Allow => {
            ftp::Plaintext::Allow { except: names(&|user| user.plaintext == Some(Plaintext::Refuse)) }
        }
    }
}

/// Who is left less without TLS on this listener. Where it is allowed, those who are limited by a word of their own.
pub(crate) fn narrowed(config: &Config, listen: &Listen) -> Grants {
    let limits = |grant: &Grant<'_>| {
        let user = config.user.iter().find(|user| grant.is_for(user));
        let server = server_named(config, grant.server);
        plaintext_at(listen, server) == Plaintext::Limit
            || user.is_some_and(|user| user.plaintext == Some(Plaintext::Limit))
    };
    table(grants(config).filter(limits))
}

/// What is left to those whom no password holds back, however they come.
pub(crate) fn of_anybody(config: &Config) -> Grants {
    table(grants(config))
}

fn table<'c>(grants: impl Iterator<Item = Grant<'c>>) -> Grants {
    let rate = |said: Option<ByteRate>| said.map(|rate| Rate::new(rate.limit()));
    grants
        .map(|grant| {
            let ceiling = match grant.permissions {
                Some(words) => permissions(words),
                None if grant.write => Permissions::ALL,
                None => Permissions::READ_ONLY,
            };
            let folders = grant.folders.iter().map(|folder| folder.0.clone()).collect();
            let (upload, download) = (rate(grant.upload), rate(grant.download));
            (grant.id(), ftp::PlaintextGrant { folders, ceiling, upload, download })
        })
        .collect()
}
