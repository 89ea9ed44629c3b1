//! How is a question put to a program or to a web server, and which answers are there?

use std::sync::Arc;
use std::time::SystemTime;

use carrack_tls::{Authorities, WebTls};
use http_body_util::BodyExt;
use hyper::{StatusCode, Uri};

use crate::config::Users;
use crate::hooks::Secret;
use crate::sandbox::{Program, Programs, Purpose};
use crate::{program, web};

/// The longest answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// What says no, where a web server answers by its status alone.
const NO: &[u8] = b"{\"login\": false}";

/// Who is asked.
pub(super) enum Respondent {
    Program(Program),
    Web { url: Uri, secret: Option<Box<Secret>>, tls: Arc<WebTls> },
}

impl Respondent {
    /// `None` where nobody is asked.
    ///
    /// # Errors
    /// A sentence about what cannot be read.
    pub(super) fn of(users: &Users, programs: &Programs) -> Result<Option<Self>, String> {
        let Some(url) = &users.url else {
            let words: Vec<_> = users.program.iter().map(|word| word.as_str().into()).collect();
            let program = (!words.is_empty()).then(|| programs.find(Purpose::Users, &words));
            return Ok(program.transpose()?.map(Self::Program));
        };
        let secret = users.secret_file.as_deref().map(Secret::load).transpose()?.map(Box::new);
        let authorities = match &users.ca {
            Some(ca) => Authorities::load(ca).map_err(|error| error.to_string())?,
            None => Authorities::Platform,
        };
        let tls = Arc::new(WebTls::new(authorities).map_err(|error| error.to_string())?);
        Ok(Some(Self::Web { url: url.uri().clone(), secret, tls }))
    }

    /// The option that names it.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::Program(_) => "users.program",
            Self::Web { .. } => "users.url",
        }
    }

    /// Asks, and gives the answer. The caller bounds the time.
    pub(super) async fn ask(&self, question: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Program(program) => run(program, question).await,
            Self::Web { url, secret, tls } => {
                post(url, secret.as_deref(), tls, question).await.map_err(|error| error.to_string())
            }
        }
    }
}

async fn run(program: &Program, question: &[u8]) -> Result<Vec<u8>, String> {
    let line = zeroize::Zeroizing::new([question, b"\n"].concat());
    program::ask(program, &line, ANSWER_BYTES).await
}

async fn post(
    url: &Uri,
    secret: Option<&Secret>,
    tls: &WebTls,
    question: &[u8],
) -> Result<Vec<u8>, web::Failure> {
    let mut signed = None;
    if let Some(secret) = secret {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| "the system has no randomness")?;
        let id = format!("login_{:032x}", u128::from_ne_bytes(random));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        signed = Some(secret.headers(&id, now, question));
    }
    let answer = web::post_json(url, tls, signed.into_iter().flatten(), question, ANSWER_BYTES).await?;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body().collect().await?.to_bytes().to_vec()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(NO.to_vec()),
        status => Err(format!("it answers {status}").into()),
    }
}
