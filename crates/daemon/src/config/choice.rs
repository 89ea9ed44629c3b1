//! How is a key read that takes one of a few words?

use toml::Spanned;
use toml::de::DeValue;

use super::later;
use super::problem::nearest;
use super::reader::{Key, Reader};
use super::section::Word;

/// Reads one of a few words.
pub(super) fn word<T: Copy>(
    reader: &mut Reader<'_>,
    key: &Key,
    value: &Spanned<DeValue<'_>>,
    words: &'static [Word],
    values: &[T],
) -> Option<T> {
    let list = words.iter().map(|w| format!("\"{}\"", w.word)).collect::<Vec<_>>().join(", ");
    let DeValue::String(text) = value.get_ref() else {
        let example = words.first().map_or_else(String::new, |w| format!("\"{}\"", w.word));
        reader.wrong_type(key, value, &format!("one of {list}"), &example);
        return None;
    };
    let at = words.iter().position(|w| w.word == text);
    if let Some(found) = at.and_then(|at| values.get(at)) {
        return Some(*found);
    }
    let name = key.plain();
    let name = name.rsplit('.').next().unwrap_or_default();
    if later::word(name, text) {
        reader.problem(
            key,
            value.span(),
            format!("\"{text}\" is not in this version"),
            format!("use one of {list}"),
        );
        return None;
    }
    let mend = match nearest(text, words.iter().map(|w| w.word)) {
        Some(meant) => format!("did you mean \"{meant}\"? It is one of {list}"),
        None => format!("use one of {list}"),
    };
    reader.problem(key, value.span(), format!("{text:?} is none of the words this key takes"), mend);
    None
}

/// Makes an enum whose variants are words of the file.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $( #[doc = $help:literal] $variant:ident = $word:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $( #[doc = $help] $variant, )+ }

        impl $name {
            /// Every word, with its meaning.
            pub const WORDS: &'static [$crate::config::section::Word] =
                &[$( $crate::config::section::Word { word: $word, help: $help }, )+];

            /// The word as it stands in the file.
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $( $word => Ok(Self::$variant), )+ _ => Err(format!("{text:?} is not known")) }
            }
        }

        impl $crate::config::section::Setting for $name {
            const KIND: $crate::config::section::Kind = $crate::config::section::Kind::Choice(Self::WORDS);
            fn read(
                reader: &mut $crate::config::reader::Reader<'_>,
                key: &$crate::config::reader::Key,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
            ) -> Option<Self> {
                $crate::config::choice::word(reader, key, value, Self::WORDS, &[$( Self::$variant ),+])
            }
            fn show(&self) -> $crate::config::section::Shown {
                $crate::config::section::Shown::Value($crate::config::value::quoted(self.word()))
            }
        }
    };
}
pub(crate) use words;
