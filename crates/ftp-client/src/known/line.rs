//! How is one known server written as a line, and read back?

use carrack_tls::Sha256Fingerprint;
use serde::{Deserialize, Serialize};

use super::Known;

/// The keys of the object, in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    host: String,
    port: u16,
    key_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    first_met_unix_s: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewed_unix_s: Option<i64>,
}

/// The line without its end. JSON escapes control characters, so that no subject can begin another line.
pub(super) fn format(known: &Known) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line {
        host: known.host.clone(),
        port: known.port,
        key_sha256: known.key.to_string(),
        certificate_sha256: known.certificate.map(|certificate| certificate.to_string()),
        subject: known.subject.clone(),
        first_met_unix_s: known.first_met_unix_s,
        renewed_unix_s: known.renewed_unix_s,
    })
}

/// What a line says, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Known, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if line.port == 0 {
        return Err("port is 0, which no server has".to_owned());
    }
    let fingerprint = |name: &str, text: &str| {
        text.parse::<Sha256Fingerprint>().map_err(|error| format!("{name}: {error}"))
    };
    Ok(Known {
        host: line.host,
        port: line.port,
        key: fingerprint("key_sha256", &line.key_sha256)?,
        certificate: line
            .certificate_sha256
            .map(|text| fingerprint("certificate_sha256", &text))
            .transpose()?,
        subject: line.subject,
        first_met_unix_s: line.first_met_unix_s,
        renewed_unix_s: line.renewed_unix_s,
    })
}
