//! Where a logged-in client stands: its session and its working directory.

use std::sync::Arc;

use carrack_core::backend::Metadata;
use carrack_core::error::{Error, ErrorKind};
use carrack_core::path::VirtualPath;
use carrack_core::permission::{Permission, Permissions};
use carrack_core::session::Session;
use carrack_ftp_proto::command::PathArgument;
use carrack_ftp_proto::listing::{EntryKind, EntryView, Perm};
use carrack_ftp_proto::reply::Reply;

use crate::disk::DiskThreads;
use crate::reply_for;

/// A logged-in client at its working directory (RFC 959 §4.1.1, CWD). Cheap to clone: a command
/// takes one with it.
#[derive(Clone)]
pub(crate) struct Visitor {
    session: Arc<Session>,
    disk: DiskThreads,
    pub(crate) directory: VirtualPath,
}

impl Visitor {
    pub(crate) fn new(session: Session, disk: DiskThreads) -> Self {
        Self { session: Arc::new(session), disk, directory: VirtualPath::root() }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The path that an argument means here.
    pub(crate) fn resolve(&self, argument: &PathArgument) -> Result<VirtualPath, Reply> {
        self.directory.join(argument.as_bytes()).map_err(reply_for::path)
    }

    /// The same, where no argument means the working directory.
    pub(crate) fn resolve_or_here(&self, argument: Option<&PathArgument>) -> Result<VirtualPath, Reply> {
        argument.map_or_else(|| Ok(self.directory.clone()), |argument| self.resolve(argument))
    }

    /// The threads that may wait for a disk, for work that goes on slice by slice.
    pub(crate) fn disk(&self) -> &DiskThreads {
        &self.disk
    }

    /// Runs an operation where it may wait for a disk. A bug of ours that ends it looks like a failing disk.
    pub(crate) async fn session_on_disk<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Session) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, ErrorKind> {
        let session = Arc::clone(&self.session);
        match self.disk.run(move || operation(&session)).await {
            Some(done) => done.map_err(|error| {
                self.session.tell_refusal(&error);
                error.kind()
            }),
            None => Err(ErrorKind::Io),
        }
    }

    /// Runs an operation where it may wait for a disk, and turns its failure into the reply.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Session) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Reply> {
        self.session_on_disk(operation).await.map_err(reply_for::kind)
    }

    /// What a listing says about an entry of `folder`, which this user holds `permissions` on.
    pub(crate) fn view<'a>(name: &'a [u8], metadata: &Metadata, permissions: Permissions) -> EntryView<'a> {
        let kind = match metadata.kind {
            carrack_core::backend::Kind::File => EntryKind::File,
            carrack_core::backend::Kind::Directory => EntryKind::Directory,
            carrack_core::backend::Kind::Link => EntryKind::Link,
            carrack_core::backend::Kind::Special => EntryKind::Other,
        };
        EntryView {
            name,
            kind,
            size: metadata.size,
            modified_s: metadata.modified.0,
            modified_ns: metadata.modified.1,
            created: metadata.created,
            mode: metadata.mode,
            owner: metadata.owner,
            links: metadata.links,
            perm: perm(kind, permissions),
            unique: metadata.unique,
        }
    }
}

/// The name that a listing of one file shows.
pub(crate) fn last_name(path: &VirtualPath) -> &[u8] {
    path.as_bytes().rsplit(|byte| *byte == b'/').next().filter(|name| !name.is_empty()).unwrap_or(b"/")
}

/// The `perm` fact (RFC 3659 §7.5.5) from what the policy grants.
fn perm(kind: EntryKind, granted: Permissions) -> Perm {
    let letters: &[(Permission, Perm)] = match kind {
        EntryKind::Directory | EntryKind::CurrentDirectory | EntryKind::ParentDirectory => &[
            (Permission::Write, Perm::CREATE),
            (Permission::Delete, Perm::DELETE),
            (Permission::List, Perm::ENTER),
            (Permission::Rename, Perm::RENAME),
            (Permission::List, Perm::LIST),
            (Permission::Mkdir, Perm::MAKE_DIRECTORY),
            (Permission::Delete, Perm::PURGE),
        ],
        EntryKind::File => &[
            (Permission::Overwrite, Perm::APPEND),
            (Permission::Delete, Perm::DELETE),
            (Permission::Rename, Perm::RENAME),
            (Permission::Read, Perm::READ),
            (Permission::Overwrite, Perm::WRITE),
        ],
        EntryKind::Link | EntryKind::Other => {
            &[(Permission::Delete, Perm::DELETE), (Permission::Rename, Perm::RENAME)]
        }
    };
    letters
        .iter()
        .filter(|(permission, _)| granted.contains(*permission))
        .map(|(_, letter)| *letter)
        .collect()
}
