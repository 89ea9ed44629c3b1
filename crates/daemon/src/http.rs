//! How are the few things answered that are asked over plain HTTP: a challenge of a certificate authority, the server's measurements?
//!
//! Only `GET` and `HEAD`, one request a connection, nothing read from a body. What is behind a path is the handler's to say.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use carrack_net::Listener;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::places;

/// From a connection to the end of its request's head. SECURITY: one that sends nothing holds a place no longer than this.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// From a connection to its end: a client that reads nothing of its answer holds a place no longer than this.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes; hyper takes none below 8 KiB.
const HEAD_BYTES: usize = 8 * 1024;

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether it is what was asked for.
    pub(crate) status: StatusCode,
    /// The type of the body.
    pub(crate) content_type: &'static str,
    /// The body. `HEAD` is told its length alone.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What was asked for, as UTF-8 text.
    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        Self { status: StatusCode::OK, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// Nothing is there.
    pub(crate) fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::text("there is nothing here\n") }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response
    }
}

/// Answers at `listener` for as long as it is polled; what runs then is dropped with it. `handler` is given the path, without the
/// query, as it was sent.
pub(crate) async fn serve<H>(listener: Listener, handler: H)
where
    H: Fn(&str) -> Answer + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    places::serve(listener, |stream| {
        let handler = Arc::clone(&handler);
        async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(&request, &*handler);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(HEAD_BYTES)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever ends it early is the client's own affair.
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
        }
    })
    .await;
}

fn respond(request: &Request<Incoming>, handler: &impl Fn(&str) -> Answer) -> Response<Full<Bytes>> {
    // hyper sends no body in answer to HEAD, and the length that it would have.
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return handler(request.uri().path()).into_response();
    }
    let refusal = Answer { status: StatusCode::METHOD_NOT_ALLOWED, ..Answer::text("only GET and HEAD\n") };
    let mut response = refusal.into_response();
    // RFC 9110 §15.5.6.
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;

    fn start() -> (SocketAddr, JoinSet<()>) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, |path| match path {
            "/here" => Answer::text("a word"),
            _ => Answer::not_found(),
        }));
        (address, tasks)
    }

    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.to_ascii_lowercase()
    }

    #[tokio::test]
    async fn what_is_there_is_answered_and_the_connection_ends() {
        let (address, _tasks) = start();
        let answer = exchange(address, "GET /here?and=more HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
        assert!(answer.contains("content-length: 6\r\n") && answer.ends_with("\r\n\r\na word"), "{answer}");
        let answer = exchange(address, "HEAD /here HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.contains("content-length: 6\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn all_else_is_refused() {
        let (address, _tasks) = start();
        let answer = exchange(address, "GET /there HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("http/1.1 404 "), "{answer}");
        let answer = exchange(address, "POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx").await;
        assert!(answer.starts_with("http/1.1 405 ") && answer.contains("allow: get, head\r\n"), "{answer}");
        let answer = exchange(address, "USER anonymous\r\n\r\n").await;
        assert!(answer.starts_with("http/1.1 400 "), "{answer}");
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_BYTES));
        let answer = exchange(address, &long).await;
        assert!(answer.starts_with("http/1.1 4"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_sent_away() {
        let (address, _tasks) = start();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut answer = Vec::new();
        silent.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty(), "{answer:?}");
    }
}
