//! How are cipher suites and groups written, read and refused, and which TLS does each listener speak by them?

use carrack_tls::issue::KeyType;
use carrack_tls::{Group, PolicyError, Set, Suite, TlsPolicy, Version};
use toml::Spanned;
use toml::de::DeValue;

use super::check::Faults;
use super::problem::nearest;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::table::{Config, Listen, TlsVersion};
use super::value::quoted;

/// Which TLS is spoken where.
#[derive(Debug, Clone)]
pub struct Policies {
    /// By the listeners, in their order.
    pub listeners: Vec<TlsPolicy>,
    /// With partner servers whose TLS client this server is.
    pub partners: TlsPolicy,
}

impl Setting for &'static Suite {
    const KIND: Kind = Kind::Text {
        what: "a cipher suite by its name at IANA or in OpenSSL",
        example: "TLS_AES_256_GCM_SHA384",
        pattern: Some("^[A-Za-z0-9_-]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let names = Suite::all().iter().map(|suite| suite.name);
        let other = Suite::all().iter().map(|suite| suite.openssl);
        named(reader, key, value, "cipher suite", Suite::named, (names, other))
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(self.name))
    }
}

impl Setting for &'static Group {
    const KIND: Kind = Kind::Text {
        what: "a group by its name at IANA or in OpenSSL",
        example: "X25519MLKEM768",
        pattern: Some("^[A-Za-z0-9_-]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let names = Group::all().iter().map(|group| group.name);
        let other = Group::all().iter().flat_map(|group| group.aliases.iter().copied());
        named(reader, key, value, "group", Group::named, (names, other))
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(self.name))
    }
}

/// Reads a name out of a table that has these, and others for the same things.
fn named<T: Setting>(
    reader: &mut Reader<'_>,
    key: &Key,
    value: &Spanned<DeValue<'_>>,
    noun: &str,
    find: impl Fn(&str) -> Option<T>,
    (names, others): (impl Iterator<Item = &'static str> + Clone, impl Iterator<Item = &'static str>),
) -> Option<T> {
    let Kind::Text { what, example, .. } = T::KIND else { return None };
    let DeValue::String(text) = value.get_ref() else {
        reader.wrong_type(key, value, what, &quoted(example));
        return None;
    };
    if let Some(found) = find(text) {
        return Some(found);
    }
    let there_is = names.clone().collect::<Vec<_>>().join(", ");
    let mend = match nearest(text, names.chain(others)) {
        Some(meant) => format!("did you mean \"{meant}\"? There are {there_is}"),
        None => format!("there are {there_is}"),
    };
    reader.problem(key, value.span(), format!("{text:?} is the name of no {noun} that is spoken here"), mend);
    None
}

/// The policies that the file comes to; what makes no sense goes to `faults`.
pub(super) fn policies(config: &Config, identities: Option<&Set>, faults: &mut Faults) -> Option<Policies> {
    let shown = Shows { identities, to_be_made: to_be_made(config) };
    let tls = config.tls.as_ref();
    let general = Wanted {
        minimum: tls.map_or(TlsVersion::Tls12, |tls| tls.minimum_version),
        suites: tls.and_then(|tls| tls.suites.clone()).map(|suites| ("tls".to_owned(), suites)),
        groups: tls.and_then(|tls| tls.groups.clone()).map(|groups| ("tls".to_owned(), groups)),
    };
    // Listeners would only say the same again.
    let partners = general.policy("tls", "all", &shown, faults)?;
    let listeners: Vec<_> = config
        .listen
        .iter()
        .enumerate()
        .map(|(index, listen)| {
            if listen.minimum_version.is_none() && listen.suites.is_none() && listen.groups.is_none() {
                return Some(partners.clone());
            }
            let table = format!("listen.{index}");
            general.narrowed(listen, &table).policy(&table, &listen.address.to_string(), &shown, faults)
        })
        .collect();
    Some(Policies { listeners: listeners.into_iter().collect::<Option<_>>()?, partners })
}

/// Whose keys every listener has to be able to show.
struct Shows<'s> {
    /// The identities that the file names.
    identities: Option<&'s Set>,
    /// Those that are not made yet.
    to_be_made: Vec<KeyType>,
}

/// The kinds of keys that will be there besides those of the file: what an authority is asked for, and the server's own, which is
/// shown while there is no other.
fn to_be_made(config: &Config) -> Vec<KeyType> {
    let ordered = config.acme.as_ref().map(|acme| acme.key_type.into());
    let names_files = config.tls.as_ref().is_some_and(|tls| tls.certificate.is_some());
    let own = (!names_files).then_some(KeyType::EcdsaP256);
    ordered.into_iter().chain(own).collect()
}

/// What a table of the file wants, each list with the table that it stands in.
#[derive(Clone)]
struct Wanted {
    minimum: TlsVersion,
    suites: Option<(String, Vec<&'static Suite>)>,
    groups: Option<(String, Vec<&'static Group>)>,
}

impl Wanted {
    /// What a listener says in place of it.
    fn narrowed(&self, listen: &Listen, table: &str) -> Wanted {
        let Wanted { minimum, suites, groups } = self.clone();
        Wanted {
            minimum: listen.minimum_version.unwrap_or(minimum),
            suites: listen.suites.clone().map(|suites| (table.to_owned(), suites)).or(suites),
            groups: listen.groups.clone().map(|groups| (table.to_owned(), groups)).or(groups),
        }
    }

    fn policy(&self, table: &str, whom: &str, shown: &Shows<'_>, faults: &mut Faults) -> Option<TlsPolicy> {
        let minimum = match self.minimum {
            TlsVersion::Tls12 => Version::Tls12,
            TlsVersion::Tls13 => Version::Tls13,
        };
        let suites = self.suites.as_ref().map(|(_, suites)| suites.clone());
        let groups = self.groups.as_ref().map(|(_, groups)| groups.clone());
        let made = TlsPolicy::new(minimum, suites, groups).and_then(|policy| {
            shown
                .identities
                .into_iter()
                .flat_map(Set::iter)
                .try_for_each(|identity| policy.serves(identity))?;
            shown.to_be_made.iter().try_for_each(|kind| policy.serves_kind(*kind)).map(|()| policy)
        });
        made.map_err(|error| {
            let of = |list: Option<&String>, key| format!("{}.{key}", list.map_or(table, String::as_str));
            let place = match error {
                PolicyError::NoGroup | PolicyError::VersionWithoutGroup(_) => {
                    of(self.groups.as_ref().map(|(table, _)| table), "groups")
                }
                PolicyError::NoSuite
                | PolicyError::VersionWithoutSuite(_)
                | PolicyError::KeyWithoutSuite { .. } => {
                    of(self.suites.as_ref().map(|(table, _)| table), "suites")
                }
            };
            let text = error.to_string();
            let (what, mend) = text.split_once("; ").unwrap_or((&text, "leave it out"));
            let of_another = !place.starts_with(&format!("{table}."));
            let what = if of_another { format!("for {whom}, {what}") } else { what.to_owned() };
            faults.add(place, what, mend);
        })
        .ok()
    }
}
