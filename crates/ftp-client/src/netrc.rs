//! What does the text of a `~/.netrc` say about a server?
//!
//! Read as curl reads it: words between white space, over any number of lines; a word that begins with a quotation mark
//! goes on to the next one and knows `\n`, `\r`, `\t` and `\x` for any other `x`; a word that begins with `#` makes the rest of
//! its line a comment; a macro (`macdef`) ends at the next empty line; words that mean nothing are passed over. The first entry
//! that fits is taken.

use thiserror::Error;
use zeroize::Zeroizing;

/// The entries of a file.
#[derive(Debug, Default)]
pub struct Netrc {
    entries: Vec<Entry>,
}

/// A quotation mark in it is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line}: a quotation mark is not closed")]
pub struct NotClosed {
    /// Which line, from 1.
    pub line: usize,
}

#[derive(Default)]
struct Entry {
    /// `None` is `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<Zeroizing<String>>,
}

/// What a file says about a server.
#[derive(Debug)]
pub struct Found<'f> {
    /// Who logs in.
    pub user: &'f str,
    /// With what.
    pub password: Option<&'f Zeroizing<String>>,
}

impl Netrc {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`NotClosed`].
    pub fn parse(text: &str) -> Result<Netrc, NotClosed> {
        Ok(Netrc { entries: parse(text)? })
    }

    /// Who logs in to a host, and with what. Where a user is named, only an entry of that user counts: another one's
    /// password is nobody else's business.
    pub fn find(&self, host: &str, user: Option<&str>) -> Option<Found<'_>> {
        let fits = |entry: &&Entry| {
            entry.login.is_some() && user.is_none_or(|user| entry.login.as_deref() == Some(user))
        };
        let of_host =
            |entry: &&Entry| entry.machine.as_ref().is_some_and(|machine| machine.eq_ignore_ascii_case(host));
        let entry = self
            .entries
            .iter()
            .find(|entry| of_host(entry) && fits(entry))
            .or_else(|| self.entries.iter().find(|entry| entry.machine.is_none() && fits(entry)))?;
        Some(Found { user: entry.login.as_deref()?, password: entry.password.as_ref() })
    }
}

impl std::fmt::Debug for Entry {
    // SECURITY: a derived one would print the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("machine", &self.machine)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// Which word was read before, and so what the next one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Keyword,
    Machine,
    Login,
    Password,
    /// The value of a keyword that means nothing here.
    Nothing,
}

fn parse(text: &str) -> Result<Vec<Entry>, NotClosed> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut expected = Expected::Keyword;
    let mut in_macro = false;
    for (index, line) in text.lines().enumerate() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut rest = line;
        while let Some(word) = next_word(&mut rest).ok_or(NotClosed { line: index + 1 })? {
            let entry = entries.last_mut();
            match (expected, word.as_str(), entry) {
                (Expected::Keyword, "machine", _) => expected = Expected::Machine,
                (Expected::Keyword, "default", _) => entries.push(Entry::default()),
                (Expected::Keyword, "login", _) => expected = Expected::Login,
                (Expected::Keyword, "password", _) => expected = Expected::Password,
                (Expected::Keyword, "account", _) => expected = Expected::Nothing,
                (Expected::Keyword, "macdef", _) => {
                    in_macro = true;
                    break;
                }
                (Expected::Keyword, _, _) => {}
                (kind, _, entry) => {
                    match (kind, entry) {
                        (Expected::Machine, _) => {
                            entries.push(Entry { machine: Some(word.to_string()), ..Entry::default() });
                        }
                        (Expected::Login, Some(entry)) => entry.login = Some(word.to_string()),
                        (Expected::Password, Some(entry)) => entry.password = Some(word),
                        _ => {}
                    }
                    expected = Expected::Keyword;
                }
            }
        }
    }
    Ok(entries)
}

/// Takes the next word of a line, and the white space before it; an inner `None` at its end, an outer one where a quotation
/// mark is not closed.
fn next_word(line: &mut &str) -> Option<Option<Zeroizing<String>>> {
    let rest = line.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        *line = "";
        return Some(None);
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        *line = after;
        return Some(Some(Zeroizing::new(word.to_owned())));
    };
    let mut word = Zeroizing::new(String::with_capacity(quoted.len()));
    let mut letters = quoted.chars();
    loop {
        match letters.next() {
            Some('"') => break,
            Some('\\') => match letters.next() {
                Some('n') => word.push('\n'),
                Some('r') => word.push('\r'),
                Some('t') => word.push('\t'),
                Some(letter) => word.push(letter),
                None => return None,
            },
            Some(letter) => word.push(letter),
            None => return None,
        }
    }
    *line = letters.as_str();
    Some(Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netrc(text: &str) -> Netrc {
        Netrc::parse(text).unwrap()
    }

    /// User and password for a host.
    fn login(netrc: &Netrc, host: &str, user: Option<&str>) -> Option<(String, Option<String>)> {
        netrc
            .find(host, user)
            .map(|found| (found.user.to_owned(), found.password.map(|password| password.to_string())))
    }

    fn pair(user: &str, password: &str) -> Option<(String, Option<String>)> {
        Some((user.to_owned(), Some(password.to_owned())))
    }

    const FILE: &str = r##"
# passwords
machine ftp.example login alice password wonder#land   # her own
machine ftp.example login bob
    password "with space, \"quotes\" and \\"
machine other.example
    login carol
    account billing
    password "tab\there"
macdef init
    machine evil login x password y
    cd /pub

machine port.example port 21 login dave password "#1"
machine nobody.example password orphan
default login anonymous password me@example
"##;

    #[test]
    fn the_first_entry_that_fits_is_taken() {
        let netrc = netrc(FILE);
        assert_eq!(login(&netrc, "ftp.example", None), pair("alice", "wonder#land"));
        assert_eq!(login(&netrc, "FTP.Example", Some("alice")), pair("alice", "wonder#land"));
        assert_eq!(login(&netrc, "ftp.example", Some("bob")), pair("bob", r#"with space, "quotes" and \"#));
        assert_eq!(login(&netrc, "other.example", None), pair("carol", "tab\there"));
        assert_eq!(login(&netrc, "port.example", None), pair("dave", "#1"));
    }

    #[test]
    fn what_fits_nobody_falls_to_the_default() {
        let netrc = netrc(FILE);
        let anonymous = pair("anonymous", "me@example");
        for host in ["unknown.example", "evil", "nobody.example"] {
            assert_eq!(login(&netrc, host, None), anonymous, "{host}");
        }
        assert_eq!(login(&netrc, "unknown.example", Some("anonymous")), anonymous);
        assert_eq!(login(&netrc, "ftp.example", Some("mallory")), None, "nobody gets another one's password");
        assert_eq!(login(&netrc, "nobody.example", Some("mallory")), None);
    }

    #[test]
    fn an_entry_without_password_names_the_user() {
        let netrc = netrc("machine h login alice");
        assert_eq!(login(&netrc, "h", None), Some(("alice".to_owned(), None)));
        assert_eq!(login(&self::netrc("login alice password x machine"), "h", None), None);
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_names_its_line() {
        for text in ["machine h\nlogin \"alice\n", "machine h\npassword \"a\\"] {
            assert_eq!(Netrc::parse(text).unwrap_err().to_string(), "line 2: a quotation mark is not closed");
        }
    }

    #[test]
    fn no_password_is_in_what_is_printed_for_debugging() {
        assert!(!format!("{:?}", netrc(FILE)).contains("wonder"));
    }
}
