//! Why is a certificate revoked, and what does a list of revoked ones say?

mod lists;

use std::{fmt, fs, path::Path};

use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use thiserror::Error;
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{CertificateRevocationList, FromDer},
};

pub(crate) use lists::{List, Lists, Question, Way};

use crate::{
    armour::pem_fault,
    certificate::distinguished_name,
    identity::{Problem, Timestamp},
};

/// Why a certificate is revoked, as any authority may put it (RFC 5280 §5.3.1). Displayed in that RFC's words, with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationReason {
    /// Nothing is said.
    Unspecified,
    /// Somebody else may have its key.
    KeyCompromise,
    /// Somebody else may have the key of an authority.
    CaCompromise,
    /// Its owner is somebody else now.
    AffiliationChanged,
    /// Another one has taken its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// It is on hold, and may come back.
    CertificateHold,
    /// It was on hold, and is back.
    RemoveFromCrl,
    /// What it stood for was withdrawn.
    PrivilegeWithdrawn,
    /// Somebody else may have the key of an attribute authority.
    AaCompromise,
}

impl RevocationReason {
    /// By its number; `None` for one that has no meaning.
    pub fn from_code(code: u8) -> Option<RevocationReason> {
        Some(match code {
            0 => RevocationReason::Unspecified,
            1 => RevocationReason::KeyCompromise,
            2 => RevocationReason::CaCompromise,
            3 => RevocationReason::AffiliationChanged,
            4 => RevocationReason::Superseded,
            5 => RevocationReason::CessationOfOperation,
            6 => RevocationReason::CertificateHold,
            8 => RevocationReason::RemoveFromCrl,
            9 => RevocationReason::PrivilegeWithdrawn,
            10 => RevocationReason::AaCompromise,
            _ => return None,
        })
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            RevocationReason::Unspecified => "unspecified",
            RevocationReason::KeyCompromise => "key-compromise",
            RevocationReason::CaCompromise => "ca-compromise",
            RevocationReason::AffiliationChanged => "affiliation-changed",
            RevocationReason::Superseded => "superseded",
            RevocationReason::CessationOfOperation => "cessation-of-operation",
            RevocationReason::CertificateHold => "certificate-hold",
            RevocationReason::RemoveFromCrl => "remove-from-crl",
            RevocationReason::PrivilegeWithdrawn => "privilege-withdrawn",
            RevocationReason::AaCompromise => "aa-compromise",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A certificate revocation list described for people (RFC 5280 §5). Its signature was not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The distinguished name of the authority whose list it is.
    pub issuer: String,
    /// Its number (RFC 5280 §5.2.3), decimal; `None` where it has none.
    pub number: Option<String>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is due; `None` where nothing is said, which RFC 5280 §5.1.2.5 forbids.
    pub next_update: Option<Timestamp>,
    /// What is revoked, in its order.
    pub revoked: Vec<Revoked>,
}

/// A certificate that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, `aa:bb:…`.
    pub serial: String,
    /// Since when.
    pub at: Timestamp,
    /// Why, where that is said in a way that has a meaning.
    pub reason: Option<RevocationReason>,
}

/// The bytes are no certificate revocation list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a certificate revocation list: {0}")]
pub struct NotARevocationList(String);

impl RevocationList {
    /// Describes a list in DER.
    ///
    /// # Errors
    /// [`NotARevocationList`] with what is wrong with the bytes.
    pub fn describe(der: &[u8]) -> Result<RevocationList, NotARevocationList> {
        let (_, list) = CertificateRevocationList::from_der(der)
            .map_err(|error| NotARevocationList(error.to_string()))?;
        // x509-parser's own `crl_number` takes an extension of the wrong type for none, too.
        let number = list.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLNumber(number) => Some(number.to_string()),
            _ => None,
        });
        let revoked = list.iter_revoked_certificates().map(|entry| Revoked {
            serial: entry.raw_serial_as_string(),
            at: Timestamp::of(entry.revocation_date),
            reason: entry.reason_code().and_then(|(_, code)| RevocationReason::from_code(code.0)),
        });
        Ok(RevocationList {
            issuer: distinguished_name(list.issuer()),
            number,
            this_update: Timestamp::of(list.last_update()),
            next_update: list.next_update().map(Timestamp::of),
            revoked: revoked.collect(),
        })
    }
}

/// The lists of a file: PEM with any number of them, or DER with one, as authorities publish them. They are not looked into.
pub(crate) fn read_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Problem> {
    let bytes = fs::read(path).map_err(Problem::Unreadable)?;
    // The tag of a SEQUENCE, which no line of text begins with that has PEM in it.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.into()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    match lists {
        Ok(lists) if lists.is_empty() => Err(Problem::NoRevocationList),
        Ok(lists) => Ok(lists),
        Err(error) => Err(Problem::BadPem(pem_fault(&error))),
    }
}
