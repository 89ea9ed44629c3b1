//! THE TABLE of SITE: which commands are behind it, and what holds for each?
//!
//! As in [THE TABLE](crate::verb::TABLE), one row per command, from which the parser, `SITE HELP`, `HELP SITE`, FEAT, the
//! conformance page and the tests are fed. What holds for all of them, the login for one, stands in the row of `SITE`.

use crate::verb::Feature;

/// Everything about one command of SITE that is not its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteRow {
    /// Which command.
    pub verb: SiteVerb,
    /// Its spelling, in capitals. Any case is understood.
    pub name: &'static str,
    /// What FEAT says because of it (RFC 2389 §3.2).
    pub features: &'static [Feature],
    /// Where it is defined, or whose it is: RFC 959 §4.1.3 leaves SITE to the sites.
    pub source: &'static str,
    /// Its arguments as HELP shows them, a form each.
    pub forms: &'static [&'static str],
}

/// One row of the table per line; the columns are those of [`SiteRow`].
macro_rules! table {
    ($($verb:ident $name:literal [$($feature:literal),*] $source:literal [$($form:literal),*];)*) => {
        /// A command of SITE.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum SiteVerb {
            $(#[doc = concat!("`SITE ", $name, "` (", $source, ")")] $verb,)*
        }

        impl SiteVerb {
            /// What holds for the command.
            #[must_use]
            pub const fn row(self) -> &'static SiteRow {
                match self {
                    $(SiteVerb::$verb => const { &SiteRow {
                        verb: SiteVerb::$verb,
                        name: $name,
                        features: &[$(Feature::Line($feature)),*],
                        source: $source,
                        forms: &[$($form),*],
                    } },)*
                }
            }
        }

        /// THE TABLE of SITE, a row per command.
        pub static SITE_TABLE: &[SiteRow] = &[$(*SiteVerb::$verb.row()),*];
    };
}

#[rustfmt::skip]
table! {
//  verb  name    features       source             forms
    Help  "HELP"  []             "RFC 959 §4.1.3"   ["[<command>]"];
    Chmod "CHMOD" ["SITE CHMOD"] "wu-ftpd's"        ["<000-777> <pathname>"];
    Utime "UTIME" ["SITE UTIME"] "NcFTPd's and Serv-U's" ["<YYYYMMDDhhmm[ss]> <pathname>", "<pathname> <accessed> <modified> <created> UTC"];
}

impl SiteVerb {
    /// The command of this spelling, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<SiteVerb> {
        SITE_TABLE.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name)).map(|row| row.verb)
    }
}

impl SiteRow {
    /// `SITE CHMOD <000-777> <pathname>`, every form of it.
    #[must_use]
    pub fn syntax(&self) -> String {
        let forms: Vec<String> = self.forms.iter().map(|form| format!("SITE {} {form}", self.name)).collect();
        forms.join(" | ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for row in SITE_TABLE {
            assert_eq!(SiteVerb::named(row.name.to_ascii_lowercase().as_bytes()), Some(row.verb));
            assert!(row.syntax().starts_with(&format!("SITE {} ", row.name)));
        }
        assert_eq!(SiteVerb::named(b"EXEC"), None);
    }
}
