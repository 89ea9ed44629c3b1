//! What is wrong with PEM text (RFC 7468), in words that hold nothing of the text?
//!
//! SECURITY: a file with a damaged key must not be quoted. The libraries that read PEM hand out the line that they do not
//! understand, and a blank line in a key makes them take the key itself for a header.

use pem::{Pem, PemError};
use rustls_pki_types::pem::Error;

/// A section begins and does not end.
pub(crate) const ENDLESS: &str = "a section begins and does not end";
const BASE64: &str = "what stands between BEGIN and END is damaged";

/// All sections of a text, or what is wrong with it.
#[expect(clippy::disallowed_methods, reason = "its errors go no further")]
pub(crate) fn sections(text: &[u8]) -> Result<Vec<Pem>, &'static str> {
    pem::parse_many(text).map_err(|error| match error {
        PemError::MismatchedTags(..) => "a section's BEGIN and END have different labels",
        PemError::MissingEndTag => ENDLESS,
        PemError::InvalidHeader(_) => "a section has a blank line in it, or a header that is none",
        PemError::InvalidData(_) | PemError::MissingData => BASE64,
        PemError::NotUtf8(_) => "it is no text",
        PemError::MalformedFraming | PemError::MissingBeginTag => "a line with BEGIN or END is damaged",
    })
}

/// What an error of [`rustls_pki_types::pem`] means, without the part of the text that it holds.
#[must_use]
pub fn pem_fault(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => ENDLESS,
        Error::IllegalSectionStart { .. } => "a line with BEGIN is damaged",
        Error::Base64Decode(_) => BASE64,
        Error::NoItemsFound => "there is none in it",
        Error::SectionTooLarge => "a section is too long",
        // Texts are in memory when they are read, and other kinds are not known yet.
        _ => "it cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::{Identity, issue::PrivateKey};

    /// A key of which no part may be told, the ways to damage it, and what is said of each.
    #[test]
    fn a_damaged_key_is_described_and_not_quoted() {
        let key = PrivateKey::generate(crate::issue::KeyType::EcdsaP256).unwrap();
        let whole = key.to_pem(None).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let (body, end) = (&lines[1..lines.len() - 1], lines[lines.len() - 1]);
        let secret = body.concat();
        for (damaged, why) in [
            (whole.replacen('\n', "", 1), "BEGIN"),
            (whole.replacen("-----\n", "----\n", 1), "BEGIN"),
            (whole.replacen(body[0], &format!("{}\n", body[0]), 1), "blank line"),
            (whole.replacen(body[0], &format!("a: b\n{}", body[0]), 1), ""),
            (whole.replacen(end, "-----END CERTIFICATE-----", 1), "labels"),
            (whole.replacen(end, "", 1), "does not end"),
            (whole.replacen(body[1], &format!("!{}", body[1]), 1), "damaged"),
            (whole.replacen("-----END", "----END", 1), ""),
        ] {
            let told = [
                PrivateKey::from_pem(damaged.as_bytes(), None).map(|_| ()).map_err(|error| error.to_string()),
                Identity::from_pem(damaged.as_bytes(), damaged.as_bytes())
                    .map(|_| ())
                    .map_err(|error| error.to_string()),
                PrivateKeyDer::from_pem_slice(damaged.as_bytes())
                    .map(|_| ())
                    .map_err(|error| pem_fault(&error).to_owned()),
            ];
            for told in told.into_iter().filter_map(Result::err) {
                let quoted = secret.as_bytes().windows(8).any(|part| {
                    let text = String::from_utf8_lossy(part);
                    told.contains(&*text) || told.contains(&format!("{part:?}")[1..part.len()])
                });
                assert!(!quoted, "{told}\n{damaged}");
            }
            let refused = PrivateKey::from_pem(damaged.as_bytes(), None).err().map(|error| error.to_string());
            assert!(
                refused.is_none_or(|told| told.contains(why) || told.contains("no private key")),
                "{damaged}"
            );
        }
    }

    #[test]
    fn a_whole_text_is_taken_as_it_is() {
        let key = PrivateKey::generate(crate::issue::KeyType::Ed25519).unwrap();
        let text = key.to_pem(None).unwrap();
        assert_eq!(sections(text.as_bytes()).map(|found| found.len()), Ok(1));
        assert_eq!(sections(b"no PEM at all").map(|found| found.len()), Ok(0));
    }
}
