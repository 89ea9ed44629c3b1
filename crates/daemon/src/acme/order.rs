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
use super::error::AcmeError;
use crate::config::{Acme, AcmeCertificate};

/// How the ACME server is asked whether it has come to an end: soon at first, ever less often, for five minutes.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(300));

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
        let mut shown = Vec::new();
        let outcome = self.fulfil(&mut order, &mut shown).await;
        for shown in &shown {
            if let Err(error) = self.answers.hide(shown).await {
                tracing::warn!(target: "carrack", why = %error, mend = error.mend(), "acme_cleanup_failed");
            }
        }
        outcome
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
            shown.push(self.answers.show(&name, &challenge.token, &key).await?);
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
