//! `carrack cert verify`: would others accept a certificate, and if not, why?

use std::time::SystemTime;

use carrack_ftp_client::escaped;
use carrack_tls::verify::{Fault, Question, Unanswerable, verify as judge};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use super::files::{self, in_file};
use crate::arguments::cert::Verify;
use crate::client;
use crate::client::output::{Form, Notes, Output};
use crate::exit::{Failure, Status};

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    event: &'static str,
    file: String,
    accepted: bool,
    faults: &'a [Said],
}

/// A fault for programs.
#[derive(Debug, Serialize)]
struct Said {
    about: &'static str,
    text: String,
}

/// Runs `carrack cert verify`.
pub(super) fn verify(arguments: &Verify) -> Result<(), Failure> {
    let form = if arguments.results.json { Form::Json } else { Form::Text };
    let output = Output::new(form, Notes::Told);
    client::told(answered(arguments, &output), &output)
}

fn answered(arguments: &Verify, output: &Output) -> Result<(), Failure> {
    let file = &arguments.certificate;
    let chain = files::certificates(file)?;
    let authorities = files::certificates(&arguments.ca_file)?;
    let (mut revoked, mut of_file) = (Vec::new(), Vec::new());
    for list_file in &arguments.lists {
        let before = revoked.len();
        for list in CertificateRevocationListDer::pem_slice_iter(&files::bytes(list_file)?) {
            revoked.push(list.map_err(|error| in_file(list_file)(&files::broken(&error)))?);
            of_file.push(list_file);
        }
        if revoked.len() == before {
            let none = "holds no revocation list; it must be PEM with \"BEGIN X509 CRL\"";
            return Err(in_file(list_file)(&none));
        }
    }
    let question = Question {
        chain: &chain,
        authorities: &authorities,
        name: arguments.name.as_deref(),
        purpose: arguments.purpose.said(),
        revoked: &revoked,
        at: SystemTime::now(),
    };
    let faults = judge(&question).map_err(|error| {
        let at_fault = match &error {
            Unanswerable::Authority { .. } => &arguments.ca_file,
            Unanswerable::Revocations { position, .. } => {
                of_file.get(position.saturating_sub(1)).copied().unwrap_or(file)
            }
            _ => file,
        };
        in_file(at_fault)(&error)
    })?;
    let said: Vec<Said> = faults.iter().map(said).collect();
    let shown = file.display().to_string();
    match output.form() {
        Form::Json => output.json(&Answer {
            event: "verified",
            file: shown.clone(),
            accepted: said.is_empty(),
            faults: &said,
        })?,
        Form::Text if said.is_empty() => output.line(format!("{shown}: accepted").as_bytes())?,
        Form::Text => {
            for fault in &said {
                output.line(format!("{:<12} {}", fault.about, fault.text).as_bytes())?;
            }
        }
    }
    match said.len() {
        0 => Ok(()),
        // Programs have the reasons, and each failure once.
        _ if output.form() == Form::Json => Err(Failure::told(Status::Untrusted)),
        1 => Err(Failure::new(Status::Untrusted, format!("{shown} would not be accepted, for one reason"))),
        many => {
            Err(Failure::new(Status::Untrusted, format!("{shown} would not be accepted, for {many} reasons")))
        }
    }
}

/// SECURITY: a certificate's names can hold anything, and drive no terminal.
fn said(fault: &Fault) -> Said {
    Said { about: fault.subject().word(), text: escaped(fault.to_string().as_bytes()).to_string() }
}
