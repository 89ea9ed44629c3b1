//! How are keys, certificates, requests and revocation lists made?
//!
//! ```text
//!  PrivateKey ──┬─ self_signed(profile) ─────────────────────────► certificate
//!               ├─ request(profile) ─► Request ─┐
//!               └─ public_key() ────────────────┴► Authority::issue ► chain          Authority::revoke ─► Authority::crl
//! ```
//!
//! What goes into a certificate is said by a [`Profile`] and nothing else; it follows RFC 5280 §4.2. An [`Authority`] is a
//! folder. Keys rest in PKCS#8, in clear or encrypted; certificates and keys travel in PKCS#12, too ([`Bundle`]).

mod authority;
mod encryption;
mod error;
mod file;
mod key;
mod name;
mod pkcs12;
mod profile;
mod request;
mod subject;
#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityProfile, Issued, Reason, Revocation};
pub use error::{AuthorityError, BadName, IssueError};
pub use file::{create, replace};
pub use key::{KeyError, KeyType, PrivateKey, PublicKey};
pub use name::SubjectName;
pub use pkcs12::{Bundle, BundleError};
pub use profile::{LONGEST_DAYS, Profile, Purpose, REASONABLE_DAYS};
pub use request::Request;
pub use subject::Subject;

pub(crate) use profile::serial;
