//! Where do the identities of a server come from: files that the configuration names, an authority by ACME, or itself?

use std::path::PathBuf;
use std::sync::Arc;

use carrack_tls::{Identity, Set};

use super::Files;
use crate::acme::Acme;
use crate::config::Config;
use crate::state::{StateError, StateFolder};

/// The identities of a server, by where they come from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The default's first.
    origins: Vec<Origin>,
    /// The names that the server's own identity stands for.
    names: Vec<String>,
    /// Where that is kept. Holding the folder here keeps its lock.
    state: StateFolder,
}

/// Where one identity comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Files that the configuration names.
    Configured(Files),
    /// What an authority issues by ACME, in the state folder; the server's own until it has. A listener must not be down because an
    /// authority is.
    Issued(Files),
    /// The server's own, self-signed.
    Own,
}

impl Source {
    /// What `[tls]` names, then what `[acme]` orders; where there is neither, the server's own.
    pub(crate) fn of(
        config: &Config,
        acme: Option<&Arc<Acme>>,
        names: Vec<String>,
        state: StateFolder,
    ) -> Source {
        let configured = config.tls.iter().flat_map(Files::of).map(Origin::Configured);
        let issued =
            acme.iter().flat_map(|acme| acme.files()).map(|file| Origin::Issued(Files::both_in(file)));
        Source::new(configured.chain(issued).collect(), names, state)
    }

    /// These; where there is none, the server's own.
    pub(super) fn new(mut origins: Vec<Origin>, names: Vec<String>, state: StateFolder) -> Source {
        if origins.is_empty() {
            origins.push(Origin::Own);
        }
        Source { origins, names, state }
    }

    /// All of them as they are now. `configured` are those of the files that the configuration names, which its check has
    /// loaded.
    ///
    /// # Errors
    /// The server's own is needed, and cannot be read or made.
    pub(crate) fn load(&self, configured: Option<Set>) -> Result<Set, StateError> {
        let mut configured =
            configured.into_iter().flat_map(|set| std::iter::once(set.default).chain(set.further));
        let mut all = Vec::new();
        for origin in &self.origins {
            let loaded = match origin {
                Origin::Configured(_) => configured.next(),
                Origin::Issued(files) => files.issued().unwrap_or_else(|error| {
                    // It is ordered anew.
                    tracing::error!(target: "carrack", why = %error, "acme_state_failed");
                    None
                }),
                Origin::Own => None,
            };
            all.push(match loaded {
                Some(identity) => identity,
                None => self.own()?,
            });
        }
        let mut all = all.into_iter();
        match all.next() {
            Some(default) => Ok(Set { default, further: all.collect() }),
            None => self.own().map(Set::from),
        }
    }

    /// The server's own identity, made or renewed where it has to be.
    pub(crate) fn own(&self) -> Result<Identity, StateError> {
        self.state.identity(&self.names)
    }

    /// Where one comes from.
    pub(super) fn origin(&self, index: usize) -> Option<&Origin> {
        self.origins.get(index)
    }

    /// What an identity is called in logs and measurements.
    pub(crate) fn name(&self, index: usize) -> String {
        let file = match self.origins.get(index) {
            Some(Origin::Configured(files) | Origin::Issued(files)) => files.certificate.clone(),
            Some(Origin::Own) | None => self.state.certificate(),
        };
        file.display().to_string()
    }

    /// All of them, the default's first.
    pub(crate) fn names(&self) -> Vec<String> {
        (0..self.origins.len()).map(|index| self.name(index)).collect()
    }

    /// The file of the certificate that clients have to trust, where the server has made it itself.
    pub(crate) fn own_certificate(&self) -> Option<PathBuf> {
        matches!(self.origins.as_slice(), [Origin::Own]).then(|| self.state.certificate())
    }
}
