//! What deny.toml says, as cargo-deny reads it, and what breaks it of what cargo builds. Nothing here asks the network.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The rules of deny.toml.
pub(crate) struct Rules(Value);

/// A crate that is built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Built {
    name: String,
    version: String,
    /// An SPDX expression, with `/` in old ones.
    licence: String,
}

/// How `cargo tree` is to print a crate.
pub(crate) const FORMAT: &str = "{l}|{p}";

/// What `cargo tree` printed in [`FORMAT`], each crate once.
pub(crate) fn built(tree: &str) -> BTreeSet<Built> {
    let read = |line: &str| {
        let (licence, package) = line.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Built { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned() })
    };
    tree.lines().filter(|line| !line.is_empty()).map(|line| read(line).expect(line)).collect()
}

impl Rules {
    pub(crate) fn read(text: &str) -> Self {
        Self(toml::from_str(text).expect("deny.toml"))
    }

    /// For which systems is it built?
    pub(crate) fn targets(&self) -> Vec<&str> {
        words(&self.0["graph"]["targets"]).collect()
    }

    /// Every rule that one of these breaks, in words.
    pub(crate) fn broken_by(&self, crates: &BTreeSet<Built>) -> Vec<String> {
        let bans = &self.0["bans"];
        let mut broken = Vec::new();
        let mut versions = BTreeMap::<&str, Vec<&str>>::new();
        for one @ Built { name, version, licence } in crates {
            if !is_allowed(licence, &|licence| self.allows(one, licence)) {
                broken.push(format!("{name} {version} is under {licence:?}"));
            }
            if tables(&bans["deny"]).any(|spec| one.is(spec)) {
                broken.push(format!("{name} {version} is banned"));
            }
            if !self.skipped().any(|spec| one.is(spec)) {
                versions.entry(name).or_default().push(version);
            }
        }
        let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
        broken.extend(twice.map(|(name, versions)| format!("{name} is there as {versions:?}")));
        broken
    }

    /// Every source in a lock file that is not named.
    pub(crate) fn unknown_sources(&self, lock: &str) -> Vec<String> {
        let lock: Value = toml::from_str(lock).expect("a lock file");
        let sources = &self.0["sources"];
        let known: Vec<String> = words(&sources["allow-registry"])
            .map(|url| format!("registry+{url}"))
            .chain(words(&sources["allow-git"]).map(|url| format!("git+{url}")))
            .collect();
        let packages = lock["package"].as_array().expect("packages").iter();
        // Without a source: of this repository.
        let given = packages.filter_map(|package| package["source"].as_str());
        given.filter(|source| !known.iter().any(|known| known == source)).map(str::to_owned).collect()
    }

    /// The older versions that may be there beside newer ones.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = &str> {
        tables(&self.0["bans"]["skip"])
    }

    fn allows(&self, one: &Built, licence: &str) -> bool {
        let licences = &self.0["licenses"];
        let exceptions = licences["exceptions"].as_array().expect("exceptions").iter();
        let exception =
            exceptions.filter(|exception| exception["crate"].as_str().is_some_and(|spec| one.is(spec)));
        let excepted = exception.flat_map(|exception| words(&exception["allow"]));
        words(&licences["allow"]).chain(excepted).any(|allowed| allowed == licence)
    }
}

impl Built {
    /// Whether a specification means this crate: `name`, or `name@` and the beginning of its version.
    pub(crate) fn is(&self, spec: &str) -> bool {
        match spec.split_once('@') {
            None => self.name == spec,
            Some((name, version)) => {
                self.name == name && format!("{}.", self.version).starts_with(&format!("{version}."))
            }
        }
    }
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word"))
}

fn tables(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().expect("a list").iter().map(|table| table["crate"].as_str().expect("a crate"))
}

/// Whether an SPDX expression can be kept to with these licences; `AND` binds before `OR`.
fn is_allowed(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = either(&mut words, allowed);
    holds && words.peek().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        holds |= both(words, allowed);
    }
    holds
}

fn both(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= licence(words, allowed);
    }
    holds
}

fn licence(words: &mut Words<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    match words.next() {
        Some("(") => either(words, allowed) && words.next() == Some(")"),
        Some(name) => match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
            Some(exception) => allowed(&format!("{name} WITH {exception}")),
            None => allowed(name),
        },
        None => false,
    }
}
