//! What is wrong with a configuration, where, and how is it mended?

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::section::{Kind, Row, Section, Shape};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, where it is another one than that of all problems: the users file.
    pub file: Option<String>,
    /// 1-based line in the file; 0 where the problem is the file as a whole.
    pub line: usize,
    /// 1-based column, counted in characters.
    pub column: usize,
    /// The key, such as `timeouts.idle_s`; empty where the file does not parse.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub mend: String,
    /// The line of the file, and how many characters of it are meant; left out where it may hold a secret.
    pub excerpt: Option<(String, usize)>,
}

/// All that is wrong with one file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file as the user named it.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.write(problem.file.as_ref().unwrap_or(&self.file), f)?;
        }
        if self.problems.len() > 1 {
            write!(f, "\n{} problems in {}", self.problems.len(), self.file)?;
        }
        Ok(())
    }
}

/// Something that is wrong with a file as a whole.
pub(crate) fn whole(file: &Path, message: String, mend: &str) -> Problems {
    Problems {
        file: file.display().to_string(),
        problems: vec![Problem {
            file: None,
            line: 0,
            column: 0,
            key: String::new(),
            message,
            mend: mend.to_owned(),
            excerpt: None,
        }],
    }
}

impl Problem {
    fn write(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{file}: ")?,
            line => write!(f, "{file}:{line}:{}: ", self.column)?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if let Some((text, width)) = &self.excerpt {
            let number = self.line.to_string();
            let indent = " ".repeat(number.len());
            write!(f, "\n  {number} | {text}")?;
            write!(f, "\n  {indent} | {}{}", " ".repeat(self.column.saturating_sub(1)), "^".repeat(*width))?;
        }
        write!(f, "\n  mend: {}", self.mend)?;
        writeln!(f)
    }
}

/// How much of its line a problem shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excerpt {
    /// The line, unless it may hold a secret.
    Line,
    /// The key, and not what is set to it.
    Key,
    /// Nothing.
    Nothing,
}

/// The text of the file, to turn byte ranges into lines and columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s> {
    text: &'s str,
}

impl<'s> Source<'s> {
    /// Wraps the text.
    pub(super) fn new(text: &'s str) -> Self {
        Self { text }
    }

    /// A problem at this range of bytes.
    pub(super) fn problem(
        self,
        span: Option<Range<usize>>,
        excerpt: Excerpt,
        key: String,
        message: String,
        mend: String,
    ) -> Problem {
        let Some(span) = span else {
            return Problem { file: None, line: 0, column: 0, key, message, mend, excerpt: None };
        };
        let start = self.boundary(span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_text = self.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let end = self.boundary(span.end).min(line_start + line_text.len());
        let width = self.text.get(start..end).unwrap_or_default().chars().count().max(1);
        // SECURITY: a password typed where its hash belongs, or under a misspelled key, must not be repeated on a terminal or in a log.
        let shown = match excerpt {
            Excerpt::Line if holds_no_secret(line_text) => line_text,
            Excerpt::Line | Excerpt::Key => line_text.split('=').next().unwrap_or_default(),
            Excerpt::Nothing => "",
        };
        let within = shown.len() == line_text.len() || start - line_start < shown.len();
        // A tab or an escape sequence would move the caret, or the terminal.
        let shown: String = shown.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let excerpt = (within && !shown.trim().is_empty()).then_some((shown, width));
        let line = before.matches('\n').count() + 1;
        Problem { file: None, line, column, key, message, mend, excerpt }
    }

    fn boundary(self, mut at: usize) -> usize {
        at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Whether a line of a file sets one known key, and none that takes a password.
fn holds_no_secret(line: &str) -> bool {
    let mut parts = line.split('=');
    let key = parts.next().unwrap_or_default();
    let (Some(_), None) = (parts.next(), parts.next()) else {
        // No key at all; or an inline table, in which any of the values may be misplaced.
        return !line.contains('=');
    };
    let word = key.rsplit('.').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    matches!(row(&<super::Config as Section>::SHAPE, word), Some(row) if !is_secret(&row.kind))
}

/// A row of this name, in whichever table.
fn row(shape: &'static Shape, word: &str) -> Option<&'static Row> {
    shape.rows.iter().find_map(|row| match row.kind {
        _ if row.key == word => Some(row),
        Kind::Table(inner) | Kind::Tables(inner) => self::row(inner, word),
        _ => None,
    })
}

fn is_secret(kind: &Kind) -> bool {
    matches!(kind, Kind::Text { secret: true, .. })
}

/// How many single-character edits lead from one word to the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The word among `known` that was probably meant.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| {
            // `idle` is `idle_s` without its unit: nearer than any misspelling.
            let stem = candidate.rsplit_once('_').map_or(candidate, |(stem, _)| stem);
            let stem_match = word == stem || word.strip_suffix("_seconds").is_some_and(|w| w == stem);
            let candidate_word = candidate.to_ascii_lowercase().replace('-', "_");
            (if stem_match { 0 } else { distance(&word, &candidate_word) }, candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("idle", "idle"), 0);
        assert_eq!(distance("adress", "address"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn only_a_known_key_without_a_secret_shows_its_value() {
        assert!(holds_no_secret("idle_s = \"30s\""));
        assert!(holds_no_secret("timeouts.idle_s = 30s"));
        assert!(holds_no_secret("[timeouts"));
        for line in ["password = 1", "passwrd = hunter2", "user = [{ name = \"a\", pasword = \"b\" }]"] {
            assert!(!holds_no_secret(line), "{line}");
        }
    }

    #[test]
    fn finds_what_was_meant() {
        let known = ["login_s", "idle_s", "data_accept_s"];
        assert_eq!(nearest("idle", known), Some("idle_s"));
        assert_eq!(nearest("idle_seconds", known), Some("idle_s"));
        assert_eq!(nearest("data-accept-s", known), Some("data_accept_s"));
        assert_eq!(nearest("colour", known), None);
    }
}
