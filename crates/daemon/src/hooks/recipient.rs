//! How is one event handed to a program or to a web server, and what counts as taken?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_tls::{Authorities, WebTls};
use hyper::{StatusCode, Uri};
use serde_json::Value;

use super::signature::Secret;
use crate::config::Hook;
use crate::program::Beside;
use crate::sandbox::{Program, Programs, Purpose};
use crate::{program, web};

/// The longest answer that is read: what it says does not count.
const ANSWER_BYTES: usize = 64 * 1024;

/// How many characters of a reason are told.
const WHY_CHARACTERS: usize = 600;

/// Who takes the events of a hook.
#[derive(Debug)]
pub(super) enum Recipient {
    Program(Program),
    Web { url: Uri, secret: Arc<Secret>, tls: Arc<WebTls> },
}

/// Why an event was not taken.
#[derive(Debug)]
pub(super) struct Failure {
    /// In words.
    pub(super) why: String,
    /// How long the receiver wants to be left alone.
    pub(super) pause: Duration,
    /// Whether the receiver wants no more of it.
    pub(super) gone: bool,
}

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let why = why.into().chars().take(WHY_CHARACTERS).map(shown).collect();
        Self { why, pause: Duration::ZERO, gone: false }
    }
}

impl Recipient {
    /// Reads secret and authorities of a checked hook.
    ///
    /// # Errors
    /// A sentence about what cannot be read.
    pub(super) fn of(hook: &Hook, programs: &Programs) -> Result<Self, String> {
        let Some(url) = &hook.url else {
            let words: Vec<_> = hook.program.iter().map(|word| word.as_str().into()).collect();
            return programs.find(Purpose::Hook, &words).map(Self::Program);
        };
        let secret = Secret::load(hook.secret_file.as_deref().unwrap_or(Path::new("")))?;
        let authorities = match &hook.ca {
            Some(ca) => Authorities::load(ca).map_err(|error| error.to_string())?,
            None => Authorities::Platform,
        };
        let tls = WebTls::new(authorities).map_err(|error| error.to_string())?;
        Ok(Self::Web { url: url.uri().clone(), secret: Arc::new(secret), tls: Arc::new(tls) })
    }

    /// Hands an event over, within `time`.
    pub(super) async fn deliver(&self, body: &[u8], time: Duration) -> Result<(), Failure> {
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        let delivered = async {
            match self {
                Self::Program(program) => run(program, &event, body).await,
                Self::Web { url, secret, tls } => post(url, secret, tls, &event, body).await,
            }
        };
        let seconds = time.as_secs();
        match tokio::time::timeout(time, delivered).await {
            Ok(delivered) => delivered,
            Err(_) => Err(Failure::new(format!("it was not done within timeout_s, {seconds} s"))),
        }
    }
}

async fn run(program: &Program, event: &Value, body: &[u8]) -> Result<(), Failure> {
    let data = event.get("data");
    let told = [
        ("CARRACK_EVENT", event.get("type")),
        ("CARRACK_EVENT_ID", event.get("id")),
        ("CARRACK_USER", data.and_then(|data| data.get("user"))),
        ("CARRACK_PEER", data.and_then(|data| data.get("peer"))),
        ("CARRACK_PATH", data.and_then(|data| data.get("path"))),
        ("CARRACK_FILE", data.and_then(|data| data.get("file"))),
    ];
    let environment = told.into_iter().filter_map(|(name, value)| {
        let value = value.and_then(Value::as_str).filter(|value| !value.contains('\0'))?;
        Some((name.to_owned(), value.to_owned()))
    });
    let beside = Beside { arguments: Vec::new(), environment: environment.collect() };
    let line = [body, b"\n"].concat();
    program::run(program, beside, &line).await.map_err(Failure::new)
}

async fn post(url: &Uri, secret: &Secret, tls: &WebTls, event: &Value, body: &[u8]) -> Result<(), Failure> {
    let now = SystemTime::now();
    let timestamp = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
    let signed = secret.headers(id, timestamp, body);
    let answered = web::post_json(url, tls, signed, body, ANSWER_BYTES).await;
    let answer = answered.map_err(|error| Failure::new(error.to_string()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let pause = Duration::from_secs(web::pause_s(answer.headers(), now));
    let redirected = if status.is_redirection() { "; redirections are not followed" } else { "" };
    let failure = Failure::new(format!("it answers {status}{redirected}"));
    Err(Failure { pause, gone: status == StatusCode::GONE, ..failure })
}
