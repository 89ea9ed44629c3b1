//! For whom does a client's certificate stand?

use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
    x509::X509Name,
};
use yasna::Tag;

use super::ClientDistrust;
use crate::certificate::distinguished_name;

/// The user principal name of Active Directory, an OtherName among the subject alternative names (MS-WCCE §2.2.2.7.7.5).
const UPN: &str = "1.3.6.1.4.1.311.20.2.3";

/// The names in a client's certificate, each as its authority wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientNames {
    /// The subject's distinguished name, as [`describe`](crate::describe) writes it.
    pub subject: String,
    /// E-mail addresses (rfc822Name).
    pub emails: Vec<String>,
    /// User principal names.
    pub upns: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns: Vec<String>,
}

impl ClientNames {
    /// Reads them.
    ///
    /// # Errors
    /// The certificate cannot be read, or a name in it must not be believed.
    pub(super) fn of(der: &[u8]) -> Result<ClientNames, ClientDistrust> {
        let unreadable = |error: &dyn std::fmt::Display| ClientDistrust::Unreadable(error.to_string());
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let mut names =
            ClientNames { subject: distinguished_name(certificate.subject()), ..ClientNames::default() };
        let extension = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
        for name in extension.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::RFC822Name(name) => names.emails.push((*name).to_owned()),
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::URI(name) => names.uris.push((*name).to_owned()),
                GeneralName::OtherName(oid, value) if oid.to_id_string() == UPN => {
                    names.upns.push(upn(value).map_err(|error| unreadable(&error))?);
                }
                _ => {}
            }
        }
        names.must_be_plain(certificate.subject())?;
        Ok(names)
    }

    /// SECURITY: a NUL ends a name for some programs and not for others (CVE-2009-2408), and a name with a wildcard stands for
    /// many: neither says who comes. An authority that signs such a name for a client was deceived.
    fn must_be_plain(&self, subject: &X509Name<'_>) -> Result<(), ClientDistrust> {
        let parts: Vec<&str> = subject.iter_attributes().filter_map(|part| part.as_str().ok()).collect();
        let of_one = [&self.emails, &self.upns, &self.dns].into_iter().flatten().map(String::as_str);
        let mut seen =
            parts.iter().copied().chain(of_one.clone()).chain(self.uris.iter().map(String::as_str));
        if let Some(name) = seen.find(|name| name.contains(char::is_control)) {
            return Err(ClientDistrust::ControlCharacter { name: name.to_owned() });
        }
        match parts.into_iter().chain(of_one).find(|name| name.contains('*')) {
            Some(name) => Err(ClientDistrust::Wildcard { name: name.to_owned() }),
            None => Ok(()),
        }
    }
}

/// `[0] EXPLICIT UTF8String`.
fn upn(value: &[u8]) -> Result<String, yasna::ASN1Error> {
    yasna::parse_der(value, |reader| reader.read_tagged(Tag::context(0), |reader| reader.read_utf8string()))
}
