//! How is a parsed TOML document walked so that every key is placed and every mistake is told?

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::later;
use super::problem::{Excerpt, Problem, Source, nearest};
use super::section::{Kind, Section, Setting, Shape};

/// A table of the document.
pub(super) type Table<'i> = toml::map::Map<Spanned<DeString<'i>>, Spanned<DeValue<'i>>>;

/// The name of one value: `user[].home` for people, `user.1.home` to find its place.
#[derive(Debug, Clone, Default)]
pub struct Key {
    shown: String,
    place: String,
}

impl Key {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A key of this table.
    pub fn child(&self, name: &str) -> Self {
        let join = |path: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        Self { shown: join(&self.shown), place: join(&self.place) }
    }

    /// One table of this array of tables.
    pub fn element(&self, index: usize) -> Self {
        Self { shown: format!("{}[]", self.shown), place: format!("{}.{index}", self.place) }
    }

    /// `user[].folder` as it stands in a header: `user.folder`.
    pub fn plain(&self) -> String {
        self.shown.replace("[]", "")
    }
}

/// Where each key that was given stands in the file.
#[derive(Debug, Default)]
pub struct Places(HashMap<String, Range<usize>>);

impl Places {
    /// The place of this key, or of the nearest table around it that stands in the file.
    pub fn of(&self, place: &str) -> Option<Range<usize>> {
        let mut place = place;
        loop {
            if let Some(span) = self.0.get(place) {
                return Some(span.clone());
            }
            place = place.rsplit_once('.')?.0;
        }
    }
}

/// Reads values and collects what is wrong.
#[derive(Debug)]
pub struct Reader<'s> {
    source: Source<'s>,
    problems: Vec<Problem>,
    places: Places,
}

impl<'s> Reader<'s> {
    /// A reader of this text.
    pub fn new(text: &'s str) -> Self {
        Self { source: Source::new(text), problems: Vec::new(), places: Places::default() }
    }

    /// What was found wrong, and where everything stands.
    pub fn finish(self) -> (Vec<Problem>, Places) {
        (self.problems, self.places)
    }

    /// Notes where a key stands.
    pub fn place(&mut self, key: &Key, span: Range<usize>) {
        self.places.0.insert(key.place.clone(), span);
    }

    /// Something is wrong with this value.
    pub fn problem(&mut self, key: &Key, span: Range<usize>, message: String, mend: String) {
        self.problems.push(self.source.problem(Some(span), Excerpt::Line, key.shown.clone(), message, mend));
    }

    /// Something is wrong with this value, and its line may not be shown.
    pub fn secret_problem(&mut self, key: &Key, span: Range<usize>, message: String, mend: String) {
        self.problems.push(self.source.problem(
            Some(span),
            Excerpt::Nothing,
            key.shown.clone(),
            message,
            mend,
        ));
    }

    /// This key should not be here. What it was set to is not shown: it may be a password under a misspelled key.
    fn key_problem(&mut self, key: &Key, span: Range<usize>, message: String, mend: String) {
        self.problems.push(self.source.problem(Some(span), Excerpt::Key, key.shown.clone(), message, mend));
    }

    /// The document does not parse here.
    pub fn syntax(&mut self, span: Option<Range<usize>>, message: String, mend: String) {
        self.problems.push(self.source.problem(span, Excerpt::Line, String::new(), message, mend));
    }

    /// A value of another type than the row's.
    pub fn wrong_type(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, expected: &str, example: &str) {
        let name = key.shown.rsplit('.').next().unwrap_or_default().replace("[]", "");
        let mend = if example.starts_with("[[") {
            format!("write {example}")
        } else {
            format!("write {name} = {example}")
        };
        self.problem(
            key,
            value.span(),
            format!("expected {expected}, found {}", describe(value.get_ref())),
            mend,
        );
    }

    /// Reads a key that may be left out.
    pub fn value<T: Setting>(
        &mut self,
        key: &Key,
        table: &Table<'_>,
        name: &str,
        default: impl FnOnce() -> T,
    ) -> Option<T> {
        match table.get(name) {
            Some(value) => self.one(&key.child(name), value),
            None => Some(default()),
        }
    }

    /// Reads a key that must be there.
    pub fn required<T: Setting>(&mut self, key: &Key, table: &Table<'_>, name: &str) -> Option<T> {
        if let Some(value) = table.get(name) {
            return self.one(&key.child(name), value);
        }
        let example = match T::KIND {
            Kind::Text { example, .. } | Kind::TextOrNumber { example, .. } => {
                format!("{name} = \"{example}\"")
            }
            _ => name.to_owned(),
        };
        let span = self.places.of(&key.place).unwrap_or(0..0);
        self.problem(&key.child(name), span, format!("`{name}` is missing"), format!("add {example}"));
        None
    }

    fn one<T: Setting>(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<T> {
        self.place(key, value.span());
        T::read(self, key, value)
    }

    /// Reads a `[table]`.
    pub fn section<T: Section>(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<T> {
        match value.get_ref() {
            DeValue::Table(table) => T::read_table(self, key, table),
            DeValue::Array(_) => {
                let name = key.plain();
                self.problem(
                    key,
                    value.span(),
                    format!("`[[{name}]]` may stand only once"),
                    format!("write [{name}] with single brackets, once"),
                );
                None
            }
            other => {
                let message = format!("expected a table, found {}", describe(other));
                self.problem(
                    key,
                    value.span(),
                    message,
                    format!("write [{}] on a line of its own", key.plain()),
                );
                None
            }
        }
    }

    /// Every key without a row is told, with the key that was probably meant.
    pub fn refuse_unknown_keys(&mut self, key: &Key, table: &Table<'_>, shape: &Shape) {
        for (name, _) in table {
            let word = name.get_ref();
            if shape.rows.iter().any(|row| row.key == word) {
                continue;
            }
            let child = key.child(word);
            if let Some(what) = later::key(&child.shown) {
                let mend = format!("take `{word}` out; {what} come with a later version");
                self.key_problem(&child, name.span(), format!("`{word}` is not in this version"), mend);
                continue;
            }
            let here = nearest(word, shape.rows.iter().map(|row| row.key));
            let mend = match (here, elsewhere(word)) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, Some(table)) => format!("`{word}` belongs in {table}"),
                (None, None) => {
                    let keys: Vec<_> = shape.rows.iter().map(|row| row.key).collect();
                    format!("take it out; the keys here are {}", keys.join(", "))
                }
            };
            self.key_problem(&child, name.span(), format!("unknown key `{word}`"), mend);
        }
    }
}

/// The header of the table where a key that was put into another one would be right.
fn elsewhere(word: &str) -> Option<String> {
    fn within(shape: &'static Shape, path: &str, word: &str) -> Option<String> {
        shape.rows.iter().find_map(|row| {
            let path = if path.is_empty() { row.key.to_owned() } else { format!("{path}.{}", row.key) };
            let (inner, header) = match row.kind {
                Kind::Table(inner) => (inner, format!("[{path}]")),
                Kind::Tables(inner) => (inner, format!("[[{path}]]")),
                _ => return None,
            };
            if inner.rows.iter().any(|row| row.key == word) {
                Some(header)
            } else {
                within(inner, &path, word)
            }
        })
    }
    let root = &<super::Config as Section>::SHAPE;
    if root.rows.iter().any(|row| row.key == word) {
        return Some("the top of the file, before the first [table]".to_owned());
    }
    within(root, "", word)
}

/// A value as an error message names it.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("the string {:?}", text.as_ref()),
        DeValue::String(_) => "a long string".to_owned(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the fraction {number}"),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
