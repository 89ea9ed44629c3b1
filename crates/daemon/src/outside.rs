//! Who is asked about users that stand in no file: a program, or a web server of the operator's?
//!
//! ```text
//! login of a user who is in no file ─► places ─► program, by standard input │ web server, by POST ─► answer ─► account
//!                                        └─ all within one time-out ─────────────────────────────────┘
//! ```
//!
//! Nothing is remembered: each login is asked about.

mod respondent;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_core::account::{self, Account, Asked, Outside, Unanswered};
use carrack_core::backend::PartialIndex;
use carrack_core::password::Credential;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::respondent::Respondent;
use crate::config::{Config, Tables, User, UserName, answered};
use crate::hours::{self, Schedule};
use crate::limits;
use crate::log::{Flood, Verdict};
use crate::quota::Quotas;
use crate::sandbox::Programs;
use crate::stores::Stores;
use crate::wiring::{self, Behind};

/// How many bytes one byte of a text takes in JSON at most.
const LONGEST_ESCAPE: usize = 6;

/// What else a question has: keys, marks and an address.
const BESIDE_WORDS: usize = 256;

/// Asks, and makes accounts of the answers.
pub(crate) struct Questions {
    respondent: Respondent,
    timeout: Duration,
    places: Semaphore,
    flood: Flood,
    /// The configuration, without users of its own.
    config: Config,
    excluded: Vec<PathBuf>,
    index: Arc<dyn PartialIndex>,
    quotas: Arc<Quotas>,
}

impl Questions {
    /// `None` where nobody is asked.
    ///
    /// # Errors
    /// A sentence about what cannot be read.
    pub(crate) fn of(
        config: &Config,
        excluded: &[PathBuf],
        index: &Arc<dyn PartialIndex>,
        quotas: &Arc<Quotas>,
        programs: &Programs,
    ) -> Result<Option<Arc<Questions>>, String> {
        let Some(respondent) = Respondent::of(&config.users, programs)? else { return Ok(None) };
        Ok(Some(Arc::new(Questions {
            respondent,
            timeout: config.users.timeout_s.into(),
            places: Semaphore::new(usize::try_from(config.users.at_a_time.0).unwrap_or(1)),
            flood: Flood::default(),
            config: Config { user: Tables::default(), ..config.clone() },
            excluded: excluded.to_vec(),
            index: Arc::clone(index),
            quotas: Arc::clone(quotas),
        })))
    }

    async fn account(
        &self,
        from: IpAddr,
        user: account::User<'_>,
        password: &[u8],
    ) -> Result<Option<Arc<Account>>, String> {
        // What could be no name of a user here, or is no text, is nobody's anywhere.
        let (Ok(_), Ok(password)) = (user.name.parse::<UserName>(), std::str::from_utf8(password)) else {
            return Ok(None);
        };
        let question = Question { user: user.name, password, address: from, virtual_server: user.server };
        let question = question.written().map_err(|error| error.to_string())?;
        let asked = async {
            let _place = self.places.acquire().await.map_err(|error| error.to_string())?;
            self.respondent.ask(&question).await
        };
        let seconds = self.timeout.as_secs();
        let answer = tokio::time::timeout(self.timeout, asked)
            .await
            .unwrap_or_else(|_| Err(format!("it has not answered within users.timeout_s, {seconds} s")))?;
        let Some(said) = let_in(&answer)? else { return Ok(None) };
        // A home may lie on a disk that is slow.
        let made = tokio::task::block_in_place(|| self.make(answered(&self.config, user, said)?));
        made.map(|account| Some(Arc::new(account)))
    }

    fn make(&self, user: User) -> Result<Account, String> {
        let config = Config { user: Tables(vec![user.clone()]), ..self.config.clone() };
        let limited = self.quotas.limited(&config);
        let mut stores = Stores::new(&config, &self.excluded, &self.index, Behind::AReload, limited);
        let store = stores.of(&user).map_err(|error| error.to_string())?;
        let mut schedule = Schedule::default();
        let limits = limits::of_user(&config, &user, &mut schedule);
        // Until the last of its sessions has ended.
        tokio::spawn(hours::keep(schedule));
        let account = wiring::account(&user, store).map_err(|error| error.to_string())?;
        // SECURITY: the password was proved outside, and nothing else proves it here.
        Ok(Account { credential: Credential::NoPassword, shared: false, limits, ..account })
    }
}

/// What is asked.
#[derive(Serialize)]
struct Question<'a> {
    user: &'a str,
    password: &'a str,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_server: Option<&'a str>,
}

impl Question<'_> {
    /// As JSON.
    //
    // SECURITY: beside here the password is in nothing but this; it is on no command line and in no environment. There is room for all
    // from the beginning, so that none of it is left behind by growing.
    fn written(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let words = self.user.len() + self.password.len() + self.virtual_server.map_or(0, str::len);
        let mut question = Zeroizing::new(Vec::with_capacity(LONGEST_ESCAPE * words + BESIDE_WORDS));
        serde_json::to_writer(&mut *question, self)?;
        Ok(question)
    }
}

/// What an answer says of a user who is let in; `None`: nobody is.
fn let_in(answer: &[u8]) -> Result<Option<Map<String, Value>>, String> {
    let answer: Value =
        serde_json::from_slice(answer).map_err(|error| format!("it answers no JSON: {error}"))?;
    let Value::Object(mut answer) = answer else { return Err("it does not answer an object".to_owned()) };
    let login = answer.remove("login");
    let user = answer.remove("user");
    if let Some(key) = answer.keys().next() {
        return Err(format!("it answers {key:?}, which is none of login and user"));
    }
    match (login, user) {
        (Some(Value::Bool(false)), _) => Ok(None),
        (Some(Value::Bool(true)), Some(Value::Object(user))) => Ok(Some(user)),
        (Some(Value::Bool(true)), _) => {
            Err("it lets somebody in, and says nothing about the user".to_owned())
        }
        _ => Err("its answer has no login that is true or false".to_owned()),
    }
}

impl Outside for Questions {
    fn option(&self) -> &'static str {
        self.respondent.option()
    }

    fn ask<'a>(&'a self, from: IpAddr, user: account::User<'a>, password: &'a [u8]) -> Asked<'a> {
        Box::pin(async move {
            self.account(from, user, password).await.map_err(|why| {
                let option = self.option();
                // Anybody can cause it.
                if self.flood.admit(from, Instant::now()) != Verdict::Suppress {
                    let mend = "mend it, or take the option out; users of the files are let in as ever";
                    tracing::error!(target: "carrack", option, why, mend, "users_unanswered");
                }
                Unanswered { option }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_yes_with_a_user_or_no_and_nothing_else() {
        assert_eq!(let_in(b"{\"login\": false}"), Ok(None));
        let said = let_in(b"{\"login\": true, \"user\": {\"home\": \"/srv\"}}\n").unwrap().unwrap();
        assert_eq!(said["home"], "/srv");
        for wrong in [
            "",
            "true",
            "[]",
            "{}",
            "{\"login\": 1}",
            "{\"login\": \"true\", \"user\": {}}",
            "{\"login\": true}",
            "{\"login\": true, \"user\": \"alice\"}",
            "{\"login\": true, \"user\": {}, \"home\": \"/srv\"}",
        ] {
            assert!(let_in(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
