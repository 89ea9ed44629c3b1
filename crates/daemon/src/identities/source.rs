//! Where do the identities of a server come from: files that the configuration names, an authority by ACME, or itself?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use carrack_tls::{Identity, IdentityError, PolicyError};

use super::files::{Files, Loaded};
use crate::config::Config;
use crate::state::{AcmeFolder, StateError, StateFolder};
use crate::watch::Stamp;

/// The identities of a server, by where they come from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The default's first. None where the server has its own alone.
    origins: Vec<Origin>,
    own: Own,
}

/// The server's own identity, self-signed: shown while there is no other. A listener must not be down because an authority is.
#[derive(Debug)]
pub(super) struct Own {
    /// The names that it stands for.
    names: Vec<String>,
    /// Where it is kept. Holding the folder here keeps its lock.
    state: Arc<StateFolder>,
}

/// Where one identity comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// Files that the configuration names.
    Configured(Files),
    /// What an authority issues by ACME, in the state folder. It is pending until the authority has.
    Issued {
        /// Where it is kept,
        folder: Arc<AcmeFolder>,
        /// under its first name,
        name: String,
        /// in this file.
        file: PathBuf,
    },
}

/// Why an identity is not shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Files that the configuration names.
    #[error(transparent)]
    Files(#[from] IdentityError),
    /// What is kept.
    #[error(transparent)]
    Kept(#[from] StateError),
    /// What an authority had issued is there no more.
    #[error("the file is gone; put it back, or start the server again: then it is ordered anew")]
    Gone,
    /// A listener cannot show it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Source {
    /// What `[tls]` and the virtual servers name, then what `[acme]` orders.
    ///
    /// # Errors
    /// What is kept of `[acme]` cannot be opened.
    pub(crate) fn of(
        config: &Config,
        names: Vec<String>,
        state: Arc<StateFolder>,
    ) -> Result<Source, StateError> {
        let mut origins: Vec<_> = Files::of(config.tls.as_ref(), &config.virtual_server)
            .into_iter()
            .map(Origin::Configured)
            .collect();
        if let Some(acme) = &config.acme {
            let folder = Arc::new(state.acme()?);
            let first = acme.certificate.iter().filter_map(|certificate| certificate.names.first());
            origins.extend(first.map(|name| Origin::issued(&folder, name.as_str())));
        }
        Ok(Source::new(origins, names, state))
    }

    /// These.
    pub(super) fn new(origins: Vec<Origin>, names: Vec<String>, state: Arc<StateFolder>) -> Source {
        Source { origins, own: Own { names, state } }
    }

    pub(super) fn into_parts(self) -> (Vec<Origin>, Own) {
        (self.origins, self.own)
    }
}

impl Origin {
    /// The one that an authority issues, kept in `folder` under its first name.
    pub(super) fn issued(folder: &Arc<AcmeFolder>, name: &str) -> Origin {
        Origin::Issued { folder: Arc::clone(folder), name: name.to_owned(), file: folder.identity_file(name) }
    }

    /// Where the certificate lies.
    pub(super) fn file(&self) -> &Path {
        match self {
            Origin::Configured(files) => &files.certificate,
            Origin::Issued { file, .. } => file,
        }
    }

    /// What its files are like now.
    pub(super) fn stamp(&self) -> Stamp {
        match self {
            Origin::Configured(files) => files.stamp(),
            Origin::Issued { file, .. } => Stamp::of([file]),
        }
    }

    /// Loads it; `None` where it is pending. `before` is what it was, if anything.
    pub(super) fn load(&self, before: Option<&Identity>) -> Result<Option<Loaded>, Unusable> {
        match self {
            Origin::Configured(files) => Ok(Some(files.load(before)?)),
            Origin::Issued { folder, name, .. } => match folder.identity(name)? {
                None if before.is_some() => Err(Unusable::Gone),
                identity => Ok(identity.map(Loaded::from)),
            },
        }
    }
}

impl Own {
    /// It, made or renewed where it has to be.
    pub(super) fn load(&self) -> Result<Identity, StateError> {
        self.state.identity(&self.names)
    }

    /// Where the certificate lies.
    pub(super) fn file(&self) -> PathBuf {
        self.state.certificate()
    }
}
