//! Whom is a certificate about? A distinguished name (RFC 5280 §4.1.2.4).

use rcgen::{DistinguishedName, DnType, DnValue};
use x509_parser::{
    asn1_rs::Tag,
    x509::{AttributeTypeAndValue, X509Name},
};

use super::{BadName, IssueError};

/// RFC 5280 A.1, ub-common-name.
const COMMON_NAME: usize = 64;

/// Whom a certificate is about. What is made from a text has a common name and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    CommonName(String),
    Whole(DistinguishedName),
}

impl<T: Into<String>> From<T> for Subject {
    fn from(common_name: T) -> Subject {
        Subject(Form::CommonName(common_name.into()))
    }
}

impl Subject {
    /// The whole subject of a certificate, to be said again; `None` where it has none.
    ///
    /// # Errors
    /// [`IssueError::BadCertificate`] for one that cannot be said again in full: with an attribute that is there twice, several
    /// attributes in one part, or text in an encoding of the past. None is left out silently.
    pub(super) fn of_name(name: &X509Name<'_>) -> Result<Option<Subject>, IssueError> {
        let mut whole = DistinguishedName::new();
        for part in name.iter() {
            let mut attributes = part.iter();
            let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
                return Err(unsaid("a part with several attributes"));
            };
            let oid = attribute.attr_type().iter().ok_or_else(|| unsaid("an unknown attribute"))?;
            let kind = DnType::from_oid(&oid.collect::<Vec<_>>());
            if whole.get(&kind).is_some() {
                return Err(unsaid("an attribute that is there more than once"));
            }
            whole.push(kind, value(attribute)?);
        }
        let is_empty = whole.iter().next().is_none();
        Ok((!is_empty).then_some(Subject(Form::Whole(whole))))
    }

    pub(super) fn distinguished(&self) -> Result<DistinguishedName, IssueError> {
        match &self.0 {
            Form::CommonName(name) => common_name(name),
            Form::Whole(name) => Ok(name.clone()),
        }
    }
}

/// A distinguished name with nothing but a common name.
pub(super) fn common_name(name: &str) -> Result<DistinguishedName, IssueError> {
    if name.trim().is_empty() {
        return Err(IssueError::NoName);
    }
    if name.chars().count() > COMMON_NAME {
        return Err(IssueError::SubjectTooLong(name.to_owned()));
    }
    check(name)?;
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    Ok(distinguished)
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> Result<DnValue, IssueError> {
    let old = || unsaid("text in an encoding that is not used any more");
    let value = attribute.attr_value();
    let text = std::str::from_utf8(value.data).map_err(|_| old())?;
    check(text)?;
    match value.tag() {
        Tag::Utf8String => Ok(DnValue::Utf8String(text.to_owned())),
        Tag::PrintableString => text.try_into().map(DnValue::PrintableString).map_err(|_| old()),
        Tag::Ia5String => text.try_into().map(DnValue::Ia5String).map_err(|_| old()),
        _ => Err(old()),
    }
}

/// SECURITY: a NUL ends a name early for programs that read it as a C string.
fn check(text: &str) -> Result<(), BadName> {
    if text.chars().any(char::is_control) {
        let why = "it has control characters";
        return Err(BadName { name: text.escape_debug().to_string(), why });
    }
    Ok(())
}

fn unsaid(what: &str) -> IssueError {
    IssueError::BadCertificate(format!("its subject has {what}"))
}
