//! What is for the name that a client asks for? The same rule for certificates and for whatever else goes by names.

use crate::identity::{Fit, fit};

/// Values by the names that clients ask for. One with the name itself goes before one that has it by a `*` in the place of its
/// first label, which stands for one label (RFC 9525 §6.3); else the first.
#[derive(Debug, Clone)]
pub struct ByName<T>(Vec<(Vec<String>, T)>);

impl<T> Default for ByName<T> {
    fn default() -> ByName<T> {
        ByName(Vec::new())
    }
}

impl<T> ByName<T> {
    /// These, each with its names.
    pub fn new(entries: impl IntoIterator<Item = (Vec<String>, T)>) -> ByName<T> {
        ByName(entries.into_iter().collect())
    }

    /// The one that is for this name.
    pub fn find(&self, name: &str) -> Option<&T> {
        self.with(name, Fit::Exactly).or_else(|| self.with(name, Fit::ByWildcard))
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn with(&self, name: &str, wanted: Fit) -> Option<&T> {
        let fits = |names: &[String]| names.iter().any(|own| fit(own, name) == Some(wanted));
        self.0.iter().find(|(names, _)| fits(names)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_itself_goes_before_a_wildcard() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let by_name = ByName::new([
            (names(&["*.example"]), 1),
            (names(&["b.test", "a.example"]), 2),
            (names(&["*.example"]), 3),
        ]);
        for (name, found) in [
            ("a.example", Some(&2)),
            ("A.Example", Some(&2)),
            ("c.example", Some(&1)),
            ("b.test", Some(&2)),
            ("example", None),
            ("a.b.example", None),
            ("192.0.2.1", None),
        ] {
            assert_eq!(by_name.find(name), found, "{name}");
        }
    }
}
