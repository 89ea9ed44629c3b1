//! `carrack trust list`: the servers whose keys are remembered.

use carrack_ftp_client::known::Known;
use carrack_ftp_client::url::host_port;
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::trust::TrustList;
use crate::client::output::{Form, Output, moment};
use crate::client::screen::harmless;
use crate::exit::Failure;
use crate::state::State;

/// A server for programs.
#[derive(Debug, Serialize)]
struct Json<'k> {
    event: &'static str,
    host: &'k str,
    port: u16,
    key_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'k str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_met: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed: Option<String>,
}

/// Runs `carrack trust list …`.
pub(crate) fn list(arguments: TrustList, output: &Output) -> Result<(), Failure> {
    let servers = State::new(arguments.state.folder.as_deref()).known_servers()?;
    let mut gap = "";
    for known in servers.iter() {
        match output.form() {
            Form::Json => output.json(&json(known))?,
            Form::Text => {
                output.bytes(format!("{gap}{}", text(known, output)).as_bytes())?;
                gap = "\n";
            }
        }
    }
    if servers.iter().next().is_none() {
        output.note("no server's key is remembered");
    }
    output.flush()
}

fn text(known: &Known, output: &Output) -> String {
    let mut text = format!("{}\n", host_port(&known.host, known.port));
    let mut row = |label: &str, value: &str| text.push_str(&format!("  {label:<12} {}\n", harmless(value)));
    row("key", &known.key.to_string());
    row("since", &moment::date(known.first_met_unix_s, output.zone()));
    if let Some(subject) = &known.subject {
        row("subject", subject);
    }
    if let Some(certificate) = known.certificate {
        row("certificate", &certificate.to_string());
    }
    if let Some(renewed_unix_s) = known.renewed_unix_s {
        row("renewed", &moment::date(renewed_unix_s, output.zone()));
    }
    text
}

fn json(known: &Known) -> Json<'_> {
    let moment = |unix_s: i64| Timestamp::from_second(unix_s).ok().map(|moment| moment.to_string());
    Json {
        event: "server",
        host: &known.host,
        port: known.port,
        key_sha256: known.key.to_string(),
        certificate_sha256: known.certificate.map(|certificate| certificate.to_string()),
        subject: known.subject.as_deref(),
        first_met: moment(known.first_met_unix_s),
        renewed: known.renewed_unix_s.and_then(moment),
    }
}
