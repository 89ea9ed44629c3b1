//! How does a terminal show the files that are under way, and all of them together?

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use carrack_ftp_client::copy::{Event, TransferId};
use indicatif::{ProgressBar, ProgressStyle};

use crate::client::output::quantity::{count, counted};
use crate::client::screen::Screen;

/// A file has a line of its own once it has taken so long: thousands of small ones would only flicker.
const WORTH_A_LINE: Duration = Duration::from_millis(400);

/// Lines for files at once; the line for all counts the others.
const LINES: usize = 12;

/// How often rates and times are counted anew while nothing moves.
const TICK: Duration = Duration::from_millis(250);

/// Columns of a name. The lines fit a terminal of 80 columns.
const NAME_WIDTH: usize = 27;

/// Name, bar, percent, bytes, rate, time left.
const WITH_SIZE: &str = "{prefix:<27} {bar:12} {percent:>3}% {bytes:>11} {binary_bytes_per_sec:>13} {eta:>4}";
/// The same where nobody knows how long the file is.
const WITHOUT_SIZE: &str = "{prefix:<27}                   {bytes:>11} {binary_bytes_per_sec:>13}";

/// The lines.
#[derive(Debug)]
pub(super) struct Bars {
    screen: Arc<Screen>,
    all: ProgressBar,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    running: HashMap<TransferId, File>,
    lines: usize,
    found: u64,
    ended: u64,
}

#[derive(Debug)]
struct File {
    name: String,
    size: Option<u64>,
    began: Instant,
    /// The byte that moves next.
    at: u64,
    line: Option<ProgressBar>,
}

impl Bars {
    /// Whether there is somebody to see them: standard error is a terminal that can move its cursor.
    pub(super) fn can_be_seen() -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
    }

    pub(super) fn new(screen: &Arc<Screen>) -> Bars {
        screen.show_bars();
        let all = screen.bars().add(ProgressBar::new(0).with_style(style(WITH_SIZE)));
        all.enable_steady_tick(TICK);
        Bars { screen: Arc::clone(screen), all, files: Mutex::default() }
    }

    /// Takes all lines away.
    pub(super) fn end(&self) {
        for file in self.files().running.values() {
            if let Some(line) = &file.line {
                line.finish_and_clear();
            }
        }
        self.all.finish_and_clear();
    }

    /// Shows what happened.
    pub(super) fn event(&self, event: &Event) {
        let mut files = self.files();
        match event {
            Event::Found { files: more, bytes } => {
                files.found += more;
                self.all.inc_length(*bytes);
            }
            Event::Started { id, source, target, size } => {
                // Of both names the local one is what the user has typed; a stream has none.
                let name = match source.to_string().as_str() {
                    "-" => target.to_string(),
                    name => name.to_owned(),
                };
                let file =
                    File { name: shortened(&name), size: *size, began: Instant::now(), at: 0, line: None };
                files.running.insert(*id, file);
            }
            Event::Restarted { id, from } => {
                if let Some(file) = files.running.get_mut(id) {
                    // What an attempt before had moved may have to move again.
                    let before = std::mem::replace(&mut file.at, *from);
                    self.all.set_position(self.all.position().saturating_sub(before).saturating_add(*from));
                    if let Some(line) = &file.line {
                        line.set_position(*from);
                        line.reset_eta();
                    }
                }
            }
            Event::Moved { id, bytes } => {
                self.all.inc(*bytes);
                let Files { running, lines, found, .. } = &mut *files;
                if let Some(file) = running.get_mut(id) {
                    file.at += bytes;
                    match &file.line {
                        Some(line) => line.set_position(file.at),
                        None if *found > 1 && *lines < LINES && file.began.elapsed() >= WORTH_A_LINE => {
                            *lines += 1;
                            file.line = Some(self.line(file));
                        }
                        None => {}
                    }
                }
            }
            Event::Done { id, .. } | Event::Left { id, .. } | Event::Stopped { id, .. } => files.end(*id),
            Event::Failed { id: Some(id), .. } => files.end(*id),
            _ => {}
        }
        self.all.set_prefix(files.title());
    }

    fn line(&self, file: &File) -> ProgressBar {
        let line = match file.size {
            Some(size) => ProgressBar::new(size).with_style(style(WITH_SIZE)),
            None => ProgressBar::no_length().with_style(style(WITHOUT_SIZE)),
        };
        let line = self.screen.bars().insert_before(&self.all, line.with_prefix(file.name.clone()));
        line.set_position(file.at);
        line.reset_eta();
        line
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// What the line for all begins with: the name of a file that is alone.
    fn title(&self) -> String {
        match self.running.values().next() {
            Some(file) if self.found <= 1 => file.name.clone(),
            _ => format!("{} of {}", count(self.ended), counted(self.found, "file")),
        }
    }

    fn end(&mut self, id: TransferId) {
        self.ended += 1;
        if let Some(line) = self.running.remove(&id).and_then(|file| file.line) {
            line.finish_and_clear();
            self.lines -= 1;
        }
    }
}

/// The templates are constants; one that could not be read would show bars of another form.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// The end of a name, which tells more than its beginning.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_WIDTH {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - NAME_WIDTH).collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_can_be_read() {
        for template in [WITH_SIZE, WITHOUT_SIZE] {
            ProgressStyle::with_template(template).unwrap();
            assert!(template.contains(&format!("{{prefix:<{NAME_WIDTH}}}")));
        }
    }

    #[test]
    fn long_names_lose_their_beginning() {
        assert_eq!(shortened("letter.txt"), "letter.txt");
        let long = shortened(&format!("{}/letter.txt", "folder/".repeat(9)));
        assert_eq!(long.chars().count(), NAME_WIDTH);
        assert!(long.starts_with('…') && long.ends_with("/letter.txt"));
    }
}
