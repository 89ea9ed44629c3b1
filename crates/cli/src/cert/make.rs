//! `carrack cert self-signed` and `carrack cert request`: what needs no authority here.

use carrack_tls::issue::{Profile, Purpose, Subject};

use super::files::{New, REQUEST, Reader, write_new};
use super::{key, show};
use crate::arguments::cert::{Request, SelfSigned};
use crate::exit::Failure;

/// Runs `carrack cert self-signed`.
pub(super) fn self_signed(arguments: SelfSigned) -> Result<(), Failure> {
    let profile = Profile {
        subject: arguments.who.subject.map(Subject::from),
        names: arguments.who.names,
        purpose: arguments.purpose.said().unwrap_or(Purpose::Server),
        days: arguments.days.days,
    };
    let (made, key_text) = key::make(&arguments.key)?;
    let certificate = profile.self_signed(&made).map_err(Failure::failed)?;
    write_new(&arguments.out.folder, &pair(&key_text, &certificate))?;
    show::print_fingerprints(certificate.as_bytes())
}

/// Runs `carrack cert request`.
pub(super) fn request(arguments: Request) -> Result<(), Failure> {
    let profile = Profile {
        subject: arguments.who.subject.map(Subject::from),
        names: arguments.who.names,
        purpose: arguments.purpose.said().unwrap_or(Purpose::Server),
        days: None,
    };
    let (made, key_text) = key::make(&arguments.key)?;
    let request = profile.request(&made).map_err(Failure::failed)?;
    let files = [
        New { name: "key.pem", text: &key_text, reader: Reader::Owner },
        New { name: REQUEST, text: &request, reader: Reader::Everybody },
    ];
    write_new(&arguments.out.folder, &files)
}

/// A key and its certificate.
pub(super) fn pair<'t>(key: &'t str, certificate: &'t str) -> [New<'t>; 2] {
    [
        New { name: "key.pem", text: key, reader: Reader::Owner },
        New { name: "cert.pem", text: certificate, reader: Reader::Everybody },
    ]
}
