//! How is one log line written, so that nothing a peer sent can break out of it?

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The two ways to write a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// `2026-11-22T12:00:00.000000Z INFO  login  session=3 user=alice`
    Text {
        /// Whether a terminal shows it.
        colour: bool,
    },
    /// `{"time":"…","level":"info","event":"login","session":3,"user":"alice"}`
    Json,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        writer.write_str(&self.render(&time, *event.metadata().level(), &fields))
    }
}

/// The fields of one event in the order in which they were given.
#[derive(Default)]
struct Fields {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // Milliseconds are as fine as anybody reads.
        self.push(field, ((value * 1000.0).round() / 1000.0).into());
    }
}

impl Line {
    /// The line that says how many lines the queue had to drop.
    pub(super) fn lost(self, lines: u64) -> String {
        let fields = vec![("log", "log".into()), ("lines", lines.into())];
        self.by_itself(Level::WARN, "log_lost", fields)
    }

    /// The line that says on standard error that the log's own file cannot be written.
    pub(super) fn failed(self, file: &str, why: &str) -> String {
        let fields = vec![("log", "log".into()), ("file", file.into()), ("why", why.into())];
        self.by_itself(Level::ERROR, "log_failed", fields)
    }

    /// A line that does not come by way of the queue.
    fn by_itself(self, level: Level, event: &str, fields: Vec<(&'static str, Value)>) -> String {
        let mut time = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        self.render(&time, level, &Fields { message: event.to_owned(), fields })
    }

    fn render(self, time: &str, level: Level, fields: &Fields) -> String {
        match self {
            Self::Json => json(time, level, fields),
            Self::Text { colour } => text(time, level, fields, colour),
        }
    }
}

fn json(time: &str, level: Level, fields: &Fields) -> String {
    let mut line = String::from("{");
    let head = [
        ("time", Value::from(time)),
        ("level", level.as_str().to_ascii_lowercase().into()),
        ("event", fields.message.as_str().into()),
    ];
    for (index, (name, value)) in head.iter().chain(&fields.fields).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(line, "{comma}{}:", Value::from(*name));
        // SECURITY: JSON escapes C0 controls itself; DEL and C1 reach terminals too and are escaped here, and what hides or reorders
        // text. U+2028 and U+2029 end a line for readers such as Fail2Ban.
        for c in value.to_string().chars() {
            if c.is_control() || is_invisible(c) {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            } else {
                line.push(c);
            }
        }
    }
    line.push_str("}\n");
    line
}

fn text(time: &str, level: Level, fields: &Fields, colour: bool) -> String {
    let paint = |code: &str, text: &str| match colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let level_code = match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "34",
    };
    let mut line = paint("2", time);
    let _ = write!(line, " {} ", paint(level_code, &format!("{:<5}", level.as_str())));
    line.push_str(&paint("1", &escaped(&fields.message)));
    for (name, value) in &fields.fields {
        let value = match value {
            Value::String(text) => quoted_if_needed(text),
            other => other.to_string(),
        };
        let _ = write!(line, " {}{value}", paint("2", &format!("{name}=")));
    }
    line.push('\n');
    line
}

/// A value of a text line: in quotes where it would not be one word otherwise.
fn quoted_if_needed(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", escaped(text))
    }
}

// SECURITY: a line break would forge a line, an escape sequence would command the terminal of whoever reads the log.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that reorder or hide the text around them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            message: "login_failed".to_owned(),
            fields: vec![
                ("user", "eve\r\n\x1b[2J \u{9b}x\"\u{2028}".into()),
                ("session", 7.into()),
                ("path", "/a b".into()),
            ],
        }
    }

    #[test]
    fn text_lines_cannot_be_forged() {
        let line = Line::Text { colour: false }.render("T", Level::INFO, &fields());
        assert_eq!(
            line,
            "T INFO  login_failed user=\"eve\\u{d}\\u{a}\\u{1b}[2J \\u{9b}x\\\"\\u{2028}\" session=7 path=\"/a b\"\n"
        );
    }

    #[test]
    fn json_lines_are_one_object_without_control_characters() {
        let line = Line::Json.render("T", Level::WARN, &fields());
        assert!(!line.trim_end().chars().any(|c| c.is_control() || is_invisible(c)), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "login_failed");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["user"], "eve\r\n\x1b[2J \u{9b}x\"\u{2028}");
        assert_eq!(value["session"], 7);
    }
}
