//! `carrack cert`: keys, certificates, requests, a small authority, and what certificates say.

mod authority;
mod bundle;
mod files;
mod identity;
mod key;
mod make;
mod renew;
mod show;
mod verify;

use crate::arguments::cert::{Ca, Cert};
use crate::exit::Failure;

pub(crate) use files::unusable;
pub(crate) use identity::{identity, warnings};
pub(crate) use show::{described, read};

/// Runs `carrack cert …`.
pub(crate) fn cert(command: Cert) -> Result<(), Failure> {
    match command {
        Cert::SelfSigned(arguments) => make::self_signed(arguments),
        Cert::Ca(Ca::Init(arguments)) => authority::init(&arguments),
        Cert::Ca(Ca::Adopt(arguments)) => authority::adopt(&arguments),
        Cert::Issue(arguments) => authority::issue(arguments),
        Cert::Request(arguments) => make::request(arguments),
        Cert::Revoke(arguments) => authority::revoke(&arguments),
        Cert::Crl(arguments) => authority::crl(&arguments),
        Cert::Renew(arguments) => renew::renew(&arguments),
        Cert::Import(arguments) => bundle::import(&arguments),
        Cert::Export(arguments) => bundle::export(&arguments),
        Cert::Show(shown) => show::show(&shown),
        Cert::Fingerprint(shown) => show::fingerprint(&shown),
        Cert::Verify(arguments) => verify::verify(&arguments),
    }
}
