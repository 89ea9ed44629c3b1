//! What is told of an event: one JSON object, the same for programs and for web servers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use carrack_core::account::User;
use carrack_core::certificate::Certificate;
use carrack_core::event::{Change, Direction, Event, Origin, Outcome, Protection, TransferFinished};
use carrack_core::path::VirtualPath;
use serde_json::{Map, Value, json};

use crate::config::HookEvent;

/// How many characters of a text that a stranger chose are repeated.
const MAX_TEXT: usize = 512;

/// What happened, in the words of hooks.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: HookEvent,
    pub(super) data: Map<String, Value>,
    /// Whose file it is about, by [`User::id`], and which: who runs on this machine may want to open it.
    pub(super) file: Option<(String, VirtualPath)>,
    /// Who caused it, where anybody can as often as they like.
    pub(super) stranger: Option<std::net::IpAddr>,
}

impl Told {
    /// What hooks are told of this event; nothing where they are told of none like it.
    pub(super) fn of(event: &Event) -> Option<Told> {
        let told = |event, data| Told { event, data, file: None, stranger: None };
        Some(match event {
            Event::Login { origin, user, certificate, outcome: Ok(()) } => {
                let mut data = of_user(origin, user);
                let certificate = certificate.as_deref();
                data.insert("subject".to_owned(), certificate.map(|shown| cut(&shown.subject)).into());
                data.insert("spki_sha256".to_owned(), certificate.map(spki).into());
                told(HookEvent::Login, data)
            }
            Event::Login { origin, user, certificate: _, outcome: Err(why) } => {
                refusal("login", Some((origin, Some(user))), None, &why.to_string(), origin.peer.ip())
            }
            Event::ServerRefused { origin, name, option, why } => {
                let mut told = refusal("host", Some((origin, None)), None, why, origin.peer.ip());
                told.data.insert("host".to_owned(), cut(name).into());
                told.data.insert("option".to_owned(), (*option).into());
                told
            }
            Event::ConnectionRefused { peer, reason: _, option, why } => {
                let mut told = refusal("connection", None, None, why, peer.ip());
                told.data.insert("option".to_owned(), option.as_str().into());
                told.data.insert("peer".to_owned(), peer.ip().to_canonical().to_string().into());
                told
            }
            Event::CertificateRefused { origin, why, .. } => {
                refusal("certificate", Some((origin, None)), None, why, origin.peer.ip())
            }
            Event::OperationRefused { origin, user, path, kind, .. } if kind.is_policy() => refusal(
                "operation",
                Some((origin, Some(user))),
                path.as_ref(),
                &kind.to_string(),
                origin.peer.ip(),
            ),
            Event::LimitReached { origin, user, limit } => {
                let mut told =
                    refusal("limit", Some((origin, Some(user))), None, &limit.to_string(), origin.peer.ip());
                told.data.insert("option".to_owned(), limit.most().option.into());
                told
            }
            Event::TransferFinished(finished) => transfer(finished),
            Event::FileChanged { origin, user, change } => {
                let mut data = of_user(origin, user);
                let (event, path) = match change {
                    Change::Deleted(path) => (HookEvent::Delete, path),
                    Change::Renamed { from, to } => {
                        with_path(&mut data, "path", Some(from));
                        with_path(&mut data, "to", Some(to));
                        let file = Some((id(origin, user), to.clone()));
                        return Some(Told { file, ..told(HookEvent::Rename, data) });
                    }
                    Change::MadeDirectory(path) => (HookEvent::MakeDirectory, path),
                    Change::RemovedDirectory(path) => (HookEvent::RemoveDirectory, path),
                    Change::SetAttributes { .. } | Change::Combined { .. } => return None,
                };
                with_path(&mut data, "path", Some(path));
                Told { file: Some((id(origin, user), path.clone())), ..told(event, data) }
            }
            _ => return None,
        })
    }

    /// The JSON text of it, in one line. `homes` says where files of users rest; without it nobody is told.
    pub(super) fn text(&self, id: &str, at: SystemTime, homes: Option<&HashMap<String, PathBuf>>) -> Vec<u8> {
        let mut data = self.data.clone();
        if let (Some(homes), Some((user, path))) = (homes, &self.file) {
            let file = homes.get(user).map(|home| on_disk(home, path));
            data.insert("file".to_owned(), file.into());
        }
        let timestamp = jiff::Timestamp::try_from(at).unwrap_or_default();
        let body = json!({
            "id": id,
            "type": self.event.word(),
            "timestamp": format!("{timestamp:.6}"),
            "data": data,
        });
        body.to_string().into_bytes()
    }
}

fn transfer(finished: &TransferFinished) -> Told {
    let TransferFinished {
        origin, user, direction, path, bytes, lasted, protection, partner, outcome, ..
    } = finished;
    let mut data = of_user(origin, user);
    with_path(&mut data, "path", Some(path));
    data.insert("bytes".to_owned(), (*bytes).into());
    // Milliseconds, as in the log.
    data.insert("seconds".to_owned(), ((lasted.as_secs_f64() * 1000.0).round() / 1000.0).into());
    let tls = match protection {
        Protection::Clear => None,
        Protection::Tls(agreed) => Some(agreed.version),
    };
    data.insert("tls".to_owned(), tls.into());
    data.insert("fxp".to_owned(), partner.map(|partner| partner.to_canonical().to_string()).into());
    let event = match (direction, outcome) {
        (Direction::Upload, Outcome::Complete) => HookEvent::Upload,
        (Direction::Upload, Outcome::Incomplete(_)) => HookEvent::UploadFailed,
        (Direction::Download, Outcome::Complete) => HookEvent::Download,
        (Direction::Download, Outcome::Incomplete(_)) => HookEvent::DownloadFailed,
    };
    if let Outcome::Incomplete(why) = outcome {
        data.insert("why".to_owned(), why.to_string().into());
    }
    // Of an upload that failed there is no file.
    let file = (event != HookEvent::UploadFailed).then(|| (id(origin, user), path.clone()));
    Told { event, data, file, stranger: None }
}

fn refusal(
    what: &'static str,
    who: Option<(&Origin, Option<&String>)>,
    path: Option<&VirtualPath>,
    why: &str,
    stranger: std::net::IpAddr,
) -> Told {
    let mut data = match who {
        Some((origin, user)) => of_session(origin, user.map(|user| cut(user))),
        None => Map::new(),
    };
    data.insert("what".to_owned(), what.into());
    if what == "operation" {
        with_path(&mut data, "path", path);
    }
    data.insert("why".to_owned(), cut(why).into());
    Told { event: HookEvent::Refusal, data, file: None, stranger: Some(stranger) }
}

/// Who it is among the users of all servers.
fn id(origin: &Origin, user: &str) -> String {
    User::of(origin, user).id().into_owned()
}

fn of_user(origin: &Origin, user: &str) -> Map<String, Value> {
    of_session(origin, Some(user.to_owned()))
}

fn of_session(origin: &Origin, user: Option<String>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("session".to_owned(), origin.id.0.into());
    data.insert("peer".to_owned(), origin.peer.ip().to_canonical().to_string().into());
    data.insert("protocol".to_owned(), origin.protocol.into());
    if let Some(server) = &origin.server {
        data.insert("virtual_server".to_owned(), (**server).into());
    }
    if let Some(user) = user {
        data.insert("user".to_owned(), user.into());
    }
    data
}

/// JSON holds text alone: a name that is none is told with replacement characters, and beside that byte for byte.
fn with_path(data: &mut Map<String, Value>, key: &str, path: Option<&VirtualPath>) {
    let bytes = path.map(VirtualPath::as_bytes);
    let text = bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    data.insert(key.to_owned(), text.into());
    if let Some(bytes) = bytes.filter(|bytes| std::str::from_utf8(bytes).is_err()) {
        data.insert(format!("{key}_base64"), BASE64_STANDARD.encode(bytes).into());
    }
}

fn on_disk(home: &std::path::Path, path: &VirtualPath) -> String {
    let beneath = String::from_utf8_lossy(path.as_bytes()).trim_start_matches('/').to_owned();
    home.join(beneath).to_string_lossy().into_owned()
}

fn spki(certificate: &Certificate) -> String {
    certificate.key_sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SECURITY: whoever can connect must not fill the outbox with one event.
fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
