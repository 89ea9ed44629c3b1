//! Whose client certificates does a running server accept, when the files of their authorities and revocation lists change?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carrack_tls::AcceptedClients;
use tokio::sync::Notify;

use crate::config::{Config, client_trust};
use crate::identities::Stamp;

/// How often the files are looked at. A list that revokes somebody is in force a minute after it was written.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Keeps what is accepted up to date with what lies on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    config: Arc<Config>,
    accepted: Arc<AcceptedClients>,
    files: Vec<PathBuf>,
    /// What the files were like when they were last read.
    read: Stamp,
}

/// Looks after it for as long as it is polled: every minute, and whenever `asked`.
pub(crate) async fn keep(mut keeper: Keeper, asked: Arc<Notify>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        let must = tokio::select! {
            _ = every.tick() => false,
            () = asked.notified() => true,
        };
        let looked = tokio::task::spawn_blocking(move || {
            if must || keeper.has_changed() {
                keeper.renew();
            }
            keeper
        });
        match looked.await {
            Ok(back) => keeper = back,
            Err(_) => return,
        }
    }
}

impl Keeper {
    /// One for what was read from the files a moment ago.
    pub(crate) fn new(config: Arc<Config>, accepted: Arc<AcceptedClients>) -> Keeper {
        let tls = config.tls.iter();
        let files: Vec<PathBuf> = tls.flat_map(|tls| tls.client_ca.iter().chain(&tls.crl)).cloned().collect();
        let read = Stamp::of(&files);
        Keeper { config, accepted, files, read }
    }

    fn has_changed(&self) -> bool {
        Stamp::of(&self.files) != self.read
    }

    /// Reads authorities and lists. Where something is of no use it is told, once for each state of the files, and all the old
    /// ones stay.
    fn renew(&mut self) {
        // Before they are read: what changes meanwhile is seen at the next look.
        self.read = Stamp::of(&self.files);
        match client_trust(&self.config) {
            Ok(trust) => {
                self.accepted.replace(trust);
                tracing::info!(target: "carrack", "client_trust_replaced");
            }
            Err((_, why, _)) => {
                tracing::error!(target: "carrack", why, kept = "the authorities and lists in use", "client_trust_refused");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CHAIN: &[u8] = include_bytes!("../../tls/src/identity/fixtures/staple/chain.pem");

    #[test]
    fn files_that_change_are_read_once_and_those_that_are_of_no_use_leave_what_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), CHAIN).unwrap();
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let text = format!(
            "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\nclient_certificate = \"optional\"\n\
             [tls]\nclient_ca = \"ca.pem\"\n[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \".\"\n"
        );
        let checked = crate::config::parse(&text, dir.path()).unwrap();
        let accepted = Arc::new(AcceptedClients::new(checked.client_trust.unwrap()));
        let mut keeper = Keeper::new(Arc::new(checked.config), Arc::clone(&accepted));
        assert!(!keeper.has_changed());
        let before = accepted.current();
        fs::write(dir.path().join("ca.pem"), b"no certificate").unwrap();
        assert!(keeper.has_changed());
        keeper.renew();
        assert!(!keeper.has_changed(), "it is told once");
        assert!(Arc::ptr_eq(&before, &accepted.current()));
        fs::write(dir.path().join("ca.pem"), CHAIN).unwrap();
        assert!(keeper.has_changed());
        keeper.renew();
        assert!(!Arc::ptr_eq(&before, &accepted.current()));
    }
}
