//! Where does the client keep what it must not forget?
//!
//! Beside the server's state, in the same folder: `known_servers` has the keys that were agreed on, and transfers have their
//! journal. The folder is made when something is kept for the first time.

use std::path::{Path, PathBuf};

use carrack_daemon::state;
use carrack_ftp_client::known::KnownServers;

use crate::exit::Failure;

/// The file of remembered keys.
const KNOWN_SERVERS: &str = "known_servers";

/// The state folder, whether it is there or not.
#[derive(Debug, Clone)]
pub(crate) struct State {
    folder: Option<PathBuf>,
}

impl State {
    /// The folder that was named, or the standard one.
    pub(crate) fn new(named: Option<&Path>) -> State {
        State { folder: named.map(Path::to_owned).or_else(state::standard_folder) }
    }

    /// Makes it, if need be.
    pub(crate) fn make(&self) -> Result<PathBuf, Failure> {
        state::make_folder(self.path()?).map_err(Failure::failed)
    }

    /// The keys that are remembered; none where no folder could hold them.
    pub(crate) fn known_servers(&self) -> Result<KnownServers, Failure> {
        let file = match &self.folder {
            Some(folder) => folder.join(KNOWN_SERVERS),
            None => PathBuf::from("/dev/null"),
        };
        KnownServers::open(&file).map_err(Failure::failed)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Result<&Path, Failure> {
        self.folder.as_deref().ok_or_else(|| {
            Failure::usage("neither XDG_STATE_HOME nor HOME is set; name the state folder with --state DIR")
        })
    }
}
