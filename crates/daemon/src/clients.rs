//! Whose client certificates does a running server accept, when the files of their authorities and revocation lists change?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use carrack_tls::AcceptedClients;
use tokio::sync::watch::Receiver;

use crate::config::{Config, client_trust};
use crate::watch::{self, Found, Occasion, Stamp, Watch};

/// Keeps what is accepted up to date with what lies on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The configuration whose files they are.
    config: Receiver<Arc<Config>>,
    accepted: Arc<AcceptedClients>,
    watch: Watch,
}

impl Keeper {
    /// One for what the check of the configuration has read from the files. The first look reads them again, as they may have changed
    /// meanwhile.
    pub(crate) fn new(config: Receiver<Arc<Config>>, accepted: Arc<AcceptedClients>) -> Keeper {
        Keeper { config, accepted, watch: Watch::default() }
    }
}

impl watch::Keeper for Keeper {
    const WHAT: &'static str = "client_ca and crl";

    /// Where something is of no use all the old ones stay.
    fn look(&mut self, occasion: Occasion, _: SystemTime) {
        let is_news = occasion == Occasion::Asked || !self.watch.is_new();
        let config = Arc::clone(&self.config.borrow());
        let Some(look) = self.watch.begin(Stamp::of(files(&config)), occasion) else { return };
        let found = match client_trust(&config) {
            Ok(trust) => {
                self.accepted.replace(trust);
                if is_news {
                    tracing::info!(target: "carrack", "client_trust_replaced");
                }
                Found::Right
            }
            Err((key, why, mend)) => {
                if look.tells() {
                    let kept = "the authorities and lists in use";
                    tracing::error!(target: "carrack", key, why, mend, kept, "client_trust_refused");
                }
                Found::Wrong
            }
        };
        self.watch.end(look, found);
    }
}

fn files(config: &Config) -> impl Iterator<Item = &PathBuf> {
    config.tls.iter().flat_map(|tls| tls.client_ca.iter().chain(&tls.crl))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::watch::said;

    const CHAIN: &[u8] = include_bytes!("../../tls/src/identity/fixtures/staple/chain.pem");

    /// A keeper over `ca.pem` in a folder.
    fn kept(dir: &Path) -> (Keeper, Arc<AcceptedClients>) {
        fs::write(dir.join("ca.pem"), CHAIN).unwrap();
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let text = format!(
            "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\nclient_certificate = \"optional\"\n\
             [tls]\nclient_ca = \"ca.pem\"\n[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \".\"\n"
        );
        let checked = crate::config::parse(&text, dir).unwrap();
        let accepted = Arc::new(AcceptedClients::new(checked.client_trust.unwrap()));
        let (_, config) = tokio::sync::watch::channel(Arc::new(checked.config));
        (Keeper::new(config, Arc::clone(&accepted)), accepted)
    }

    fn look(keeper: &mut Keeper, occasion: Occasion) -> Vec<String> {
        said(|| watch::Keeper::look(keeper, occasion, SystemTime::now()))
    }

    #[test]
    fn files_that_change_are_read_once_and_those_that_are_of_no_use_leave_what_was() {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, accepted) = kept(dir.path());
        assert_eq!(look(&mut keeper, Occasion::Routine), [""; 0]);
        let before = accepted.current();
        assert_eq!(look(&mut keeper, Occasion::Routine), [""; 0]);
        assert!(Arc::ptr_eq(&before, &accepted.current()));
        fs::write(dir.path().join("ca.pem"), b"no certificate").unwrap();
        assert_eq!(look(&mut keeper, Occasion::Routine), [""; 0], "it may be half written");
        let told = look(&mut keeper, Occasion::Routine);
        assert!(matches!(&told[..], [line] if line.contains("client_trust_refused")), "{told:?}");
        assert!(told[0].contains("\"key\":\"tls.client_ca\"") && told[0].contains("\"mend\":"), "{told:?}");
        assert_eq!(look(&mut keeper, Occasion::Routine), [""; 0], "it is told once");
        assert!(Arc::ptr_eq(&before, &accepted.current()));
        fs::write(dir.path().join("ca.pem"), CHAIN).unwrap();
        let told = look(&mut keeper, Occasion::Routine);
        assert!(matches!(&told[..], [line] if line.contains("client_trust_replaced")), "{told:?}");
        assert!(!Arc::ptr_eq(&before, &accepted.current()));
    }

    #[test]
    fn what_changed_between_the_check_and_the_first_look_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, accepted) = kept(dir.path());
        let before = accepted.current();
        assert_eq!(look(&mut keeper, Occasion::Routine), [""; 0]);
        assert!(!Arc::ptr_eq(&before, &accepted.current()));
    }
}
