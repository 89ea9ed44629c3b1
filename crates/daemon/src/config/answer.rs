//! What does an answer of somebody else say about a user? The keys of `[[user]]`, read and checked as there.

use std::path::Path;

use carrack_core::account;
use serde_json::{Map, Value};

use super::check::{Fault, Faults, folders, roots};
use super::problem::{Problem, Source};
use super::reader::{Key, Places, Reader};
use super::section::{Section, Tables};
use super::table::{Config, User};
use super::{created, fips, homes};

/// Keys that an answer may not have: who is asked has judged the login, and these are settled before it, or by the clock.
const NOT_ANSWERED: [&str; 10] = [
    "name",
    "virtual_server",
    "password",
    "login",
    "certificate",
    "spki_sha256",
    "plaintext",
    "data_tls_reuse",
    "charset",
    "hours",
];

/// The user that an answer tells of.
///
/// # Errors
/// A sentence about what is wrong with it.
pub(crate) fn answered(
    config: &Config,
    asked: account::User<'_>,
    mut said: Map<String, Value>,
) -> Result<User, String> {
    if let Some(key) = NOT_ANSWERED.iter().find(|key| said.contains_key(**key)) {
        return Err(format!("user.{key} cannot be answered"));
    }
    said.insert("name".to_owned(), Value::String(asked.name.to_owned()));
    if let Some(server) = asked.server {
        said.insert("virtual_server".to_owned(), Value::String(server.to_owned()));
    }
    let text = toml::Value::try_from(said).and_then(|said| toml::to_string(&said));
    let text = text.map_err(|error| format!("user: {error}"))?;
    let document = toml::de::DeTable::parse(&text).map_err(|error| format!("user: {}", error.message()))?;
    let mut reader = Reader::new(&text);
    let user = User::read_table(&mut reader, &Key::root().child("user"), document.get_ref());
    let (problems, _) = reader.finish();
    if let Some(problem) = problems.into_iter().next() {
        return Err(sentence(&problem));
    }
    let user = user.ok_or("user: it cannot be read")?;
    if !user.home.is_absolute() {
        return Err(format!("user.home: {:?} does not begin with `/`", user.home.display().to_string()));
    }
    check(config, user)
}

/// The rules of [`super::check`] that are about one user.
fn check(config: &Config, user: User) -> Result<User, String> {
    let mut faults = Faults::default();
    let mut one = Config { user: Tables(vec![user]), ..config.clone() };
    let roots = roots(&mut one, Path::new("/"), &mut faults);
    for user in one.user.iter() {
        folders(user, 0, &mut faults);
        homes::check(user, 0, (&one.roots, &roots), &mut faults);
        if one.fips {
            fips::users(user, 0, &mut faults);
        }
    }
    created::check(&one, &mut faults);
    if let Some(state) = &one.state {
        homes::outside(&one, state, &mut faults);
    }
    let problem = |fault: Fault| fault.into_problem(Source::new(""), &Places::default());
    match (faults.into_iter().next().map(problem), one.user.0.pop()) {
        (None, Some(user)) => Ok(user),
        (Some(problem), _) => Err(sentence(&problem)),
        (None, None) => Err("user: it cannot be read".to_owned()),
    }
}

fn sentence(problem: &Problem) -> String {
    let key = problem.key.replace("[]", "");
    format!("{key}: {}; {}", problem.message, problem.mend)
}
