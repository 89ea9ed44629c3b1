//! What is seen of a copy while it runs, and what is said of it at its end?
//!
//! On a terminal there is a line for each file that takes its time and one for all together. Elsewhere, and with `--json`,
//! there is only what happened to each file, and nothing that a log could not hold.

mod bars;
mod event;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carrack_ftp_client::HashAlgorithm;
use carrack_ftp_client::LocalFailure;
use carrack_ftp_client::copy::{self, Event, Observer, Place, Summary, TransferId, Verified};
use carrack_ftp_client::url::Url;

use super::output::quantity::{bytes, counted, duration, per_second};
use super::output::{Form, Notes, Output};
use crate::exit::{Failure, Status, Tally, status_of};
use bars::Bars;
use event::{Places, Servers, Told};

/// From so many files on, what counts is how many there are in a second and not how many bytes.
const MANY_FILES: u64 = 100;

/// Bytes that a file has on average where its beginning and end cost more than its content.
const SMALL_FILE: u64 = 1024 * 1024;

/// Watches a copy.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Arc<Output>,
    servers: Servers,
    bars: Option<Bars>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    running: HashMap<TransferId, Places>,
    /// The hash by which a file was verified last; a server has one that it likes best.
    algorithm: Option<HashAlgorithm>,
}

impl Progress {
    /// Of a copy to or from the server of this URL, or from it to the other one.
    pub(crate) fn new(url: &Url, across: Option<&Url>, output: &Arc<Output>) -> Progress {
        let servers = Servers { url: url.clone(), across: across.cloned() };
        let is_wanted = output.form() == Form::Text && output.notes() == Notes::Told;
        let bars = (is_wanted && Bars::can_be_seen()).then(|| Bars::new(output.screen()));
        Progress { output: Arc::clone(output), servers, bars, state: Mutex::default() }
    }

    /// Takes the bars away.
    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.end();
        }
    }

    /// Says what it came to.
    pub(crate) fn sum_up(&self, summary: &Summary) -> Result<(), Failure> {
        let algorithm = self.state().algorithm;
        match self.output.form() {
            Form::Json => self.output.json(&event::Sum::new(summary)),
            Form::Text => {
                self.output.note(&sentence(summary, algorithm));
                Ok(())
            }
        }
    }

    /// The outcome of the command.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        self.state().tally.outcome()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For programs. Whoever reads them may have gone; the copy goes on, as it would without.
    fn tell(&self, told: &Told<'_>) {
        if self.output.form() == Form::Json {
            let _ = self.output.json(told).and_then(|()| self.output.flush());
        }
    }

    fn failed(&self, what: &Place, error: &copy::Failure) {
        let failure = failure(error);
        self.state().tally.failed(failure.status());
        let name = event::name(what, &self.servers);
        let _ = self.output.failed(Some(&name), &failure);
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        if let Some(bars) = &self.bars {
            bars.event(&event);
        }
        match event {
            Event::Started { id, source, target, .. } => {
                self.state().running.insert(id, Places { source, target });
            }
            Event::Done { id, from, bytes, elapsed, verified } => {
                let places = {
                    let mut state = self.state();
                    state.tally.done();
                    if let Verified::Hash(algorithm) = verified {
                        state.algorithm = Some(algorithm);
                    }
                    state.running.remove(&id)
                };
                if let Some(places) = places {
                    self.tell(&Told::done(&places, &self.servers, bytes, from, elapsed, verified));
                }
            }
            Event::Left { id, size } => {
                let places = {
                    let mut state = self.state();
                    state.tally.done();
                    state.running.remove(&id)
                };
                if let Some(places) = places {
                    self.tell(&Told::left(&places, &self.servers, size));
                }
            }
            Event::Failed { id, what, error } => {
                if let Some(id) = id {
                    self.state().running.remove(&id);
                }
                self.failed(&what, &error);
            }
            Event::Stopped { id, resumable } => {
                let places = self.state().running.remove(&id);
                if let Some(places) = places {
                    self.tell(&Told::stopped(&places, &self.servers, resumable));
                }
            }
            Event::Retrying { error, wait, .. } => {
                let when =
                    if wait.is_zero() { "at once".to_owned() } else { format!("in {}", duration(wait)) };
                self.output.note(&format!("{error}; trying again {when}"));
            }
            Event::Skipped { what, why } => {
                self.output.note(&format!("{what} is left out: {why}"));
                self.tell(&Told::skipped(&what, &self.servers, &why.to_string()));
            }
            Event::Folder { .. } => self.state().tally.done(),
            Event::Note(note) => self.output.note(&note.to_string()),
            _ => {}
        }
    }
}

/// Why something was not copied, with its status.
pub(crate) fn failure(error: &copy::Failure) -> Failure {
    use copy::Failure as Why;
    let status = match error {
        Why::Server(error) => status_of(error),
        Why::Local(LocalFailure::Io { error, .. }) => match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => Status::Missing,
            _ => Status::Failed,
        },
        Why::NoMatch { .. } | Why::NoFolder(_) => Status::Missing,
        Why::ServerToServer | Why::NothingRemote | Why::Sources | Why::StreamIntoFolder(_) => Status::Usage,
        _ => Status::Failed,
    };
    Failure::new(status, error)
}

/// `5,000 files, 4.9 MiB in 3.1 s, 1,612 files/s; verified by size`
fn sentence(summary: &Summary, algorithm: Option<HashAlgorithm>) -> String {
    let Summary { files, bytes: moved, elapsed, .. } = *summary;
    let rate = |elapsed: Duration| {
        if files >= MANY_FILES && moved / files < SMALL_FILE {
            per_second(files, elapsed).map(|rate| format!(", {}/s", counted(rate, "file")))
        } else {
            per_second(moved, elapsed).filter(|rate| *rate > 0).map(|rate| format!(", {}/s", bytes(rate)))
        }
    };
    let mut text = format!(
        "{}, {} in {}{}",
        counted(files, "file"),
        bytes(moved),
        duration(elapsed),
        rate(elapsed).unwrap_or_default()
    );
    let by_hash = algorithm.map_or("hash", HashAlgorithm::name);
    match (summary.verified_by_hash, summary.verified_by_size) {
        (0, 0) if files == 0 => {}
        (0, 0) => text.push_str("; not verified"),
        (hash, 0) if hash == files => text.push_str(&format!("; verified by {by_hash}")),
        (0, size) if size == files => text.push_str("; verified by size"),
        (hash, size) => {
            let parts = [
                (hash, format!("by {by_hash}")),
                (size, "by size".to_owned()),
                (files.saturating_sub(hash + size), "not verified".to_owned()),
            ];
            let parts: Vec<String> = parts
                .into_iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, how)| format!("{number} {how}"))
                .collect();
            text.push_str(&format!("; verified: {}", parts.join(", ")));
        }
    }
    for (number, what) in [
        (summary.resumed, "gone on with"),
        (summary.left, "complete before"),
        (summary.skipped, "left out"),
        (summary.failed, "failed"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {number} {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_it_came_to() {
        let many = Summary {
            files: 5000,
            bytes: 5_138_022,
            verified_by_size: 5000,
            elapsed: Duration::from_millis(3101),
            ..Summary::default()
        };
        assert_eq!(sentence(&many, None), "5,000 files, 4.9 MiB in 3.1 s, 1,612 files/s; verified by size");
        let large = Summary {
            files: 1,
            bytes: 2 << 30,
            verified_by_hash: 1,
            resumed: 1,
            elapsed: Duration::from_secs(2),
            ..Summary::default()
        };
        assert_eq!(
            sentence(&large, HashAlgorithm::named(b"SHA-256")),
            "1 file, 2.0 GiB in 2.0 s, 1.0 GiB/s; verified by SHA-256; 1 gone on with"
        );
        let mixed = Summary {
            files: 3,
            verified_by_hash: 1,
            verified_by_size: 1,
            failed: 2,
            skipped: 1,
            left: 4,
            ..Summary::default()
        };
        assert_eq!(
            sentence(&mixed, HashAlgorithm::named(b"SHA-256")),
            "3 files, 0 B in 0.0 s; verified: 1 by SHA-256, 1 by size, 1 not verified; 4 complete before; 1 left out; 2 failed"
        );
        assert_eq!(sentence(&Summary::default(), None), "0 files, 0 B in 0.0 s");
    }
}
