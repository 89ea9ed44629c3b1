//! Where does a password come from? A file, the environment or a prompt; never the command line, which everybody can read.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::terminal;

/// The variable that holds a password.
pub(crate) const VARIABLE: &str = "CARRACK_PASSWORD";
/// The variable that holds the password of the key that a client shows its certificate with.
pub(crate) const KEY_VARIABLE: &str = "CARRACK_KEY_PASSWORD";

/// Where a password was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// In this file.
    File {
        /// The file.
        path: PathBuf,
        /// Whether the file is the password and nothing but a line end: `cat` gives it then.
        plain: bool,
    },
    /// In [`VARIABLE`].
    Environment,
}

/// The password that was given by file or environment, if any. The file wins.
pub(crate) fn given(file: Option<&Path>) -> Result<Option<(Given, Zeroizing<String>)>, Failure> {
    if let Some(file) = file {
        let (password, plain) = from_file(file)?;
        return Ok(Some((Given::File { path: file.to_owned(), plain }, password)));
    }
    Ok(from_environment()?.map(|password| (Given::Environment, password)))
}

/// The password in [`VARIABLE`], if it is set.
pub(crate) fn from_environment() -> Result<Option<Zeroizing<String>>, Failure> {
    from_variable(VARIABLE)
}

/// The password in this variable, if it is set.
pub(crate) fn from_variable(variable: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    match std::env::var(variable) {
        Ok(password) if password.is_empty() => {
            Err(Failure::usage(format!("{variable} is empty; unset it, or give it a password")))
        }
        Ok(password) => Ok(Some(Zeroizing::new(password))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{variable} is not UTF-8"))),
    }
}

/// A byte order mark, as editors of Windows put it before UTF-8; it is no part of a password.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The one line of the file, and whether there is nothing around it but the line end.
pub(crate) fn from_file(file: &Path) -> Result<(Zeroizing<String>, bool), Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| Failure::failed(format!("the password file {shown} cannot be read: {error}")))?;
    let unmarked = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let unended = unmarked.strip_suffix('\n').unwrap_or(unmarked);
    let line =
        if unended.len() < unmarked.len() { unended.strip_suffix('\r').unwrap_or(unended) } else { unended };
    let plain = unmarked.len() == text.len() && line.len() == unended.len();
    match line {
        "" => Err(Failure::failed(format!(
            "the password file {shown} is empty; write the password on its first line"
        ))),
        line if line.contains(['\n', '\r']) => Err(Failure::failed(format!(
            "the password file {shown} has more than one line; keep only the password"
        ))),
        line => Ok((Zeroizing::new(line.to_owned()), plain)),
    }
}

/// Asks twice on the terminal; `instead` says how it can be given without one.
pub(crate) fn prompt_new(instead: &str) -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt: &str| prompt_known(prompt, instead);
    let password = ask("Password: ")?;
    if password.is_empty() {
        return Err(Failure::failed("the password is empty; choose one"));
    }
    if *ask("Once more: ")? != *password {
        return Err(Failure::failed("the two passwords differ; try again"));
    }
    Ok(password)
}

/// Asks once on the terminal; `instead` says how it can be given without one.
pub(crate) fn prompt_known(prompt: &str, instead: &str) -> Result<Zeroizing<String>, Failure> {
    // Who redirects standard input has a program in mind and not a person, whatever terminal it was started from.
    let answer = if io::stdin().is_terminal() { terminal::ask_password(prompt) } else { None };
    answer.unwrap_or_else(|| {
        Err(Failure::usage(format!("there is no terminal to ask for a password; give it with {instead}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_has_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        for (text, password, plain) in [
            ("secret", Some("secret"), true),
            ("secret\n", Some("secret"), true),
            ("a b \r\n", Some("a b "), false),
            ("\u{feff}secret\n", Some("secret"), false),
            ("\u{feff}secret\r\n", Some("secret"), false),
            ("", None, true),
            ("\n", None, true),
            ("\u{feff}\r\n", None, true),
            ("one\ntwo\n", None, true),
            ("one\rtwo", None, true),
        ] {
            std::fs::write(&file, text).unwrap();
            match from_file(&file) {
                Ok((found, is_plain)) => {
                    assert_eq!((Some(found.as_str()), is_plain), (password, plain), "{text:?}")
                }
                Err(_) => assert_eq!(password, None, "{text:?}"),
            }
        }
    }
}
