//! How does one order become a certificate (RFC 8555 §7.4)?

use std::time::Duration;

use carrack_tls::Identity;
use carrack_tls::issue::{PrivateKey, Profile, Purpose};
use instant_acme::{
    Account, AuthorizationStatus, Challenge, ChallengeType, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use zeroize::Zeroizing;

use super::answer::{Answers, Shown};
use super::dns_hook::HOOK_TIME;
use super::error::AcmeError;
use crate::config::{Acme, AcmeCertificate};

/// How long the ACME server is asked whether it has come to an end.
const PATIENCE_TIME: Duration = Duration::from_secs(300);

/// How it is asked: soon at first, ever less often.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(PATIENCE_TIME);

/// How long an order may take beside what each of its names takes: the authority's own work, and our key.
const ORDER_TIME: Duration = Duration::from_secs(30 * 60);

/// How long each name may take: the program that shows it, and a few questions to the ACME server.
const NAME_TIME: Duration = HOOK_TIME.saturating_add(Duration::from_secs(5 * 60));

/// A chain that was issued, with its key.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: Zeroizing<String>,
    pub(super) identity: Identity,
}

/// What an order needs.
pub(super) struct Ordering<'a> {
    pub(super) acme: &'a Acme,
    pub(super) account: &'a Account,
    pub(super) answers: &'a Answers,
    pub(super) certificate: &'a AcmeCertificate,
}

impl Ordering<'_> {
    /// Orders the certificate, proves the names, and takes away again what was shown for that.
    pub(super) async fn run(&self) -> Result<Issued, AcmeError> {
        let names = self.certificate.names.iter();
        let identifiers: Vec<_> = names.map(|name| Identifier::Dns(name.as_str().to_owned())).collect();
        let order = self.account.new_order(&NewOrder::new(&identifiers)).await;
        let mut order = order.map_err(self.asking("for an order"))?;
        let limit = limit(self.certificate.names.len());
        while_shown(self.answers, limit, async |shown| self.fulfil(&mut order, shown).await).await
    }

    async fn fulfil(&self, order: &mut Order, shown: &mut Vec<Shown>) -> Result<Issued, AcmeError> {
        self.prove(order, shown).await?;
        let status = order.poll_ready(&PATIENCE).await;
        if let Ok(OrderStatus::Ready) = status {
            return self.finalize(order).await;
        }
        // The order says that it failed; which name it was and why, only the authorization says.
        Err(match (self.refusal(order).await, status) {
            (Some(refusal), _) => refusal,
            (None, Err(error)) => self.asking("to validate the names")(error),
            (None, Ok(_)) => AcmeError::Strange("the order is invalid, and nothing says why".to_owned()),
        })
    }

    /// Shows what proves each name that is not proved yet, and says so.
    async fn prove(&self, order: &mut Order, shown: &mut Vec<Shown>) -> Result<(), AcmeError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(self.asking("what proves a name"))?;
            let name = match authorization.identifier().identifier {
                Identifier::Dns(name) => name.to_ascii_lowercase(),
                other => return Err(AcmeError::Strange(format!("it asks for {other:?}"))),
            };
            // SECURITY: the name goes to a program; it must be one that the operator wrote down.
            if !self.certificate.names.iter().any(|ordered| ordered.validated() == name) {
                return Err(AcmeError::Strange(format!("it asks for {name:?}, which nobody ordered")));
            }
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                other => {
                    return Err(AcmeError::Strange(format!("a new authorization for {name} is {other:?}")));
                }
            }
            let offered = offered(&authorization.challenges);
            let mut challenge =
                authorization.challenge(self.answers.kind()).ok_or_else(|| AcmeError::NotOffered {
                    name: name.clone(),
                    challenge: self.acme.challenge.to_string(),
                    offered,
                })?;
            let key = challenge.key_authorization();
            self.answers.show(Shown::new(&name, &challenge.token, key.as_str())?, shown).await?;
            challenge.set_ready().await.map_err(self.asking("to validate a name"))?;
        }
        Ok(())
    }

    async fn refusal(&self, order: &mut Order) -> Option<AcmeError> {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let Ok(state) = authorization.refresh().await else { continue };
            let name = state.identifier().to_string();
            if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
                return Some(AcmeError::not_validated(name, problem));
            }
        }
        None
    }

    async fn finalize(&self, order: &mut Order) -> Result<Issued, AcmeError> {
        let not_made = |error: &dyn std::fmt::Display| AcmeError::NotMade(error.to_string());
        let names = self.certificate.names.iter().map(|name| name.as_str().parse());
        let profile = Profile {
            subject: None,
            names: names.collect::<Result<_, _>>().map_err(|error| not_made(&error))?,
            purpose: Purpose::Server,
            days: None,
        };
        // A new key each time: one that has leaked unnoticed is of use no longer than its certificate.
        let kind = self.acme.key_type.into();
        let key = tokio::task::spawn_blocking(move || PrivateKey::generate(kind)).await;
        let key = key.map_err(|error| not_made(&error))?.map_err(|error| not_made(&error))?;
        let request = profile.request_der(&key).map_err(|error| not_made(&error))?;
        order.finalize_csr(&request).await.map_err(self.asking("to issue the certificate"))?;
        let chain = order.poll_certificate(&PATIENCE).await.map_err(self.asking("for the certificate"))?;
        let key = key.to_pem(None).map_err(|error| not_made(&error))?;
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes())
            .map_err(|error| AcmeError::BadCertificate(error.to_string()))?;
        let lacks =
            |name: &&crate::config::OrderedName| !identity.names().iter().any(|has| has == name.as_str());
        if let Some(name) = self.certificate.names.iter().find(lacks) {
            return Err(AcmeError::BadCertificate(format!("it does not stand for {}", name.as_str())));
        }
        Ok(Issued { chain, key, identity })
    }

    fn asking(&self, what: &'static str) -> impl Fn(instant_acme::Error) -> AcmeError {
        AcmeError::asking(self.acme.directory.as_str(), what)
    }
}

/// How long an order for so many names may take.
fn limit(names: usize) -> Duration {
    NAME_TIME.saturating_mul(u32::try_from(names).unwrap_or(u32::MAX)).saturating_add(ORDER_TIME)
}

/// Does `work` within that time, and takes away again what it has shown, however it ends.
async fn while_shown<T>(
    answers: &Answers,
    limit: Duration,
    work: impl AsyncFnOnce(&mut Vec<Shown>) -> Result<T, AcmeError>,
) -> Result<T, AcmeError> {
    let mut shown = Vec::new();
    let outcome = tokio::time::timeout(limit, work(&mut shown)).await;
    for shown in &shown {
        if let Err(error) = answers.hide(shown).await {
            tracing::warn!(target: "carrack", why = %error, mend = error.mend(), "acme_cleanup_failed");
        }
    }
    outcome.unwrap_or(Err(AcmeError::TimeOut(limit.as_secs() / 60)))
}

fn offered(challenges: &[Challenge]) -> String {
    let word = |challenge: &Challenge| match &challenge.r#type {
        ChallengeType::Http01 => "http-01".to_owned(),
        ChallengeType::TlsAlpn01 => "tls-alpn-01".to_owned(),
        ChallengeType::Dns01 => "dns-01".to_owned(),
        ChallengeType::Unknown(other) => super::error::short(other),
        _ => "others".to_owned(),
    };
    challenges.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::dns_hook::DnsHook;

    #[tokio::test]
    async fn what_was_shown_is_taken_away_however_the_order_ends() {
        let dir = tempfile::tempdir().unwrap();
        let told = dir.path().join("told");
        // It hangs when it shows the second name: nobody knows how far it came.
        let script = format!(
            "echo $1 $2 >> '{}'; case $1$2 in present*.b.example) exec tail -f /dev/null ;; esac",
            told.display()
        );
        let answers = Answers::Dns(DnsHook::of_words(&["/bin/sh", "-c", &script, "hook"]));
        let outcome: Result<(), _> = while_shown(&answers, Duration::from_millis(500), async |shown| {
            answers.show(Shown::new("a.example", "token", "key")?, shown).await?;
            answers.show(Shown::new("b.example", "token", "key")?, shown).await
        })
        .await;
        assert!(matches!(outcome, Err(AcmeError::TimeOut(0))), "{outcome:?}");
        let told = std::fs::read_to_string(told).unwrap();
        let cleaned: Vec<_> = told.lines().filter(|line| line.starts_with("cleanup ")).collect();
        assert_eq!(cleaned, ["cleanup _acme-challenge.a.example", "cleanup _acme-challenge.b.example"]);
    }

    #[test]
    fn the_limit_leaves_every_name_the_time_of_its_program() {
        for names in [1, 2, 100] {
            assert!(limit(names) > HOOK_TIME * u32::try_from(names).unwrap() + PATIENCE_TIME * 2);
        }
    }
}
