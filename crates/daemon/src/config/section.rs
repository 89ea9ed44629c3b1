//! How is one row of the table of options tied to one field of the typed configuration?
//!
//! [`section!`] takes the rows of one TOML table and makes from each row a struct field of the same name, its reader, its writer and its
//! [`Row`]. A key without a field, a field without a key, or a documented default that is not the default in
//! force cannot be written down.

use std::fmt::Write as _;

use super::reader::{Key, Reader};
use toml::Spanned;
use toml::de::DeValue;

/// What it takes for a changed value to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The file that it names is read again when it changes, and at a reload; connections made from then on have it.
    NewConnections,
    /// A reload; sessions that begin from then on have it, and those that are there keep the old value.
    NewSessions,
    /// A reload; it counts for everybody from then on.
    AtOnce,
    /// The server has to be started again.
    Restart,
}

impl Reload {
    /// The sentence of the manual.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NewConnections => {
                "at a reload, or when the file that it names changes, for new connections"
            }
            Self::NewSessions => "at a reload, for sessions that begin behind it",
            Self::AtOnce => "at a reload, for everybody",
            Self::Restart => "at the next start",
        }
    }
}

/// The shape of a value: what `check` expects, what the schema says and what the manual names.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number of `unit`.
    Number {
        /// Seconds, sessions, and so on.
        unit: &'static str,
        /// Smallest value taken.
        minimum: u64,
        /// Largest value taken.
        maximum: u64,
    },
    /// A string of a certain form.
    Text {
        /// What the string stands for, as in "expected {what}".
        what: &'static str,
        /// One value that is right.
        example: &'static str,
        /// A regular expression for the schema, where one helps.
        pattern: Option<&'static str>,
        /// Never shown: `config show` and error excerpts leave the value out.
        secret: bool,
    },
    /// A string of a certain form, which a bare number of the same meaning may stand for.
    TextOrNumber {
        /// What the string stands for, as in "expected {what}".
        what: &'static str,
        /// One value that is right.
        example: &'static str,
        /// A regular expression for the schema.
        pattern: &'static str,
        /// Smallest number taken.
        minimum: u64,
        /// Largest number taken.
        maximum: u64,
    },
    /// One of a few words.
    Choice(&'static [Word]),
    /// An array of such values.
    List(&'static Kind),
    /// A `[table]`.
    Table(&'static Shape),
    /// An array of tables, `[[table]]`.
    Tables(&'static Shape),
}

/// One word of a [`Kind::Choice`].
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// As it stands in the file.
    pub word: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// One table of the file: what it is about, and its rows.
#[derive(Debug)]
pub struct Shape {
    /// The first paragraph of its manual section, one string per source line.
    pub about: &'static [&'static str],
    /// Its keys in the order in which they are documented.
    pub rows: &'static [Row],
}

/// THE row: everything there is to know about one key.
#[derive(Debug)]
pub struct Row {
    /// The key as it stands in the file.
    pub key: &'static str,
    /// The shape of its value.
    pub kind: Kind,
    /// Must be given wherever its table is.
    pub required: bool,
    /// The value in force when the key is left out, as TOML, taken from the code that sets it.
    pub default: fn() -> Option<String>,
    /// What a change takes.
    pub reload: Reload,
    /// The help text, one string per source line.
    pub help: &'static [&'static str],
}

/// One or several lines of a doc comment as flowing text.
pub(super) fn flow(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// A value as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Not set, and no default.
    Absent,
    /// TOML text of a value.
    Value(String),
    /// Set, and nobody's business.
    Secret,
    /// A table, its rows in order.
    Table(Vec<(&'static str, Shown)>),
    /// An array of tables.
    Tables(Vec<Vec<(&'static str, Shown)>>),
}

impl Shown {
    /// TOML text of a plain value; tables and absent values have none.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Value(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// A type that a key can have.
pub trait Setting: Sized + Clone + PartialEq {
    /// Its shape.
    const KIND: Kind;
    /// Reads it; what is wrong goes to the reader.
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self>;
    /// Prints it.
    fn show(&self) -> Shown;
    /// Keeps what is `running` where a change would take a restart, and names the keys that differ.
    fn keep(&mut self, running: &Self, reload: Reload, key: &Key, differ: &mut Vec<String>) {
        if reload == Reload::Restart && self != running {
            self.clone_from(running);
            differ.push(key.plain());
        }
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        T::read(reader, key, value).map(Some)
    }
    fn show(&self) -> Shown {
        self.as_ref().map_or(Shown::Absent, T::show)
    }
    fn keep(&mut self, running: &Self, reload: Reload, key: &Key, differ: &mut Vec<String>) {
        match (self, running) {
            (Some(value), Some(running)) => value.keep(running, reload, key, differ),
            (value, running) if reload == Reload::Restart && value != running => {
                value.clone_from(running);
                differ.push(key.plain());
            }
            _ => {}
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            let example = match T::KIND {
                Kind::Text { example, .. } => format!("[\"{example}\"]"),
                Kind::Choice([first, ..]) => format!("[\"{}\"]", first.word),
                _ => "[…]".to_owned(),
            };
            reader.wrong_type(key, value, "a list", &example);
            return None;
        };
        let read: Vec<Option<T>> = array.iter().map(|value| T::read(reader, key, value)).collect();
        read.into_iter().collect()
    }
    fn show(&self) -> Shown {
        let mut text = String::from("[");
        for (index, item) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let _ = write!(text, "{separator}{}", item.show().text().unwrap_or_default());
        }
        text.push(']');
        Shown::Value(text)
    }
}

/// A TOML table with a fixed set of keys. Made by `section!` only.
pub trait Section: Sized + Clone + PartialEq {
    /// Its rows.
    const SHAPE: Shape;
    /// Reads every key, so that all that is wrong is said at once.
    fn read_table(reader: &mut Reader<'_>, key: &Key, table: &super::reader::Table<'_>) -> Option<Self>;
    /// Every row with its value.
    fn rows(&self) -> Vec<(&'static str, Shown)>;
    /// [`Setting::keep`] of every row.
    fn keep_rows(&mut self, running: &Self, key: &Key, differ: &mut Vec<String>);
}

/// An array of tables, `[[name]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables<T>(pub Vec<T>);

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for Tables<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Section + 'static> Setting for Tables<T> {
    const KIND: Kind = Kind::Tables(&T::SHAPE);
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let header = format!("[[{}]]", key.plain());
        let tables = match value.get_ref() {
            DeValue::Array(array) => array,
            DeValue::Table(_) => {
                reader.problem(
                    key,
                    value.span(),
                    format!("`[{}]` is a single table where several may stand", key.plain()),
                    format!("write {header} with double brackets, also when there is only one"),
                );
                return None;
            }
            _ => {
                reader.wrong_type(key, value, &format!("one or more {header} tables"), &header);
                return None;
            }
        };
        let mut read = Vec::new();
        for (index, value) in tables.iter().enumerate() {
            let key = key.element(index);
            read.push(match value.get_ref() {
                DeValue::Table(table) => {
                    reader.place(&key, value.span());
                    T::read_table(reader, &key, table)
                }
                _ => {
                    reader.wrong_type(&key, value, "a table", &header);
                    None
                }
            });
        }
        read.into_iter().collect::<Option<Vec<T>>>().map(Tables)
    }
    fn show(&self) -> Shown {
        Shown::Tables(self.0.iter().map(Section::rows).collect())
    }
}

/// Makes a struct, its rows, its reader and its writer from one list.
///
/// A row is `/// help`, `reload`, `key: Type`, and in brackets `required`, `optional` (the type is an `Option`) or the default value.
/// `defaulted` in front gives the struct a `Default` as well; every row needs a default then.
macro_rules! section {
    (defaulted $($rest:tt)*) => {
        section! { @struct $($rest)* }
        section! { @default $($rest)* }
    };
    (@default $(#[doc = $about:literal])+ pub struct $name:ident {
        $( $(#[doc = $help:literal])+ $reload:ident $field:ident : $ty:ty = $default:tt; )+
    }) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: section!(@value $default), )+ }
            }
        }
    };
    (@struct $(#[doc = $about:literal])+ pub struct $name:ident {
        $( $(#[doc = $help:literal])+ $reload:ident $field:ident : $ty:ty = $default:tt; )+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $help])+ pub $field: $ty, )+
        }

        impl $crate::config::section::Section for $name {
            const SHAPE: $crate::config::section::Shape = $crate::config::section::Shape {
                about: &[$($about),+],
                rows: &[$(
                    $crate::config::section::Row {
                        key: stringify!($field),
                        kind: <$ty as $crate::config::section::Setting>::KIND,
                        required: section!(@required $default),
                        default: || section!(@text $ty, $default),
                        reload: $crate::config::section::Reload::$reload,
                        help: &[$($help),+],
                    },
                )+],
            };
            fn read_table(
                reader: &mut $crate::config::reader::Reader<'_>,
                key: &$crate::config::reader::Key,
                table: &$crate::config::reader::Table<'_>,
            ) -> Option<Self> {
                reader.refuse_unknown_keys(key, table, &Self::SHAPE);
                $( let $field: Option<$ty> = section!(@read reader, key, table, stringify!($field), $ty, $default); )+
                Some(Self { $( $field: $field?, )+ })
            }
            fn rows(&self) -> Vec<(&'static str, $crate::config::section::Shown)> {
                vec![$( (stringify!($field), $crate::config::section::Setting::show(&self.$field)), )+]
            }
            fn keep_rows(
                &mut self,
                running: &Self,
                key: &$crate::config::reader::Key,
                differ: &mut Vec<String>,
            ) {
                $( $crate::config::section::Setting::keep(
                    &mut self.$field,
                    &running.$field,
                    $crate::config::section::Reload::$reload,
                    &key.child(stringify!($field)),
                    differ,
                ); )+
            }
        }

        impl $crate::config::section::Setting for $name {
            const KIND: $crate::config::section::Kind =
                $crate::config::section::Kind::Table(&<Self as $crate::config::section::Section>::SHAPE);
            fn read(
                reader: &mut $crate::config::reader::Reader<'_>,
                key: &$crate::config::reader::Key,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
            ) -> Option<Self> {
                reader.section(key, value)
            }
            fn show(&self) -> $crate::config::section::Shown {
                $crate::config::section::Shown::Table($crate::config::section::Section::rows(self))
            }
            fn keep(
                &mut self,
                running: &Self,
                reload: $crate::config::section::Reload,
                key: &$crate::config::reader::Key,
                differ: &mut Vec<String>,
            ) {
                if reload != $crate::config::section::Reload::Restart {
                    $crate::config::section::Section::keep_rows(self, running, key, differ);
                } else if self != running {
                    self.clone_from(running);
                    differ.push(key.plain());
                }
            }
        }
    };
    (@required [required]) => { true };
    (@required $default:tt) => { false };
    (@value [optional]) => { None };
    (@value [$value:expr]) => { $value };
    (@text $ty:ty, [required]) => { None };
    (@text $ty:ty, [optional]) => { None };
    (@text $ty:ty, [$value:expr]) => {{
        let value: $ty = $value;
        $crate::config::section::Setting::show(&value).text()
    }};
    (@read $reader:ident, $key:ident, $table:ident, $name:expr, $ty:ty, [required]) => {
        $reader.required::<$ty>($key, $table, $name)
    };
    (@read $reader:ident, $key:ident, $table:ident, $name:expr, $ty:ty, [optional]) => {
        $reader.value::<$ty>($key, $table, $name, || None)
    };
    (@read $reader:ident, $key:ident, $table:ident, $name:expr, $ty:ty, [$value:expr]) => {
        $reader.value::<$ty>($key, $table, $name, || $value)
    };
    ($($rest:tt)*) => { section! { @struct $($rest)* } };
}
pub(crate) use section;
