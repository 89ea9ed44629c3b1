//! What can be wrong with a URL, and how is it mended?

use thiserror::Error;

/// Why a text is no URL that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// No scheme.
    #[error(
        "{0:?} is no URL; one begins with ftpes:// (explicit TLS), ftps:// (implicit TLS) or ftp:// (no TLS)"
    )]
    NoScheme(String),
    /// A scheme that nobody here speaks.
    #[error(
        "{0}:// is not spoken here; use ftpes:// (explicit TLS), ftps:// (implicit TLS) or ftp:// (no TLS)"
    )]
    UnknownScheme(String),
    /// A scheme that a later version speaks.
    #[error(
        "{0}:// joins later; this version speaks ftpes:// (explicit TLS), ftps:// (implicit TLS) and ftp:// (no TLS)"
    )]
    Later(String),
    /// An `@` with nothing before it.
    #[error("nobody is named before the @; write USER@HOST, or HOST alone")]
    NoUser,
    /// A user or password that decodes to no text.
    #[error(
        "the user before the @ is not UTF-8; write it in UTF-8, with %XX for bytes that a URL cannot have"
    )]
    LoginNotUtf8,
    /// No host, or none that can be.
    #[error("{host:?} is no host: {why}")]
    BadHost {
        /// As it was written.
        host: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A port that is none.
    #[error("{0:?} is no port; ports are numbers from 1 to 65535")]
    BadPort(String),
    /// A `%` without two digits.
    #[error("a % is followed by two hexadecimal digits in a URL; a percent sign itself is written %25")]
    BadEscape,
    /// CR, LF or NUL, plain or escaped.
    #[error("a URL cannot hold a line break or NUL, escaped or not: no command to a server can carry them")]
    ForbiddenByte,
}
