//! Which line does each event of the transfer domain become?

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use carrack_core::backend::Attributes;
use carrack_core::certificate::Certificate;
use carrack_core::error::ErrorKind;
use carrack_core::event::{
    Agreed, Change, Channel, Direction, Event, Origin, Outcome, Protection, Subscriber, TransferFinished,
};
use carrack_core::limits::Limit;
use carrack_core::login::LoginError;
use carrack_core::path::VirtualPath;

use super::flood::{Flood, Verdict};

/// Where all lines come from, so that a filter can name them.
const TARGET: &str = "carrack";

/// Writes core's events to the log.
///
/// What a client can cause without logging in, and what fails, is limited per source, with a count of what was left out. What a
/// logged-in user does is always written.
#[derive(Debug, Default)]
pub struct EventLog {
    flood: Flood,
}

impl EventLog {
    /// Tells about lines that were left out, now and then, for as long as it is polled.
    pub async fn tell_suppressed(&self) {
        let mut every = tokio::time::interval(Flood::TELL_EVERY);
        loop {
            every.tick().await;
            for (source, lines) in self.flood.take_suppressed() {
                suppressed(source, lines);
            }
        }
    }

    /// Whether a line that `peer` caused may be written.
    fn admits(&self, peer: SocketAddr) -> bool {
        match self.flood.admit(peer.ip(), Instant::now()) {
            Verdict::Suppress => false,
            Verdict::Write { suppressed: 0 } => true,
            Verdict::Write { suppressed: lines } => {
                suppressed(Some(super::flood::source(peer.ip())), lines);
                true
            }
        }
    }
}

fn suppressed(source: Option<IpAddr>, lines: u64) {
    let source = source.map_or_else(|| "others".to_owned(), |ip| ip.to_string());
    tracing::warn!(target: TARGET, source, lines, "suppressed");
}

impl Subscriber for EventLog {
    fn event(&self, event: &Event) {
        match event {
            Event::Connected { origin } => self.connected(origin),
            // What data connections agreed on stands in the line of their transfer.
            Event::Secured { origin, channel: Channel::Session, tls } => self.secured(origin, tls),
            Event::ConnectionRefused { peer, reason, option, why } => {
                self.refused(*peer, reason, option, why)
            }
            Event::ServerRefused { origin, name, option, why } => {
                self.server_refused(origin, name, *option, why);
            }
            Event::Login { origin, user, certificate, outcome } => {
                self.login(origin, user, certificate.as_deref(), outcome);
            }
            Event::CertificateRefused { origin, certificate, option, why } => {
                self.certificate_refused(origin, certificate.as_ref(), option, why);
            }
            // What data connections failed for stands in the refusal of their transfer.
            Event::NotSecured { origin, channel: Channel::Session, option, why } => {
                self.not_secured(origin, *option, why);
            }
            // The system's own refusals are told as failed operations, limits by themselves.
            Event::OperationRefused {
                origin,
                user,
                path,
                option: Some(option),
                kind: kind @ ErrorKind::Denied,
            } => {
                let (path, why) = (path.as_ref().map(VirtualPath::display), kind.to_string());
                let refused = Refused { origin, user: Some(user), command: None, reply: None };
                self.refused_of_session(&refused, path.map(|path| path.to_string()), option, &why);
            }
            Event::CommandRefused { origin, user, command, reply, option, why } => {
                let command = (!command.is_empty()).then_some(*command);
                let refused = Refused { origin, user: user.as_deref(), command, reply: Some(*reply) };
                match option {
                    Some(option) => self.refused_of_session(&refused, None, option, why),
                    None => self.command_failed(&refused, why),
                }
            }
            Event::TransferFinished(finished) => transfer(finished),
            Event::OperationFailed { origin, user, what, path, error } => {
                self.operation_failed(origin, user, what, path, error);
            }
            Event::FileChanged { origin, user, change } => changed(origin, user, change),
            Event::LimitReached { origin, user, limit } => self.limit_reached(origin, user, *limit),
            Event::SessionEnded { origin, user, lasted } => {
                tracing::info!(
                    target: TARGET,
                    session = origin.id.0,
                    peer = %origin.peer,
                    user,
                    virtual_server = origin.server.as_deref(),
                    seconds = lasted.as_secs_f64(),
                    "session_end"
                );
            }
            Event::Disconnected { origin, why, option, lasted } => {
                self.disconnected(origin, *option, why, *lasted)
            }
            // Events of later versions of core are not ours to word.
            _ => {}
        }
    }
}

impl EventLog {
    fn connected(&self, Origin { id, peer, protocol, .. }: &Origin) {
        if self.admits(*peer) {
            tracing::info!(target: TARGET, session = id.0, %peer, protocol, "connected");
        }
    }

    fn secured(&self, Origin { id, peer, .. }: &Origin, tls: &Agreed) {
        if self.admits(*peer) {
            let Agreed { version: tls, suite, group, alpn, resumed } = *tls;
            tracing::info!(target: TARGET, session = id.0, %peer, tls, suite, group, alpn, resumed, "secured");
        }
    }

    fn disconnected(
        &self,
        Origin { id, peer, .. }: &Origin,
        option: Option<&str>,
        why: &str,
        lasted: Duration,
    ) {
        if self.admits(*peer) {
            let seconds = lasted.as_secs_f64();
            tracing::info!(target: TARGET, session = id.0, %peer, option, why, seconds, "disconnected");
        }
    }

    fn not_secured(&self, Origin { id, peer, .. }: &Origin, option: Option<&str>, why: &str) {
        if self.admits(*peer) {
            let why = cut(why, MAX_REASON);
            tracing::info!(target: TARGET, session = id.0, %peer, option, %why, "tls_handshake_failed");
        }
    }

    /// Something was refused because of an option. What a user can repeat at will is limited like what a stranger can.
    fn refused_of_session(&self, refused: &Refused<'_>, path: Option<String>, option: &str, why: &str) {
        let Refused { origin: Origin { id, peer, .. }, user, command, reply } = *refused;
        if self.admits(*peer) {
            tracing::info!(target: TARGET, session = id.0, %peer, user, command, path, reply, option, why, "refused");
        }
    }

    /// A command came to nothing for what it said, or for what is there.
    fn command_failed(&self, refused: &Refused<'_>, why: &str) {
        let Refused { origin: Origin { id, peer, .. }, user, command, reply } = *refused;
        if self.admits(*peer) {
            tracing::debug!(target: TARGET, session = id.0, %peer, user, command, reply, why, "command_failed");
        }
    }

    /// What a user can repeat at will is limited like what a stranger can.
    fn operation_failed(&self, origin: &Origin, user: &str, what: &str, path: &VirtualPath, error: &str) {
        let Origin { id, peer, server, .. } = origin;
        if self.admits(*peer) {
            let (path, virtual_server) = (path.display(), server.as_deref());
            tracing::warn!(target: TARGET, session = id.0, %peer, user, virtual_server, what, %path, error, "operation_failed");
        }
    }

    /// What a user can repeat at will is limited like what a stranger can.
    fn limit_reached(&self, origin: &Origin, user: &str, limit: Limit) {
        let Origin { id, peer, server, .. } = origin;
        if self.admits(*peer) {
            let (option, virtual_server) = (limit.most().option, server.as_deref());
            tracing::warn!(target: TARGET, session = id.0, %peer, user, virtual_server, option, %limit, "limit_reached");
        }
    }

    fn refused(&self, peer: SocketAddr, reason: &str, option: &str, why: &str) {
        if self.admits(peer) {
            tracing::warn!(target: TARGET, %peer, reason, option, why, "connection_refused");
        }
    }

    fn server_refused(&self, Origin { id, peer, .. }: &Origin, name: &str, option: Option<&str>, why: &str) {
        if self.admits(*peer) {
            tracing::warn!(target: TARGET, session = id.0, %peer, name, option, why, "host_refused");
        }
    }

    fn certificate_refused(
        &self,
        origin: &Origin,
        certificate: Option<&Certificate>,
        option: &str,
        why: &str,
    ) {
        let Origin { id, peer, .. } = origin;
        if self.admits(*peer) {
            let session = id.0;
            let Shown { subject, issuer, spki_sha256 } = Shown::of(certificate);
            let (subject, issuer, why) = (subject.as_deref(), issuer.as_deref(), cut(why, MAX_REASON));
            tracing::warn!(target: TARGET, session, %peer, subject, issuer, spki_sha256, option, %why, "client_certificate_refused");
        }
    }

    fn login(
        &self,
        origin: &Origin,
        user: &str,
        certificate: Option<&Certificate>,
        outcome: &Result<(), LoginError>,
    ) {
        let Shown { subject, issuer, spki_sha256 } = Shown::of(certificate);
        let (subject, issuer) = (subject.as_deref(), issuer.as_deref());
        let session = origin.id.0;
        let peer = origin.peer;
        let virtual_server = origin.server.as_deref();
        let (option, why) = match outcome {
            Ok(()) => {
                tracing::info!(target: TARGET, session, %peer, user, virtual_server, subject, issuer, spki_sha256, "login");
                return;
            }
            Err(error @ LoginError::Refused(why)) => (error.option(), why.as_str()),
            Err(error @ LoginError::Overloaded) => (error.option(), "too many logins at once"),
            Err(error @ LoginError::Unanswered(_)) => {
                (error.option(), "nobody has answered whether this user may log in")
            }
            Err(error @ LoginError::TooManyGuesses) => (error.option(), "too many failed logins before it"),
        };
        if self.admits(peer) {
            tracing::warn!(target: TARGET, session, %peer, user, virtual_server, subject, issuer, spki_sha256, option, why, "login_failed");
        }
    }
}

/// Who was refused what.
#[derive(Clone, Copy)]
struct Refused<'e> {
    origin: &'e Origin,
    user: Option<&'e str>,
    command: Option<&'static str>,
    reply: Option<u16>,
}

/// How many characters of a name in a certificate stand in a line: more than any that people give, and far less than the
/// 100 KiB that a stranger can write into one of their own.
const MAX_NAME: usize = 256;

/// How many characters of the reason why a certificate was refused: a sentence, and a name that it may have in it.
const MAX_REASON: usize = 512;

/// A certificate in fields.
struct Shown<'c> {
    subject: Option<Cow<'c, str>>,
    issuer: Option<Cow<'c, str>>,
    spki_sha256: Option<String>,
}

impl Shown<'_> {
    fn of(certificate: Option<&Certificate>) -> Shown<'_> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Shown {
            subject: certificate.map(|certificate| cut(&certificate.subject, MAX_NAME)),
            issuer: certificate.map(|certificate| cut(&certificate.issuer, MAX_NAME)),
            spki_sha256: certificate.map(|certificate| hex(&certificate.key_sha256)),
        }
    }
}

/// No more of a text than so many characters.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        // SECURITY: whoever can connect can show a certificate, and must not fill the log's disk with it.
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

fn transfer(finished: &TransferFinished) {
    let TransferFinished {
        origin, user, direction, path, bytes, lasted, protection, partner, outcome, ..
    } = finished;
    let direction = match direction {
        Direction::Upload => "upload",
        Direction::Download => "download",
    };
    let (protection, agreed) = match protection {
        Protection::Clear => ("clear", None),
        Protection::Tls(agreed) => ("private", Some(agreed)),
    };
    let why = match outcome {
        Outcome::Complete => None,
        Outcome::Incomplete(why) => Some(why.to_string()),
    };
    let complete = why.is_none();
    tracing::info!(
        target: TARGET,
        session = origin.id.0,
        peer = %origin.peer,
        user,
        virtual_server = origin.server.as_deref(),
        direction,
        path = %path.display(),
        bytes,
        seconds = lasted.as_secs_f64(),
        protection,
        tls = agreed.map(|agreed| agreed.version),
        suite = agreed.map(|agreed| agreed.suite),
        group = agreed.and_then(|agreed| agreed.group),
        resumed = agreed.map(|agreed| agreed.resumed),
        fxp = partner.map(|partner| partner.to_string()),
        complete,
        why,
        "transfer"
    );
}

fn changed(origin: &Origin, user: &str, change: &Change) {
    let (what, path) = match change {
        Change::Deleted(path) => ("deleted", path),
        Change::Renamed { from, .. } => ("renamed", from),
        Change::MadeDirectory(path) => ("made_directory", path),
        Change::RemovedDirectory(path) => ("removed_directory", path),
        Change::SetAttributes { path, .. } => ("set_attributes", path),
        Change::Combined { target, .. } => ("combined", target),
    };
    let to = if let Change::Renamed { to, .. } = change { Some(to.display().to_string()) } else { None };
    let attributes = match change {
        Change::SetAttributes { attributes, .. } => *attributes,
        _ => Attributes::default(),
    };
    let modified_s = attributes.modified.map(|(seconds, _)| seconds);
    let mode = attributes.mode.map(|mode| format!("{:04o}", mode.bits()));
    let parts = if let Change::Combined { parts, .. } = change { Some(*parts) } else { None };
    tracing::info!(
        target: TARGET,
        session = origin.id.0,
        peer = %origin.peer,
        user,
        virtual_server = origin.server.as_deref(),
        what,
        path = %path.display(),
        to,
        modified_s,
        mode,
        parts,
        "changed"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use carrack_core::event::SessionId;
    use tracing_subscriber::layer::SubscriberExt;

    use crate::log::line::Line;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_operation_is_a_line_and_a_flood_of_them_is_not() {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Line::Text { colour: false })
            .with_writer(move || writer.clone());
        let origin = Origin {
            id: SessionId(7),
            peer: "192.0.2.1:4711".parse().unwrap(),
            protocol: "ftp",
            server: None,
        };
        let event = Event::OperationFailed {
            origin,
            user: "alice".to_owned(),
            what: "publish",
            path: VirtualPath::parse(b"/a b").unwrap(),
            error: "No space left on device".to_owned(),
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let log = EventLog::default();
            for _ in 0..10_000 {
                log.event(&event);
            }
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let line = "WARN  operation_failed session=7 peer=192.0.2.1:4711 user=alice what=publish path=\"/a b\" \
                    error=\"No space left on device\"";
        assert!(text.lines().next().unwrap().ends_with(line), "{text}");
        assert!(text.lines().count() < 1000);
    }

    #[test]
    fn a_certificate_fills_no_more_than_its_part_of_a_line() {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Line::Text { colour: false })
            .with_writer(move || writer.clone());
        let origin = Origin {
            id: SessionId(7),
            peer: "192.0.2.1:4711".parse().unwrap(),
            protocol: "ftp",
            server: None,
        };
        let long = "ä".repeat(50_000);
        let certificate =
            Certificate { subject: long.clone(), issuer: "CN=short".to_owned(), ..Certificate::default() };
        let event = Event::CertificateRefused {
            origin,
            certificate: Some(certificate),
            option: "tls.client_ca",
            why: long,
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            EventLog::default().event(&event);
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains(&format!("{}…", "ä".repeat(256))) && text.contains("CN=short"), "{text}");
        assert!(text.len() < 2048, "{}", text.len());
    }
}
