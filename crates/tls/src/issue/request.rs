//! What does a certificate request ask for (PKCS#10, RFC 2986)?

use rcgen::SubjectPublicKeyInfo;
use x509_parser::{
    certification_request::X509CertificationRequest, extensions::ParsedExtension, prelude::FromDer,
};

use crate::armour;

use super::{IssueError, PublicKey, Purpose, SubjectName, key::begins};

/// A request whose signature is made by the key that it is about.
///
/// Names and purpose are what its owner asks for; it is for the authority to decide what to grant.
#[derive(Debug, Clone)]
pub struct Request {
    subject: Option<String>,
    names: Vec<SubjectName>,
    purpose: Option<Purpose>,
    key: PublicKey,
}

impl Request {
    /// Reads the first request of PEM text.
    ///
    /// # Errors
    /// [`IssueError::BadRequest`] where there is none or it is damaged, [`IssueError::UnprovedRequest`] where its signature is
    /// not by its key, [`IssueError::UnsupportedKey`], and [`IssueError::Name`] for a name that no certificate can carry.
    pub fn from_pem(text: &[u8]) -> Result<Request, IssueError> {
        let bad = |why: &dyn std::fmt::Display| IssueError::BadRequest(why.to_string());
        let sections = armour::sections(text).map_err(|why| bad(&why))?;
        // OpenSSL before 1.0 wrote `NEW`.
        let is_request =
            |section: &&pem::Pem| ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(&section.tag());
        let section =
            sections.iter().find(is_request).ok_or_else(|| match begins(text, "CERTIFICATE REQUEST") {
                true => bad(&armour::ENDLESS),
                false => bad(&"there is none in the file"),
            })?;
        let (rest, request) =
            X509CertificationRequest::from_der(section.contents()).map_err(|error| bad(&error))?;
        if !rest.is_empty() {
            return Err(bad(&"there is something behind it"));
        }
        // SECURITY: proof of possession; nobody gets a certificate for somebody else's key.
        request.verify_signature().map_err(|_| IssueError::UnprovedRequest)?;
        let info = &request.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|error| IssueError::UnsupportedKey(error.to_string()))?;
        let common_name = info.subject.iter_common_name().next();
        let subject = common_name.and_then(|name| name.as_str().ok()).map(str::to_owned);
        let mut asked = Request { subject, names: Vec::new(), purpose: None, key: PublicKey(key) };
        for extension in request.requested_extensions().into_iter().flatten() {
            match extension {
                ParsedExtension::SubjectAlternativeName(names) => {
                    let asked_for = names.general_names.iter().map(SubjectName::of_general);
                    asked.names = asked_for.collect::<Result<_, _>>()?;
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    asked.purpose = Purpose::of(usage);
                }
                ParsedExtension::ParseError { error } => return Err(bad(error)),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The common name.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The names it asks for.
    pub fn names(&self) -> &[SubjectName] {
        &self.names
    }

    /// The purpose it asks for, if any.
    pub fn purpose(&self) -> Option<Purpose> {
        self.purpose
    }

    /// The key to certify.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}
