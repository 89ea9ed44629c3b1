//! How is the configuration in force printed as TOML, each key with its meaning?

use std::fmt::Write as _;

use super::section::{Kind, Row, Section, Shape, Shown, flow};
use super::table::Config;

/// Columns of a comment.
const WIDTH: usize = 96;

/// Every value in force as TOML that would be accepted again, passwords left out.
pub fn show(config: &Config) -> String {
    let mut out =
        String::from("# Values in force. Passwords are left out; what is commented out is not set.\n\n");
    table(&mut out, "", &Config::SHAPE, &config.rows());
    out
}

fn table(out: &mut String, path: &str, shape: &Shape, rows: &[(&'static str, Shown)]) {
    let pairs = || shape.rows.iter().zip(rows.iter().map(|(_, shown)| shown));
    for (row, shown) in pairs() {
        value(out, row, shown);
    }
    for (row, shown) in pairs() {
        let path = if path.is_empty() { row.key.to_owned() } else { format!("{path}.{}", row.key) };
        match (row.kind, shown) {
            (Kind::Table(inner), Shown::Table(rows)) => {
                let _ = writeln!(out, "\n[{path}]");
                table(out, &path, inner, rows);
            }
            (Kind::Tables(inner), Shown::Tables(tables)) => {
                for rows in tables {
                    let _ = writeln!(out, "\n[[{path}]]");
                    table(out, &path, inner, rows);
                }
            }
            (Kind::Table(_), Shown::Absent) => {
                let _ = writeln!(out, "\n# [{path}]\n# not set: {}", flow(row.help));
            }
            _ => {}
        }
    }
}

fn value(out: &mut String, row: &Row, shown: &Shown) {
    let line = match (row.kind, shown) {
        (Kind::Table(_) | Kind::Tables(_), _) | (_, Shown::Table(_) | Shown::Tables(_)) => return,
        (_, Shown::Value(text)) => format!("{} = {text}", row.key),
        (_, Shown::Secret) => format!("# {} is set", row.key),
        (_, Shown::Absent) => format!("# {} is not set", row.key),
    };
    for comment in wrapped(&flow(row.help), WIDTH) {
        let _ = writeln!(out, "# {comment}");
    }
    let _ = writeln!(out, "{line}");
}

/// Text in lines of at most `width` columns.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
