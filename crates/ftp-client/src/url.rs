//! What does a URL say: which server, how it is spoken to, as whom, and which path there?
//!
//! The parts and their escapes are RFC 1738 §3.1 and §3.2's, with two things made plain: nothing follows the path, so
//! `?`, `#`, `;`, `*` and `[` are bytes of it like any other; and the path is bytes, because names on servers are.

mod error;
mod path;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use carrack_ftp_proto::client::EntryName;
use zeroize::Zeroizing;

pub use error::UrlError;
pub use path::UrlPath;

/// Longest host name of the DNS, in its text form (RFC 1035 §2.3.4).
const HOST_NAME: usize = 253;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `ftpes://`: TLS is asked for on the connection (`AUTH TLS`, RFC 4217), port 21.
    Ftpes,
    /// `ftps://`: TLS from the first byte, port 990.
    Ftps,
    /// `ftp://`: no protection at all, port 21.
    Ftp,
}

impl Scheme {
    /// The scheme as it stands before `://`.
    pub fn word(self) -> &'static str {
        match self {
            Scheme::Ftpes => "ftpes",
            Scheme::Ftps => "ftps",
            Scheme::Ftp => "ftp",
        }
    }

    /// The port where none is named.
    pub fn port(self) -> u16 {
        match self {
            Scheme::Ftpes | Scheme::Ftp => 21,
            Scheme::Ftps => 990,
        }
    }

    fn parse(word: &str) -> Result<Scheme, UrlError> {
        match word.to_ascii_lowercase().as_str() {
            "ftpes" => Ok(Scheme::Ftpes),
            "ftps" => Ok(Scheme::Ftps),
            "ftp" => Ok(Scheme::Ftp),
            "sftp" | "https" => Err(UrlError::Later(word.to_ascii_lowercase())),
            _ => Err(UrlError::UnknownScheme(word.to_owned())),
        }
    }
}

/// `scheme://[user[:password]@]host[:port][/path]`
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// How the server is spoken to.
    pub scheme: Scheme,
    /// Who logs in, decoded.
    pub user: Option<String>,
    /// With what, decoded. Only where the URL names a user; may be empty.
    pub password: Option<Zeroizing<String>>,
    /// Which server: a name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What on it.
    pub path: UrlPath,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// A [`UrlError`] that says what is wrong and the mend.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let (scheme, rest) = split_scheme(text).ok_or_else(|| UrlError::NoScheme(text.to_owned()))?;
        let scheme = Scheme::parse(scheme)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let (login, server) = match authority.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, authority),
        };
        let (user, password) = login.map(parse_login).transpose()?.unwrap_or_default();
        let HostPort { host, port } = server.parse()?;
        let port = port.unwrap_or(scheme.port());
        let path = path.map(UrlPath::parse).transpose()?.unwrap_or_default();
        Ok(Url { scheme, user, password, host, port, path })
    }

    /// Whether a text is meant as a URL: a scheme and `://`, whatever stands before and behind. `host:path` and `C:\path`
    /// are not; a local file that looks like one is written with `./` before it.
    pub fn looks_like_url(text: &str) -> bool {
        split_scheme(text).is_some()
    }

    /// The server alone, `ftpes://host:port`, with the port in any case.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.word(), self.host_port())
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub fn host_port(&self) -> String {
        host_port(&self.host, self.port)
    }

    /// The URL of something in the folder that this one names.
    #[must_use]
    pub fn child(&self, name: &EntryName) -> Url {
        Url { path: self.path.child(name), ..self.clone() }
    }
}

/// Without the password, and without the port where it is the scheme's own. Reads back as the same URL.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.word())?;
        if let Some(user) = &self.user {
            write!(f, "{}@", path::Escaped(user.as_bytes(), path::In::Login))?;
        }
        match self.port == self.scheme.port() {
            true if self.host.contains(':') => write!(f, "[{}]", self.host)?,
            true => f.write_str(&self.host)?,
            false => f.write_str(&self.host_port())?,
        }
        self.path.fmt(f)
    }
}

// SECURITY: a derived one would print the password.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        Url::parse(text)
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// `HOST[:PORT]`: a name, an IPv4 address, or an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The name in lower case, or the address without brackets.
    pub host: String,
    /// The port, where one is named.
    pub port: Option<u16>,
}

impl FromStr for HostPort {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<HostPort, UrlError> {
        let wrong = |why| UrlError::BadHost { host: text.to_owned(), why };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| wrong("its bracket is not closed"))?;
                let port = match port {
                    "" => None,
                    port => Some(
                        port.strip_prefix(':').ok_or_else(|| wrong("only :PORT may follow the bracket"))?,
                    ),
                };
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(wrong("only an IPv6 address without a zone stands in brackets"));
                }
                (host.to_ascii_lowercase(), port)
            }
            None => {
                let (host, port) = match text.split_once(':') {
                    Some((_, more)) if more.contains(':') => {
                        return Err(wrong("an IPv6 address is written in brackets, as in [2001:db8::1]"));
                    }
                    Some((host, port)) => (host, Some(port)),
                    None => (text, None),
                };
                check_host_name(host).map_err(wrong)?;
                (host.to_ascii_lowercase(), port)
            }
        };
        // RFC 3986 §3.2.3: an empty port is the scheme's own.
        let port = port.filter(|port| !port.is_empty()).map(parse_port).transpose()?;
        Ok(HostPort { host, port })
    }
}

/// `scheme` and what follows `://`.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (begins && scheme.chars().all(is_scheme)).then_some((scheme, rest))
}

type LoginParts = (Option<String>, Option<Zeroizing<String>>);

fn parse_login(text: &str) -> Result<LoginParts, UrlError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    if user.is_empty() {
        return Err(UrlError::NoUser);
    }
    let text = |part: &str| {
        let bytes = Zeroizing::new(path::decode(part)?);
        String::from_utf8(bytes.to_vec()).map_err(|_| UrlError::LoginNotUtf8)
    };
    Ok((Some(text(user)?), password.map(text).transpose()?.map(Zeroizing::new)))
}

fn check_host_name(host: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    match host {
        "" => Err("it is missing"),
        host if !host.is_ascii() => Err("a name with other letters than a-z is written in its xn-- form"),
        host if !host.chars().all(plain) => Err("a host name has letters, digits, dots and hyphens"),
        host if host.len() > HOST_NAME => Err("it is longer than any name of the DNS"),
        // The system would read 127.1 or 0177.0.0.1 as addresses that nobody expects.
        host if host.chars().all(numeric) && host.parse::<Ipv4Addr>().is_err() => {
            Err("it is neither a name nor an IPv4 address with four parts")
        }
        _ => Ok(()),
    }
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(UrlError::BadPort(text.to_owned())),
    }
}
