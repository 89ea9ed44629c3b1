//! Which types can a key have, and how is each written, read and refused?

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use carrack_core::password::PasswordHash;
use carrack_core::path::VirtualPath;
use carrack_net::{Network, NotANetwork};
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};

/// TOML text of a string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads a string, parses it, tells what is wrong with it.
pub(super) fn parsed<T: Setting>(
    reader: &mut Reader<'_>,
    key: &Key,
    value: &Spanned<DeValue<'_>>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let (Kind::Text { what, example, .. } | Kind::TextOrNumber { what, example, .. }) = T::KIND else {
        return None;
    };
    let quoted_example = format!("\"{example}\"");
    match value.get_ref() {
        DeValue::String(text) => match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                let message = if why.is_empty() { format!("{text:?} is not {what}") } else { why };
                reader.problem(key, value.span(), message, format!("write it as in {quoted_example}"));
                None
            }
        },
        _ => {
            reader.wrong_type(key, value, what, &quoted_example);
            None
        }
    }
}

impl Setting for bool {
    const KIND: Kind = Kind::Flag;
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        reader.wrong_type(key, value, "true or false", "true");
        None
    }
    fn show(&self) -> Shown {
        Shown::Value(self.to_string())
    }
}

/// A whole number between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MINIMUM: u64, const MAXIMUM: u64>(pub u32);

/// A number of whole seconds between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds<const MINIMUM: u64, const MAXIMUM: u64>(pub u64);

impl<const MINIMUM: u64, const MAXIMUM: u64> From<Seconds<MINIMUM, MAXIMUM>> for Duration {
    fn from(seconds: Seconds<MINIMUM, MAXIMUM>) -> Self {
        Self::from_secs(seconds.0)
    }
}

/// Reads a whole number within bounds.
pub(super) fn number(
    reader: &mut Reader<'_>,
    key: &Key,
    value: &Spanned<DeValue<'_>>,
    kind: Kind,
) -> Option<u64> {
    let Kind::Number { unit, minimum, maximum } = kind else { return None };
    let expected =
        if unit.is_empty() { "a whole number".to_owned() } else { format!("a whole number of {unit}") };
    let DeValue::Integer(integer) = value.get_ref() else {
        // "30s", "5m" and 30.0 are honest mistakes: say the number that was meant.
        let meant = match value.get_ref() {
            DeValue::String(text) => as_seconds(text, unit == "seconds"),
            DeValue::Float(float) => float.as_str().strip_suffix(".0").and_then(|whole| whole.parse().ok()),
            _ => None,
        };
        let example =
            meant.filter(|n| (minimum..=maximum).contains(n)).unwrap_or(minimum.max(30).min(maximum));
        reader.wrong_type(key, value, &expected, &example.to_string());
        return None;
    };
    let number = i128::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
    match number.and_then(|n| u64::try_from(n).ok()).filter(|n| (minimum..=maximum).contains(n)) {
        Some(number) => Some(number),
        None => {
            let message = format!("{integer} is out of range");
            reader.problem(
                key,
                value.span(),
                message,
                format!("give {expected} from {minimum} to {maximum}"),
            );
            None
        }
    }
}

/// What "30", and with `units` "30s", "5 min" or "2h", come to.
fn as_seconds(text: &str, units: bool) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let factor = match text.get(digits..)?.trim() {
        "" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" if units => 1,
        "m" | "min" | "mins" | "minute" | "minutes" if units => 60,
        "h" | "hour" | "hours" if units => 3600,
        "d" | "day" | "days" if units => 86_400,
        _ => return None,
    };
    number.checked_mul(factor)
}

impl<const MINIMUM: u64, const MAXIMUM: u64> Setting for Count<MINIMUM, MAXIMUM> {
    const KIND: Kind = Kind::Number { unit: "", minimum: MINIMUM, maximum: MAXIMUM };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        number(reader, key, value, Self::KIND).and_then(|n| u32::try_from(n).ok()).map(Self)
    }
    fn show(&self) -> Shown {
        Shown::Value(self.0.to_string())
    }
}

impl<const MINIMUM: u64, const MAXIMUM: u64> Setting for Seconds<MINIMUM, MAXIMUM> {
    const KIND: Kind = Kind::Number { unit: "seconds", minimum: MINIMUM, maximum: MAXIMUM };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        number(reader, key, value, Self::KIND).map(Self)
    }
    fn show(&self) -> Shown {
        Shown::Value(self.0.to_string())
    }
}

impl Setting for PathBuf {
    const KIND: Kind = Kind::Text { what: "a path", example: "/path/to/it", pattern: None, secret: false };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| match text {
            "" => Err("the path is empty".to_owned()),
            _ if text.contains('\0') => Err("the path holds a NUL byte".to_owned()),
            _ if text == "~" || text.starts_with("~/") => {
                Err("`~` is the shell's; a file of configuration belongs to nobody's home".to_owned())
            }
            _ => Ok(Self::from(text)),
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string_lossy()))
    }
}

impl Setting for SocketAddr {
    const KIND: Kind = Kind::Text {
        what: "an address and a port",
        example: "0.0.0.0:2121",
        pattern: Some("^.+:[0-9]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, listen_address)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

/// Reads an address to listen on; the error says what is missing.
///
/// # Errors
/// A sentence about what is wrong with the text.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        if text.parse::<std::net::IpAddr>().is_ok() {
            format!("{text:?} has no port")
        } else if text.parse::<u16>().is_ok() {
            format!("{text:?} has no address")
        } else if text.starts_with("localhost:") {
            format!("{text:?} is a name; an address is needed, 127.0.0.1 or [::1]")
        } else {
            format!("{text:?} is not an address and a port, such as 127.0.0.1:2121 or [::]:2121")
        }
    })
}

impl Setting for Network {
    const KIND: Kind = Kind::Text {
        what: "an address or a network",
        example: "192.0.2.0/24",
        pattern: Some("^[0-9a-fA-F:.]+(/[0-9]+)?$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| match text.parse() {
            Ok(network) => Ok(network),
            Err(NotANetwork::Malformed) => Err(String::new()),
            Err(why) => Err(format!("{text:?} is of no use: {why}")),
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

/// Fewest ports a passive range may have: with fewer, one client that moves files in parallel uses them up.
const PASSIVE_PORTS_LEAST: u16 = 4;

/// The ports offered to passive data connections: a range, or one that all sessions share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl PortRange {
    /// What is used when nothing is said. Below Linux's ephemeral ports, short enough to write into a firewall rule.
    pub const STANDARD: Self = Self(50_000..=50_999);

    /// The one port that all sessions share, where it is one.
    pub fn shared(&self) -> Option<u16> {
        (self.0.start() == self.0.end()).then_some(*self.0.start())
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shared() {
            Some(port) => write!(f, "{port}"),
            None => write!(f, "{}-{}", self.0.start(), self.0.end()),
        }
    }
}

impl FromStr for PortRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.trim().parse::<u64>() {
            return one_port(number);
        }
        let bounds =
            text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        let Some((first, last)) = bounds else {
            return Err(format!("{text:?} is neither a range of ports nor a single port"));
        };
        let range: RangeInclusive<u16> = first..=last;
        if first == 0 || first > last {
            return Err(format!(
                "{text:?} is not a range of ports: the first must be at least 1 and not above the last"
            ));
        }
        if last - first < PASSIVE_PORTS_LEAST - 1 {
            return Err(format!(
                "{text:?} is too small: a client that moves files in parallel needs several, at least {PASSIVE_PORTS_LEAST}"
            ));
        }
        Ok(Self(range))
    }
}

fn one_port(number: u64) -> Result<PortRange, String> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(PortRange(port..=port)),
        _ => Err(format!("{number} is not a port: there are 1 to 65535")),
    }
}

impl Setting for PortRange {
    const KIND: Kind = Kind::TextOrNumber {
        what: "a range of ports, or a single one",
        example: "50000-50999",
        pattern: "^[0-9]+( *- *[0-9]+)?$",
        minimum: 1,
        maximum: 65_535,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        // A single port may be written as a number.
        if let DeValue::Integer(integer) = value.get_ref() {
            let number = u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix());
            return match number.map_err(|_| format!("{integer} is not a port")).and_then(one_port) {
                Ok(port) => Some(port),
                Err(why) => {
                    let mend = "write it as in 50000, or a range as in \"50000-50999\"";
                    reader.problem(key, value.span(), why, mend.to_owned());
                    None
                }
            };
        }
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

/// The name of a user, as it is given to `USER`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserName(String);

/// Longest user name taken: what `ls -l` and logs can show.
const USER_NAME_LONGEST: usize = 64;

impl UserName {
    /// The name that clients without an account give (RFC 1635).
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > USER_NAME_LONGEST {
            return Err(format!(
                "a user name has 1 to {USER_NAME_LONGEST} bytes, this one has {}",
                text.len()
            ));
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(format!(
                "{text:?} is not a user name: no control characters, no space at either end"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Setting for UserName {
    const KIND: Kind = Kind::Text { what: "a user name", example: "alice", pattern: None, secret: false };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0))
    }
}

/// A folder as clients see it, from the user's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPath(pub VirtualPath);

impl FolderPath {
    /// The folder as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.as_bytes()).into_owned()
    }
}

impl Setting for FolderPath {
    const KIND: Kind = Kind::Text {
        what: "a folder as clients see it, from `/`",
        example: "/pub",
        pattern: Some("^/"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            if !text.starts_with('/') {
                return Err(format!("{text:?} does not begin with `/`"));
            }
            if text.split('/').any(|part| part == "..") {
                return Err(format!("{text:?} holds `..`"));
            }
            VirtualPath::parse(text.as_bytes()).map(Self).map_err(|_| String::new())
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.text()))
    }
}

/// How the hashes begin that are taken.
const KNOWN_HASHES: [&str; 8] =
    ["$argon2id$", "$pbkdf2-sha512$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$"];

/// A password as it rests: a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedPassword(String);

impl fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

impl HashedPassword {
    /// Takes a hash that [`carrack_core::password::hash`] made.
    pub fn new(hash: String) -> Self {
        Self(hash)
    }

    /// The text of the hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for HashedPassword {
    const KIND: Kind = Kind::Text {
        what: "what `carrack user hash` prints",
        example: "$argon2id$v=19$…",
        pattern: Some("^\\$(argon2id|pbkdf2-sha512|2[aby]|5|6|y)\\$"),
        secret: true,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let problem = match value.get_ref() {
            DeValue::String(text) => match PasswordHash::parse(text) {
                Ok(_) => return Some(Self(text.clone().into_owned())),
                Err(_) if KNOWN_HASHES.iter().any(|start| text.starts_with(start)) => {
                    "this hash does not parse; a part of it is missing or changed"
                }
                Err(_) if text.starts_with('$') => {
                    "this hash is none of argon2id, pbkdf2-sha512, bcrypt, SHA-crypt and yescrypt"
                }
                Err(_) => "this is not a hash; passwords do not stand here in clear",
            },
            _ => "expected a hash as a string",
        };
        // SECURITY: neither message nor excerpt repeats the value, which may be a password typed in the wrong place.
        reader.secret_problem(
            key,
            value.span(),
            problem.to_owned(),
            "paste what `carrack user hash` prints".to_owned(),
        );
        None
    }
    fn show(&self) -> Shown {
        Shown::Secret
    }
}

/// A path of the file as the system understands it: relative ones begin where the file is.
pub(super) fn beside(base: &Path, path: &Path) -> PathBuf {
    base.join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_understood_to_be_mended() {
        assert_eq!(as_seconds("30", false), Some(30));
        assert_eq!(as_seconds("5 min", true), Some(300));
        assert_eq!(as_seconds("2h", true), Some(7200));
        assert_eq!(as_seconds("2h", false), None);
        assert_eq!(as_seconds("soon", true), None);
    }

    #[test]
    fn port_ranges() {
        assert_eq!("50000-50999".parse(), Ok(PortRange::STANDARD));
        assert_eq!("50000".parse::<PortRange>().unwrap().shared(), Some(50_000));
        assert_eq!(PortRange::STANDARD.shared(), None);
        for wrong in ["0", "65536", "50000-50000", "50999-50000", "0-10", "a-b", "1-70000", "50000-50001", ""]
        {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
