//! What has an authority issued and revoked? A plain text file, a line each.
//!
//! ```text
//! carrack-authority 1
//! crl-number 2
//! issued 4a5b… 1830297600 ftp.example 192.0.2.7
//! revoked 4a5b… 1764000000 key-compromise
//! ```
//!
//! Times are seconds since the start of 1970 in UTC: the end of a certificate, and the moment of a revocation.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, SystemTime},
};

use rcgen::RevocationReason;

use super::plain;
use crate::identity::CertificateDescription;

/// The first line.
const HEADER: &str = "carrack-authority 1";
/// Octets of a serial number (RFC 5280 §4.1.2.2).
const SERIAL: usize = 20;

/// Why a certificate is revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reason {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// Somebody else may have its key.
    KeyCompromise,
    /// Its owner is somebody else now.
    AffiliationChanged,
    /// Another one has taken its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// What it stood for was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 6] = [
        Reason::Unspecified,
        Reason::KeyCompromise,
        Reason::AffiliationChanged,
        Reason::Superseded,
        Reason::CessationOfOperation,
        Reason::PrivilegeWithdrawn,
    ];

    /// The word for it, RFC 5280's with hyphens.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::KeyCompromise => "key-compromise",
            Reason::AffiliationChanged => "affiliation-changed",
            Reason::Superseded => "superseded",
            Reason::CessationOfOperation => "cessation-of-operation",
            Reason::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    /// RFC 5280 §5.3.1 wants `unspecified` left out.
    pub(super) fn code(self) -> Option<RevocationReason> {
        match self {
            Reason::Unspecified => None,
            Reason::KeyCompromise => Some(RevocationReason::KeyCompromise),
            Reason::AffiliationChanged => Some(RevocationReason::AffiliationChanged),
            Reason::Superseded => Some(RevocationReason::Superseded),
            Reason::CessationOfOperation => Some(RevocationReason::CessationOfOperation),
            Reason::PrivilegeWithdrawn => Some(RevocationReason::PrivilegeWithdrawn),
        }
    }
}

/// When and why something was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Seconds since the start of 1970 in UTC.
    pub at_unix_s: u64,
    /// Why.
    pub reason: Reason,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    crl_number: u64,
    /// Serial number → what its line says behind it.
    issued: BTreeMap<String, String>,
    /// Serial number → when and why.
    revoked: BTreeMap<String, Revocation>,
}

impl Index {
    pub(super) fn issue(&mut self, certificate: &CertificateDescription) {
        let end = SystemTime::from(certificate.not_after).duration_since(SystemTime::UNIX_EPOCH);
        let end_s = end.unwrap_or(Duration::ZERO).as_secs();
        let mut names: Vec<String> = certificate.names.iter().chain(&certificate.emails).cloned().collect();
        if names.is_empty() {
            names.push(certificate.subject.replace(char::is_whitespace, "_"));
        }
        self.issued.insert(plain(&certificate.serial), format!("{end_s} {}", names.join(" ")));
    }

    pub(super) fn is_revoked(&self, serial: &str) -> bool {
        self.revoked.contains_key(serial)
    }

    /// Whether it was not yet revoked.
    pub(super) fn revoke(&mut self, serial: &str, when: Revocation) -> bool {
        let is_new = !self.is_revoked(serial);
        if is_new {
            self.revoked.insert(serial.to_owned(), when);
        }
        is_new
    }

    pub(super) fn next_crl_number(&mut self) -> u64 {
        self.crl_number = self.crl_number.saturating_add(1);
        self.crl_number
    }

    pub(super) fn issued(&self) -> usize {
        self.issued.len()
    }

    pub(super) fn revoked(&self) -> impl Iterator<Item = (Vec<u8>, Revocation)> + '_ {
        self.revoked.iter().filter_map(|(serial, when)| Some((octets(serial)?, *when)))
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\ncrl-number {}\n", self.crl_number);
        for (serial, about) in &self.issued {
            let _ = writeln!(text, "issued {serial} {about}");
        }
        for (serial, Revocation { at_unix_s, reason }) in &self.revoked {
            let _ = writeln!(text, "revoked {serial} {at_unix_s} {}", reason.word());
        }
        text
    }

    /// Reads what [`Index::to_text`] wrote; else the number of the line, and what should have stood there.
    pub(super) fn parse(text: &str) -> Result<Index, (usize, &'static str)> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err((1, "\"carrack-authority 1\""));
        }
        let mut index = Index::default();
        for (number, line) in lines {
            let mut words = line.split(' ');
            let mut word = |expected| words.next().ok_or((number, expected));
            let serial = |text: &str| match octets(text) {
                Some(_) => Ok(text.to_owned()),
                None => Err((number, "a serial number in hexadecimal digits")),
            };
            match word("a word")? {
                "crl-number" => {
                    let expected = "a number";
                    index.crl_number = word(expected)?.parse().map_err(|_| (number, expected))?;
                }
                "issued" => {
                    let serial = serial(word("a serial number")?)?;
                    let expected = "the end of its validity in seconds";
                    let end_s: u64 = word(expected)?.parse().map_err(|_| (number, expected))?;
                    let names: Vec<&str> = words.collect();
                    index.issued.insert(serial, format!("{end_s} {}", names.join(" ")));
                }
                "revoked" => {
                    let serial = serial(word("a serial number")?)?;
                    let expected = "the moment of its revocation in seconds";
                    let at_unix_s = word(expected)?.parse().map_err(|_| (number, expected))?;
                    let expected = "the reason of its revocation";
                    let said = word(expected)?;
                    let reason = Reason::ALL.into_iter().find(|reason| reason.word() == said);
                    let reason = reason.ok_or((number, expected))?;
                    index.revoked.insert(serial, Revocation { at_unix_s, reason });
                }
                _ => return Err((number, "\"crl-number\", \"issued\" or \"revoked\"")),
            }
        }
        Ok(index)
    }
}

fn octets(serial: &str) -> Option<Vec<u8>> {
    let is_hexadecimal = serial.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hexadecimal
        || serial.is_empty()
        || !serial.len().is_multiple_of(2)
        || serial.len() > 2 * SERIAL + 2
    {
        return None;
    }
    (0..serial.len()).step_by(2).map(|at| u8::from_str_radix(serial.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_reads_as_it_was_written() {
        let mut index = Index::default();
        index.issued.insert("4a5b".into(), "1830297600 ftp.example 192.0.2.7".into());
        assert!(index.revoke("4a5b", Revocation { at_unix_s: 1_764_000_000, reason: Reason::KeyCompromise }));
        assert!(!index.revoke("4a5b", Revocation { at_unix_s: 1, reason: Reason::Unspecified }));
        assert_eq!(index.next_crl_number(), 1);
        let text = index.to_text();
        assert!(text.contains("revoked 4a5b 1764000000 key-compromise\n"), "{text}");
        assert_eq!(Index::parse(&text), Ok(index));
    }

    #[test]
    fn damage_is_found_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("carrack-authority 2\n", 1),
            ("carrack-authority 1\ncrl-number x\n", 2),
            ("carrack-authority 1\ncrl-number 1\nissued zz 1 a\n", 3),
            ("carrack-authority 1\ncrl-number 1\nissued 4a\n", 3),
            ("carrack-authority 1\ncrl-number 1\nrevoked 4a 1 no-reason\n", 3),
            ("carrack-authority 1\ncrl-number 1\nrevoked 4a5 1 superseded\n", 3),
            ("carrack-authority 1\ngranted\n", 2),
        ] {
            assert_eq!(Index::parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
