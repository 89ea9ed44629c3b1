//! In which files does one identity lie that the configuration names?

use std::path::PathBuf;

use carrack_tls::{Identity, IdentityError};

use crate::config::{Tls, VirtualServer};
use crate::watch::Stamp;

/// The files of one identity.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    key: PathBuf,
    staple: Option<PathBuf>,
}

/// An identity that can be shown, and what is wrong with its staple.
pub(super) struct Loaded {
    pub(super) identity: Identity,
    pub(super) staple: Result<(), IdentityError>,
}

impl From<Identity> for Loaded {
    fn from(identity: Identity) -> Loaded {
        Loaded { identity, staple: Ok(()) }
    }
}

impl Files {
    /// Those that a configuration names, the default's first.
    pub(crate) fn of(tls: Option<&Tls>, servers: &[VirtualServer]) -> Vec<Files> {
        let tls = tls.into_iter();
        let default =
            tls.clone().filter_map(|tls| Some((tls.certificate.as_ref()?, tls.key.as_ref()?, &tls.staple)));
        let further =
            tls.flat_map(|tls| tls.identity.iter()).map(|row| (&row.certificate, &row.key, &row.staple));
        let of_servers = servers
            .iter()
            .filter_map(|row| Some((row.certificate.as_ref()?, row.key.as_ref()?, &row.staple)));
        default
            .chain(further)
            .chain(of_servers)
            .map(|(certificate, key, staple)| Files {
                certificate: certificate.clone(),
                key: key.clone(),
                staple: staple.clone(),
            })
            .collect()
    }

    /// What they are like now.
    pub(super) fn stamp(&self) -> Stamp {
        let paths = [Some(&self.certificate), Some(&self.key), self.staple.as_ref()];
        Stamp::of(paths.into_iter().flatten())
    }

    /// Loads it. A staple that is of no use keeps no certificate out; the one before goes on where it is for this certificate.
    pub(super) fn load(&self, before: Option<&Identity>) -> Result<Loaded, IdentityError> {
        let identity = Identity::load(&self.certificate, &self.key)?;
        let Some(staple) = &self.staple else { return Ok(identity.into()) };
        Ok(match identity.with_staple(staple) {
            Ok(identity) => identity.into(),
            Err(error) => {
                let identity = match before {
                    Some(before) => identity.with_staple_of(before),
                    None => identity,
                };
                Loaded { identity, staple: Err(error) }
            }
        })
    }
}
