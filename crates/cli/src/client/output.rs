//! Where do results, notes and failures go, and in which form?
//!
//! Results go to standard output and nothing else does; everything else goes to standard error. With `--json` a result and
//! a failure is one object on one line.

pub(crate) mod entry;
pub(crate) mod moment;
pub(crate) mod quantity;

use std::io::{BufWriter, IsTerminal, Stdout, Write};
use std::sync::{Arc, Mutex, PoisonError};

use carrack_ftp_client::{Fault, Retry};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::screen::Screen;
use crate::exit::Failure;
use entry::Names;

/// Bytes of results that wait to be written together.
const BUFFER: usize = 64 * 1024;

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines for people and pipes.
    Text,
    /// One JSON object per line.
    Json,
}

/// How much is said beside results and failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    /// What should be known.
    Told,
    /// Nothing.
    Silent,
}

/// Where everything goes that a command has to say.
#[derive(Debug)]
pub(crate) struct Output {
    form: Form,
    notes: Notes,
    names: Names,
    zone: TimeZone,
    out: Mutex<BufWriter<Stdout>>,
    screen: Arc<Screen>,
}

/// A failure for programs.
#[derive(Debug, Serialize)]
struct Failed<'f> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'f str>,
    error: &'f str,
    status: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<&'static str>,
}

impl Output {
    pub(crate) fn new(form: Form, notes: Notes) -> Output {
        let out = std::io::stdout();
        let names = if out.is_terminal() { Names::Escaped } else { Names::AsTheyAre };
        Output {
            form,
            notes,
            names,
            zone: TimeZone::system(),
            out: Mutex::new(BufWriter::with_capacity(BUFFER, out)),
            screen: Arc::new(Screen::new()),
        }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    pub(crate) fn notes(&self) -> Notes {
        self.notes
    }

    /// How names are written among results.
    pub(crate) fn names(&self) -> Names {
        self.names
    }

    /// The zone in which people read times.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(crate) fn screen(&self) -> &Arc<Screen> {
        &self.screen
    }

    /// A result, with its line end.
    pub(crate) fn line(&self, line: &[u8]) -> Result<(), Failure> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(line)?;
        Ok(out.write_all(b"\n")?)
    }

    /// Bytes of a result as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?)
    }

    /// A result for programs.
    pub(crate) fn json(&self, object: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(object).map_err(Failure::failed)?;
        self.line(plain_json(&text).as_bytes())
    }

    /// Writes what waits.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }

    /// Something that should be known and is no failure.
    pub(crate) fn note(&self, text: &str) {
        if self.notes == Notes::Told {
            self.in_order();
            self.screen.line(&format!("carrack: {text}"));
        }
    }

    /// Something that failed while others go on: the sentence, and for programs an object.
    pub(crate) fn failed(&self, url: Option<&str>, failure: &Failure) -> Result<(), Failure> {
        if failure.text().is_empty() {
            return Ok(());
        }
        if self.form == Form::Json {
            self.json(&Failed {
                event: "failed",
                url,
                error: failure.text(),
                status: failure.status() as u8,
                fault: failure.fault().map(fault),
                retry: failure.retry().map(retry),
            })?;
            self.flush()?;
        }
        if self.form == Form::Text || self.notes == Notes::Told {
            self.in_order();
            self.screen.line(&format!("carrack: {}", failure.text()));
        }
        Ok(())
    }

    /// Results that came before stand before, where both come to one terminal. That nobody reads them is found out by the
    /// next result.
    fn in_order(&self) {
        let _ = self.flush();
    }
}

/// Whose fault it is, in a word.
pub(crate) fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Client => "client",
        Fault::Server => "server",
        Fault::Network => "network",
        Fault::User => "user",
    }
}

/// Whether it may be tried again, in a word.
pub(crate) fn retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::Later => "later",
        Retry::OnNewConnection => "now",
    }
}

/// SECURITY: JSON leaves the control characters behind ASCII and those that turn the direction of writing as they are, and
/// a terminal that shows the objects would obey them. They stand within strings only, where JSON has an escape for them.
fn plain_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => plain.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_drives_no_terminal_and_says_the_same() {
        let name = "a\u{9b}31m\u{202e}\u{1b}é\"\\";
        let text = plain_json(&serde_json::to_string(name).unwrap());
        assert_eq!(text, r#""a\u009b31m\u202e\u001bé\"\\""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
