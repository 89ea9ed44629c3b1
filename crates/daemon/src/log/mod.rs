//! What does the server tell about its work, and how does a line look?
//!
//! ```text
//! core's events ─► EventLog ─ flood limits ─► tracing ─► Line (text | JSON, escaped) ─► queue ─► standard error
//! ```
//!
//! Event names and fields are stable: `listening`, `connected`, `connection_refused`, `login`, `login_failed`, `transfer`, `changed`, `operation_failed`,
//! `session_end`, `suppressed`, `log_lost`, `configuration_warning`, `reloading`, `reloaded`, `reload_refused`, `listener_closed`, `kicked`, `control_refused`, `reload_failed`, `certificate_replaced`, `certificate_unchanged`,
//! `certificate_refused`, `certificate_ends`, `certificate_expired`, `staple_replaced`, `staple_refused`, `staple_expired`, `metrics_listening`, `expired_uploads`, `expiry_failed`, `journal_failed`,
//! `few_file_descriptors`, `draining`, `stopped`.

mod events;
mod flood;
mod line;
mod queue;

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::{Log, LogFormat, LogLevel, Warning};
pub use events::EventLog;
use line::Line;
pub use queue::Guard;

/// Which lines of the log are written; it may be changed while the log is written. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// Writes lines of this importance and above from now on.
    pub(crate) fn set(&self, level: LogLevel) {
        // Fails only where the log is gone.
        let _ = self.0.reload(targets(level));
    }
}

/// Sends the log of this process to standard error: coloured text on a terminal, plain text or JSON elsewhere. A process has one
/// log; later calls change nothing.
pub fn install(settings: &Log) -> (Guard, Level) {
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let line = match settings.format {
        LogFormat::Json => Line::Json,
        LogFormat::Text => Line::Text { colour: terminal },
    };
    let (writer, guard) = queue::queue(std::io::stderr(), line);
    let layer = tracing_subscriber::fmt::layer().event_format(line).with_writer(writer);
    let (filter, level) = reload::Layer::new(targets(settings.level));
    // Fails only where a log is installed already, as in tests.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    (guard, Level(level))
}

/// Our own crates at the level asked for; libraries only when something looks wrong.
fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("carrack", level)
}

/// Writes a warning about the configuration, for whoever reads nothing but the log.
pub fn warning(warning: &Warning) {
    tracing::warn!(target: "carrack", what = %warning, "configuration_warning");
}
