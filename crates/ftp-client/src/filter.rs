//! Which of the things in a folder are moved? What `--include` and `--exclude` say, in the order they were said.
//!
//! The rules are those of rsync and rclone where the two agree:
//!
//! | pattern | means |
//! |---|---|
//! | `*.log` | no `/` inside: the name, at any depth |
//! | `logs/*.gz` | a `/` inside: the end of the path, at any depth (`logs/a.gz`, `2024/logs/a.gz`) |
//! | `/logs/*.gz` | a `/` in front: the path from the source on (`logs/a.gz` only) |
//! | `cache/` | a `/` at the end: folders only |
//! | `**` | any number of path components; `*`, `?` and `[a-z]` stay within one; `{a,b}` is either |
//!
//! A path is relative to the source: of `cp -r photos …` it is `2024/a.jpg`, not `photos/2024/a.jpg`. A file that was
//! named itself is asked for by its name.
//!
//! 1. The first rule that matches decides.
//! 2. A folder that is excluded is not even listed, so nothing in it can be brought back by a later rule.
//! 3. Where no rule matches, a file is moved, unless there are includes and no exclude: then only what an include
//!    matches is moved, and everything in folders that an include matches. Other folders are looked into, and
//!    are made at the target only when something in them is moved.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// Rules in their order. The empty filter keeps everything.
///
/// ```
/// use carrack_ftp_client::filter::{Filter, Kind};
///
/// let mut filter = Filter::default();
/// filter.exclude("*.tmp")?;
/// filter.exclude("cache/")?;
/// assert!(filter.keeps(b"2024/letter.txt", Kind::File));
/// assert!(!filter.keeps(b"2024/letter.tmp", Kind::File));
/// assert!(!filter.keeps(b"2024/cache", Kind::Folder));
/// # Ok::<(), carrack_ftp_client::filter::BadPattern>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<Rule>,
}

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// A pattern that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern '{pattern}' cannot be understood: {why}")]
pub struct BadPattern {
    /// As it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Clone, Debug)]
struct Rule {
    verdict: Verdict,
    of: Of,
    only: Only,
    glob: GlobMatcher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Include,
    Exclude,
}

/// What a pattern is held against.
#[derive(Clone, Copy, Debug)]
enum Of {
    Name,
    Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Folders,
    Anything,
}

impl Filter {
    /// Adds a rule behind those already there: what `pattern` matches is moved.
    pub fn include(&mut self, pattern: &str) -> Result<(), BadPattern> {
        self.rules.push(Rule::parse(Verdict::Include, pattern)?);
        Ok(())
    }

    /// Adds a rule behind those already there: what `pattern` matches is left out.
    pub fn exclude(&mut self, pattern: &str) -> Result<(), BadPattern> {
        self.rules.push(Rule::parse(Verdict::Exclude, pattern)?);
        Ok(())
    }

    /// Whether a file is moved, or a folder looked into. `path` is relative to the source, its components joined by `/`.
    #[must_use]
    pub fn keeps(&self, path: &[u8], kind: Kind) -> bool {
        match (self.first_match(path, kind), kind) {
            (Some(verdict), _) => verdict == Verdict::Include,
            (None, Kind::Folder) => true,
            (None, Kind::File) => !self.only_includes() || self.within_included(path),
        }
    }

    /// Whether a folder that [is kept](Filter::keeps) is made at the target even if nothing in it is moved.
    #[must_use]
    pub fn makes(&self, folder: &[u8]) -> bool {
        !self.only_includes()
            || self.first_match(folder, Kind::Folder) == Some(Verdict::Include)
            || self.within_included(folder)
    }

    fn only_includes(&self) -> bool {
        !self.rules.is_empty() && self.rules.iter().all(|rule| rule.verdict == Verdict::Include)
    }

    fn first_match(&self, path: &[u8], kind: Kind) -> Option<Verdict> {
        self.rules.iter().find(|rule| rule.matches(path, kind)).map(|rule| rule.verdict)
    }

    /// Whether one of the folders that `path` lies in is matched by an include.
    fn within_included(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut folders = slashes.filter_map(|(at, _)| path.get(..at));
        folders.any(|folder| self.first_match(folder, Kind::Folder) == Some(Verdict::Include))
    }
}

impl Rule {
    fn parse(verdict: Verdict, pattern: &str) -> Result<Rule, BadPattern> {
        let bad = |why: String| BadPattern { pattern: pattern.to_owned(), why };
        let (body, only) = match pattern.strip_suffix('/') {
            Some(body) => (body, Only::Folders),
            None => (pattern, Only::Anything),
        };
        let (of, glob) = match body.strip_prefix('/') {
            Some(anchored) => (Of::Path, anchored.to_owned()),
            None if body.contains('/') => (Of::Path, format!("**/{body}")),
            None => (Of::Name, body.to_owned()),
        };
        if body.trim_matches('/').is_empty() {
            return Err(bad("it names nothing".to_owned()));
        }
        let glob = GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| bad(error.kind().to_string()))?;
        Ok(Rule { verdict, of, only, glob: glob.compile_matcher() })
    }

    fn matches(&self, path: &[u8], kind: Kind) -> bool {
        if self.only == Only::Folders && kind != Kind::Folder {
            return false;
        }
        let held_against = match self.of {
            Of::Path => path,
            Of::Name => path.rsplit(|byte| *byte == b'/').next().unwrap_or(path),
        };
        self.glob.is_match(Path::new(OsStr::from_bytes(held_against)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+pattern` includes, `-pattern` excludes.
    fn filter(rules: &[&str]) -> Filter {
        let mut filter = Filter::default();
        for rule in rules {
            match rule.split_at(1) {
                ("+", pattern) => filter.include(pattern).unwrap(),
                (_, pattern) => filter.exclude(pattern).unwrap(),
            }
        }
        filter
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        // A path that ends in '/' is a folder.
        for (rules, path, kept) in [
            (&[][..], "a", true),
            (&["-*.tmp"], "a.tmp", false),
            (&["-*.tmp"], "deep/down/a.tmp", false),
            (&["-*.tmp"], "a.tmp.txt", true),
            (&["+keep.tmp", "-*.tmp"], "x/keep.tmp", true),
            (&["-*.tmp", "+keep.tmp"], "x/keep.tmp", false),
            // Where there are both, what nothing matches is kept.
            (&["+keep.tmp", "-*.tmp"], "letter", true),
            // Only includes: what nothing matches is left out, but folders are looked into.
            (&["+*.txt"], "letter", false),
            (&["+*.txt"], "a/b/letter.txt", true),
            (&["+*.txt"], "a/", true),
            (&["+photos/"], "photos/2024/a.jpg", true),
            (&["+photos/"], "photos", false),
            (&["+photos"], "x/photos/a.jpg", true),
            (&["+/photos/"], "x/photos/a.jpg", false),
            (&["+photos/**"], "x/photos/a/b.jpg", true),
            // Folders only.
            (&["-cache/"], "cache/", false),
            (&["-cache/"], "cache", true),
            (&["-cache/"], "x/cache/", false),
            (&["-/cache/"], "x/cache/", true),
            // A slash inside: the end of the path; one in front: all of it.
            (&["-logs/*.gz"], "logs/a.gz", false),
            (&["-logs/*.gz"], "2024/logs/a.gz", false),
            (&["-logs/*.gz"], "logs/2024/a.gz", true),
            (&["-logs/*.gz"], "old-logs/a.gz", true),
            (&["-/logs/*.gz"], "2024/logs/a.gz", true),
            (&["-/logs/**/*.gz"], "logs/2024/x/a.gz", false),
            (&["-/logs/**/*.gz"], "logs/a.gz", false),
            (&["-/*"], "a", false),
            (&["-/*"], "a/b", true),
            (&["-a?c"], "abc", false),
            (&["-a?c"], "a/c", true),
            (&["-*.{jpg,png}"], "x.png", false),
            (&["-[!a]"], "b", false),
            (&["-\\*"], "*", false),
            (&["-\\*"], "x", true),
            // No dot is special: what is hidden is moved, too.
            (&["-*"], ".hidden", false),
        ] {
            let (name, kind) = match path.strip_suffix('/') {
                Some(folder) => (folder, Kind::Folder),
                None => (path, Kind::File),
            };
            assert_eq!(filter(rules).keeps(name.as_bytes(), kind), kept, "{rules:?} {path}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_matched() {
        assert!(!filter(&["-*.tmp"]).keeps(b"caf\xe9.tmp", Kind::File));
        assert!(filter(&["-*.tmp"]).keeps(b"caf\xe9", Kind::File));
    }

    #[test]
    fn empty_folders_are_made_unless_only_some_files_are_wanted() {
        assert!(filter(&[]).makes(b"a"));
        assert!(filter(&["-x"]).makes(b"a"));
        assert!(!filter(&["+*.txt"]).makes(b"a"));
        assert!(filter(&["+a/"]).makes(b"a"));
        assert!(filter(&["+a/"]).makes(b"a/b"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_its_reason() {
        let mut filter = Filter::default();
        for pattern in ["", "/", "//", "[a", "{a"] {
            let error = filter.include(pattern).unwrap_err().to_string();
            assert!(error.contains(&format!("'{pattern}'")), "{error}");
        }
    }
}
