//! How does a request of ours reach a web server: by HTTPS, with which trust, and what does its answer ask for?

use std::error::Error;
use std::time::SystemTime;

use carrack_tls::WebTls;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Why there was no answer.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Sends a request by HTTPS, over a connection of its own; an answer of more than `most` bytes is a failure. No redirection is followed.
/// The caller bounds the time.
pub(crate) async fn exchange<B>(
    tls: &WebTls,
    request: Request<B>,
    most: usize,
) -> Result<Response<Full<Bytes>>, Failure>
where
    B: Body<Data: Send, Error: Into<Failure>> + Send + 'static,
{
    let (host, port) = place(request.uri(), "https", 443)?;
    let socket = connect(&host, port).await?;
    let stream = tls.connect(&host, socket).await.map_err(|error| format!("{host}:{port}: {error}"))?;
    send(stream, request, most).await
}

/// The same in clear.
pub(crate) async fn exchange_in_clear<B>(
    request: Request<B>,
    most: usize,
) -> Result<Response<Full<Bytes>>, Failure>
where
    B: Body<Data: Send, Error: Into<Failure>> + Send + 'static,
{
    let (host, port) = place(request.uri(), "http", 80)?;
    send(connect(&host, port).await?, request, most).await
}

/// POSTs JSON to a server that the configuration names, with these headers: by HTTPS, or in clear where its URL says so.
pub(crate) async fn post_json(
    url: &Uri,
    tls: &WebTls,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: &[u8],
    most: usize,
) -> Result<Response<Full<Bytes>>, Failure> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("carrack/", env!("CARGO_PKG_VERSION")));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body)))?;
    match url.scheme_str() {
        Some("http") => exchange_in_clear(request, most).await,
        _ => exchange(tls, request, most).await,
    }
}

/// SECURITY: a URL may come from a server; none leads away from the scheme that is meant (RFC 8555 §6.1).
fn place(uri: &Uri, scheme: &str, standard_port: u16) -> Result<(String, u16), Failure> {
    let (true, Some(authority)) = (uri.scheme_str() == Some(scheme), uri.authority()) else {
        return Err(format!("{uri} is no {scheme} URL").into());
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), authority.port_u16().unwrap_or(standard_port)))
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let socket = TcpStream::connect((host, port)).await.map_err(|error| format!("{host}:{port}: {error}"))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn send<B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<B>,
    most: usize,
) -> Result<Response<Full<Bytes>>, Failure>
where
    B: Body<Data: Send, Error: Into<Failure>> + Send + 'static,
{
    let uri = request.uri().clone();
    // RFC 9112 §3.2: the path goes into the first line, the host into a field of its own.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let shown = authority.rsplit('@').next().unwrap_or_default();
    request.headers_mut().insert(HOST, HeaderValue::from_str(shown)?);
    *request.uri_mut() = uri.path_and_query().map_or(Uri::from_static("/"), |path| path.clone().into());

    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Dropped with this function, and the connection with it.
    let mut carrying = JoinSet::new();
    carrying.spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, most).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}

/// How many seconds after `now` `Retry-After` lies, which says it in seconds or as a date (RFC 9110 §10.2.3); 0 where there is none.
pub(crate) fn pause_s(headers: &HeaderMap, now: SystemTime) -> u64 {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let until = |date: SystemTime| date.duration_since(now).unwrap_or_default().as_secs();
    value.parse().ok().or_else(|| httpdate::parse_http_date(value).ok().map(until)).unwrap_or(0)
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
