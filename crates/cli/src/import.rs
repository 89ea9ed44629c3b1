//! `carrack user import`: the users of another server as `[[user]]` tables, and what of them could not be taken over.

mod proftpd;
mod pure_ftpd;
mod vsftpd;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;

use carrack_core::password::PasswordHash;
use carrack_daemon::config::UserName;

use crate::arguments::server::{Import, Origin};
use crate::exit::{Failure, Status};

/// What other servers let every user do, as far as the file system lets them.
const EVERYTHING: &str =
    r#"permissions = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]"#;

/// One user of the other server.
struct Imported {
    name: String,
    /// As it stands there.
    hash: String,
    home: Option<String>,
    /// Further lines of the table.
    lines: Vec<String>,
    /// What could not be taken over, and what to do about it.
    notes: Vec<String>,
}

impl Imported {
    fn new(name: &str, hash: &str, home: Option<&str>) -> Self {
        let home = home.filter(|home| !home.is_empty()).map(str::to_owned);
        Self { name: name.to_owned(), hash: hash.to_owned(), home, lines: Vec::new(), notes: Vec::new() }
    }

    fn line(&mut self, key: &str, value: impl std::fmt::Display) {
        self.lines.push(format!("{key} = {value}"));
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// Runs it: tables on standard output, what is missing on standard error, too.
pub(crate) fn import(import: Import) -> Result<(), Failure> {
    let shown = import.file.display();
    let text = fs::read(&import.file).map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
    let text = String::from_utf8(text).map_err(|_| {
        Failure::failed(format!("{shown} is not text; name the file that the database is made of"))
    })?;
    let users = match import.from {
        Origin::Proftpd => proftpd::users(&text),
        Origin::PureFtpd => pure_ftpd::users(&text),
        Origin::Vsftpd => vsftpd::users(&text, import.user_config_dir.as_deref()),
    }
    .map_err(|why| Failure::failed(format!("{shown}: {why}")))?;
    let mut seen = HashSet::new();
    let (mut taken, mut left) = (0_usize, 0_usize);
    for mut user in users {
        if user.home.is_none() || import.replace_homes {
            let folder = import.home.as_deref().map(|home| home.replace("%u", &user.name));
            user.home = folder.or(user.home);
        }
        let missing = missing(&user, !seen.insert(user.name.clone()));
        for why in missing.iter().chain(&user.notes) {
            eprintln!("carrack: {}: {why}", printable(&user.name));
        }
        say_text!(table(&user, &missing));
        if missing.is_empty() { taken += 1 } else { left += 1 }
    }
    eprintln!("carrack: {taken} users taken over, {left} left out");
    if left > 0 { Err(Failure::told(Status::Failed)) } else { Ok(()) }
}

/// Why the server could not let this user in.
fn missing(user: &Imported, is_double: bool) -> Vec<String> {
    let mut missing = Vec::new();
    if let Err(why) = user.name.parse::<UserName>() {
        missing.push(format!("{why}; give the user another name"));
    }
    if is_double {
        missing.push("there is a user of this name already; rename or remove one".to_owned());
    }
    if PasswordHash::parse(&user.hash).is_err() {
        let set = "set a password with `carrack user hash`, and take the # away";
        missing.push(format!("{}; {set}", refused(&user.hash)));
    }
    if user.home.is_none() {
        missing.push("it has no home; say where homes are with --home, as in --home /srv/ftp/%u".to_owned());
    }
    missing
}

/// What is wrong with a hash that cannot be checked.
fn refused(hash: &str) -> String {
    let kind = match hash {
        "" => return "it has no password".to_owned(),
        hash if hash.starts_with(['!', '*']) => return "its password is locked".to_owned(),
        hash if hash.starts_with("$1$") || hash.starts_with("$apr1$") => "MD5",
        hash if hash.starts_with("$7$") => "scrypt",
        hash if hash.starts_with("$argon2i$") || hash.starts_with("$argon2d$") => {
            "another argon2 than argon2id"
        }
        hash if hash.starts_with('$') => "a kind that is not known here, or incomplete",
        hash if hash.len() == 13 => "DES",
        _ => "a kind that is not known here",
    };
    format!(
        "its password is hashed by {kind}, which is not checked here (what is: argon2id, bcrypt, $5$, $6$, $y$)"
    )
}

/// The `[[user]]` table; commented out where something is missing.
fn table(user: &Imported, missing: &[String]) -> String {
    let mut table = String::new();
    for note in missing.iter().chain(&user.notes) {
        let _ = writeln!(table, "# {}: {}", printable(&user.name), printable(note));
    }
    let mut lines = vec!["[[user]]".to_owned(), format!("name = {}", quoted(&user.name))];
    // SECURITY: what is no hash may be a password.
    match PasswordHash::parse(&user.hash) {
        Ok(_) => lines.push(format!("password = {}", quoted(&user.hash))),
        Err(_) => lines.push("password = \"\"".to_owned()),
    }
    lines.push(format!("home = {}", quoted(user.home.as_deref().unwrap_or_default())));
    lines.extend(user.lines.iter().cloned());
    let mark = if missing.is_empty() { "" } else { "# " };
    for line in lines {
        let _ = writeln!(table, "{mark}{line}");
    }
    table.push('\n');
    table
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// SECURITY: nothing of a file moves the terminal, or ends a comment.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The lines of a file that say something, each with its number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end_matches('\r')));
    lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_checked_is_commented_out_and_no_password_is_shown() {
        let user = Imported::new("eve\n[listen]", "hunter2", Some("/srv/\"x\""));
        let missing = missing(&user, false);
        assert_eq!(missing.len(), 2, "{missing:?}");
        let table = table(&user, &missing);
        assert!(table.lines().all(|line| line.is_empty() || line.starts_with('#')), "{table}");
        assert!(!table.contains("hunter2"), "{table}");
        assert!(table.contains("home = \"/srv/\\\"x\\\"\""), "{table}");
    }
}
