//! What does the server tell about its work, and how does a line look?
//!
//! ```text
//! core's events ─► EventLog ─ flood limits ─► tracing ─► Line (text | JSON, escaped) ─► queue ─► standard error, or a file
//!               ─► XferLog ─────────────────────────────────────────────────────────► queue ─► a file
//! ```
//!
//! Event names and fields are stable: `listening`, `connected`, `host_refused`, `connection_refused`, `banned`, `banned_by_operator`, `unbanned`, `bans_unreadable`, `bans_not_saved`, `access_name`, `access_name_not_found`, `login`, `login_failed`, `transfer`, `changed`, `operation_failed`,
//! `session_end`, `suppressed`, `log_lost`, `log_failed`, `configuration_warning`, `reloading`, `reloaded`, `reload_refused`, `listener_closed`, `kicked`, `control_refused`, `handing_over`, `handed_over`, `hand_over_failed`, `took_over`, `predecessor_ended`, `predecessor_lost`,
//! `sandbox`, `sandbox_incomplete`, `sandbox_refused`, `broker_lost`, `panicked`, `accept_loop_lost`, `service_manager_not_told`, `reload_failed`, `certificate_replaced`, `certificate_unchanged`,
//! `certificate_refused`, `certificate_ends`, `certificate_expired`, `staple_replaced`, `staple_refused`, `staple_expired`, `metrics_listening`, `expired_uploads`, `expiry_failed`, `journal_failed`,
//! `few_file_descriptors`, `draining`, `stopped`.

mod events;
mod file;
mod flood;
mod line;
mod queue;
mod xferlog;

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::{Log, LogFormat, LogLevel, Warning};
pub use events::EventLog;
use file::{LogFile, Report};
pub(crate) use flood::{Flood, Verdict};
use line::Line;
pub use queue::Guard;
pub(crate) use queue::Queue;
use queue::Stream;
pub(crate) use xferlog::XferLog;

/// What of the log can be changed while it is written. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    level: reload::Handle<Targets, Registry>,
    queue: Queue,
}

impl Handle {
    /// Writes lines of this importance and above from now on.
    pub(crate) fn set_level(&self, level: LogLevel) {
        // Fails only where the log is gone.
        let _ = self.level.reload(targets(level));
    }

    /// Where lines wait to be written.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

/// Sends the log of this process to its file, or to standard error: coloured text on a terminal, plain text or JSON elsewhere. A process
/// has one log; later calls change nothing.
///
/// # Errors
/// The file cannot be opened.
pub fn install(settings: &Log) -> Result<(Guard, Handle), LogFileError> {
    let terminal =
        settings.file.is_none() && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let line = match settings.format {
        LogFormat::Json => Line::Json,
        LogFormat::Text => Line::Text { colour: terminal },
    };
    let tell = Box::new(move |lines| line.lost(lines).into_bytes());
    let queue = match &settings.file {
        None => queue::queue("log", Stream(std::io::stderr()), tell),
        Some(path) => {
            let report = move |file: &Path, why: &io::Error| {
                let text = line.failed(&file.display().to_string(), &why.to_string());
                let _ = io::stderr().write_all(text.as_bytes());
            };
            queue::queue("log", open("log.file", path, Box::new(report))?, tell)
        }
    };
    let layer = tracing_subscriber::fmt::layer().event_format(line).with_writer(queue.clone());
    let (filter, level) = reload::Layer::new(targets(settings.level));
    // Fails only where a log is installed already, as in tests.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    let handle = Handle { level, queue: queue.clone() };
    Ok((Guard::new(queue), handle))
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

/// Opens the transfer log in wu-ftpd's form. What becomes of its lines is told in the other log.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn xferlog(path: &Path, anonymous: HashSet<String>) -> Result<(XferLog, Guard), LogFileError> {
    let report = |file: &Path, why: &io::Error| {
        tracing::error!(target: "carrack", log = "xferlog", file = %file.display(), %why, "log_failed");
    };
    let tell = |lines| {
        tracing::warn!(target: "carrack", log = "xferlog", lines, "log_lost");
        Vec::new()
    };
    let queue = queue::queue("xferlog", open("log.xferlog", path, Box::new(report))?, Box::new(tell));
    Ok((XferLog::new(queue.clone(), anonymous), Guard::new(queue)))
}

/// A file that lines should go to cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file of {key}, {}, cannot be opened: {source}\n  mend: make its folder writable for this user, or name another file",
    file.display()
)]
pub struct LogFileError {
    /// The key that names it.
    pub key: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn open(key: &'static str, path: &Path, report: Report) -> Result<LogFile, LogFileError> {
    LogFile::open(path, report).map_err(|source| LogFileError { key, file: path.to_owned(), source })
}

/// Writes a warning about the configuration, for whoever reads nothing but the log.
pub fn warning(warning: &Warning) {
    tracing::warn!(target: "carrack", what = %warning, "configuration_warning");
}
