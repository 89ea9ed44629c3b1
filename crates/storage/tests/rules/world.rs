//! A core, a store and some users.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use carrack_core::account::{Account, Accounts, User};
use carrack_core::backend::{Backend, Extension, Kept, PartialIndex, PartialRecord};
use carrack_core::error::{ErrorKind, Result};
use carrack_core::event::{Event, Events, Incomplete, Origin, Outcome, Protection, SessionId, Subscriber};
use carrack_core::login::Authenticator;
use carrack_core::password::Credential;
use carrack_core::path::VirtualPath;
use carrack_core::permission::Permissions;
use carrack_core::session::WriteMode;
use carrack_core::{Core, Session};
use carrack_storage::local::{LocalSettings, LocalStore};
use carrack_storage::memory::{Faults, MemoryStore};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) events: Arc<Recorder>,
    pub(crate) index: Arc<Index>,
    /// Where the local store's root is.
    pub(crate) root: PathBuf,
    _folder: Option<TempDir>,
}

impl World {
    pub(crate) fn memory() -> (World, MemoryStore) {
        let store = MemoryStore::new(Faults::NONE);
        (World::over(Arc::new(store.clone()), Arc::default(), PathBuf::new(), None), store)
    }

    pub(crate) fn local() -> World {
        World::local_with(|_| {})
    }

    pub(crate) fn local_with(change: impl FnOnce(&mut LocalSettings)) -> World {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("state/secret")).unwrap();
        let index = Arc::new(Index::default());
        let mut settings = LocalSettings::new(index.clone());
        settings.excluded.push(root.join("state"));
        change(&mut settings);
        let store = LocalStore::open(&root, settings).unwrap();
        World::over(Arc::new(store), index, root, Some(folder))
    }

    /// A local world in which no excluded folder lies beneath the root.
    pub(crate) fn apart() -> World {
        World::local_with(|settings| {
            let beneath = settings.excluded[0].clone();
            let elsewhere = beneath.ancestors().nth(2).unwrap().join("elsewhere");
            std::fs::rename(beneath, &elsewhere).unwrap();
            settings.excluded = vec![elsewhere];
        })
    }

    /// A world over a store that somebody else keeps.
    pub(crate) fn of(store: Arc<dyn Backend>) -> World {
        World::over(store, Arc::default(), PathBuf::new(), None)
    }

    fn over(store: Arc<dyn Backend>, index: Arc<Index>, root: PathBuf, folder: Option<TempDir>) -> World {
        let events = Arc::new(Recorder::default());
        let subscribers = [events.clone() as Arc<dyn Subscriber>];
        let core = Core::new(Authenticator::new(Arc::new(Nobody), 1), Events::new(subscribers));
        World { core, store, events, index, root, _folder: folder }
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        Account::new(name, Credential::Anyone, self.store.clone())
    }

    pub(crate) fn session(&self, name: &str) -> Session {
        self.session_of(self.account(name))
    }

    pub(crate) fn session_of(&self, account: Account) -> Session {
        self.open(account, false)
    }

    pub(crate) fn open(&self, account: Account, read_only: bool) -> Session {
        let peer = "192.0.2.1:1".parse().unwrap();
        let origin = Origin { id: SessionId(1), peer, protocol: "test", server: None };
        let ceiling = if read_only { Permissions::READ_ONLY } else { Permissions::ALL };
        Session::open(&self.core, Arc::new(account), origin, ceiling).unwrap()
    }
}

pub(crate) fn path(text: impl AsRef<[u8]>) -> VirtualPath {
    VirtualPath::parse(text.as_ref()).unwrap()
}

/// What tests say to a session.
pub(crate) trait Say {
    fn put(&self, name: &str, mode: WriteMode, bytes: &[u8]) -> Result<()>;
    fn cut(&self, name: &str, mode: WriteMode, bytes: &[u8]) -> Kept;
    fn resume(&self, name: &str, whole: &[u8]) -> Result<()>;
    fn take(&self, name: &str) -> Result<Vec<u8>>;
    fn names(&self, name: &str) -> Vec<String>;
    fn refused(&self, name: &str, mode: WriteMode) -> ErrorKind;
}

impl Say for Session {
    /// A whole upload.
    fn put(&self, name: &str, mode: WriteMode, bytes: &[u8]) -> Result<()> {
        let mut upload = self.open_write(&path(name), mode)?;
        upload.write(bytes)?;
        upload.commit()
    }

    /// An upload whose connection breaks after these bytes.
    fn cut(&self, name: &str, mode: WriteMode, bytes: &[u8]) -> Kept {
        let mut upload = self.open_write(&path(name), mode).unwrap();
        upload.protected_by(Protection::Clear);
        upload.write(bytes).unwrap();
        upload.abort(Incomplete::ConnectionLost)
    }

    /// As curl does it: `SIZE`, then `APPE` of the rest.
    fn resume(&self, name: &str, whole: &[u8]) -> Result<()> {
        let length = self.size_of(&path(name))?;
        self.put(name, WriteMode::Append, &whole[usize::try_from(length).unwrap()..])
    }

    fn take(&self, name: &str) -> Result<Vec<u8>> {
        let mut download = self.open_read(&path(name), 0)?;
        let mut bytes = vec![0; usize::try_from(download.length()).unwrap()];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += download.read(&mut bytes[filled..])?;
        }
        assert_eq!(download.read(&mut [0])?, 0);
        download.finish();
        Ok(bytes)
    }

    fn names(&self, name: &str) -> Vec<String> {
        let entries = self.list(&path(name)).unwrap().map(|entry| entry.unwrap().name);
        let mut names: Vec<_> =
            entries.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned()).collect();
        names.sort();
        names
    }

    fn refused(&self, name: &str, mode: WriteMode) -> ErrorKind {
        self.open_write(&path(name), mode).err().expect("refused").kind()
    }
}

/// Keeps the outcome of every transfer.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) outcomes: Mutex<Vec<Outcome>>,
    /// What was tried when the store failed.
    pub(crate) failures: Mutex<Vec<(&'static str, String)>>,
}

impl Recorder {
    pub(crate) fn take(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes.lock().unwrap())
    }
}

impl Subscriber for Recorder {
    fn event(&self, event: &Event) {
        match event {
            Event::TransferFinished(transfer) => self.outcomes.lock().unwrap().push(transfer.outcome),
            Event::OperationFailed { what, error, .. } => {
                self.failures.lock().unwrap().push((what, error.clone()));
            }
            _ => {}
        }
    }
}

/// An index in memory.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) records: Mutex<HashMap<Vec<u8>, PartialRecord>>,
    pub(crate) extensions: Mutex<HashMap<Vec<u8>, Extension>>,
    /// Whether nothing can be written down any more.
    pub(crate) full: AtomicBool,
}

impl Index {
    fn write(&self) -> std::io::Result<()> {
        let full = self.full.load(Ordering::Relaxed);
        if full { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl PartialIndex for Index {
    fn remember(&self, partial: &PartialRecord) -> std::io::Result<()> {
        assert!(partial.since <= SystemTime::now());
        self.write()?;
        self.records.lock().unwrap().insert(partial.file.clone(), partial.clone());
        Ok(())
    }

    fn forget(&self, file: &[u8]) -> std::io::Result<()> {
        self.records.lock().unwrap().remove(file);
        Ok(())
    }

    fn renamed(&self, _: &[u8], _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn find(&self, file: &[u8]) -> Option<PartialRecord> {
        self.records.lock().unwrap().get(file).cloned()
    }

    fn extending(&self, extension: &Extension) -> std::io::Result<()> {
        self.write()?;
        self.extensions.lock().unwrap().insert(extension.file.clone(), extension.clone());
        Ok(())
    }

    fn extended(&self, file: &[u8]) -> std::io::Result<()> {
        self.write()?;
        self.extensions.lock().unwrap().remove(file);
        Ok(())
    }

    fn extensions(&self) -> Vec<Extension> {
        self.extensions.lock().unwrap().values().cloned().collect()
    }
}

struct Nobody;

impl Accounts for Nobody {
    fn find(&self, _: User<'_>) -> Option<Arc<Account>> {
        None
    }
}

/// One test for each store: `on_every_store!(name, |world| { … })`.
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident, $body:expr;)*) => {
        $(mod $name {
            use super::*;

            fn run(world: &$crate::world::World) {
                let body: fn(&$crate::world::World) = $body;
                body(world);
            }

            #[test]
            fn memory() {
                run(&$crate::world::World::memory().0);
            }

            #[test]
            fn local() {
                run(&$crate::world::World::local());
            }

            #[test]
            fn local_apart() {
                run(&$crate::world::World::apart());
            }
        })*
    };
}
