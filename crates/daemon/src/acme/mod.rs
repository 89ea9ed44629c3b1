//! Certificates that are ordered and renewed by ACME (RFC 8555): what is there, what is due, and who is told?
//!
//! ```text
//!  [acme] ─► Acme::start ──┬─► Questions::serve       answers the authority (HTTP-01, TLS-ALPN-01)
//!            │             └─► Keeper ────► order ─► account · answer · web (HTTPS to the ACME server)
//!            └ files ─► acme/ in the state folder ◄──────┘ a certificate was issued
//! ```
//!
//! A certificate that is there is shown until the next one is whole, whatever goes wrong on the way.

mod account;
mod answer;
mod dns_hook;
mod error;
mod order;
mod schedule;
mod web;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use carrack_tls::{Authorities, Identity, WebTls};
use tokio::sync::Notify;

use crate::config::{self, AcmeCertificate};
use crate::run::{Handed, StartError};
use crate::sandbox::Programs;
use crate::state::{AcmeFolder, StateFolder};
use account::blocking;
use answer::Answers;
pub(crate) use answer::Questions;
use error::AcmeError;
use order::{Issued, Ordering};
use schedule::{Hurry, Plan, Spread};
use web::Web;

/// The longest sleep between two looks at the clock, which may be set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// The shortest, so that a certificate which ends at once does not keep a processor busy.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// The certificates of `[acme]`.
#[derive(Debug)]
pub(crate) struct Acme {
    settings: config::Acme,
    folder: Arc<AcmeFolder>,
    answers: Answers,
    web: Web,
    mended: Notify,
}

impl Acme {
    /// Opens what was kept, and listens for the authority's questions where it asks them at this machine. That listener is always
    /// there: a port that is taken is told at the start, not when the certificate ends.
    pub(crate) fn start(
        settings: &config::Acme,
        state: &StateFolder,
        handed: &mut Handed,
        programs: &Programs,
    ) -> Result<(Arc<Self>, Option<Questions>), StartError> {
        let web = Web::new(Arc::new(trusting(settings.ca.as_deref())?));
        let folder = Arc::new(state.acme()?);
        let (answers, questions) =
            Answers::new(settings, handed, programs).map_err(|source| StartError::Challenges {
                address: answer::address(settings).map(|address| address.to_string()).unwrap_or_default(),
                key: if settings.challenge == config::Challenge::Http01 {
                    "http_address"
                } else {
                    "tls_alpn_address"
                },
                source,
            })?;
        let acme = Self { settings: settings.clone(), folder, answers, web, mended: Notify::new() };
        Ok((Arc::new(acme), questions))
    }

    /// Says that whatever made orders fail is mended: they are tried again now, unless the authority asked for a pause or this is
    /// said too often.
    pub(crate) fn try_now(&self) {
        self.mended.notify_one();
    }

    fn directory(&self) -> &str {
        self.settings.directory.as_str()
    }

    fn plans(&self) -> Vec<Plan> {
        let plan = |certificate: &AcmeCertificate| {
            let name = first(certificate).unwrap_or_default();
            let names: Vec<_> = certificate.names.iter().map(config::OrderedName::as_str).collect();
            // What cannot be read is ordered anew; whoever loads it tells what it was.
            let kept = self.folder.identity_of(self.directory(), name).ok().flatten();
            let attempt = self.folder.attempt(self.directory(), name).ok().flatten();
            Plan::of(kept.as_ref(), &names, attempt, SystemTime::now())
        };
        self.settings.certificate.iter().map(plan).collect()
    }

    /// Orders one certificate now; says what is to be done next.
    async fn attempt(&self, certificate: &AcmeCertificate, plan: Plan) -> Plan {
        let name = first(certificate).unwrap_or_default().to_owned();
        tracing::info!(target: "carrack", name, directory = self.directory(), "acme_ordering");
        self.web.forget_pause();
        let outcome = self.order(certificate, &name).await;
        let asked = self.web.asked_pause();
        let plan = match &outcome {
            Ok(identity) => Plan::after_success(identity),
            Err(_) => plan.after_failure(asked, chance(), SystemTime::now()),
        };
        let (folder, directory, kept) = (Arc::clone(&self.folder), self.directory().to_owned(), name.clone());
        // A certificate that is there is there, whether this can be written or not.
        if let Err(error) = blocking(move || folder.keep_attempt(&directory, &kept, plan.attempt())).await {
            tracing::error!(target: "carrack", why = %error, "acme_state_failed");
        }
        // Told last: whoever has read it and calls is heard.
        let due_in_s = seconds_until(plan.due());
        match outcome {
            Ok(identity) => {
                let (sha256, not_after) = (identity.fingerprint(), identity.description().not_after);
                tracing::info!(target: "carrack", name, %sha256, %not_after, renewal_in_s = due_in_s, "acme_issued");
            }
            Err(error) => {
                let sooner = match asked {
                    Some(_) => "the authority asks for a pause",
                    None => "SIGHUP tries at once",
                };
                let (mend, failures) = (error.mend(), plan.failures());
                tracing::error!(
                    target: "carrack", name, why = %error, mend, failures, again_in_s = due_in_s, sooner, "acme_failed"
                );
            }
        }
        plan
    }

    async fn order(&self, certificate: &AcmeCertificate, name: &str) -> Result<Identity, AcmeError> {
        let account = account::open(&self.settings, &self.folder, self.web.clone()).await?;
        let ordering =
            Ordering { acme: &self.settings, account: &account, answers: &self.answers, certificate };
        let Issued { chain, key, identity } = ordering.run().await?;
        if Plan::after_success(&identity).due() <= SystemTime::now() {
            // Taken as a success it would be ordered again and again.
            let (from, until) = (identity.description().not_before, identity.description().not_after);
            let why = format!(
                "it is good from {from} to {until} and due to be renewed; is this machine's clock right?"
            );
            return Err(AcmeError::BadCertificate(why));
        }
        let (folder, directory, name) =
            (Arc::clone(&self.folder), self.directory().to_owned(), name.to_owned());
        blocking(move || folder.keep_identity(&directory, &name, &chain, &key)).await?;
        Ok(identity)
    }
}

/// Orders what is not there and renews what ends.
#[derive(Debug)]
struct Keeper {
    acme: Arc<Acme>,
    /// One for each certificate of the file.
    plans: Vec<Plan>,
    hurry: Hurry,
}

impl Keeper {
    /// Reads what is there.
    async fn new(acme: Arc<Acme>) -> Self {
        let reader = Arc::clone(&acme);
        let plans = tokio::task::spawn_blocking(move || reader.plans()).await.unwrap_or_default();
        Self { acme, plans, hurry: Hurry::default() }
    }

    /// Waits until a certificate was ordered and is there. Whatever fails is told in the log and tried again.
    async fn next(&mut self) {
        let acme = Arc::clone(&self.acme);
        loop {
            let now = SystemTime::now();
            self.plans.iter_mut().for_each(|plan| *plan = plan.believed(now));
            let due = self.plans.iter().position(|plan| plan.due() <= now);
            if let Some(index) = due
                && let (Some(plan), Some(certificate)) =
                    (self.plans.get(index).copied(), acme.settings.certificate.get(index))
            {
                let mut ordering = std::pin::pin!(acme.attempt(certificate, plan));
                let plan = loop {
                    // A call that comes meanwhile is about what has failed before, not about what fails in a moment.
                    tokio::select! {
                        biased;
                        () = acme.mended.notified() => self.hurry(Some(index)),
                        plan = &mut ordering => break plan,
                    }
                };
                self.plans.iter_mut().skip(index).take(1).for_each(|kept| *kept = plan);
                if plan.failures() == 0 {
                    return;
                }
                continue;
            }
            let next = self.plans.iter().map(|plan| plan.due()).min().unwrap_or(now + LOOK_EVERY);
            let pause = next.duration_since(now).unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(pause.clamp(LOOK_PAUSE, LOOK_EVERY)) => {}
                () = acme.mended.notified() => self.hurry(None),
            }
        }
    }

    /// Has what failed tried sooner, but for the one that is being ordered.
    fn hurry(&mut self, ordering: Option<usize>) {
        let certificates = self.acme.settings.certificate.iter();
        let plans = self.plans.iter_mut().zip(certificates).enumerate();
        let mut failed = plans
            .filter(|(index, (plan, _))| plan.failures() > 0 && ordering != Some(*index))
            .map(|(_, waiting)| waiting)
            .peekable();
        if failed.peek().is_none() {
            return;
        }
        let now = SystemTime::now();
        let moment = now + self.hurry.pause(Instant::now());
        for (plan, certificate) in failed {
            *plan = plan.hurried(moment);
            if plan.due() > now {
                let (name, again_in_s) = (first(certificate), seconds_until(plan.due()));
                let why = "the authority asks for a pause, or SIGHUP came too often";
                tracing::info!(target: "carrack", name, again_in_s, why, "acme_waits");
            }
        }
    }
}

/// Orders and renews certificates, and calls `issued` for each that is there.
pub(crate) async fn keep(acme: Arc<Acme>, issued: Arc<Notify>) {
    let mut keeper = Keeper::new(acme).await;
    loop {
        keeper.next().await;
        issued.notify_one();
    }
}

/// What speaks TLS to the ACME server, which these authorities vouch for; without them, the system's.
fn trusting(ca: Option<&Path>) -> Result<WebTls, StartError> {
    let authorities = match ca {
        // The error names the file itself.
        Some(ca) => {
            Authorities::load(ca).map_err(|error| StartError::AcmeTrust { why: error.to_string() })?
        }
        None => Authorities::Platform,
    };
    WebTls::new(authorities).map_err(|error| {
        let file = ca.map(|ca| format!("{}: ", ca.display())).unwrap_or_default();
        StartError::AcmeTrust { why: format!("{file}{error}") }
    })
}

/// The name by which a certificate is kept.
fn first(certificate: &AcmeCertificate) -> Option<&str> {
    certificate.names.first().map(config::OrderedName::as_str)
}

fn seconds_until(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::now()).unwrap_or_default().as_secs()
}

fn chance() -> Spread {
    let mut bytes = [0; 2];
    // Without randomness everybody comes at the same time; nothing depends on it here.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    Spread::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_of_the_acme_server_that_is_none_is_told_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        for text in ["nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&ca, text).unwrap();
            let error = trusting(Some(&ca)).unwrap_err().to_string();
            assert!(error.starts_with("nobody can vouch for the ACME server: "), "{error}");
            assert!(
                error.contains("ca.pem") && error.contains("\n  mend: ") && error.contains("acme.ca"),
                "{error}"
            );
        }
        assert!(trusting(None).is_ok());
    }
}
