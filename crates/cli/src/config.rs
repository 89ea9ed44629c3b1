//! `carrack config`: check, show, schema.

use carrack_daemon::config::{self, Fips};

use crate::arguments::server::Config;
use crate::exit::Failure;

/// Runs `carrack config …`.
pub(crate) fn config(command: Config, fips: Fips) -> Result<(), Failure> {
    match command {
        Config::Check(file) => {
            let path = file.path();
            let checked = config::load(&path, fips).map_err(wrong)?;
            for warning in &checked.warnings {
                eprintln!("carrack: warning: {warning}");
            }
            let (listeners, users) = (checked.config.listen.len(), checked.config.user.len());
            say!("{} is right: {}, {}", path.display(), count(listeners, "listener"), count(users, "user"));
        }
        Config::Show(file) => {
            let checked = config::load(&file.path(), fips).map_err(wrong)?;
            say_text!(config::show(&checked.own_config()));
        }
        Config::Schema => say!("{:#}", config::schema()),
    }
    Ok(())
}

/// A file that is wrong: all that is wrong with it, below one line that says so.
pub(crate) fn wrong(problems: config::Problems) -> Failure {
    if matches!(problems.problems.as_slice(), [only] if only.line == 0 && only.key.is_empty()) {
        return Failure::failed(problems.to_string().trim_end());
    }
    Failure::failed(format!("the configuration is wrong\n\n{}", problems.to_string().trim_end()))
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
