//! What each command does, a file a subject, in the words of THE TABLE.
//!
//! A command resolves its path, asks the session, and answers. Whether the command may be given at
//! all was decided by the protocol machine; whether the user may do it is decided by the session.

mod combine;
mod delete;
pub(crate) mod digest;
mod directory;
mod facts;
mod list;
mod rename;
mod retr;
mod set;
mod space;
mod status;
mod stor;

pub(crate) use status::Situation;

use carrack_core::account::InTransit;
use carrack_core::path::VirtualPath;
use carrack_ftp_proto::reply::Reply;
use carrack_ftp_proto::server::{Action, Representation, Request, Transfer};

use crate::reply_for;
use crate::transfer::{Coding, Job};
use crate::visitor::Visitor;

/// What came of a request.
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    /// The working directory from now on, where it changes.
    pub(crate) directory: Option<VirtualPath>,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { reply, directory: None }
    }
}

/// Carries out a request that one reply settles.
pub(crate) async fn answer(at: Visitor, request: Request) -> Outcome {
    let outcome: Result<Outcome, Reply> = match request {
        Request::PrintDirectory => Ok(directory::print(&at).into()),
        Request::ChangeDirectory { path } => directory::change(&at, &path).await,
        Request::ChangeToParent => directory::change_to_parent(&at).await,
        Request::MakeDirectory { path } => directory::make(&at, &path).await.map(Into::into),
        Request::RemoveDirectory { path } => directory::remove(&at, &path).await.map(Into::into),
        Request::Delete { path } => delete::file(&at, &path).await.map(Into::into),
        Request::RenameFrom { path } => rename::from(&at, &path).await.map(Into::into),
        Request::Rename { from, to } => rename::to(&at, &from, &to).await.map(Into::into),
        Request::Size { path, representation } => {
            facts::size(&at, &path, representation).await.map(Into::into)
        }
        Request::ModificationTime { path, or_set } => {
            facts::modification_time(&at, &path, or_set.as_ref()).await.map(Into::into)
        }
        Request::Facts { path, facts } => facts::facts(&at, path.as_ref(), facts).await.map(Into::into),
        Request::SetFacts { set, answer } => set::facts(&at, &set, answer).await.map(Into::into),
        Request::Space { path } => space::of(&at, path.as_ref()).await.map(Into::into),
        Request::Combine(combine) => combine::parts(&at, &combine).await.map(Into::into),
        Request::StatusOf { path } => status::of_path(&at, &path).await.map(Into::into),
    };
    outcome.unwrap_or_else(Into::into)
}

/// A transfer whose files are open: nothing about it can be refused any more.
pub(crate) struct Opened {
    pub(crate) job: Job,
    /// The text of the `150`.
    pub(crate) text: Vec<u8>,
}

/// Opens what a transfer moves. Every refusal happens here, before anything existing is touched.
pub(crate) async fn open(at: Visitor, transfer: Transfer, clear: ClearData) -> Result<Opened, Reply> {
    let coding = Coding::of(&transfer);
    let Transfer { action, representation, charset, announced, .. } = transfer;
    // As text a file has another length on the way than on the disk.
    let announced = announced.filter(|_| representation == Representation::Image);
    match action {
        Action::Retrieve { path, offset } => {
            retr::open(&at, &path, offset, representation, coding, clear).await
        }
        Action::RetrieveSpan { path, span } => retr::open_span(&at, &path, span, clear).await,
        Action::Store { path, mode } => {
            let how = stor::How { representation, coding, announced };
            stor::open(&at, &path, mode, how, clear).await
        }
        Action::StoreUnique { path } => {
            let how = stor::How { representation, coding, announced };
            stor::open_unique(&at, path.as_ref(), how, clear).await
        }
        Action::List { path, format } => list::open(&at, path.as_ref(), format, coding, charset, clear).await,
    }
}

/// How the bytes of a transfer cross the network, and who has to allow it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClearData {
    /// They are protected, which is good enough unless the folder at hand has no transfers.
    Protected,
    /// They are protected, and the listener has no transfers: only where the folder at hand has some.
    ProtectedByFolder,
    /// They go in clear, which the listener grants unless the folder at hand demands more.
    Granted,
    /// They go in clear: only where the folder at hand allows it.
    ByFolder,
}

/// What says how bytes cross the network, from the outside in.
const OF_LISTENER: &str = "listen.data_protection";
const OF_FOLDER: &str = "user.folder.data_protection";

/// Refuses a transfer that crosses the network in a way that the folder at hand does not allow.
// SECURITY: the machine grants PROT C where any folder of the user may be moved in clear; here it
// is held to the folder at hand.
fn demand_protection(at: &Visitor, path: &VirtualPath, clear: ClearData) -> Result<(), Reply> {
    match (at.session().in_transit(path), clear) {
        (InTransit::Never, _) => Err(reply_for::no_transfers().because_of(OF_FOLDER)),
        (InTransit::AsElsewhere, ClearData::ProtectedByFolder) => {
            Err(reply_for::no_transfers().because_of(OF_LISTENER))
        }
        (_, ClearData::Protected | ClearData::ProtectedByFolder)
        | (InTransit::MayBeClear, _)
        | (InTransit::AsElsewhere, ClearData::Granted) => Ok(()),
        (InTransit::AsElsewhere, ClearData::ByFolder) => Err(reply_for::clear_data().because_of(OF_LISTENER)),
        (InTransit::Protected, _) => Err(reply_for::clear_data().because_of(OF_FOLDER)),
    }
}
