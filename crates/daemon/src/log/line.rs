//! How is one log line written, so that nothing a peer sent can break out of it?

use std::fmt::{self, Write as _};

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
        let mut fields = Fields::of(*self);
        event.record(&mut fields);
        writer.write_str(&self.render(&now()?, *event.metadata().level(), &fields))
    }
}

/// The time as lines tell it.
fn now() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    Ok(time)
}

/// The fields of one event, written as they come.
struct Fields {
    line: Line,
    event: String,
    /// Everything behind the event's name, in the order in which it was given.
    written: String,
}

impl Fields {
    fn of(line: Line) -> Self {
        Self { line, event: String::new(), written: String::with_capacity(192) }
    }

    /// A line that is not an event of `tracing`.
    fn by_hand(line: Line, event: &str) -> Self {
        Self { event: event.to_owned(), ..Self::of(line) }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        match self.line {
            Line::Json => json_string(&mut self.written, value),
            Line::Text { .. } => word(&mut self.written, value),
        }
    }

    /// A number or a truth: it reads the same in both kinds of line.
    fn plain(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        let _ = write!(self.written, "{value}");
    }

    fn name(&mut self, name: &str) {
        let out = &mut self.written;
        match self.line {
            Line::Json => {
                out.push(',');
                json_string(out, name);
                out.push(':');
            }
            Line::Text { colour } => {
                out.push(' ');
                paint(out, colour, "2", |out| {
                    out.push_str(name);
                    out.push('=');
                });
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.event),
            name => self.text(name, value),
        }
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // Milliseconds are as fine as anybody reads. The longest time a `Duration` holds is finite and so valid JSON.
        self.plain(field.name(), format_args!("{:?}", (value * 1000.0).round() / 1000.0));
    }
}

impl Line {
    /// The line that says how many lines the queue had to drop.
    pub(super) fn lost(self, lines: u64) -> String {
        let mut fields = Fields::by_hand(self, "log_lost");
        fields.text("log", "log");
        fields.plain("lines", lines);
        self.by_itself(Level::WARN, &fields)
    }

    /// The line that says on standard error that the log's own file cannot be written.
    pub(super) fn failed(self, file: &str, why: &str) -> String {
        let mut fields = Fields::by_hand(self, "log_failed");
        fields.text("log", "log");
        fields.text("file", file);
        fields.text("why", why);
        self.by_itself(Level::ERROR, &fields)
    }

    /// A line that does not come by way of the queue.
    fn by_itself(self, level: Level, fields: &Fields) -> String {
        self.render(&now().unwrap_or_default(), level, fields)
    }

    fn render(self, time: &str, level: Level, Fields { event, written, .. }: &Fields) -> String {
        let mut line = String::with_capacity(time.len() + event.len() + written.len() + 64);
        match self {
            Self::Json => {
                let name = level_name(level).trim_end().to_ascii_lowercase();
                let head = [("{\"time\":", time), (",\"level\":", &name), (",\"event\":", event)];
                for (key, value) in head {
                    line.push_str(key);
                    json_string(&mut line, value);
                }
                line.push_str(written);
                line.push_str("}\n");
            }
            Self::Text { colour } => {
                paint(&mut line, colour, "2", |out| out.push_str(time));
                line.push(' ');
                paint(&mut line, colour, level_code(level), |out| out.push_str(level_name(level)));
                line.push(' ');
                paint(&mut line, colour, "1", |out| escaped(out, event));
                line.push_str(written);
                line.push('\n');
            }
        }
        line
    }
}

/// A level's name, as wide as the widest.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN ",
        Level::INFO => "INFO ",
        Level::DEBUG => "DEBUG",
        _ => "TRACE",
    }
}

/// The terminal's code for a level's colour.
fn level_code(level: Level) -> &'static str {
    match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "34",
    }
}

fn paint(out: &mut String, colour: bool, code: &str, write: impl FnOnce(&mut String)) {
    if colour {
        out.push_str("\x1b[");
        out.push_str(code);
        out.push('m');
    }
    write(out);
    if colour {
        out.push_str("\x1b[0m");
    }
}

/// A JSON string.
// SECURITY: JSON demands C0 controls escaped; DEL and C1 reach terminals too and are escaped as well, and what hides or reorders
// text. U+2028 and U+2029 end a line for readers such as Fail2Ban.
fn json_string(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().all(is_harmless) {
        out.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_control() || is_invisible(c) => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
    out.push('"');
}

/// A value of a text line: in quotes where it would not be one word otherwise.
fn word(out: &mut String, text: &str) {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c) && c != '"' && c != '=';
    let harmless = |byte| is_harmless(byte) && byte != b' ' && byte != b'=';
    if !text.is_empty() && (text.bytes().all(harmless) || text.chars().all(plain)) {
        out.push_str(text);
    } else {
        out.push('"');
        escaped(out, text);
        out.push('"');
    }
}

// SECURITY: a line break would forge a line, an escape sequence would command the terminal of whoever reads the log.
fn escaped(out: &mut String, text: &str) {
    if text.bytes().all(is_harmless) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
}

/// Whether a byte stands for itself in every kind of line: nearly all do, and are looked at once.
fn is_harmless(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Characters that reorder or hide the text around them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn rendered(line: Line, level: Level) -> String {
        let mut fields = Fields::by_hand(line, "login_failed");
        fields.text("user", "eve\r\n\x1b[2J \u{9b}x\"\u{2028}");
        fields.plain("session", 7);
        fields.text("path", "/a b");
        line.render("T", level, &fields)
    }

    #[test]
    fn text_lines_cannot_be_forged() {
        let line = rendered(Line::Text { colour: false }, Level::INFO);
        assert_eq!(
            line,
            "T INFO  login_failed user=\"eve\\u{d}\\u{a}\\u{1b}[2J \\u{9b}x\\\"\\u{2028}\" session=7 path=\"/a b\"\n"
        );
    }

    #[test]
    fn one_word_hides_nothing_either() {
        let mut out = String::new();
        word(&mut out, "eve\u{202E}gpj.exe");
        assert_eq!(out, "\"eve\\u{202e}gpj.exe\"");
    }

    #[test]
    fn json_lines_are_one_object_without_control_characters() {
        let line = rendered(Line::Json, Level::WARN);
        assert!(!line.trim_end().chars().any(|c| c.is_control() || is_invisible(c)), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "login_failed");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["user"], "eve\r\n\x1b[2J \u{9b}x\"\u{2028}");
        assert_eq!(value["session"], 7);
    }
}
