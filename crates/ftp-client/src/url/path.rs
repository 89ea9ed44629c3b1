//! Which path does a URL name, as bytes, and is it from the login folder or from the root?

use std::fmt;

use carrack_ftp_proto::client::EntryName;

use super::UrlError;

/// Bytes that have a meaning in patterns: written with `%XX` they stand for themselves.
const PATTERN: &[u8] = br"*?[]{}!\";

/// A path in a URL, decoded. RFC 1738 §3.2.2: it begins at the login folder; `//x` and `/%2Fx` begin at the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct UrlPath {
    /// Without the `/` that parts it from the host.
    bytes: Vec<u8>,
    /// The same as a pattern, where it is one.
    pattern: Option<Vec<u8>>,
    ends_in_slash: bool,
}

impl UrlPath {
    /// Reads what follows the `/` behind the host.
    pub(super) fn parse(text: &str) -> Result<UrlPath, UrlError> {
        let bytes = decode(text)?;
        let ends_in_slash = bytes.is_empty() || bytes.ends_with(b"/");
        let pattern = text.contains(['*', '?', '[']).then(|| pattern(text)).transpose()?;
        Ok(UrlPath { bytes, pattern, ends_in_slash })
    }

    /// A path from its bytes as they are; where they begin with `/`, it is one from the root.
    ///
    /// # Errors
    /// [`UrlError::ForbiddenByte`] for CR, LF and NUL.
    pub fn from_bytes(bytes: &[u8]) -> Result<UrlPath, UrlError> {
        check(bytes)?;
        Ok(UrlPath { bytes: bytes.to_owned(), pattern: None, ends_in_slash: bytes.ends_with(b"/") })
    }

    /// The path. Empty for the login folder, with a leading `/` where it begins at the root; slashes, `.` and `..` are as
    /// they were written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The path of something in the folder that this one names.
    #[must_use]
    pub fn child(&self, name: &EntryName) -> UrlPath {
        let mut bytes = self.bytes.clone();
        if !bytes.is_empty() && !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        UrlPath { bytes, pattern: None, ends_in_slash: false }
    }

    /// Whether it begins at the root instead of the login folder.
    pub fn is_absolute(&self) -> bool {
        self.bytes.starts_with(b"/")
    }

    /// Whether it was written with a `/` at its end, which for a folder means its content. `ftpes://host/` has one,
    /// `ftpes://host` has none.
    pub fn ends_in_slash(&self) -> bool {
        self.ends_in_slash
    }

    /// The path as a pattern, where it holds a `*`, `?` or `[` that was not written with `%XX`: those that were, and
    /// backslashes, have a backslash before them.
    pub fn pattern(&self) -> Option<&[u8]> {
        self.pattern.as_deref()
    }
}

/// The path as it stands in a URL, with its leading `/`; nothing for the login folder without one. Reads back as the same path.
impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bytes.is_empty() && !self.ends_in_slash {
            return Ok(());
        }
        let Some(pattern) = &self.pattern else { return write!(f, "/{}", Escaped(&self.bytes, In::Path)) };
        f.write_str("/")?;
        let mut bytes = pattern.iter();
        while let Some(byte) = bytes.next() {
            match (byte, bytes.as_slice().first()) {
                (b'\\', Some(literal)) => {
                    write!(f, "%{literal:02X}")?;
                    bytes.next();
                }
                _ => Escaped(&[*byte], In::Pattern).fmt(f)?,
            }
        }
        Ok(())
    }
}

/// Decodes `%XX`. SECURITY: a path or a name becomes part of a command line; bytes that would end it are refused here,
/// and again where commands are made.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    for (byte, _) in decoded(text) {
        bytes.push(byte?);
    }
    check(&bytes)?;
    Ok(bytes)
}

fn check(bytes: &[u8]) -> Result<(), UrlError> {
    if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        Err(UrlError::ForbiddenByte)
    } else {
        Ok(())
    }
}

fn pattern(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    for (byte, written) in decoded(text) {
        let byte = byte?;
        if byte == b'\\' || (written == Written::Escaped && PATTERN.contains(&byte)) {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    Ok(bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Plain,
    Escaped,
}

/// The bytes of a text, each with how it was written.
fn decoded(text: &str) -> impl Iterator<Item = (Result<u8, UrlError>, Written)> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        if byte != b'%' {
            return Some((Ok(byte), Written::Plain));
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = match (digit(), digit()) {
            (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| UrlError::BadEscape),
            _ => Err(UrlError::BadEscape),
        };
        Some((value, Written::Escaped))
    })
}

/// Where in a URL bytes stand, which decides what must be written with `%XX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    Login,
    Path,
    Pattern,
}

/// Bytes as they stand in a URL (RFC 3986 §2.3, §3.3).
pub(super) struct Escaped<'b>(pub(super) &'b [u8], pub(super) In);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            let plain = byte.is_ascii_alphanumeric()
                || b"-._~".contains(byte)
                || match self.1 {
                    In::Login => false,
                    In::Path => b"/!$&'()+,;=:@".contains(byte),
                    In::Pattern => b"/!$&'()+,;=:@*?[]{}".contains(byte),
                };
            if plain { write!(f, "{}", char::from(*byte))? } else { write!(f, "%{byte:02X}")? }
        }
        Ok(())
    }
}
