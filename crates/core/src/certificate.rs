//! What has a client proved with a certificate, and whose is it?

/// A certificate whose private key a client has proved to hold, and that was judged: in time, not revoked, for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its public key (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7).
    pub key_sha256: [u8; 32],
    /// Its subject, for logs.
    pub subject: String,
    /// Its issuer's distinguished name.
    pub issuer: String,
    /// For whom it stands by the word of its issuer. Empty where no authority vouches for it and its key alone is known.
    pub names: Vec<Name>,
}

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The subject's distinguished name.
    Subject(String),
    /// An e-mail address (rfc822Name).
    Email(String),
    /// A user principal name.
    Upn(String),
    /// A URI.
    Uri(String),
    /// A DNS name.
    Dns(String),
}

/// What a certificate must be to prove that somebody is a certain user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateRule {
    /// It has this public key (SHA-256 of the SubjectPublicKeyInfo), whatever else it says.
    Key([u8; 32]),
    /// This issuer has given it this name. An issuer belongs to it, because two authorities may give one name to two people.
    Named {
        /// The issuer's distinguished name.
        issuer: String,
        /// The name.
        name: Name,
    },
}

impl CertificateRule {
    /// Whether the certificate is what the rule asks for.
    ///
    /// SECURITY: names are compared whole, never by a part, a pattern or the subject's common name alone.
    pub fn admits(&self, certificate: &Certificate) -> bool {
        match self {
            CertificateRule::Key(key_sha256) => *key_sha256 == certificate.key_sha256,
            CertificateRule::Named { issuer, name } => {
                *issuer == certificate.issuer && certificate.names.iter().any(|shown| shown.is(name))
            }
        }
    }
}

impl Name {
    /// Hosts are the same in either case (RFC 5280 §7.2, §7.5); everything else is as it is written.
    fn is(&self, other: &Name) -> bool {
        match (self, other) {
            (Name::Dns(one), Name::Dns(other)) => one.eq_ignore_ascii_case(other),
            (Name::Email(one), Name::Email(other)) => match (one.rsplit_once('@'), other.rsplit_once('@')) {
                (Some((local, host)), Some((other_local, other_host))) => {
                    local == other_local && host.eq_ignore_ascii_case(other_host)
                }
                _ => false,
            },
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alices() -> Certificate {
        Certificate {
            key_sha256: [7; 32],
            subject: "CN=Alice".to_owned(),
            issuer: "CN=Example CA".to_owned(),
            names: vec![
                Name::Subject("CN=Alice".to_owned()),
                Name::Email("alice@Example.com".to_owned()),
                Name::Upn("alice@corp".to_owned()),
                Name::Uri("spiffe://example/alice".to_owned()),
                Name::Dns("alice.example".to_owned()),
            ],
        }
    }

    fn named(name: Name) -> CertificateRule {
        CertificateRule::Named { issuer: "CN=Example CA".to_owned(), name }
    }

    #[test]
    fn a_key_or_a_name_of_the_right_issuer_admits() {
        assert!(CertificateRule::Key([7; 32]).admits(&alices()));
        for name in [
            Name::Subject("CN=Alice".to_owned()),
            Name::Email("alice@example.COM".to_owned()),
            Name::Upn("alice@corp".to_owned()),
            Name::Uri("spiffe://example/alice".to_owned()),
            Name::Dns("ALICE.example".to_owned()),
        ] {
            assert!(named(name).admits(&alices()));
        }
    }

    #[test]
    fn nothing_else_does() {
        assert!(!CertificateRule::Key([8; 32]).admits(&alices()));
        let right = Name::Email("alice@example.com".to_owned());
        let other = CertificateRule::Named { issuer: "CN=Other CA".to_owned(), name: right.clone() };
        assert!(!other.admits(&alices()), "the same name by another issuer");
        for name in [
            Name::Subject("CN=Alic".to_owned()),
            Name::Subject("CN=alice".to_owned()),
            Name::Email("Alice@example.com".to_owned()),
            Name::Email("example.com".to_owned()),
            Name::Email("alice@corp".to_owned()),
            Name::Upn("alice@example.com".to_owned()),
            Name::Uri("spiffe://example/Alice".to_owned()),
            Name::Dns("example".to_owned()),
            Name::Dns("*.example".to_owned()),
        ] {
            assert!(!named(name.clone()).admits(&alices()), "{name:?}");
        }
        let unvouched = Certificate { names: Vec::new(), ..alices() };
        assert!(!named(right).admits(&unvouched), "names that nobody vouches for");
        assert!(CertificateRule::Key([7; 32]).admits(&unvouched));
    }
}
