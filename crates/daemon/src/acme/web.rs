//! How does a request reach an ACME server: by HTTPS, with which trust, and within which bounds?

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use carrack_tls::WebTls;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// From the look-up of the name to the last byte of the answer.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// The longest answer: a chain of certificates has some ten KiB.
const ANSWER_BYTES: usize = 1024 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

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
        let response = tokio::time::timeout(REQUEST_TIME, exchange(&self.tls, request))
            .await
            .map_err(|_| format!("no answer within {} s", REQUEST_TIME.as_secs()))??;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            let pause_s = pause_s(response.headers(), SystemTime::now());
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

async fn exchange(
    tls: &WebTls,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let uri = request.uri().clone();
    // SECURITY: these URLs come from the server; none leads away from TLS (RFC 8555 §6.1).
    let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("{uri} is no https URL").into());
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(443);
    let socket = TcpStream::connect((host, port)).await.map_err(|error| format!("{host}:{port}: {error}"))?;
    socket.set_nodelay(true)?;
    let stream = tls.connect(host, socket).await.map_err(|error| format!("{host}:{port}: {error}"))?;

    // RFC 9112 §3.2: the path goes into the first line, the host into a field of its own.
    let shown = authority.as_str().rsplit('@').next().unwrap_or_default();
    request.headers_mut().insert(HOST, HeaderValue::from_str(shown)?);
    *request.uri_mut() = uri.path_and_query().map_or(Uri::from_static("/"), |path| path.clone().into());

    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Dropped with this function, and the connection with it.
    let mut carrying = JoinSet::new();
    carrying.spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}

/// How many seconds after `now` `Retry-After` lies, which says it in seconds or as a date (RFC 9110 §10.2.3); 0 where there is none.
fn pause_s(headers: &HeaderMap, now: SystemTime) -> u64 {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let until = |date: SystemTime| date.duration_since(now).unwrap_or_default().as_secs();
    value.parse().ok().or_else(|| httpdate::parse_http_date(value).ok().map(until)).unwrap_or(0)
}

/// Whether it is a problem document (RFC 7807 §3); JSON is let through as well.
fn is_problem(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/problem+json") || kind.starts_with("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        // The example of RFC 9110 §10.2.3, two minutes before.
        let now = httpdate::parse_http_date("Fri, 31 Dec 1999 23:57:59 GMT").unwrap();
        for (value, seconds) in [
            ("120", 120),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 120),
            ("Fri, 31 Dec 1999 23:00:00 GMT", 0),
            ("soon", 0),
            ("-5", 0),
            ("", 0),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            assert_eq!(pause_s(&headers, now), seconds, "{value:?}");
        }
        assert_eq!(pause_s(&HeaderMap::new(), now), 0);
    }
}
