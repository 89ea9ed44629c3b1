//! Which identities does a running server show, and what becomes of their files when they change?
//!
//! ```text
//!  a minute has passed, SIGHUP, a certificate was issued ─► Keeper ─ stamp, load ─► Shown (what new connections are shown)
//!                                   └───── age ─────────► certificate_ends, certificate_expired, staple_expired
//! ```

mod age;
mod files;
mod shown;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use carrack_tls::{Identity, Set, TlsPolicy};

use crate::run::StartError;
use crate::watch::{self, Found, Occasion, Watch};
use age::{Age, News};
use files::Loaded;
pub(crate) use shown::{Named, Shown, Turn};
pub(crate) use source::Source;
use source::{Origin, Own, Unusable};

/// How often the server's own certificate is renewed where it has to be, should that fail.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Keeps what is shown up to date with what lies on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Those that the configuration names or orders, the default's first.
    entries: Vec<Entry>,
    own: Own,
    /// The server's own, while there is no other.
    stand_in: Option<StandIn>,
    /// What the listeners speak: each of them must be able to show whatever there is.
    policies: Vec<TlsPolicy>,
    shown: Arc<Shown>,
    turn: Turn,
}

/// What a keeper begins with.
struct Parts {
    entries: Vec<Entry>,
    own: Own,
    stand_in: Option<StandIn>,
    /// What of it is shown first, and what besides.
    default: Named,
    further: Vec<Named>,
}

/// An identity of the configuration.
#[derive(Debug)]
struct Entry {
    origin: Origin,
    /// What is shown of it; `None` while it is pending.
    identity: Option<Identity>,
    watch: Watch,
    age: Age,
}

/// The server's own identity, while it is shown.
#[derive(Debug)]
struct StandIn {
    identity: Identity,
    age: Age,
    renewed: Instant,
}

impl Keeper {
    /// One that shows what `source` has now. `configured` are those of the files that the configuration names, which its check has
    /// loaded; `policies` are what listeners speak.
    ///
    /// # Errors
    /// The server's own is needed, and cannot be read or made; or no listener could show what an authority has issued.
    pub(crate) fn start(
        source: Source,
        configured: Option<Set>,
        policies: Vec<TlsPolicy>,
    ) -> Result<Keeper, StartError> {
        let Parts { entries, own, stand_in, default, further } = Self::load(source, configured, &policies)?;
        let shown = Arc::new(Shown::new(default, further));
        Ok(Keeper { entries, own, stand_in, policies, shown, turn: Turn::default() })
    }

    /// One of another configuration. Nothing of it is shown before it [takes over](Keeper::take_over).
    ///
    /// # Errors
    /// As [`Keeper::start`].
    pub(crate) fn next(
        shown: &Arc<Shown>,
        source: Source,
        configured: Option<Set>,
        policies: Vec<TlsPolicy>,
    ) -> Result<Keeper, StartError> {
        let Parts { entries, own, stand_in, .. } = Self::load(source, configured, &policies)?;
        let (shown, turn) = (Arc::clone(shown), shown.turn().next());
        Ok(Keeper { entries, own, stand_in, policies, shown, turn })
    }

    fn load(source: Source, configured: Option<Set>, policies: &[TlsPolicy]) -> Result<Parts, StartError> {
        let mut configured =
            configured.into_iter().flat_map(|set| std::iter::once(set.default).chain(set.further));
        let (origins, own) = source.into_parts();
        let mut entries = Vec::new();
        for origin in origins {
            let identity = match &origin {
                Origin::Configured(_) => configured.next(),
                Origin::Issued { .. } => issued(&origin, policies)?,
            };
            entries.push(Entry { origin, identity, watch: Watch::default(), age: Age::default() });
        }
        let mut there = entries.iter().filter_map(Entry::named);
        let (default, stand_in) = match there.next() {
            Some(default) => (default, None),
            None => {
                let stand_in =
                    StandIn { identity: own.load()?, age: Age::default(), renewed: Instant::now() };
                (stand_in.named(&own), Some(stand_in))
            }
        };
        let further = there.collect();
        Ok(Parts { entries, own, stand_in, default, further })
    }

    /// Shows what it has, and tells what of it is new. From now on the keepers before it change nothing.
    pub(crate) fn take_over(&self) {
        let before = self.shown.named();
        self.show();
        for Named { file, identity } in self.shown.named().iter() {
            let before = before.iter().find(|before| before.file == *file).map(|before| &before.identity);
            told(identity, before, file, Occasion::Asked);
        }
    }

    fn show(&self) {
        let mut there = self.entries.iter().filter_map(Entry::named);
        let stand_in = || self.stand_in.as_ref().map(|stand_in| stand_in.named(&self.own));
        if let Some(default) = there.next().or_else(stand_in) {
            self.shown.replace(self.turn, default, there.collect());
        }
    }

    /// What is shown.
    pub(crate) fn shown(&self) -> &Arc<Shown> {
        &self.shown
    }

    /// The file of the certificate that clients have to trust, where the server has made it itself for want of any other in the
    /// configuration.
    pub(crate) fn own_certificate(&self) -> Option<std::path::PathBuf> {
        self.entries.is_empty().then(|| self.own.file())
    }
}

impl watch::Keeper for Keeper {
    const WHAT: &'static str = "certificates, keys and staples";

    fn look(&mut self, occasion: Occasion, now: SystemTime) {
        for entry in &mut self.entries {
            entry.look(&self.policies, occasion);
        }
        if self.entries.iter().any(|entry| entry.identity.is_some()) {
            self.stand_in = None;
        } else if let Some(stand_in) = &mut self.stand_in {
            stand_in.look(&self.own, occasion);
        }
        self.show();
        for entry in &mut self.entries {
            let Entry { origin, identity, age, .. } = entry;
            if let Some(identity) = identity {
                tell(age.news(identity, now), identity, &origin.file().display().to_string());
            }
        }
        if let Some(StandIn { identity, age, .. }) = &mut self.stand_in {
            tell(age.news(identity, now), identity, &self.own.file().display().to_string());
        }
    }
}

impl Entry {
    fn named(&self) -> Option<Named> {
        let identity = self.identity.clone()?;
        Some(Named { file: self.origin.file().display().to_string(), identity })
    }

    /// Loads the files where they have changed. Where they are of no use, or gone, what is shown stays.
    fn look(&mut self, policies: &[TlsPolicy], occasion: Occasion) {
        let Some(look) = self.watch.begin(self.origin.stamp(), occasion) else { return };
        let loaded = self.origin.load(self.identity.as_ref()).and_then(|loaded| {
            loaded.as_ref().map_or(Ok(()), |loaded| serves(policies, &loaded.identity))?;
            Ok(loaded)
        });
        let certificate = self.origin.file().display().to_string();
        let found = match &loaded {
            Ok(None | Some(Loaded { staple: Ok(()), .. })) => Found::Right,
            Ok(Some(Loaded { staple: Err(error), .. })) => {
                if look.tells() {
                    tracing::warn!(target: "carrack", certificate, why = %error, "staple_refused");
                }
                Found::Wrong
            }
            Err(error) => {
                if look.tells() {
                    refused(&certificate, error);
                }
                Found::Wrong
            }
        };
        self.watch.end(look, found);
        if let Ok(Some(Loaded { identity, .. })) = loaded {
            told(&identity, self.identity.as_ref(), &certificate, occasion);
            self.identity = Some(identity);
        }
    }
}

impl StandIn {
    fn named(&self, own: &Own) -> Named {
        Named { file: own.file().display().to_string(), identity: self.identity.clone() }
    }

    /// Makes it anew where it has to be.
    fn look(&mut self, own: &Own, occasion: Occasion) {
        if occasion == Occasion::Routine && self.renewed.elapsed() < RENEW_EVERY {
            return;
        }
        self.renewed = Instant::now();
        let certificate = own.file().display().to_string();
        match own.load() {
            Ok(identity) => {
                told(&identity, Some(&self.identity), &certificate, occasion);
                self.identity = identity;
            }
            Err(error) => refused(&certificate, &error),
        }
    }
}

/// What an authority has issued before this start; `None` where it is pending.
fn issued(origin: &Origin, policies: &[TlsPolicy]) -> Result<Option<Identity>, StartError> {
    let file = origin.file().display();
    let identity = match origin.load(None) {
        Ok(loaded) => loaded.map(|loaded| loaded.identity),
        Err(error) => {
            // It is ordered anew.
            tracing::error!(target: "carrack", why = %error, "acme_state_failed");
            None
        }
    };
    if let Some(identity) = &identity {
        serves(policies, identity).map_err(|why| {
            StartError::Tls(format!(
                "{file}: {why}; or move the file away: another is ordered with acme.key_type"
            ))
        })?;
    }
    Ok(identity)
}

/// Whether every listener can show it.
fn serves(policies: &[TlsPolicy], identity: &Identity) -> Result<(), Unusable> {
    Ok(policies.iter().try_for_each(|policy| policy.serves(identity))?)
}

/// Tells what an identity that was loaded brings.
fn told(identity: &Identity, shown: Option<&Identity>, certificate: &str, occasion: Occasion) {
    let Some(shown) = shown.filter(|shown| shown.fingerprint() == identity.fingerprint()) else {
        let sha256 = identity.fingerprint();
        tracing::info!(target: "carrack", certificate, %sha256, "certificate_replaced");
        return;
    };
    if identity.staple() != shown.staple() {
        let until = identity.staple().map(|staple| staple.until().to_string());
        tracing::info!(target: "carrack", certificate, until, "staple_replaced");
    } else if occasion == Occasion::Asked {
        tracing::info!(target: "carrack", certificate, "certificate_unchanged");
    }
}

fn refused(certificate: &str, error: &dyn std::error::Error) {
    let kept = "the certificate in use";
    tracing::error!(target: "carrack", certificate, why = %error, kept, "certificate_refused");
}

fn tell(news: Vec<News>, identity: &Identity, certificate: &str) {
    let first = identity.first_to_end();
    let (subject, end) = (&first.subject, first.not_after);
    for news in news {
        match news {
            News::Ends(days) => {
                tracing::warn!(target: "carrack", certificate, subject, days, %end, "certificate_ends");
            }
            News::Ended => {
                tracing::error!(target: "carrack", certificate, subject, %end, "certificate_expired")
            }
            News::StapleStale => {
                let until = identity.staple().map(|staple| staple.until().to_string());
                tracing::warn!(target: "carrack", certificate, until, "staple_expired");
            }
        }
    }
}
