//! How are names spelled for a client that knows no UTF-8?
//!
//! Names are bytes, expected to be UTF-8. Old devices read and write them in a character set of their own; they are
//! converted where commands come in and where replies and listings go out, and nowhere else. A character that the set does
//! not have is written `%u{1f600}`, a byte that is no UTF-8 `%b{ff}`; where a name really holds one of these two beginnings,
//! its `%` is written `%u{25}`. So every name has one spelling, and [`Charset::decode`] takes no other for it.

use std::fmt;
use std::str::Utf8Chunk;

use encoding_rs::{Encoding, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, X_USER_DEFINED};

/// A character set in which ASCII is ASCII, without shift states, other than UTF-8.
#[derive(Clone, Copy)]
pub struct Charset(&'static Encoding);

/// What begins the spelling of a character, and of a byte.
const CHARACTER: &str = "%u{";
const BYTE: &str = "%b{";

/// Longest number in a spelling: `10ffff`.
const DIGITS: usize = 6;

impl Charset {
    /// The set of this name, in any case: the labels of the WHATWG's Encoding Standard (`latin1`, `windows-1251`, `gbk`,
    /// `shift_jis`, `koi8-r` …). `latin1` is windows-1252 there, as everywhere on the web. None for UTF-8, and for sets
    /// in which a byte of ASCII does not always mean itself.
    #[must_use]
    pub fn named(label: &str) -> Option<Charset> {
        let encoding = Encoding::for_label(label.as_bytes())?;
        let unfit = [UTF_8, UTF_16BE, UTF_16LE, ISO_2022_JP, REPLACEMENT, X_USER_DEFINED];
        (!unfit.contains(&encoding)).then_some(Charset(encoding))
    }

    /// The name of the set in the Encoding Standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// A name, or a text that holds names, as the client is to read it.
    #[must_use]
    pub fn encode(self, text: &[u8]) -> Vec<u8> {
        if text.is_ascii() && !holds_spelling(text) {
            return text.to_vec();
        }
        let mut shown = Vec::with_capacity(text.len());
        for chunk in text.utf8_chunks() {
            self.encode_chunk(&chunk, &mut shown);
        }
        shown
    }

    /// The name that the client means, in UTF-8; `None` for what [`Charset::encode`] never writes.
    // SECURITY: two spellings of one name would be two names for one file: a rule, or a filter in between, that knows only
    // the one would be walked around by the other.
    #[must_use]
    pub fn decode(self, shown: &[u8]) -> Option<Vec<u8>> {
        if shown.is_ascii() && !holds_spelling(shown) {
            return Some(shown.to_vec());
        }
        let text = self.0.decode_without_bom_handling_and_without_replacement(shown)?;
        let name = read_spellings(&text)?;
        (self.encode(&name) == shown).then_some(name)
    }

    fn encode_chunk(self, chunk: &Utf8Chunk<'_>, shown: &mut Vec<u8>) {
        let text = chunk.valid();
        for (at, character) in text.char_indices() {
            let rest = text.get(at..).unwrap_or_default();
            let spelled = rest.starts_with(CHARACTER) || rest.starts_with(BYTE);
            match self.byte_for_byte(character) {
                Some(bytes) if !spelled => shown.extend_from_slice(&bytes),
                _ => shown.extend_from_slice(format!("{CHARACTER}{:x}}}", u32::from(character)).as_bytes()),
            }
        }
        for byte in chunk.invalid() {
            shown.extend_from_slice(format!("{BYTE}{byte:02x}}}").as_bytes());
        }
    }

    /// The character's bytes, if they mean this character and no other: `¥` has the byte of `\` in Shift_JIS.
    fn byte_for_byte(self, character: char) -> Option<Vec<u8>> {
        let mut buffer = [0; 4];
        let text = &*character.encode_utf8(&mut buffer);
        let (bytes, _, unmappable) = self.0.encode(text);
        if unmappable {
            return None;
        }
        let back = self.0.decode_without_bom_handling_and_without_replacement(&bytes)?;
        (back == text).then(|| bytes.into_owned())
    }
}

impl fmt::Debug for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Charset {
    fn eq(&self, other: &Charset) -> bool {
        self.0 == other.0
    }
}

impl Eq for Charset {}

fn holds_spelling(text: &[u8]) -> bool {
    [CHARACTER, BYTE].iter().any(|begin| text.windows(begin.len()).any(|window| window == begin.as_bytes()))
}

/// Puts in what the spellings stand for; `None` where one is not well-formed.
fn read_spellings(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix(CHARACTER) {
            let (number, behind) = spelled(behind)?;
            let mut buffer = [0; 4];
            name.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut buffer).as_bytes());
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix(BYTE) {
            let (number, behind) = spelled(behind)?;
            name.push(u8::try_from(number).ok()?);
            rest = behind;
        } else {
            let (character, behind) = rest.split_at_checked(first.len_utf8())?;
            name.extend_from_slice(character.as_bytes());
            rest = behind;
        }
    }
    Some(name)
}

/// The number up to the closing brace, and what stands behind it.
fn spelled(text: &str) -> Option<(u32, &str)> {
    let (digits, behind) = text.split_once('}')?;
    let number = (1..=DIGITS).contains(&digits.len()).then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((number, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn charset(label: &str) -> Charset {
        Charset::named(label).unwrap()
    }

    #[test]
    fn names_are_written_in_the_set() {
        assert_eq!(charset("latin1").encode("Grüße €".as_bytes()), b"Gr\xfc\xdfe \x80");
        assert_eq!(charset("gbk").encode("文件".as_bytes()), b"\xce\xc4\xbc\xfe");
        assert_eq!(charset("Shift_JIS").encode("表.txt".as_bytes()), b"\x95\\.txt");
        assert_eq!(charset("windows-1251").decode(b"\xf4\xe0\xe9\xeb").unwrap(), "файл".as_bytes());
        assert_eq!(charset("shift_jis").decode(b"\x95\\.txt").unwrap(), "表.txt".as_bytes());
    }

    #[test]
    fn what_the_set_does_not_have_is_spelled_out() {
        let latin = charset("latin1");
        assert_eq!(latin.encode("東.txt".as_bytes()), b"%u{6771}.txt");
        assert_eq!(latin.encode(b"a\xff"), b"a%b{ff}");
        assert_eq!(latin.encode(b"100%u{61}"), b"100%u{25}u{61}");
        assert_eq!(latin.encode(b"100% %u %b"), b"100% %u %b");
        assert_eq!(charset("shift_jis").encode("¥".as_bytes()), b"%u{a5}");
    }

    #[test]
    fn a_name_has_one_spelling() {
        let latin = charset("latin1");
        for wrong in [
            "%u{61}",
            "%u{e9}",
            "%b{61}",
            "%u{6771",
            "%u{}",
            "%u{0006771}",
            "%u{6771 }",
            "%u{d800}",
            "%b{100}",
        ] {
            assert_eq!(latin.decode(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(latin.decode(b"%u{6771}"), Some("東".into()));
        assert_eq!(charset("shift_jis").decode(b"\x80\xff"), None);
    }

    #[test]
    fn sets_in_which_ascii_is_not_ascii_are_none() {
        for label in ["utf-8", "utf-16", "iso-2022-jp", "replacement", "x-user-defined", "ebcdic", ""] {
            assert_eq!(Charset::named(label), None, "{label}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_understood(
            text in "[a%ub{}0-9é¥\\\\ßф文表가\u{1f600}\u{3000}/ ]{0,12}", noise: Vec<u8>,
            label in prop::sample::select(vec!["latin1", "iso-8859-15", "windows-1251", "koi8-r", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"]),
        ) {
            let charset = charset(label);
            for name in [text.as_bytes(), &noise] {
                prop_assert_eq!(charset.decode(&charset.encode(name)), Some(name.to_vec()));
            }
            if let Some(name) = charset.decode(&noise) {
                prop_assert_eq!(charset.encode(&name), noise);
            }
        }
    }
}
