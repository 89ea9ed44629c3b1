//! `carrack manual`: the manual pages, one for each command.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::exit::Failure;

/// What the generator calls everything behind the options.
const EXTRA: &str = ".SH EXTRA";

/// Runs `carrack manual …`.
pub(crate) fn manual(folder: &Path) -> Result<(), Failure> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let written = fs::create_dir_all(folder).and_then(|()| write(&command, folder));
    written.map_err(|error| {
        Failure::failed(format!("the pages cannot be written to {}: {error}", folder.display()))
    })
}

/// The page of a command and those of all below it.
fn write(command: &Command, folder: &Path) -> io::Result<()> {
    for inner in command.get_subcommands() {
        write(inner, folder)?;
    }
    let page =
        Man::new(command.clone()).source(concat!("carrack ", env!("CARGO_PKG_VERSION"))).manual("Carrack");
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(page.get_filename()), in_sections(&String::from_utf8_lossy(&text)))
}

/// The text behind the options with a section for each of its titles (`Examples:` and such), and with its lines as they are.
fn in_sections(page: &str) -> String {
    let Some((before, extra)) = page.split_once(EXTRA) else { return page.to_owned() };
    let end = extra.find("\n.SH ").map_or(extra.len(), |at| at + 1);
    let (extra, after) = extra.split_at(end);
    let mut text = format!("{before}.SH NOTES\n.nf\n");
    let mut lines = extra.trim_start().lines().peekable();
    while let Some(line) = lines.next() {
        match title(line) {
            Some(title) => text.push_str(&format!(".fi\n.SH {}\n.nf\n", title.to_uppercase())),
            // The gap before a title is the section's own.
            None if line.is_empty() && lines.peek().is_some_and(|next| title(next).is_some()) => {}
            None => text.push_str(&format!("{}\n", line.strip_prefix("  ").unwrap_or(line))),
        }
    }
    // Where a title comes first, there are no notes before it.
    text = text.replace(".SH NOTES\n.nf\n.fi\n", "");
    text + ".fi\n" + after
}

/// A line that is a title: a few words and a colon.
fn title(line: &str) -> Option<&str> {
    line.strip_suffix(':')
        .filter(|title| title.len() < 20 && title.starts_with(|c: char| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::flags;

    #[test]
    fn every_command_has_its_page_with_every_flag() {
        let dir = tempfile::tempdir().unwrap();
        manual(&dir.path().join("man1")).unwrap();
        let mut pages = 0;
        for (command, flag) in flags() {
            let page = dir.path().join("man1").join(format!("{}.1", command.replace(' ', "-")));
            let text =
                fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
            // roff has an escape for hyphens.
            assert!(text.replace("\\-", "-").contains(&format!("--{flag}")), "{command} --{flag}");
            assert!(!text.contains(EXTRA), "{command}");
            pages += 1;
        }
        assert!(pages > 100, "{pages}");
        let page = fs::read_to_string(dir.path().join("man1/carrack-cp.1")).unwrap();
        for section in
            [".SH EXAMPLES\n.nf\ncarrack cp report.csv ", ".fi\n.SH URLS\n.nf\nftpes://", ".SH EXIT STATUS\n"]
        {
            assert!(page.contains(section), "{section}: {page}");
        }
    }

    #[test]
    fn titles_become_sections_and_lines_stay() {
        assert_eq!(
            in_sections(".SH NAME\nx\n.SH EXTRA\nExamples:\n  a\n  b\n\nURLs:\n  c   d\n.SH VERSION\nv1\n"),
            ".SH NAME\nx\n.SH EXAMPLES\n.nf\na\nb\n.fi\n.SH URLS\n.nf\nc   d\n.fi\n.SH VERSION\nv1\n"
        );
        assert_eq!(in_sections(".SH EXTRA\nExample: a\n"), ".SH NOTES\n.nf\nExample: a\n.fi\n");
        assert_eq!(in_sections(".SH NAME\nx\n"), ".SH NAME\nx\n");
    }
}
