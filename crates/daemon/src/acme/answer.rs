//! How is an authority shown that a name is ours: by HTTP, by TLS, or through the DNS?

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use carrack_net::Listener;
use carrack_tls::Sha256Fingerprint;
use carrack_tls::challenge::ChallengeTls;
use hyper::StatusCode;
use instant_acme::ChallengeType;

use super::dns_hook::DnsHook;
use super::error::AcmeError;
use crate::config::{Acme, Challenge};
use crate::http::{self, Answer};
use crate::places;
use crate::run::Handed;
use crate::sandbox::{Programs, Purpose};

/// Where the authority asks (RFC 8555 §8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// The longest token that is taken. They have some 43 characters; the path of a request has to hold one.
const TOKEN_BYTES: usize = 256;

/// For the handshake of a validator. SECURITY: one that says nothing holds a place no longer than this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// What answers to challenges.
#[derive(Debug)]
pub(super) enum Answers {
    Http(Tokens),
    TlsAlpn(Arc<ChallengeTls>),
    Dns(DnsHook),
}

/// Key authorizations by their tokens.
type Tokens = Arc<Mutex<HashMap<String, String>>>;

/// Something that is shown to the authority.
#[derive(Debug)]
pub(super) struct Shown {
    name: String,
    token: String,
    /// RFC 8555 §8.1.
    key_authorization: String,
}

/// A listener for the authority's questions.
pub(crate) struct Questions {
    listener: Listener,
    kind: Kind,
}

enum Kind {
    Http(Tokens),
    TlsAlpn(Arc<ChallengeTls>),
}

/// Where questions come in, where they come in at this machine: the address in the file, or the port that authorities ask at.
pub(super) fn address(acme: &Acme) -> Option<SocketAddr> {
    acme.asked_at().map(|(_, address)| address)
}

impl Shown {
    /// What proves `name`.
    ///
    /// # Errors
    /// The token is none.
    pub(super) fn new(name: &str, token: &str, key_authorization: &str) -> Result<Self, AcmeError> {
        // SECURITY: RFC 8555 §8.1: base64url and nothing else, so that no token leads anywhere.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if token.is_empty() || token.len() > TOKEN_BYTES || !token.bytes().all(is_token) {
            return Err(AcmeError::Strange("its token is not base64url".to_owned()));
        }
        let (name, token) = (name.to_owned(), token.to_owned());
        Ok(Self { name, token, key_authorization: key_authorization.to_owned() })
    }

    /// Of the key authorization, by SHA-256 (RFC 8737 §3).
    fn digest(&self) -> [u8; 32] {
        *Sha256Fingerprint::of(self.key_authorization.as_bytes()).as_bytes()
    }

    /// What the TXT record holds (RFC 8555 §8.4).
    fn record(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.digest())
    }
}

impl Answers {
    /// Listens where that is needed, with the socket that was handed over for it where there is one.
    pub(super) fn new(
        acme: &Acme,
        handed: &mut Handed,
        programs: &Programs,
    ) -> std::io::Result<(Self, Option<Questions>)> {
        let Some(address) = address(acme) else {
            let words: Vec<_> = acme.dns_hook.iter().map(|word| word.as_str().into()).collect();
            let program = programs.find(Purpose::Dns, &words).map_err(std::io::Error::other)?;
            return Ok((Self::Dns(DnsHook::new(program)), None));
        };
        let listener = handed.listen(address, None)?;
        if acme.challenge == Challenge::Http01 {
            let tokens = Tokens::default();
            let kind = Kind::Http(Arc::clone(&tokens));
            return Ok((Self::Http(tokens), Some(Questions { listener, kind })));
        }
        let tls = Arc::new(ChallengeTls::new().map_err(std::io::Error::other)?);
        let kind = Kind::TlsAlpn(Arc::clone(&tls));
        Ok((Self::TlsAlpn(tls), Some(Questions { listener, kind })))
    }

    /// Its name in the protocol.
    pub(super) fn kind(&self) -> ChallengeType {
        match self {
            Self::Http(_) => ChallengeType::Http01,
            Self::TlsAlpn(_) => ChallengeType::TlsAlpn01,
            Self::Dns(_) => ChallengeType::Dns01,
        }
    }

    /// Shows it. It is put to `all` first: what was begun is to be taken away with [`hide`](Self::hide), however far it came.
    pub(super) async fn show(&self, shown: Shown, all: &mut Vec<Shown>) -> Result<(), AcmeError> {
        all.push(shown);
        let Some(shown) = all.last() else { return Ok(()) };
        match self {
            Self::Http(tokens) => {
                lock(tokens).insert(shown.token.clone(), shown.key_authorization.clone());
            }
            Self::TlsAlpn(tls) => tls
                .show(&shown.name, shown.digest())
                .map_err(|error| AcmeError::NotMade(error.to_string()))?,
            Self::Dns(hook) => hook.present(&shown.name, &shown.record()).await?,
        }
        Ok(())
    }

    /// Takes away what was shown.
    pub(super) async fn hide(&self, shown: &Shown) -> Result<(), AcmeError> {
        match self {
            Self::Http(tokens) => drop(lock(tokens).remove(&shown.token)),
            Self::TlsAlpn(tls) => tls.hide(&shown.name),
            Self::Dns(hook) => hook.cleanup(&shown.name, &shown.record()).await?,
        }
        Ok(())
    }
}

fn lock(tokens: &Tokens) -> MutexGuard<'_, HashMap<String, String>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Questions {
    /// The listener once more, for another process.
    ///
    /// # Errors
    /// The process has as many file descriptors as it may.
    pub(crate) fn share(&self) -> std::io::Result<TcpListener> {
        self.listener.share()
    }

    /// Answers for as long as it is polled.
    pub(crate) async fn serve(self) {
        match self.kind {
            Kind::Http(tokens) => http::serve(self.listener, move |path| answer(&tokens, path)).await,
            Kind::TlsAlpn(tls) => serve_tls(self.listener, tls).await,
        }
    }
}

fn answer(tokens: &Tokens, path: &str) -> Answer {
    let key = path.strip_prefix(PATH).and_then(|token| lock(tokens).get(token).cloned());
    key.map_or_else(Answer::not_found, |key| Answer {
        status: StatusCode::OK,
        content_type: "application/octet-stream",
        body: key.into_bytes(),
    })
}

async fn serve_tls(listener: Listener, tls: Arc<ChallengeTls>) {
    places::serve(listener, |stream| {
        let tls = Arc::clone(&tls);
        async move {
            // Whatever goes wrong, the authority tells in its answer to the order.
            let _ = tokio::time::timeout(HANDSHAKE_TIME, tls.answer(stream)).await;
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_the_digest_of_the_key_authorization() {
        let shown = Shown::new("a.example", "abc", "abc.thumb").unwrap();
        assert_eq!(shown.record(), "ILWUmitte4M611MoFcoESoglC5dOeSLM-0DMXNrZyjk");
        for token in ["", "a/b", "a.b", "a b", &"a".repeat(TOKEN_BYTES + 1)] {
            assert!(Shown::new("a.example", token, "key").is_err(), "{token:?}");
        }
    }

    #[test]
    fn only_a_token_that_is_shown_is_answered() {
        let tokens = Tokens::default();
        lock(&tokens).insert("abc".to_owned(), "abc.thumb".to_owned());
        let found = answer(&tokens, "/.well-known/acme-challenge/abc");
        assert_eq!((found.status, found.body.as_slice()), (StatusCode::OK, &b"abc.thumb"[..]));
        for path in ["/", "/abc", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/abcd"] {
            assert_eq!(answer(&tokens, path).status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
