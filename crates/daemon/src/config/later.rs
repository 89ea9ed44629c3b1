//! Which keys and values belong to Carrack but not to this version of it?
//!
//! An option that does nothing is worse than an error: whoever set it believes in it.

/// Keys, and what comes with them.
const KEYS: &[(&str, &str)] = &[("user[].quota_bytes", "quotas")];

/// Words of choices, by the key that takes them.
const WORDS: &[(&str, &[&str])] = &[("mode", &["sftp", "https", "admin"])];

/// What comes with this key, if it is one of a later version.
pub(super) fn key(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, what)| *what)
}

/// Whether this word is one of a later version.
pub(super) fn word(key: &str, word: &str) -> bool {
    WORDS.iter().any(|(known, words)| *known == key && words.contains(&word))
}

/// All keys of later versions, with what they belong to.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYS.iter().copied()
}
