//! What does the table of options look like as a manual page?

use std::fmt::Write as _;

use super::later;
use super::section::{Kind, Row, Section, Shape, flow};
use super::table::Config;

/// The manual page of the configuration file, `docs/configuration.md`, as Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# The configuration file\n\n\
         <!-- Made from crates/daemon/src/config/table.rs. To renew it: CARRACK_BLESS=1 cargo test -p carrack-daemon -->\n\n\
         `carrack serve --config carrack.toml` runs a server from a TOML file. Before anything listens the whole file is\n\
         checked; `carrack config check carrack.toml` does only that. `carrack config show` prints the values in force, and\n\
         `carrack config schema` a JSON Schema for editors.\n\n\
         Units stand in the names (`idle_s` is in seconds). Relative paths begin at the folder of the file. An unknown key is an\n\
         error, and so is a key of a later version: no option does nothing.\n\n\
         A small file:\n\n\
         ```toml\n\
         [[listen]]\n\
         address = \"0.0.0.0:2121\"\n\n\
         [[user]]\n\
         name = \"alice\"\n\
         password = \"$argon2id$…\"            # carrack user hash\n\
         home = \"/srv/alice\"\n\
         permissions = [\"list\", \"read\", \"write\", \"overwrite\", \"delete\", \"rename\", \"mkdir\"]\n\
         ```\n",
    );
    shape(&mut out, "", &Config::SHAPE);
    out.push_str("\n## Keys of later versions\n\n");
    for (key, what) in later::keys() {
        let _ = writeln!(out, "- `{key}`: {what}");
    }
    out
}

fn shape(out: &mut String, path: &str, shape_of: &Shape) {
    if path.is_empty() {
        let _ = writeln!(out, "\n## Top of the file\n");
    }
    let _ = writeln!(out, "{}\n", flow(shape_of.about));
    for row in shape_of.rows {
        if !matches!(row.kind, Kind::Table(_) | Kind::Tables(_)) {
            value(out, path, row);
        }
    }
    for row in shape_of.rows {
        let path = if path.is_empty() { row.key.to_owned() } else { format!("{path}.{}", row.key) };
        match row.kind {
            Kind::Table(inner) => {
                let _ = writeln!(out, "## `[{path}]`\n");
                shape(out, &path, inner);
            }
            Kind::Tables(inner) => {
                let _ = writeln!(out, "## `[[{path}]]`\n");
                shape(out, &path, inner);
            }
            _ => {}
        }
    }
}

fn value(out: &mut String, path: &str, row: &Row) {
    let full = if path.is_empty() { row.key.to_owned() } else { format!("{path}.{}", row.key) };
    let _ = writeln!(out, "### `{full}`\n\n{}\n", flow(row.help));
    let _ = writeln!(out, "- value: {}", describe(&row.kind));
    match ((row.default)(), row.required) {
        (_, true) => out.push_str("- must be given\n"),
        (Some(default), _) => {
            let _ = writeln!(out, "- default: `{default}`");
        }
        (None, _) => out.push_str("- default: not set\n"),
    }
    let _ = writeln!(out, "- a change counts {}\n", row.reload.describe());
    let choice = match row.kind {
        Kind::List(inner) => *inner,
        kind => kind,
    };
    if let Kind::Choice(words) = choice {
        for word in words {
            let _ = writeln!(out, "  - `\"{}\"`: {}", word.word, word.help.trim());
        }
        out.push('\n');
    }
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Number { unit: "", minimum, maximum } => format!("a whole number, {minimum} to {maximum}"),
        Kind::Number { unit, minimum, maximum } => {
            format!("a whole number of {unit}, {minimum} to {maximum}")
        }
        Kind::Text { what, example, .. } => format!("{what}, as in `\"{example}\"`"),
        Kind::TextOrNumber { what, example, .. } => format!("{what}, as in `\"{example}\"`"),
        Kind::Choice(_) => "one of the words below".to_owned(),
        Kind::List(inner) => match inner {
            Kind::Choice(_) => "a list of the words below".to_owned(),
            inner => format!("a list; each is {}", describe(inner)),
        },
        Kind::Table(_) | Kind::Tables(_) => "a table".to_owned(),
    }
}
