//! What is measured of a running server, and how is it read?
//!
//! Every series has labels of a few known words, or what the configuration names, or a bounded number of users: a client can make
//! none grow.

mod load;
mod users;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use carrack_core::account::User;
use carrack_core::event::{Channel, Direction, Event, Outcome, Subscriber};
use carrack_core::login::LoginError;
use carrack_net::{Bans, Drain, Moment, Phase};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::http::Answer;
use crate::identities::{Named, Shown};
use load::Asked;
pub(crate) use load::Sources;
use users::Users;

/// The text format that the collector is told (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const DAY_S: i64 = 24 * 3600;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type ByFile = [(&'static str, String); 1];

/// Counts core's events.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    sessions: Gauge,
    connections_refused: Family<Labels<1>, Counter>,
    bans: Gauge,
    held: Arc<Bans>,
    limits_reached: Family<Labels<1>, Counter>,
    logins: Family<Labels<1>, Counter>,
    logins_refused: Family<Labels<1>, Counter>,
    transfers: Family<Labels<2>, Counter>,
    bytes: Family<Labels<1>, Counter>,
    seconds: Family<Labels<1>, Histogram, fn() -> Histogram>,
    refused: Family<Labels<1>, Counter>,
    users: Users,
    asked: Asked,
    handshakes: Family<Labels<3>, Counter>,
    handshakes_failed: Family<Labels<1>, Counter>,
    certificate_end: Family<ByFile, Gauge>,
    certificate_days: Family<ByFile, Gauge>,
    staple_end: Family<ByFile, Gauge>,
    shown: Arc<Shown>,
    /// Held by whoever reads: the series of certificates are made anew each time.
    reading: Mutex<()>,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new(shown: Arc<Shown>, held: Arc<Bans>, per_user: usize) -> Metrics {
        let mut registry = Registry::with_prefix("carrack");
        let (users, asked) = (Users::new(per_user, &mut registry), Asked::new());
        registry.register_collector(Box::new(asked.clone()));
        let mut metrics = Metrics {
            registry,
            connections: Gauge::default(),
            sessions: Gauge::default(),
            connections_refused: Family::default(),
            bans: Gauge::default(),
            held,
            limits_reached: Family::default(),
            logins: Family::default(),
            logins_refused: Family::default(),
            transfers: Family::default(),
            bytes: Family::default(),
            seconds: Family::new_with_constructor(durations),
            refused: Family::default(),
            users,
            asked,
            handshakes: Family::default(),
            handshakes_failed: Family::default(),
            certificate_end: Family::default(),
            certificate_days: Family::default(),
            staple_end: Family::default(),
            shown,
            reading: Mutex::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Control connections now", self.connections.clone());
        registry.register("sessions", "Sessions of users now", self.sessions.clone());
        registry.register(
            "connections_refused",
            "Connections turned away before they could say anything",
            self.connections_refused.clone(),
        );
        registry.register("bans", "Networks banned now", self.bans.clone());
        registry.register("logins_refused", "Logins refused, and why", self.logins_refused.clone());
        registry.register(
            "limits_reached",
            "What users were refused by a limit",
            self.limits_reached.clone(),
        );
        registry.register("logins", "Logins tried", self.logins.clone());
        registry.register("transfers", "Uploads and downloads that ended", self.transfers.clone());
        registry.register("transferred_bytes", "Bytes of files moved", self.bytes.clone());
        registry.register("transfer_seconds", "How long transfers took", self.seconds.clone());
        registry.register("operations_refused", "What users asked for and did not get", self.refused.clone());
        registry.register("tls_handshakes", "TLS handshakes completed", self.handshakes.clone());
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that came to nothing",
            self.handshakes_failed.clone(),
        );
        registry.register(
            "certificate_not_after_seconds",
            "When the first certificate of a chain ends, in seconds since 1970",
            self.certificate_end.clone(),
        );
        registry.register(
            "certificate_days_left",
            "Whole days until then; below zero when it has ended",
            self.certificate_days.clone(),
        );
        registry.register(
            "staple_not_after_seconds",
            "When a certificate's OCSP answer ends, in seconds since 1970",
            self.staple_end.clone(),
        );
    }

    /// Asks these, too, from now on.
    pub(crate) fn ask(&self, sources: Sources) {
        self.asked.ask(sources);
    }

    /// What is at a path, while the server is as far on its way down as `drain` says.
    pub(crate) fn answer(&self, path: &str, drain: &Drain) -> Answer {
        match path {
            "/metrics" => Answer { content_type: OPEN_METRICS, ..Answer::text(self.text(SystemTime::now())) },
            "/health" if drain.phase() == Phase::Running => Answer::text("serving\n"),
            "/health" => {
                Answer { status: hyper::StatusCode::SERVICE_UNAVAILABLE, ..Answer::text("draining\n") }
            }
            _ => Answer::not_found(),
        }
    }

    fn text(&self, now: SystemTime) -> String {
        let now_s = unix_s(now);
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // What is no longer shown, or has no staple any more, has no series either.
        for ends in [&self.certificate_end, &self.certificate_days, &self.staple_end] {
            ends.clear();
        }
        for Named { file, identity } in self.shown.named().iter() {
            let label = || [("certificate", file.clone())];
            let end_s = unix_s(identity.first_to_end().not_after.into());
            self.certificate_end.get_or_create(&label()).set(end_s);
            self.certificate_days.get_or_create(&label()).set((end_s - now_s).div_euclid(DAY_S));
            if let Some(staple) = identity.staple() {
                self.staple_end.get_or_create(&label()).set(unix_s(staple.until().into()));
            }
        }
        self.bans.set(i64::try_from(self.held.count(Moment::now())).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Subscriber for Metrics {
    fn event(&self, event: &Event) {
        match event {
            Event::Connected { .. } => {
                self.connections.inc();
            }
            Event::Disconnected { .. } => {
                self.connections.dec();
            }
            Event::ConnectionRefused { reason, .. } => {
                self.connections_refused.get_or_create(&[("reason", *reason)]).inc();
            }
            Event::Secured { channel, tls, .. } => {
                let resumed = if tls.resumed { "true" } else { "false" };
                let labels = [("connection", word(*channel)), ("version", tls.version), ("resumed", resumed)];
                self.handshakes.get_or_create(&labels).inc();
            }
            Event::NotSecured { channel, .. } => {
                self.handshakes_failed.get_or_create(&[("connection", word(*channel))]).inc();
            }
            Event::Login { outcome, .. } => {
                if let Err(LoginError::Refused(why)) = outcome {
                    self.logins_refused.get_or_create(&[("reason", why.as_str())]).inc();
                }
                let outcome = match outcome {
                    Ok(()) => "accepted",
                    Err(LoginError::Refused(_)) => "refused",
                    Err(LoginError::Overloaded) => "overloaded",
                    Err(LoginError::Unanswered(_)) => "unanswered",
                    Err(LoginError::TooManyGuesses) => "too_many_guesses",
                };
                self.logins.get_or_create(&[("outcome", outcome)]).inc();
            }
            Event::LimitReached { limit, .. } => {
                self.limits_reached.get_or_create(&[("option", limit.most().option)]).inc();
            }
            Event::SessionOpened { .. } => {
                self.sessions.inc();
            }
            Event::SessionEnded { .. } => {
                self.sessions.dec();
            }
            Event::TransferFinished(finished) => {
                let direction = match finished.direction {
                    Direction::Upload => "upload",
                    Direction::Download => "download",
                };
                let outcome = match finished.outcome {
                    Outcome::Complete => "complete",
                    Outcome::Incomplete(_) => "incomplete",
                };
                self.bytes.get_or_create(&[("direction", direction)]).inc_by(finished.bytes);
                self.transfers.get_or_create(&[("direction", direction), ("outcome", outcome)]).inc();
                let seconds = finished.lasted.as_secs_f64();
                self.seconds.get_or_create(&[("direction", direction)]).observe(seconds);
                let user = User::of(&finished.origin, &finished.user);
                self.users.transfer(user, direction, outcome, finished.bytes);
            }
            Event::OperationRefused { kind, .. } => {
                self.refused.get_or_create(&[("why", kind.word())]).inc();
            }
            // What else happens is not counted.
            _ => {}
        }
    }
}

/// From a millisecond to more than an hour.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 12))
}

fn word(channel: Channel) -> &'static str {
    match channel {
        Channel::Session => "control",
        Channel::Transfer => "data",
    }
}

/// Seconds since the start of 1970.
fn unix_s(moment: SystemTime) -> i64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::hours::Schedule;
    use crate::identities::Turn;
    use crate::quota::Quotas;
    use crate::wiring::{Behind, accounts};
    use carrack_core::event::{Agreed, Events, Origin, SessionId};
    use carrack_core::login::Authenticator;
    use carrack_core::{Core, Session};
    use carrack_records::partials::PartialJournal;
    use carrack_tls::Identity;

    fn named(identity: Identity) -> Named {
        Named { file: "a \"b\".pem".to_owned(), identity }
    }

    fn measured() -> (Metrics, i64) {
        let made = Identity::self_signed(&["a.example".to_owned()]).unwrap();
        let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap();
        let end_s = unix_s(identity.not_after());
        (Metrics::new(Arc::new(Shown::new(named(identity), Vec::new())), Arc::default(), 0), end_s)
    }

    #[test]
    fn what_happens_is_counted_by_a_few_words() {
        let (metrics, _) = measured();
        let origin = Origin {
            id: SessionId(7),
            peer: "192.0.2.1:4711".parse().unwrap(),
            protocol: "ftp",
            server: None,
        };
        metrics.event(&Event::Connected { origin: origin.clone() });
        for resumed in [false, true, true] {
            let suite = "TLS13_AES_256_GCM_SHA384";
            let tls = Agreed { version: "TLSv1.3", suite, group: None, alpn: None, resumed };
            metrics.event(&Event::Secured { origin: origin.clone(), channel: Channel::Transfer, tls });
        }
        let why = "anything that a client \u{e4}\n can cause".to_owned();
        metrics.event(&Event::NotSecured {
            origin: origin.clone(),
            channel: Channel::Session,
            option: None,
            why,
        });
        for user in ["alice", "bob", "mallory"] {
            let (origin, user) = (origin.clone(), user.to_owned());
            metrics.event(&Event::Login {
                origin,
                user,
                certificate: None,
                outcome: Err(LoginError::Overloaded),
            });
        }
        let text = metrics.text(SystemTime::now());
        for line in [
            "carrack_connections 1",
            "carrack_sessions 0",
            "carrack_tls_handshakes_total{connection=\"data\",version=\"TLSv1.3\",resumed=\"true\"} 2",
            "carrack_tls_handshakes_total{connection=\"data\",version=\"TLSv1.3\",resumed=\"false\"} 1",
            "carrack_tls_handshakes_failed_total{connection=\"control\"} 1",
            "carrack_logins_total{outcome=\"overloaded\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        for strange in ["alice", "mallory", "192.0.2.1", "anything"] {
            assert!(!text.contains(strange), "{text}");
        }
    }

    #[tokio::test]
    async fn a_client_that_is_gone_before_its_password_was_judged_is_no_session() {
        let dir = tempfile::tempdir().unwrap();
        let hash = carrack_core::password::hash(b"secret").unwrap();
        let text = format!(
            "state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n\
             [[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \".\"\n"
        );
        let checked = crate::config::parse(&text, dir.path()).unwrap();
        let index = PartialJournal::open(dir.path()).unwrap();
        let index: Arc<dyn carrack_core::backend::PartialIndex> = Arc::new(index);
        let accounts = accounts(
            &checked.config,
            &[],
            &index,
            Behind::AStop,
            &mut Schedule::default(),
            &Quotas::default(),
        )
        .unwrap();
        let metrics = Arc::new(measured().0);
        let events = Events::new([Arc::<Metrics>::clone(&metrics) as Arc<dyn Subscriber>]);
        let core = Core::new(Authenticator::new(Arc::new(accounts), 1), events);
        let origin = Origin {
            id: SessionId(7),
            peer: "192.0.2.1:4711".parse().unwrap(),
            protocol: "ftp",
            server: None,
        };
        let has = |line: &str| metrics.text(SystemTime::now()).lines().any(|found| found == line);

        // Nobody is there any more to open a session for.
        let account = core.login(&origin, "alice", b"secret", None).await.unwrap();
        assert!(has("carrack_logins_total{outcome=\"accepted\"} 1") && has("carrack_sessions 0"));
        let session =
            Session::open(&core, account, origin, carrack_core::permission::Permissions::ALL).unwrap();
        assert!(has("carrack_sessions 1"));
        drop(session);
        assert!(has("carrack_sessions 0"));
    }

    #[test]
    fn the_end_of_a_certificate_is_measured_also_behind_it() {
        let (metrics, end_s) = measured();
        let label = "{certificate=\"a \\\"b\\\".pem\"}";
        for (shift_s, days) in [(-DAY_S * 3 - 5, 3), (-5, 0), (5, -1), (DAY_S + 5, -2)] {
            let at = u64::try_from(end_s + shift_s).unwrap();
            let text = metrics.text(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at));
            let line = format!("carrack_certificate_days_left{label} {days}");
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
            let line = format!("carrack_certificate_not_after_seconds{label} {end_s}");
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn a_staple_that_is_gone_has_no_series() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tls/src/identity/fixtures/staple");
        let identity = Identity::load(&fixtures.join("chain.pem"), &fixtures.join("leaf.key.pem")).unwrap();
        let stapled = identity.with_staple(&fixtures.join("good.der")).unwrap();
        let shown = Arc::new(Shown::new(named(stapled), Vec::new()));
        let metrics = Metrics::new(Arc::clone(&shown), Arc::default(), 0);
        let has = |series: &str| metrics.text(SystemTime::now()).contains(series);
        assert!(has("carrack_staple_not_after_seconds{") && has("a \\\"b\\\".pem"));
        shown.replace(Turn::default(), Named { file: "c.pem".to_owned(), identity }, Vec::new());
        assert!(!has("carrack_staple_not_after_seconds{") && !has("a \\\"b\\\".pem"));
        assert!(has("carrack_certificate_days_left{certificate=\"c.pem\"}"));
    }

    #[test]
    fn health_ends_with_the_drain_and_other_paths_are_not_there() {
        let (metrics, _) = measured();
        let drain = Drain::new();
        let status = |path: &str| metrics.answer(path, &drain).status.as_u16();
        assert_eq!((status("/health"), status("/metrics"), status("/")), (200, 200, 404));
        drain.start();
        assert_eq!((status("/health"), status("/metrics")), (503, 200));
    }
}
