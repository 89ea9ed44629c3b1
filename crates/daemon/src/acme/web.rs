//! How does a request reach an ACME server, and within which bounds?

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use carrack_tls::WebTls;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};

use crate::web::{self, Failure};

/// From the look-up of the name to the last byte of the answer.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// The longest answer: a chain of certificates has some ten KiB.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Asks an ACME server. One connection for each request: an order has some twenty, twice a season.
#[derive(Debug, Clone)]
pub(super) struct Web {
    tls: Arc<WebTls>,
    asked_pause_s: Arc<AtomicU64>,
}

impl Web {
    pub(super) fn new(tls: Arc<WebTls>) -> Self {
        Self { tls, asked_pause_s: Arc::default() }
    }

    /// How long the server asked to be left alone since [`forget_pause`](Self::forget_pause) (RFC 8555 §6.6).
    pub(super) fn asked_pause(&self) -> Option<Duration> {
        match self.asked_pause_s.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// Forgets it, before it is asked for something else.
    pub(super) fn forget_pause(&self) {
        self.asked_pause_s.store(0, Ordering::Relaxed);
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Failure> {
        let response = tokio::time::timeout(REQUEST_TIME, web::exchange(&self.tls, request, ANSWER_BYTES))
            .await
            .map_err(|_| format!("no answer within {} s", REQUEST_TIME.as_secs()))??;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let pause_s = web::pause_s(response.headers(), SystemTime::now());
            // Of several refusals the longest counts: the first is the reason for those that follow.
            self.asked_pause_s.fetch_max(pause_s, Ordering::Relaxed);
            if !is_problem(response.headers()) {
                return Err(format!("it answers {status}, and not as an ACME server does").into());
            }
        }
        Ok(response.into())
    }
}

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let web = self.clone();
        Box::pin(async move { web.ask(request).await.map_err(instant_acme::Error::Other) })
    }
}

/// Whether it is a problem document (RFC 7807 §3); JSON is let through as well.
fn is_problem(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/problem+json") || kind.starts_with("application/json")
}
