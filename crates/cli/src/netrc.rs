//! What does `~/.netrc` say about a server?
//!
//! Read as curl reads it: words between white space, over any number of lines; a word that begins with a quotation mark
//! goes on to the next one and knows `\n`, `\r`, `\t` and `\x` for any other `x`; a word that begins with `#` makes the rest of
//! its line a comment; a macro (`macdef`) ends at the next empty line; words that mean nothing are passed over. The first entry
//! that fits is taken.
//!
//! Of a file that others may read, curl says nothing and ftp(1) takes nothing. We take it and say so: the harm, if any, was
//! done before, and a script that worked with curl works here.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::program::quoted;

/// The entries of a file.
#[derive(Debug, Default)]
pub(crate) struct Netrc {
    path: PathBuf,
    readable_by_others: bool,
    entries: Vec<Entry>,
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
pub(crate) struct Found<'f> {
    /// Who logs in.
    pub(crate) user: &'f str,
    /// With what.
    pub(crate) password: Option<&'f Zeroizing<String>>,
}

impl Netrc {
    /// `~/.netrc`; without entries where there is none.
    pub(crate) fn load() -> Result<Netrc, Failure> {
        match std::env::var_os("HOME") {
            Some(home) => Self::read(&Path::new(&home).join(".netrc")),
            None => Ok(Netrc::default()),
        }
    }

    fn read(path: &Path) -> Result<Netrc, Failure> {
        let unreadable =
            |error: io::Error| Failure::failed(format!("{} cannot be read: {error}", path.display()));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Netrc::default()),
            Err(error) => return Err(unreadable(error)),
        };
        let mode = file.metadata().map_err(unreadable)?.mode();
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(unreadable)?;
        let entries =
            parse(&text).map_err(|problem| Failure::failed(format!("{}, {problem}", path.display())))?;
        Ok(Netrc { path: path.to_owned(), readable_by_others: mode & 0o077 != 0, entries })
    }

    /// Who logs in to a host, and with what. Where a user is named, only an entry of that user counts: another one's
    /// password is nobody else's business.
    pub(crate) fn find(&self, host: &str, user: Option<&str>) -> Option<Found<'_>> {
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

    /// What should be said about the file once a password was taken from it.
    pub(crate) fn warning(&self) -> Option<String> {
        self.readable_by_others.then(|| {
            format!(
                "{} holds passwords and can be read by other users; `chmod 600 {}` keeps it to you",
                self.path.display(),
                quoted(&self.path.to_string_lossy())
            )
        })
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

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut expected = Expected::Keyword;
    let mut in_macro = false;
    for (index, line) in text.lines().enumerate() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut rest = line;
        while let Some(word) = next_word(&mut rest).map_err(|why| format!("line {}: {why}", index + 1))? {
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

/// The next word of a line, without it and the white space before it.
fn next_word(line: &mut &str) -> Result<Option<Zeroizing<String>>, &'static str> {
    let rest = line.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        *line = "";
        return Ok(None);
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        *line = after;
        return Ok(Some(Zeroizing::new(word.to_owned())));
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
                None => return Err("a quotation mark is not closed"),
            },
            Some(letter) => word.push(letter),
            None => return Err("a quotation mark is not closed"),
        }
    }
    *line = letters.as_str();
    Ok(Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn netrc(text: &str) -> Netrc {
        Netrc { entries: parse(text).unwrap(), ..Netrc::default() }
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
            assert_eq!(parse(text).unwrap_err(), "line 2: a quotation mark is not closed");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".netrc");
        assert!(Netrc::read(&path).unwrap().entries.is_empty());
        std::fs::write(&path, FILE).unwrap();
        for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let netrc = Netrc::read(&path).unwrap();
            assert_eq!(netrc.warning().is_some_and(|text| text.contains("chmod 600")), told, "{mode:o}");
            assert_eq!(login(&netrc, "other.example", None), pair("carol", "tab\there"));
        }
    }

    #[test]
    fn no_password_is_in_what_is_printed_for_debugging() {
        assert!(!format!("{:?}", netrc(FILE)).contains("wonder"));
    }
}
