//! Which identities does a running server show, and what becomes of their files when they change?
//!
//! ```text
//!  a minute has passed, SIGHUP, a certificate was issued ─► Keeper ─ stamp, load ─► Identities (what new connections are shown)
//!                                   └───── age ─────────► certificate_ends, certificate_expired, staple_expired
//! ```

mod age;
mod files;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use carrack_tls::{Identities, Identity, Set};
use tokio::sync::Notify;

use crate::state::StateError;
use age::{Age, News};
pub(crate) use files::Files;
use files::Loaded;
pub(crate) use files::Stamp;
use source::Origin;
pub(crate) use source::Source;

/// How often files are looked at: a renewed certificate is in use a minute later, and a look is three system calls.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How often the server's own certificate is renewed where it has to be, should that fail.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Keeps what is shown up to date with what lies on the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    source: Source,
    shown: Arc<Identities>,
    /// One for each identity, in the same order.
    watched: Vec<Watched>,
    renewed: Instant,
}

/// What was seen and told of one identity.
#[derive(Debug, Default)]
struct Watched {
    age: Age,
    /// What its files were like when all was done and said about them; `None` before the first look.
    settled: Option<Stamp>,
    /// What they were like at the last look, when they could not be used.
    doubtful: Option<Stamp>,
}

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It is time: what is half written is given until the next look.
    Routine,
    /// The administrator said so, and wants to hear what came of it.
    Asked,
}

/// What makes a keeper look at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// The administrator says so.
    pub(crate) asked: Arc<Notify>,
    /// An authority has issued a certificate.
    pub(crate) issued: Arc<Notify>,
}

/// Looks after the identities for as long as it is polled: now, every minute, and at every call.
pub(crate) async fn keep(mut keeper: Keeper, calls: Calls) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        let occasion = tokio::select! {
            _ = every.tick() => Occasion::Routine,
            () = calls.asked.notified() => Occasion::Asked,
            () = calls.issued.notified() => Occasion::Routine,
        };
        let looked = tokio::task::spawn_blocking(move || {
            keeper.look(occasion, SystemTime::now());
            keeper
        });
        match looked.await {
            Ok(back) => keeper = back,
            Err(_) => return,
        }
    }
}

impl Keeper {
    /// One that shows `shown`, which `source` gave a moment ago.
    pub(crate) fn new(source: Source, shown: Arc<Identities>) -> Keeper {
        let count = shown.set().iter().count();
        let watched = std::iter::repeat_with(Watched::default).take(count).collect();
        Keeper { source, shown, watched, renewed: Instant::now() }
    }

    /// Loads what has changed, and tells what is to be told.
    fn look(&mut self, occasion: Occasion, now: SystemTime) {
        let before: Vec<Identity> = self.shown.set().iter().cloned().collect();
        let mut after = Vec::new();
        let renews = self.renewed.elapsed() >= RENEW_EVERY;
        if renews {
            self.renewed = Instant::now();
        }
        for (index, (identity, watched)) in before.iter().zip(&mut self.watched).enumerate() {
            let fresh = match self.source.origin(index) {
                Some(Origin::Configured(files)) => watched.look(files, identity, occasion),
                Some(Origin::Issued(files)) if files.are_there() => watched.look(files, identity, occasion),
                Some(Origin::Issued(_) | Origin::Own) | None => (renews || occasion == Occasion::Asked)
                    .then(|| own(self.source.own(), &self.source.name(index), identity, occasion))
                    .flatten(),
            };
            after.push(fresh.unwrap_or_else(|| identity.clone()));
        }
        for (index, (identity, watched)) in after.iter().zip(&mut self.watched).enumerate() {
            watched
                .age
                .news(identity, now)
                .into_iter()
                .for_each(|news| tell(news, identity, self.source.name(index)));
        }
        let mut after = after.into_iter();
        if let Some(default) = after.next() {
            self.shown.replace(Set { default, further: after.collect() });
        }
    }
}

impl Watched {
    /// Loads the files where they have changed. `None`: what is shown stays.
    ///
    /// Certificate, key and staple change one after the other, and a program may write them in place. So what cannot be used is
    /// given until the next look; if it is the same then, it is told, once.
    fn look(&mut self, files: &Files, shown: &Identity, occasion: Occasion) -> Option<Identity> {
        let stamp = files.stamp();
        if occasion == Occasion::Routine && self.settled.as_ref() == Some(&stamp) {
            return None;
        }
        let stands_still = occasion == Occasion::Asked || self.doubtful.as_ref() == Some(&stamp);
        let loaded = files.load(shown);
        let certificate = files.certificate.display().to_string();
        let is_right = matches!(&loaded, Ok(Loaded { staple: Ok(()), .. }));
        if stands_still {
            match &loaded {
                Ok(Loaded { staple: Ok(()), .. }) => {}
                Ok(Loaded { staple: Err(error), .. }) => {
                    tracing::warn!(target: "carrack", certificate, why = %error, "staple_refused");
                }
                Err(error) => refused(&certificate, error),
            }
        }
        if is_right || stands_still {
            (self.settled, self.doubtful) = (Some(stamp), None);
        } else {
            self.doubtful = Some(stamp);
        }
        let Loaded { identity, .. } = loaded.ok()?;
        told(&identity, shown, &certificate, occasion);
        Some(identity)
    }
}

/// The server's own identity, made anew where it had to be.
fn own(
    loaded: Result<Identity, StateError>,
    certificate: &str,
    shown: &Identity,
    occasion: Occasion,
) -> Option<Identity> {
    match loaded {
        Ok(identity) => {
            told(&identity, shown, certificate, occasion);
            Some(identity)
        }
        Err(error) => {
            refused(certificate, &error);
            None
        }
    }
}

/// Tells what an identity that was loaded brings.
fn told(identity: &Identity, shown: &Identity, certificate: &str, occasion: Occasion) {
    if identity.fingerprint() != shown.fingerprint() {
        let sha256 = identity.fingerprint();
        tracing::info!(target: "carrack", certificate, %sha256, "certificate_replaced");
    } else if identity.staple() != shown.staple() {
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

fn tell(news: News, identity: &Identity, certificate: String) {
    let first = identity.first_to_end();
    let subject = &first.subject;
    let end = first.not_after;
    match news {
        News::Ends(days) => {
            tracing::warn!(target: "carrack", certificate, subject, days, %end, "certificate_ends");
        }
        News::Ended => tracing::error!(target: "carrack", certificate, subject, %end, "certificate_expired"),
        News::StapleStale => {
            let until = identity.staple().map(|staple| staple.until().to_string());
            tracing::warn!(target: "carrack", certificate, until, "staple_expired");
        }
    }
}
