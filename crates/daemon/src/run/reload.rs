//! How does a changed configuration take the place of the one that runs, and why is it refused?

use std::path::Path;
use std::sync::Arc;

use super::generation::{Generation, Lasting, Made};
use super::names;
use super::{Handed, StartError};
use crate::config::{
    Checked, ConfigFile, Problem, Problems, Replacement, Warning, unchecked_users_of_now, whole_file,
    with_users_of_now,
};
use crate::identities::{Keeper, Source};

/// What is to run from now on.
pub(super) struct Next {
    pub(super) made: Made,
    pub(super) keeper: Keeper,
    pub(super) accepted: Accepted,
}

/// What should be known of a configuration that was taken.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// The keys that count at the next start.
    pub(crate) next_start: Vec<String>,
    /// What is allowed but should be known.
    pub(crate) warnings: Vec<Warning>,
}

/// Why a configuration was not taken: everything that is wrong with it. What ran before runs on.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Problems);

/// Reads the file and makes everything of it, beside what runs. It reads and opens files: not for an event thread.
pub(super) fn make(file: &ConfigFile, lasting: &Lasting, running: &Generation) -> Result<Next, Refused> {
    // What lies outside the sandbox looks like a folder without rights, and has another mend.
    if let Some((config, base)) = file.unchecked_over(&running.config) {
        lasting.inside.admits(&config, &base, file.path()).map_err(Refused)?;
    }
    let Replacement { checked, next_start } = file.load_over(&running.config).map_err(Refused)?;
    next(checked, next_start, file.path(), lasting, running)
}

/// Reads the users file alone, and makes everything of it and of what runs. Not for an event thread.
pub(super) fn make_users(file: &Path, lasting: &Lasting, running: &Generation) -> Result<Next, Refused> {
    if let Some(config) = unchecked_users_of_now(&running.config, running.own_users) {
        lasting.inside.admits(&config, Path::new("/"), file).map_err(Refused)?;
    }
    let checked = with_users_of_now(&running.config, running.own_users).map_err(Refused)?;
    next(checked, Vec::new(), file, lasting, running)
}

fn next(
    mut checked: Checked,
    next_start: Vec<String>,
    file: &Path,
    lasting: &Lasting,
    running: &Generation,
) -> Result<Next, Refused> {
    let accepted = Accepted { next_start, warnings: std::mem::take(&mut checked.warnings) };
    let made = || -> Result<_, StartError> {
        let source = Source::of(&checked.config, names::names(&checked.config), Arc::clone(&lasting.state))?;
        let keeper =
            Keeper::next(&lasting.shown, source, checked.identities.take(), checked.tls.listeners.clone())?;
        let core = |accounts, settings| running.core.renewed(Arc::new(accounts), settings);
        Ok((Generation::make(lasting, checked, core, Some(running), &mut Handed::default())?, keeper))
    };
    let (made, keeper) = made().map_err(|error| Refused(problems(file, &error)))?;
    Ok(Next { made, keeper, accepted })
}

impl Accepted {
    /// Tells it in the log.
    pub(super) fn tell(&self, file: &Path) {
        let file = file.display().to_string();
        let next_start = (!self.next_start.is_empty()).then(|| self.next_start.join(", "));
        tracing::info!(target: "carrack", file, next_start, "reloaded");
        self.warnings.iter().for_each(crate::log::warning);
    }
}

impl Refused {
    /// A defect of the server has ended the attempt.
    pub(super) fn by_a_defect(file: &Path) -> Self {
        let why = "the server failed over it, which is a defect of the server";
        Self(whole_file(file, why.to_owned(), "report it, with the file; what ran before runs on"))
    }

    /// Tells it in the log.
    pub(super) fn tell(&self) {
        let Problems { file: whole, problems } = &self.0;
        for Problem { file, line, column, key, message, mend, .. } in problems {
            let file = file.as_ref().unwrap_or(whole);
            let at = |number: &usize| (*number != 0).then_some(*number);
            let (line, column) = (at(line), at(column));
            let key = Some(key.as_str()).filter(|key| !key.is_empty());
            let kept = "the configuration in use";
            tracing::error!(target: "carrack", file, line, column, key, why = message, mend, kept, "reload_refused");
        }
    }
}

/// What the system refuses, as a problem of the file.
fn problems(file: &Path, error: &StartError) -> Problems {
    let text = error.to_string();
    let (message, mend) = text.split_once("\n  mend: ").unwrap_or((&text, "mend it, and reload again"));
    whole_file(file, message.to_owned(), mend)
}
