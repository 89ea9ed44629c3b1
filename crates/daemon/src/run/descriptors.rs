//! May this process have as many file descriptors as its sessions need?

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// File descriptors of one session with a transfer: control and data connection, its listener, the file.
const DESCRIPTORS_PER_SESSION: u64 = 4;

/// Takes as many file descriptors as this process may have, and says so where they are too few for the sessions allowed.
pub(super) fn raise_limit(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let available = if raised.is_ok() { limit.maximum } else { limit.current };
    let needed = u64::from(config.limits.sessions.0) * DESCRIPTORS_PER_SESSION;
    if let Some(available) = available.filter(|available| *available < needed) {
        tracing::debug!(
            target: "carrack",
            available,
            needed,
            mend = "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower limits.sessions",
            "few_file_descriptors"
        );
    }
}
