//! Which file has a running server its configuration from, and what of the file counts without a restart?

use std::path::{Path, PathBuf};

use super::check::{Checked, check};
use super::problem::{Problems, Source};
use super::reader::{Key, Places};
use super::section::Section;
use super::table::{Config, LogFormat};
use super::value::beside;
use super::{Fips, ServerProcess, load};

/// A configuration file, with what was said beside it on the command line.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    path: PathBuf,
    fips: Fips,
    log_format: Option<LogFormat>,
}

/// What a file says, fit to take the place of what runs.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// What is to run from now on.
    pub(crate) checked: Checked,
    /// The keys that the file has changed and that count at the next start.
    pub(crate) next_start: Vec<String>,
}

impl ConfigFile {
    /// This file. `log_format` takes the place of what it says.
    pub fn new(path: impl Into<PathBuf>, fips: Fips, log_format: Option<LogFormat>) -> Self {
        Self { path: path.into(), fips, log_format }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says about the process, and nothing else; what is wrong with the file is for [`ConfigFile::load`] to tell.
    pub(crate) fn server(&self) -> ServerProcess {
        let config = super::read(&self.path).ok().and_then(|(text, _)| super::unchecked(&text));
        config.map(|config| config.server).unwrap_or_default()
    }

    /// What it says for a server that runs by `running`, and where relative paths begin, before anything is looked at. `None` where it
    /// cannot be read, which [`ConfigFile::load_over`] tells.
    pub(crate) fn unchecked_over(&self, running: &Config) -> Option<(Config, PathBuf)> {
        let (text, base) = super::read(&self.path).ok()?;
        let mut config = super::unchecked(&text)?;
        config.keep_rows(running, &Key::root(), &mut Vec::new());
        super::users::take_in(&mut config, &base).ok()?;
        Some((config, base))
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(&self) -> Result<Checked, Problems> {
        self.load_under(self.fips)
    }

    fn load_under(&self, fips: Fips) -> Result<Checked, Problems> {
        let mut checked = load(&self.path, fips)?;
        if let Some(format) = self.log_format {
            checked.config.log.format = format;
        }
        Ok(checked)
    }

    /// Reads and checks it for a server that runs by `running`: what takes a restart stays as it runs.
    ///
    /// # Errors
    /// As [`load`]; also where the file is right by itself, and not beside what stays.
    pub(crate) fn load_over(&self, running: &Config) -> Result<Replacement, Problems> {
        // SECURITY: the mode stays, so its rules are those that the file has to keep.
        let fips = if running.fips { Fips::Demanded } else { self.fips };
        let mut checked = self.load_under(fips)?;
        let mut next_start = Vec::new();
        checked.config.keep_rows(running, &Key::root(), &mut next_start);
        if !next_start.is_empty() {
            // All paths are absolute by now.
            let Checked { config, own_users, users_file, .. } = checked;
            checked = check(config, Path::new("/")).map_err(|faults| {
                let problem = |fault: super::Fault| fault.into_problem(Source::new(""), &Places::default());
                let stays = next_start.join(", ");
                let mut problems: Vec<_> = faults.into_iter().map(problem).collect();
                for problem in &mut problems {
                    problem.mend =
                        format!("start the server again: {stays} count only then; or {}", problem.mend);
                }
                Problems { file: self.path.display().to_string(), problems }
            })?;
            checked = Checked { own_users, users_file, ..checked };
        }
        Ok(Replacement { checked, next_start })
    }
}

/// What runs, with the users file as it is now, before any home is looked at.
pub(crate) fn unchecked_users_of_now(running: &Config, own: usize) -> Option<Config> {
    let mut config = running.clone();
    config.user.0.truncate(own);
    super::users::take_in(&mut config, Path::new("/")).ok()?;
    Some(config)
}

/// What runs, with the users file as it is now. `own` is how many users the configuration has itself.
///
/// # Errors
/// Everything that is wrong with the users file, or beside it.
pub(crate) fn with_users_of_now(running: &Config, own: usize) -> Result<Checked, Problems> {
    let mut config = running.clone();
    config.user.0.truncate(own);
    let file = config.users.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
    // All paths are absolute by now.
    super::complete(config, Path::new("/"), Source::new(""), &Places::default())
        .map_err(|problems| Problems { file, problems })
}

/// The state folder that a configuration file names, also where other things are wrong with the file: by it a server is found that runs
/// by an earlier state of the file.
///
/// # Errors
/// The file cannot be read or is no TOML, or neither it nor the environment names a folder.
pub fn state_of(path: &Path) -> Result<PathBuf, Problems> {
    let (text, base) = super::read(path)?;
    let failed = |message: String, mend: &str| super::problem::whole(path, message, mend);
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| failed(error.message().to_owned(), "see `carrack config check`"))?;
    let named = table.get("state").and_then(toml::Value::as_str).map(|state| beside(&base, Path::new(state)));
    named.or_else(crate::state::standard_folder).ok_or_else(|| {
        failed(
            "it names no state folder, and neither XDG_STATE_HOME nor HOME is set".to_owned(),
            "name it with --state DIR",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::section::{Kind, Reload, Shape};
    use super::*;

    fn written(dir: &Path, more: &str) -> ConfigFile {
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let path = dir.join("carrack.toml");
        let text = format!(
            "{more}\n[[listen]]\naddress = \"127.0.0.1:2121\"\n[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \".\"\n"
        );
        std::fs::write(&path, text).unwrap();
        ConfigFile::new(path, Fips::AsConfigured, None)
    }

    #[test]
    fn what_takes_a_restart_stays_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let running = written(dir.path(), "state = \"state\"").load().unwrap().config;
        let changed = "state = \"other\"\n[passive]\nports = 50000\n[timeouts]\nidle_s = 7\n\
                       [log]\nlevel = \"debug\"\nformat = \"json\"\n[metrics]\naddress = \"127.0.0.1:9121\"";
        let Replacement { checked, next_start } = written(dir.path(), changed).load_over(&running).unwrap();
        assert_eq!(next_start, ["state", "passive.ports", "log.format", "metrics"]);
        assert_eq!((&checked.config.state, &checked.config.metrics), (&running.state, &None));
        assert_eq!(
            (&checked.config.passive.ports, checked.config.timeouts.idle_s.0),
            (&running.passive.ports, 7)
        );
        assert_ne!(checked.config.log.level, running.log.level);
        assert_eq!(written(dir.path(), "state = \"state\"").load_over(&running).unwrap().next_start, [""; 0]);
    }

    #[test]
    fn a_file_that_is_right_only_behind_a_restart_is_refused_with_that_mend() {
        let dir = tempfile::tempdir().unwrap();
        let running = "state = \"state\"\n[metrics]\naddress = \"127.0.0.1:2990\"";
        let running = written(dir.path(), running).load().unwrap().config;
        let more = "state = \"state\"\n[[listen]]\nmode = \"implicit\"\naddress = \"127.0.0.1:2990\"";
        let problems = written(dir.path(), more).load_over(&running).unwrap_err();
        assert!(
            matches!(&problems.problems[..], [problem] if problem.mend.contains("start the server again: metrics"))
        );
    }

    #[test]
    fn no_row_that_takes_a_restart_stands_in_a_table_that_comes_and_goes() {
        fn look(shape: &Shape, path: &str, within_many: bool) {
            for row in shape.rows {
                let path = format!("{path}.{}", row.key);
                let restarts = row.reload == Reload::Restart;
                assert!(!(within_many && restarts), "{path} would count at a reload all the same");
                match row.kind {
                    Kind::Table(inner) if !restarts => look(inner, &path, within_many),
                    Kind::Tables(inner) if !restarts => look(inner, &path, true),
                    _ => {}
                }
            }
        }
        look(&Config::SHAPE, "", false);
    }
}
