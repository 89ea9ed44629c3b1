//! Which users stand in a file of their own, and what is wrong there?
//!
//! They are read together with the configuration and checked as if they stood in it.

use std::path::{Path, PathBuf};

use super::check::Fault;
use super::problem::{Problem, Source};
use super::reader::{Key, Places, Reader};
use super::section::{Section, Tables, section};
use super::table::{Config, User};
use super::value::beside;
use crate::watch::Stamp;

section! {
    defaulted
    /// Users beside those of this file. Page `users-and-permissions.md` shows it.
    pub struct Users {
        /// A file of `[[user]]` tables as they may stand here, and of nothing else. It is read again within seconds of a change; where anything
        /// in it is wrong, the users of before stay, all of them. Homes in it begin at its own folder.
        NewSessions file: Option<PathBuf> = [optional];
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
        if config.user.iter().any(|own| own.name == user.name) {
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
