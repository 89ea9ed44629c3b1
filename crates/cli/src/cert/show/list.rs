//! What is shown of a certificate revocation list?

use std::path::Path;

use carrack_tls::CertificateDer;
use carrack_tls::revocation::{RevocationList, Revoked};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use super::{escaped, lines};
use crate::cert::files::{self, in_file};
use crate::client::output::{Form, Output};
use crate::exit::Failure;

/// A list for programs; what it has revoked follows, an object each. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize)]
struct List<'l> {
    event: &'static str,
    issuer: &'l str,
    number: Option<&'l str>,
    this_update: String,
    next_update: Option<String>,
    revoked: usize,
}

/// A revoked certificate for programs.
#[derive(Debug, Serialize)]
struct Entry<'l> {
    event: &'static str,
    serial: &'l str,
    revoked_at: String,
    reason: Option<&'static str>,
}

/// The lists of a file that holds them and no certificate: PEM or DER.
pub(super) fn lists(place: &Path) -> Result<Option<Vec<RevocationList>>, Failure> {
    let bytes = files::bytes(place)?;
    let described = |der: &[u8]| RevocationList::describe(der).map_err(|error| in_file(place)(&error));
    if files::is_der(&bytes) {
        let is_certificate = carrack_tls::describe(&CertificateDer::from(bytes.as_slice())).is_ok();
        return if is_certificate { Ok(None) } else { Ok(Some(vec![described(&bytes)?])) };
    }
    let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    if has(b"BEGIN CERTIFICATE-") || !has(b"BEGIN X509 CRL-") {
        return Ok(None);
    }
    CertificateRevocationListDer::pem_slice_iter(&bytes)
        .map(|list| match list {
            Ok(list) => described(&list),
            Err(error) => Err(in_file(place)(&format!("is not valid PEM: {error}"))),
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

/// Shows them.
pub(super) fn show(lists: &[RevocationList], output: &Output) -> Result<(), Failure> {
    match output.form() {
        Form::Json => lists.iter().try_for_each(|list| json(list, output)),
        Form::Text => {
            let texts: Vec<String> = lists.iter().map(text).collect();
            output.bytes(texts.join("\n").as_bytes())
        }
    }
}

fn json(list: &RevocationList, output: &Output) -> Result<(), Failure> {
    output.json(&List {
        event: "revocation list",
        issuer: &list.issuer,
        number: list.number.as_deref(),
        this_update: list.this_update.to_string(),
        next_update: list.next_update.map(|moment| moment.to_string()),
        revoked: list.revoked.len(),
    })?;
    list.revoked.iter().try_for_each(|entry| {
        output.json(&Entry {
            event: "revoked",
            serial: &entry.serial,
            revoked_at: entry.at.to_string(),
            reason: entry.reason.map(|reason| reason.word()),
        })
    })
}

fn text(list: &RevocationList) -> String {
    let until = match list.next_update {
        Some(moment) => format!("{} to {moment}", list.this_update),
        None => format!("from {} on (it does not say until when)", list.this_update),
    };
    let mut text = lines(&[
        ("list of", &list.issuer),
        ("number", list.number.as_deref().unwrap_or("none")),
        ("valid", &until),
        ("revoked", &list.revoked.len().to_string()),
    ]);
    for Revoked { serial, at, reason } in &list.revoked {
        let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        text.push_str(&format!("  {} {at}{reason}\n", escaped(serial.as_bytes())));
    }
    text
}
