//! How does a server that root has started become the user that the configuration names?

use std::fs;
use std::io;

use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::config::{ServerProcess, SystemUser};

/// Why the server does not become that user.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Only root may.
    #[error(
        "server.user is {wanted}, and this process (uid {uid}) may become nobody else\n  mend: start it as root or as that user, or take the option out"
    )]
    NotRoot {
        /// As it was written.
        wanted: String,
        /// Who this is.
        uid: u32,
    },
    /// A thread would keep root's rights.
    #[error(
        "this process has threads already, which would keep root's rights: a defect of the server\n  mend: report it"
    )]
    Threads,
    /// The system says no.
    #[error(
        "this process cannot become {wanted}: {source}\n  mend: start it as that user, and take server.user out"
    )]
    System {
        /// As it was written.
        wanted: String,
        /// What it said.
        source: io::Error,
    },
}

/// Becomes the user that the configuration names, for good. Of root's rights the one to ports below 1024 stays, also for the server that
/// follows at an upgrade, and for reloads. Call it while there is one thread.
///
/// # Errors
/// This process may not, or there is more than one thread.
pub(super) fn take(wanted: &ServerProcess) -> Result<(), IdentityError> {
    let Some(user) = &wanted.user else { return Ok(()) };
    let group = wanted.group.as_ref().map(|group| group.number).or(user.group).unwrap_or(user.number);
    if geteuid().as_raw() == user.number && getegid().as_raw() == group {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(IdentityError::NotRoot { wanted: user.as_str().to_owned(), uid: geteuid().as_raw() });
    }
    // SECURITY: on Linux these rights belong to each thread.
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() != 1) {
        return Err(IdentityError::Threads);
    }
    let failed = |source| IdentityError::System { wanted: user.as_str().to_owned(), source };
    become_them(user, group).map_err(failed)
}

fn become_them(user: &SystemUser, group: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.number), Gid::from_raw(group));
    let groups: Vec<_> = user.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_keep_capabilities(true)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_keep_capabilities(false)?;
    let kept = capabilities(None)?.permitted & CapabilitySet::NET_BIND_SERVICE;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    if !kept.is_empty() {
        // Only for whoever is started from here; this process has it already.
        let _ = configure_capability_in_ambient_set(CapabilitySet::NET_BIND_SERVICE, true);
    }
    // SECURITY: there is no way back.
    if user.number != 0 && set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok() {
        return Err(io::Error::other("root's rights were not lost"));
    }
    Ok(())
}
