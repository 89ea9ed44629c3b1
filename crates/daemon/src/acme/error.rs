//! Why was no certificate issued: who is at fault, and what is the mend?

use instant_acme::Problem;

use crate::state::StateError;

/// The longest text of an ACME server that is repeated, in characters: a problem document has no bound.
const SAID_CHARACTERS: usize = 600;

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    /// The ACME server cannot be asked, or its answer makes no sense.
    #[error("the ACME server {directory} cannot be asked {what}: {why}")]
    Unanswered {
        /// Which.
        directory: String,
        /// For what.
        what: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The ACME server said no (RFC 8555 §6.7).
    #[error("the ACME server refuses {what}: {said}")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// What it said.
        said: String,
        /// Its word for it.
        kind: Refusal,
    },
    /// The ACME server looked, and did not find what was to prove that the name is ours.
    #[error("the authority could not validate {name}: {said}")]
    NotValidated {
        /// The name.
        name: String,
        /// What it found.
        said: String,
        /// Its word for it.
        kind: Refusal,
    },
    /// The authority does not validate this name in the way that is set.
    #[error("the authority does not validate {name} by {challenge}; it offers {offered}")]
    NotOffered {
        /// The name.
        name: String,
        /// What is set.
        challenge: String,
        /// What there is.
        offered: String,
    },
    /// The ACME server asks for something that nobody ordered.
    #[error("the ACME server is at fault: {0}")]
    Strange(String),
    /// The program that puts records into the DNS.
    #[error("the program of dns_hook did not {word} the record {record}: {why}")]
    Hook {
        /// `present` or `cleanup`.
        word: &'static str,
        /// The record's name.
        record: String,
        /// How it failed.
        why: String,
    },
    /// The challenge cannot be shown, or the request cannot be made.
    #[error("{0}")]
    NotMade(String),
    /// What came is no certificate for what was ordered.
    #[error("the certificate that the ACME server gave is of no use: {0}")]
    BadCertificate(String),
    /// The state folder.
    #[error("{0}")]
    State(#[from] StateError),
    /// It took too long.
    #[error("the order was not fulfilled within {0} minutes")]
    TimeOut(u64),
}

/// The words of RFC 8555 §6.7 that have a mend of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    RateLimited,
    NoAccount,
    ExternalAccount,
    UserAction,
    Name,
    Caa,
    Connection,
    Dns,
    Unauthorized,
    Tls,
    Other,
}

impl Refusal {
    fn of(problem: &Problem) -> Self {
        let word = problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default();
        match word {
            "rateLimited" => Self::RateLimited,
            "accountDoesNotExist" => Self::NoAccount,
            "externalAccountRequired" => Self::ExternalAccount,
            "userActionRequired" => Self::UserAction,
            "rejectedIdentifier" | "unsupportedIdentifier" => Self::Name,
            "caa" => Self::Caa,
            "connection" => Self::Connection,
            "dns" => Self::Dns,
            "unauthorized" | "incorrectResponse" => Self::Unauthorized,
            "tls" => Self::Tls,
            _ => Self::Other,
        }
    }

    fn mend(self) -> &'static str {
        match self {
            Self::RateLimited => "nothing: it is tried again when the authority allows it",
            Self::NoAccount => {
                "the authority has lost the account; move acme/account-*.json out of the state folder, and a new one is made"
            }
            Self::ExternalAccount => "set eab_kid and eab_key_file to what the authority gave you",
            Self::UserAction => "read what the authority asks for, and do it",
            Self::Name => "ask this authority only for names that it certifies",
            Self::Caa => "let the CAA record of the domain name this authority",
            Self::Connection => {
                "let the name lead to this machine, and port 80 (http-01) or 443 (tls-alpn-01) to the address in [acme]"
            }
            Self::Dns => "mend the domain's DNS records",
            Self::Unauthorized => {
                "let the name lead to this server and to no other; for dns-01, let the hook return only once the record is seen"
            }
            Self::Tls => "let port 443 lead to tls_alpn_address without TLS being ended on the way",
            Self::Other => "see what the authority said",
        }
    }
}

impl AcmeError {
    /// The error of a request for `what`.
    pub(super) fn asking(directory: &str, what: &'static str) -> impl Fn(instant_acme::Error) -> Self {
        move |error| match error {
            instant_acme::Error::Api(problem) => {
                Self::Refused { what, said: said(&problem), kind: Refusal::of(&problem) }
            }
            other => {
                Self::Unanswered { directory: directory.to_owned(), what, why: short(&other.to_string()) }
            }
        }
    }

    /// A name was not validated.
    pub(super) fn not_validated(name: String, problem: &Problem) -> Self {
        Self::NotValidated { name, said: said(problem), kind: Refusal::of(problem) }
    }

    /// What is to be done about it.
    pub(crate) fn mend(&self) -> &'static str {
        match self {
            Self::Unanswered { .. } => {
                "see that this machine reaches it, and that `directory` and `ca` in [acme] are right"
            }
            Self::Refused { kind, .. } | Self::NotValidated { kind, .. } => kind.mend(),
            Self::NotOffered { .. } => "set `challenge` in [acme] to one that is offered",
            Self::Strange(_) | Self::BadCertificate(_) => "ask those who run the ACME server",
            Self::Hook { .. } => "run the program by hand, and mend it",
            Self::NotMade(_) => "see the names in [[acme.certificate]]",
            // The error says it itself.
            Self::State(_) => "see there",
            Self::TimeOut(_) => "nothing: it is tried again",
        }
    }
}

/// What a problem document says, on one line and not without end.
fn said(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().unwrap_or("no reason given");
    let kind = problem.r#type.as_deref().unwrap_or("about:blank");
    let mut text = format!("{detail} ({kind})");
    for sub in &problem.subproblems {
        text.push_str(&format!("; {sub}"));
    }
    short(&text)
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(SAID_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_authority_said_is_repeated_with_a_mend() {
        let problem = |kind: &str, detail: &str| Problem {
            r#type: Some(format!("urn:ietf:params:acme:error:{kind}")),
            detail: Some(detail.to_owned()),
            status: Some(429),
            subproblems: Vec::new(),
        };
        let limited = problem("rateLimited", "too many\ncertificates");
        let error = AcmeError::asking("https://acme.example/", "for an order")(limited.into());
        assert!(error.to_string().contains("too many certificates"), "{error}");
        assert!(error.mend().contains("tried again"), "{}", error.mend());
        let error = AcmeError::not_validated("a.example".to_owned(), &problem("caa", &"x".repeat(5000)));
        assert!(error.to_string().len() < 800 && error.mend().contains("CAA"), "{error}");
        let error = AcmeError::asking("https://acme.example/", "for an order")(instant_acme::Error::Crypto);
        assert!(
            error
                .to_string()
                .starts_with("the ACME server https://acme.example/ cannot be asked for an order")
        );
    }
}
