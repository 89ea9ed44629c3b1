//! How is a greeting written, read and refused?

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::value::{parsed, quoted};

/// Longest text, in bytes, and how many lines it may have: what a terminal shows, and what old clients hold.
const LONGEST: usize = 2048;
const LINES: usize = 24;

/// The text of a greeting, in one line or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner(String);

impl Banner {
    /// What is said where nothing else is: neither a name nor a version, which would tell a stranger what to try.
    pub fn standard() -> Self {
        Self("Carrack FTP server ready.".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches(['\n', '\r']).replace("\r\n", "\n");
        if text.is_empty() {
            return Err("an empty greeting says nothing".to_owned());
        }
        if text.len() > LONGEST || text.lines().count() > LINES {
            return Err(format!("a greeting has at most {LONGEST} bytes in {LINES} lines"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("a greeting has no control characters but line breaks".to_owned());
        }
        Ok(Self(text))
    }
}

impl Setting for Banner {
    const KIND: Kind = Kind::Text {
        what: "a text of one line or several",
        example: "Welcome to ftp.example.org.",
        pattern: None,
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, Self::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0))
    }
}
