//! What is shown of a server beside its certificates: what was agreed, what is stapled, and whether it would be trusted.

use carrack_tls::ocsp::{Answer, Status};
use carrack_tls::{Seen, Stapled};
use serde::Serialize;

use super::lines;
use crate::client::output::{Form, Output};
use crate::exit::Failure;

/// A handshake for programs.
#[derive(Debug, Serialize)]
struct Handshake {
    event: &'static str,
    version: Option<&'static str>,
    cipher: Option<&'static str>,
    group: Option<&'static str>,
    alpn: Option<&'static str>,
    /// Why nothing was agreed.
    failed: Option<String>,
    staple: &'static str,
    staple_until: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<&'static str>,
    /// Why the staple says nothing.
    staple_unusable: Option<String>,
    trusted: bool,
    /// Why it is not trusted.
    distrust: Option<String>,
}

/// Shows what one handshake has shown, certificates aside.
pub(super) fn show(seen: &Seen, output: &Output) -> Result<(), Failure> {
    match output.form() {
        Form::Json => output.json(&handshake(seen)),
        Form::Text => output.bytes(text(seen).as_bytes()),
    }
}

fn handshake(seen: &Seen) -> Handshake {
    let agreed = seen.agreed.as_ref().ok();
    let answer = match &seen.staple {
        Stapled::Checked(answer) => Some(answer),
        _ => None,
    };
    let revoked = match answer.map(|answer| answer.status) {
        Some(Status::Revoked { at, reason }) => Some((at, reason)),
        _ => None,
    };
    Handshake {
        event: "handshake",
        version: agreed.map(|info| info.version.as_str()),
        cipher: agreed.map(|info| info.cipher),
        group: agreed.and_then(|info| info.group),
        alpn: agreed.and_then(|info| info.alpn),
        failed: seen.agreed.as_ref().err().map(ToString::to_string),
        staple: match &seen.staple {
            Stapled::Absent => "absent",
            Stapled::Unchecked => "unchecked",
            Stapled::Unusable(_) => "unusable",
            Stapled::Checked(Answer { status: Status::Good, .. }) => "good",
            Stapled::Checked(Answer { status: Status::Revoked { .. }, .. }) => "revoked",
            Stapled::Checked(Answer { status: Status::Unknown, .. }) => "unknown",
        },
        staple_until: answer.and_then(|answer| answer.next_update).map(|until| until.to_string()),
        revoked_at: revoked.map(|(at, _)| at.to_string()),
        revoked_reason: revoked.and_then(|(_, reason)| reason).map(|reason| reason.word()),
        staple_unusable: match &seen.staple {
            Stapled::Unusable(why) => Some(why.to_string()),
            _ => None,
        },
        trusted: seen.verdict.is_ok(),
        distrust: seen.verdict.as_ref().err().map(ToString::to_string),
    }
}

fn text(seen: &Seen) -> String {
    let agreed = match &seen.agreed {
        Ok(info) => {
            let group = info.group.map(|group| format!(", {group}")).unwrap_or_default();
            let alpn = info.alpn.map(|alpn| format!(", ALPN {alpn}")).unwrap_or_default();
            format!("{}, {}{group}{alpn}", info.version, info.cipher)
        }
        Err(error) => format!("nothing: {error}"),
    };
    let trusted = match &seen.verdict {
        Ok(_) => "yes, by an authority of this machine".to_owned(),
        Err(why) => format!("not by this machine's authorities: {why}"),
    };
    lines(&[("agreed", &agreed), ("staple", &staple(&seen.staple)), ("trusted", &trusted)])
}

fn staple(staple: &Stapled) -> String {
    match staple {
        Stapled::Absent => "none".to_owned(),
        Stapled::Unchecked => {
            "not checked: the server does not show who has issued its certificate".to_owned()
        }
        Stapled::Unusable(why) => format!("of no use: it {why}"),
        Stapled::Checked(Answer { status, next_update, .. }) => {
            let until = next_update.map(|until| format!(", good until {until}")).unwrap_or_default();
            match status {
                Status::Good => format!("not revoked{until}"),
                Status::Unknown => format!("its authority knows no such certificate{until}"),
                Status::Revoked { at, reason } => {
                    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                    format!("revoked at {at}{reason}")
                }
            }
        }
    }
}
