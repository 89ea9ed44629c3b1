//! `carrack cert show` and `fingerprint`: what a certificate, a request for one, a revocation list or a server says.

mod list;
mod server;

use std::path::Path;
use std::sync::Arc;

use carrack_ftp_client::escaped;
use carrack_ftp_client::url::Url;
use carrack_tls::issue::{Purpose, Request, SubjectName};
use carrack_tls::{CertificateDer, CertificateDescription, Seen, describe, pem_fault};
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use super::files::{self, in_file};
use crate::arguments::cert::Shown;
use crate::client::output::{Form, Notes, Output};
use crate::client::screen::Screen;
use crate::client::{self, chain};
use crate::exit::Failure;

/// A certificate for programs. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize)]
struct Certificate<'c> {
    event: &'static str,
    subject: &'c str,
    issuer: &'c str,
    serial: &'c str,
    names: &'c [String],
    emails: &'c [String],
    purposes: &'c [String],
    authority: bool,
    not_before: String,
    not_after: String,
    key: &'c str,
    sha256: String,
    spki_sha256: String,
}

/// Fingerprints for programs.
#[derive(Debug, Serialize)]
struct Fingerprints {
    event: &'static str,
    sha256: String,
    spki_sha256: String,
}

/// A request for programs.
#[derive(Debug, Serialize)]
struct Requested<'r> {
    event: &'static str,
    subject: Option<&'r str>,
    names: Vec<String>,
    purposes: &'static [&'static str],
}

/// Runs `carrack cert show`.
pub(super) fn show(shown: &Shown) -> Result<(), Failure> {
    let output = output(shown);
    client::told(said(shown, &output), &output)
}

fn said(shown: &Shown, output: &Output) -> Result<(), Failure> {
    if let Some(request) = request(&shown.place)? {
        match output.form() {
            Form::Json => output.json(&Requested {
                event: "request",
                subject: request.subject(),
                names: request.names().iter().map(SubjectName::to_string).collect(),
                purposes: purposes(&request),
            })?,
            Form::Text => output.bytes(described_request(&request).as_bytes())?,
        }
        return Ok(());
    }
    let certificates = match seen(shown)? {
        Some(seen) => {
            server::show(&seen, output)?;
            if output.form() == Form::Text {
                output.bytes(b"\n")?;
            }
            seen.chain
        }
        None => match list::lists(&shown.place)? {
            Some(lists) => return list::show(&lists, output),
            None => read(&shown.place)?,
        },
    };
    match output.form() {
        Form::Json => {
            for certificate in &certificates {
                output.json(&Certificate {
                    event: "certificate",
                    subject: &certificate.subject,
                    issuer: &certificate.issuer,
                    serial: &certificate.serial,
                    names: &certificate.names,
                    emails: &certificate.emails,
                    purposes: &certificate.purposes,
                    authority: certificate.is_authority,
                    not_before: certificate.not_before.to_string(),
                    not_after: certificate.not_after.to_string(),
                    key: &certificate.key,
                    sha256: certificate.fingerprint.to_string(),
                    spki_sha256: certificate.spki_fingerprint.to_string(),
                })?;
            }
        }
        Form::Text => {
            let texts: Vec<String> = certificates.iter().map(described).collect();
            output.bytes(texts.join("\n").as_bytes())?;
        }
    }
    Ok(())
}

/// Runs `carrack cert fingerprint`.
pub(super) fn fingerprint(shown: &Shown) -> Result<(), Failure> {
    let output = output(shown);
    client::told(fingerprinted(shown, &output), &output)
}

fn fingerprinted(shown: &Shown, output: &Output) -> Result<(), Failure> {
    let certificates = match seen(shown)? {
        Some(seen) => seen.chain,
        None => read(&shown.place)?,
    };
    let Some(certificate) = certificates.first() else { return Ok(()) };
    match output.form() {
        Form::Json => output.json(&Fingerprints {
            event: "fingerprint",
            sha256: certificate.fingerprint.to_string(),
            spki_sha256: certificate.spki_fingerprint.to_string(),
        }),
        Form::Text => output.bytes(fingerprints(certificate).as_bytes()),
    }
}

fn output(shown: &Shown) -> Output {
    let form = if shown.results.json { Form::Json } else { Form::Text };
    Output::new(form, if shown.telling.quiet { Notes::Silent } else { Notes::Told })
}

fn is_url(place: &Path) -> Option<&str> {
    place.to_str().filter(|text| Url::looks_like_url(text))
}

/// What a server shows; `None` for a file.
fn seen(shown: &Shown) -> Result<Option<Seen>, Failure> {
    let Some(text) = is_url(&shown.place) else { return Ok(None) };
    let url = chain::server(text)?;
    let screen = Arc::new(Screen::new());
    client::run(chain::of(&url, &shown.reach, &shown.telling, &screen)).map(Some)
}

/// The request of a file, where it has one and no certificate.
fn request(place: &Path) -> Result<Option<Request>, Failure> {
    if is_url(place).is_some() {
        return Ok(None);
    }
    let text = files::bytes(place)?;
    let has = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
    if has(b"BEGIN CERTIFICATE-") || !has(b" CERTIFICATE REQUEST-") {
        return Ok(None);
    }
    Request::from_pem(&text).map(Some).map_err(|error| in_file(place)(&error))
}

/// All certificates of a file, PEM or one in DER; at least one.
pub(crate) fn read(file: &Path) -> Result<Vec<CertificateDescription>, Failure> {
    let bytes = files::bytes(file)?;
    let chain = match files::is_der(&bytes) {
        true => vec![CertificateDer::from(bytes.to_vec())],
        false => files::certificates(file)?,
    };
    chain.iter().map(|der| files::described(file, der)).collect()
}

/// What a certificate says, a line each. A server's can say anything: nothing of it drives the terminal.
pub(crate) fn described(certificate: &CertificateDescription) -> String {
    let self_signed = if certificate.issuer == certificate.subject { " (itself)" } else { "" };
    let purposes = match certificate.purposes.as_slice() {
        _ if certificate.is_authority => "signing certificates (an authority's)".to_owned(),
        [] => "anything".to_owned(),
        purposes => purposes.join(", "),
    };
    let names: Vec<String> = certificate.names.iter().chain(&certificate.emails).cloned().collect();
    let text = lines(&[
        ("subject", &certificate.subject),
        ("issuer", &format!("{}{self_signed}", certificate.issuer)),
        ("names", &listed(&names)),
        ("for", &purposes),
        ("valid", &format!("{} to {}", certificate.not_before, certificate.not_after)),
        ("key", &certificate.key),
        ("serial", &certificate.serial),
    ]);
    text + &fingerprints(certificate)
}

fn described_request(request: &Request) -> String {
    let names: Vec<String> = request.names().iter().map(SubjectName::to_string).collect();
    let purposes = match purposes(request) {
        [] => "not said".to_owned(),
        purposes => purposes.join(", "),
    };
    let subject = request.subject().unwrap_or("none");
    lines(&[("request for", subject), ("names", &listed(&names)), ("for", &purposes)])
}

fn purposes(request: &Request) -> &'static [&'static str] {
    match request.purpose() {
        Some(Purpose::Server) => &["servers"],
        Some(Purpose::Client) => &["clients"],
        Some(Purpose::Both) => &["servers", "clients"],
        None => &[],
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn lines(rows: &[(&str, &str)]) -> String {
    rows.iter().map(|(label, value)| format!("{label:<12} {}\n", escaped(value.as_bytes()))).collect()
}

/// Both fingerprints, labelled. Each has 95 characters and a line of its own.
pub(super) fn fingerprints(certificate: &CertificateDescription) -> String {
    format!(
        "SHA-256 of the certificate\n  {}\nSHA-256 of the public key (SPKI)\n  {}\n",
        certificate.fingerprint, certificate.spki_fingerprint
    )
}

/// Prints the fingerprints of the first certificate of PEM text that was just made.
pub(super) fn print_fingerprints(pem: &[u8]) -> Result<(), Failure> {
    let certificate =
        CertificateDer::from_pem_slice(pem).map_err(|error| Failure::failed(pem_fault(&error)))?;
    say_text!(fingerprints(&describe(&certificate).map_err(Failure::failed)?));
    Ok(())
}
