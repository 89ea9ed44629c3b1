//! Who guesses, and what becomes of them? Slowed by source, by name and by certificate; banned by source alone.
//!
//! ```text
//!   core asks before each login ──► Defence ──► how long it waits
//!   core tells how it ended ──────► Defence ──► scores ──► net::Bans, which net asks at every connection
//! ```
//!
//! A stranger can slow an account, by `delay_max_s` for sources that are not known to it, and lock nobody out of it.

mod file;
mod scores;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use carrack_core::account::User;
use carrack_core::certificate::Certificate;
use carrack_core::event::{Event, Subscriber};
use carrack_core::login::LoginError;
use carrack_core::pace::{Pace, TooManyGuesses};
use carrack_net::{Admission, Ban, Bans, Moment, Network, Source, Term};

use crate::config::Config;
pub(crate) use file::{keep, restore, save};
use scores::{Scores, Seen};

/// Sources, names and certificates that are told apart; each takes some hundred bytes.
const SOURCES: usize = 20_000;
const NAMES: usize = 20_000;
const CERTIFICATES: usize = 10_000;

/// Longest name that is told apart, in bytes: no user has a longer one.
const NAME_LONGEST: usize = 64;

/// How many waits of the longest kind stand in line for one source before further guesses are refused unjudged.
const IN_LINE: u32 = 3;

/// What the options come to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    exempt: Vec<Network>,
    slow_after: f64,
    delay_max: Duration,
    /// Before that a login has to be judged, so that its client still hears of it.
    line_longest: Duration,
    ban_after: f64,
    term: Term,
    half_life: Duration,
    known: Duration,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        let defence = &config.defence;
        let half_of_login = Duration::from(config.timeouts.login_s) / 2;
        let delay_max = Duration::from(defence.delay_max_s).min(half_of_login);
        Self {
            exempt: defence.exempt.clone(),
            slow_after: defence.slow_after.0.into(),
            delay_max,
            line_longest: (delay_max * IN_LINE).min(half_of_login),
            ban_after: defence.ban_after.0.into(),
            term: Term { first: defence.ban_s.into(), longest: defence.ban_longest_s.into() },
            half_life: defence.half_life_s.into(),
            known: defence.known_s.into(),
        }
    }

    fn exempts(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }

    /// How long a login waits against which so much counts.
    fn delay(&self, score: f64) -> Duration {
        // What has decayed a little since it was counted is still one more than the limit.
        let beyond = score - self.slow_after;
        if beyond <= 0.0 {
            return Duration::ZERO;
        }
        // Beyond 2^32 seconds every wait is the longest.
        let seconds = (beyond - 1.0).min(32.0).exp2();
        Duration::from_secs_f64(seconds).min(self.delay_max)
    }
}

/// The scores.
pub(crate) struct Defence {
    settings: RwLock<Arc<Settings>>,
    bans: Arc<Bans>,
    admission: Admission,
    tables: Mutex<Tables>,
}

struct Tables {
    sources: Scores<Source>,
    names: Scores<Who>,
    certificates: Scores<[u8; 32]>,
    /// From where somebody has logged in, and as whom.
    known: Seen<Source>,
    known_as: Seen<(Source, Who)>,
}

/// A name that somebody gave, at a virtual server or at the one that nobody has to name.
type Who = (Option<Box<str>>, Box<str>);

impl Defence {
    /// Nothing counts against anybody yet. `admission` knows who is logged in from where.
    pub(crate) fn new(settings: Settings, bans: Arc<Bans>, admission: Admission) -> Self {
        let half_life = settings.half_life;
        let tables = Tables {
            sources: Scores::new(half_life, SOURCES),
            names: Scores::new(half_life, NAMES),
            certificates: Scores::new(half_life, CERTIFICATES),
            known: Seen::new(SOURCES),
            known_as: Seen::new(NAMES),
        };
        Self { settings: RwLock::new(Arc::new(settings)), bans, admission, tables: Mutex::new(tables) }
    }

    /// Goes by these from now on. What counts against somebody stays.
    pub(crate) fn renew(&self, settings: Settings) {
        let mut tables = self.tables();
        tables.sources.halves_in(settings.half_life);
        tables.names.halves_in(settings.half_life);
        tables.certificates.halves_in(settings.half_life);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long a login waits now.
    fn wait(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
        now: Instant,
    ) -> Result<Duration, TooManyGuesses> {
        let settings = self.settings();
        let Settings { known, delay_max, line_longest, .. } = *settings;
        if settings.exempts(from) || delay_max.is_zero() {
            return Ok(Duration::ZERO);
        }
        let source = Source::of(from);
        let mut tables = self.tables();
        let of_source = settings.delay(tables.sources.of(&source, now));
        let of_certificate = certificate
            .map_or(Duration::ZERO, |shown| settings.delay(tables.certificates.of(&shown.key_sha256, now)));
        let known_as = name(user).is_some_and(|name| tables.known_as.within(&(source, name), known, now));
        if known_as {
            // Neither strangers with the same name nor those behind the same address make this one stand in line.
            return Ok(of_source.max(of_certificate));
        }
        let of_name = name(user).map_or(Duration::ZERO, |name| settings.delay(tables.names.of(&name, now)));
        let in_line = if of_source.is_zero() {
            Duration::ZERO
        } else {
            tables.sources.take(&source, of_source, line_longest, now).ok_or(TooManyGuesses)?
        };
        Ok(in_line.max(of_name).max(of_certificate))
    }

    /// Somebody has logged in.
    fn succeeded(&self, from: IpAddr, user: User<'_>, now: Instant) {
        let source = Source::of(from);
        let mut tables = self.tables();
        tables.known.see(source, now);
        if let Some(name) = name(user) {
            tables.known_as.see((source, name), now);
        }
    }

    /// A login was refused; the ban that it has led to.
    fn failed(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
        now: Moment,
    ) -> Option<Ban> {
        let settings = self.settings();
        if settings.exempts(from) {
            return None;
        }
        let source = Source::of(from);
        let mut tables = self.tables();
        // SECURITY: names that nobody has count like those of users.
        if let Some(name) = name(user) {
            tables.names.add(name, now.monotonic);
        }
        if let Some(shown) = certificate {
            tables.certificates.add(shown.key_sha256, now.monotonic);
        }
        let score = tables.sources.add(source, now.monotonic);
        // What was counted a moment ago has decayed by a little.
        let is_enough = settings.ban_after > 0.0 && score > settings.ban_after - 0.5;
        if !is_enough || tables.known.within(&source, settings.known, now.monotonic) {
            return None;
        }
        if self.admission.has_login(source) {
            return None;
        }
        tables.sources.halve(&source);
        drop(tables);
        let why = format!("{score:.0} refused logins");
        Some(self.bans.ban_source(source, settings.term, &why, now))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name as it is told apart.
fn name(user: User<'_>) -> Option<Who> {
    (user.name.len() <= NAME_LONGEST).then(|| (user.server.map(Into::into), user.name.into()))
}

impl Pace for Defence {
    fn source_of(&self, from: IpAddr) -> IpAddr {
        Source::of(from).address()
    }

    fn before_login(
        &self,
        from: IpAddr,
        user: User<'_>,
        certificate: Option<&Certificate>,
    ) -> Result<Duration, TooManyGuesses> {
        self.wait(from, user, certificate, Instant::now())
    }
}

impl Subscriber for Defence {
    fn event(&self, event: &Event) {
        let Event::Login { origin, user, certificate, outcome } = event else { return };
        let (from, user) = (origin.peer.ip(), User::of(origin, user));
        match outcome {
            Ok(()) => self.succeeded(from, user, Instant::now()),
            Err(LoginError::Refused(_)) => {
                if let Some(ban) = self.failed(from, user, certificate.as_deref(), Moment::now()) {
                    banned(&ban, self.settings().term);
                }
            }
            // Not judged: nothing is known of it.
            Err(LoginError::Overloaded | LoginError::Unanswered(_) | LoginError::TooManyGuesses) => {}
        }
    }
}

fn banned(Ban { network, until, why, times, .. }: &Ban, term: Term) {
    let until = until.map(httpdate::fmt_http_date);
    let longest_s = term.longest.as_secs();
    tracing::warn!(target: "carrack", %network, until, why, times, longest_s, option = "defence.ban_after", "banned");
}

impl std::fmt::Debug for Defence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Defence").field("settings", &self.settings()).finish_non_exhaustive()
    }
}
