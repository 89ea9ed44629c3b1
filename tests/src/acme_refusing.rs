//! An ACME server that is written for the tests, for the answers that Pebble does not give when they are wanted: a nonce that it
//! does not like, too many requests, and a question about a name that nobody ordered. It checks no signature and issues nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::certificates::{Authority, Kind};

/// What it has been sent to `newAccount`, in order: the nonces.
pub type Nonces = Arc<Mutex<Vec<String>>>;

/// What it does that Pebble does not.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// The first request for an account is told that its nonce is bad, the second that there were too many, and to come again in so
    /// many seconds.
    Refuses(u64),
    /// It gives accounts, and asks about this name whatever was ordered.
    AsksAbout(&'static str),
}

/// The server; its thread ends with the process.
#[derive(Debug)]
pub struct Refusing {
    /// Where it listens.
    pub address: SocketAddr,
    /// The nonces of the requests for an account.
    pub nonces: Nonces,
    authority: PathBuf,
}

impl Refusing {
    /// Starts it, with its authority's certificate in that folder.
    pub fn start(folder: &Path, behaviour: Behaviour) -> Refusing {
        let authority = Authority::new();
        let shown = authority.issue(Kind::Good, &["127.0.0.1"]);
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![shown.certificate()], shown.key())
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let nonces = Nonces::default();
        let (config, seen) = (Arc::new(config), Arc::clone(&nonces));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                // A client that goes away early ends its own connection only.
                let _ = answer(socket, &config, address, &seen, behaviour);
            }
        });
        fs::create_dir_all(folder).unwrap();
        Refusing { address, nonces, authority: authority.file(folder) }
    }

    /// The authority that vouches for it, in a file.
    pub fn authority(&self) -> &Path {
        &self.authority
    }
}

fn answer(
    socket: TcpStream,
    config: &Arc<ServerConfig>,
    address: SocketAddr,
    seen: &Nonces,
    behaviour: Behaviour,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let problem = |status: &str, kind: &str, detail: &str, fields: &str| {
        let body = format!("{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":\"{detail}\"}}");
        response(status, "application/problem+json", fields, &body)
    };
    let path = first.split(' ').nth(1).unwrap_or_default();
    let text = match path {
        "/dir" => {
            let url = |path: &str| format!("https://{address}{path}");
            let body = serde_json::json!({
                "newNonce": url("/nonce"), "newAccount": url("/account"), "newOrder": url("/order"),
            });
            response("200 OK", "application/json", "", &body.to_string())
        }
        "/nonce" => response("200 OK", "text/plain", "Replay-Nonce: first\r\n", ""),
        _ => {
            let mut seen = seen.lock().unwrap();
            seen.push(nonce(&body));
            match (behaviour, seen.len()) {
                (Behaviour::AsksAbout(name), _) => asking(address, path, name),
                (Behaviour::Refuses(_), 1) => {
                    problem("400 Bad Request", "badNonce", "an odd nonce", "Replay-Nonce: second\r\n")
                }
                (Behaviour::Refuses(retry_after_s), _) => problem(
                    "429 Too Many Requests",
                    "rateLimited",
                    "too many accounts",
                    &format!("Replay-Nonce: third\r\nRetry-After: {retry_after_s}\r\n"),
                ),
            }
        }
    };
    let stream = stream.get_mut();
    stream.write_all(text.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// The resources of an order, with an authorization for `name` (RFC 8555 §7.1).
fn asking(address: SocketAddr, path: &str, name: &str) -> String {
    let url = |path: &str| format!("https://{address}{path}");
    let body = match path {
        "/account" => serde_json::json!({ "status": "valid" }),
        "/order" => serde_json::json!({
            "status": "pending", "authorizations": [url("/authorization")], "finalize": url("/finalize"),
        }),
        _ => serde_json::json!({
            "status": "pending",
            "identifier": { "type": "dns", "value": name },
            "challenges": [{ "type": "dns-01", "url": url("/challenge"), "token": "abc", "status": "pending" }],
        }),
    };
    let fields = format!("Replay-Nonce: another\r\nLocation: {}\r\n", url("/there"));
    response("201 Created", "application/json", &fields, &body.to_string())
}

fn response(status: &str, kind: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The nonce in the protected header of a JWS (RFC 8555 §6.5).
fn nonce(body: &[u8]) -> String {
    let jws: Value = serde_json::from_slice(body).unwrap();
    let protected = from_base64url(jws["protected"].as_str().unwrap());
    let header: Value = serde_json::from_slice(&protected).unwrap();
    header["nonce"].as_str().unwrap_or_default().to_owned()
}

fn from_base64url(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |byte| alphabet.iter().position(|letter| *letter == byte).unwrap() as u32;
    let whole = |part: &[u8]| {
        let bits = part.iter().fold(0, |bits, byte| bits << 6 | digit(*byte)) << (6 * (4 - part.len()));
        bits.to_be_bytes()[1..part.len()].to_vec()
    };
    text.as_bytes().chunks(4).flat_map(whole).collect()
}
