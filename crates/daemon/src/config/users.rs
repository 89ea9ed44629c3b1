//! Which users stand in a file of their own, and what is wrong there?
//!
//! They are read together with the configuration and checked as if they stood in it.

use std::path::{Path, PathBuf};

use super::acme::Argument;
use super::check::{Fault, Faults};
use super::hook::{self, HookUrl};
use super::problem::{Problem, Source};
use super::reader::{Key, Places, Reader};
use super::section::{Section, Tables, section};
use super::table::{Config, User};
use super::value::{Count, Seconds, beside};
use crate::hooks::Secret;
use crate::watch::Stamp;

section! {
    defaulted
    /// Users beside those of this file. Page `users-and-permissions.md` shows it.
    pub struct Users {
        /// A file of `[[user]]` tables as they may stand here, and of nothing else. It is read again within seconds of a change; where anything
        /// in it is wrong, the users of before stay, all of them. Homes in it begin at its own folder.
        NewSessions file: Option<PathBuf> = [optional];
        /// A program with its arguments that is asked about users who stand in neither file. No shell reads them. Name and password come as JSON
        /// on its standard input, and its answer, on standard output, has the home and what the user may do. Either this or `url`.
        /// Page `users-outside.md` has the JSON.
        NewSessions program: Vec<Argument> = [Vec::new()];
        /// A web server that is asked instead, by HTTP POST: `https://…`, or `http://` and an address of this machine.
        NewSessions url: Option<HookUrl> = [optional];
        /// The secret that signs what goes to `url`, as at hooks. Left out: it is not signed.
        NewSessions secret_file: Option<PathBuf> = [optional];
        /// The authorities that vouch for the web server, PEM. Left out: those of this machine.
        NewSessions ca: Option<PathBuf> = [optional];
        /// How long the program or web server may take, waiting for `at_a_time` included. Who logs in then is told to come back later.
        NewSessions timeout_s: Seconds<1, 60> = [Seconds(10)];
        /// How many are asked at a time. Further logins wait.
        NewSessions at_a_time: Count<1, 1_000> = [Count(8)];
    }
}

section! {
    /// What a users file holds.
    pub struct UsersFile {
        /// Who may log in.
        NewSessions user: Tables<User> = [Tables::default()];
    }
}

/// A users file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) file: PathBuf,
    pub(crate) stamp: Stamp,
}

/// What was read of it, beside its users.
pub(super) struct Beside {
    pub(super) seen: Seen,
    text: String,
    places: Places,
    /// How many users stand in the configuration itself, before those of the file.
    own: usize,
}

impl Users {
    /// Whether somebody else is asked.
    pub(crate) fn asks(&self) -> bool {
        !self.program.is_empty() || self.url.is_some()
    }
}

/// Who is asked is there.
pub(super) fn check(config: &mut Config, base: &Path, faults: &mut Faults) {
    let users = &mut config.users;
    for path in [&mut users.secret_file, &mut users.ca].into_iter().flatten() {
        *path = beside(base, path);
    }
    if users.url.is_some() && !users.program.is_empty() {
        faults.add("users.url", "there is a program as well", "take one of the two out");
    }
    hook::executable(&mut users.program, "users.program".to_owned(), base, faults);
    for (key, set) in [("users.secret_file", &users.secret_file), ("users.ca", &users.ca)] {
        if set.is_some() && users.url.is_none() {
            faults.add(key, "it belongs to url, and there is none", "take it out");
        }
    }
    hook::authorities(users.ca.as_deref(), "users.ca".to_owned(), faults);
    if let Some(Err(why)) = users.secret_file.as_deref().map(Secret::load) {
        let mend = "make one with `echo \"whsec_$(openssl rand -base64 32)\" > FILE; chmod 600 FILE`";
        faults.add("users.secret_file", why, mend);
    }
}

/// Reads the users file of a configuration and puts its users behind those of the configuration. `None`: there is no such file.
///
/// # Errors
/// Everything that is wrong with the file.
pub(super) fn take_in(config: &mut Config, base: &Path) -> Result<Option<Beside>, Vec<Problem>> {
    let Some(file) = &mut config.users.file else { return Ok(None) };
    *file = beside(base, file);
    // Before it is read: what changes meanwhile is seen at the next look.
    let seen = Seen { stamp: Stamp::of([&*file]), file: file.clone() };
    let of_file = |mut problem: Problem| {
        problem.file = Some(seen.file.display().to_string());
        problem
    };
    let (text, folder) = super::read(&seen.file).map_err(|problems| {
        let mend = "make the file, with a [[user]] for each user; an empty one will do";
        let told = problems.problems.into_iter().map(of_file);
        told.map(|problem| match seen.file.exists() {
            true => problem,
            false => Problem { mend: mend.to_owned(), ..problem },
        })
        .collect::<Vec<_>>()
    })?;
    let (document, errors) = toml::de::DeTable::parse_recoverable(&text);
    let mut reader = Reader::new(&text);
    for error in &errors {
        let (message, mend) = super::syntax(error.message());
        reader.syntax(error.span(), message, mend);
    }
    let read = match errors.is_empty() {
        true => UsersFile::read_table(&mut reader, &Key::root(), document.get_ref()),
        false => None,
    };
    let (mut problems, places) = reader.finish();
    let mut users = read.map(|file| file.user.0).unwrap_or_default();
    for (index, user) in users.iter_mut().enumerate() {
        user.home = beside(&folder, &user.home);
        if config.user.iter().any(|own| own.id() == user.id()) {
            let fault = Fault::new(
                format!("user.{index}.name"),
                format!("{:?} stands in the configuration file, too", user.name.as_str()),
                "rename one, or take it out of one of the two files",
            );
            problems.push(fault.into_problem(Source::new(&text), &places));
        }
    }
    if !problems.is_empty() {
        return Err(problems.into_iter().map(of_file).collect());
    }
    let own = config.user.len();
    config.user.0.append(&mut users);
    Ok(Some(Beside { seen, text, places, own }))
}

impl Beside {
    /// The place in the users file of a fault that the check has found there; or the fault, which is about something else.
    pub(super) fn problem(&self, fault: Fault) -> Result<Problem, Fault> {
        let of_file = fault.of_user_behind(self.own)?;
        let mut problem = of_file.into_problem(Source::new(&self.text), &self.places);
        problem.file = Some(self.seen.file.display().to_string());
        Ok(problem)
    }
}
