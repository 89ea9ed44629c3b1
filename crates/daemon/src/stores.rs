//! On which store does a user's home lie?

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use carrack_core::backend::{Backend, PartialIndex};
use carrack_storage::local::{self, Created, Links, LocalSettings, LocalStore};

use crate::config::{Config, Partials, Publish, User, plaintext_grants};
use crate::quota::Limited;
use crate::wiring::{Behind, WiringError};

/// What users have to have in common to share a store: home, links, quota and modes.
type Key = (PathBuf, Links, Option<u64>, Created);

/// The stores of one configuration. Users with the same home, the same treatment of links, the same quota and the same modes share one.
pub(crate) struct Stores<'a> {
    config: &'a Config,
    excluded: &'a [PathBuf],
    index: &'a Arc<dyn PartialIndex>,
    behind: Behind,
    limited: Limited<'a>,
    made: HashMap<Key, Arc<dyn Backend>>,
}

impl<'a> Stores<'a> {
    pub(crate) fn new(
        config: &'a Config,
        excluded: &'a [PathBuf],
        index: &'a Arc<dyn PartialIndex>,
        behind: Behind,
        limited: Limited<'a>,
    ) -> Stores<'a> {
        Stores { config, excluded, index, behind, limited, made: HashMap::new() }
    }

    /// The store of this user's home.
    ///
    /// # Errors
    /// The home cannot be opened.
    pub(crate) fn of(&mut self, user: &User) -> Result<Arc<dyn Backend>, WiringError> {
        let (links, created) = (links(self.config, user), created(self.config, user));
        let key = (user.home.clone(), links, user.quota_bytes.map(|bytes| bytes.0), created);
        if let Some(store) = self.made.get(&key) {
            return Ok(Arc::clone(store));
        }
        let upload = &self.config.upload;
        let settings = LocalSettings {
            publish: match upload.publish {
                Publish::Atomic => local::Publish::Atomic,
                Publish::InPlace => local::Publish::InPlace,
            },
            sync: upload.sync,
            partials: match upload.partials {
                Partials::Hidden => local::Partials::Hidden,
                Partials::Owner => local::Partials::Owner,
            },
            links,
            excluded: self.excluded.to_vec(),
            index: Arc::clone(self.index),
            quota: self.limited.of_user(user),
            created,
        };
        let open = match self.behind {
            Behind::AStop => LocalStore::open,
            Behind::AReload => LocalStore::open_beside,
        };
        let store: Arc<dyn Backend> = Arc::new(
            open(&user.home, settings)
                .map_err(|source| WiringError::Home { home: user.home.display().to_string(), source })?,
        );
        self.made.insert(key, Arc::clone(&store));
        Ok(store)
    }
}

/// What new files and folders of a user look like.
fn created(config: &Config, user: &User) -> Created {
    Created {
        file_mode: user.file_mode.or(config.upload.file_mode).map(|mode| mode.0),
        folder_mode: user.dir_mode.or(config.upload.dir_mode).map(|mode| mode.0),
        group: user.group.as_ref().or(config.upload.group.as_ref()).map(|group| group.number),
    }
}

/// SECURITY: rules of folders go by the path; a symbolic link would lead into a folder past its rules, or out of those
/// that `[plaintext]` grants.
fn links(config: &Config, user: &User) -> Links {
    let confined = plaintext_grants(config).any(|grant| grant.is_for(user));
    if confined || !user.folder.is_empty() { Links::Refuse } else { Links::Follow }
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
