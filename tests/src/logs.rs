//! What the server says on stderr: JSON lines, collected as they come, to be waited for and searched.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

use crate::wait::PATIENCE;

/// One line of the log.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line as it was written.
    pub raw: String,
    json: Value,
}

impl Line {
    fn parse(raw: String) -> Line {
        let json = serde_json::from_str(&raw).unwrap_or(Value::Null);
        Line { raw, json }
    }

    /// A field by name, wherever the log's layout keeps it: at the top or among the event's own fields.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.json.get(name).or_else(|| self.json.get("fields").and_then(|fields| fields.get(name)))
    }

    /// A field as text; numbers and truth values in their JSON spelling, an absent field as the empty text.
    pub fn text(&self, name: &str) -> String {
        match self.field(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// Is this the line of that event?
    pub fn is(&self, event: &str) -> bool {
        self.text("event") == event
    }

    /// Was the line a JSON object?
    pub fn is_json(&self) -> bool {
        self.json.is_object()
    }
}

#[derive(Debug, Default)]
struct Shared {
    lines: Vec<Line>,
    ended: bool,
}

/// The log of one server, growing while the server lives.
#[derive(Clone, Debug)]
pub struct Logs {
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Logs {
    /// Collects the lines of `stream` on a thread of its own, which ends with the stream.
    pub fn follow(stream: impl Read + Send + 'static) -> Logs {
        let logs = Logs { shared: Arc::default() };
        let writer = logs.clone();
        std::thread::spawn(move || {
            for raw in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = Line::parse(String::from_utf8_lossy(&raw).into_owned());
                writer.change(|shared| shared.lines.push(line));
            }
            writer.change(|shared| shared.ended = true);
        });
        logs
    }

    fn change(&self, change: impl FnOnce(&mut Shared)) {
        let (shared, changed) = &*self.shared;
        change(&mut shared.lock().unwrap());
        changed.notify_all();
    }

    /// Waits until `pick` finds something among all lines so far; panics with the whole log when the server has
    /// ended or [`PATIENCE`] has run out before.
    pub fn wait_for<T>(&self, what: &str, mut pick: impl FnMut(&[Line]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (shared, changed) = &*self.shared;
        let mut shared = shared.lock().unwrap();
        loop {
            if let Some(found) = pick(&shared.lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if shared.ended || left.is_zero() {
                let why = if shared.ended { "the server ended" } else { "patience ran out" };
                let all = shared.lines.iter().map(|line| line.raw.as_str()).collect::<Vec<_>>().join("\n");
                drop(shared);
                panic!("no log line for {what}: {why}; the log:\n{all}");
            }
            shared = changed.wait_timeout(shared, left).unwrap().0;
        }
    }

    /// Waits for a line that `is_it` accepts.
    pub fn wait_for_line(&self, what: &str, mut is_it: impl FnMut(&Line) -> bool) -> Line {
        self.wait_for(what, |lines| lines.iter().find(|line| is_it(line)).cloned())
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.0.lock().unwrap().lines.clone()
    }
}
