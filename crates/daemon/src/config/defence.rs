//! Which options say who is kept out, and who is slowed down?

use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::str::FromStr;

use carrack_net::{Network, NotANetwork, Startups};
use toml::Spanned;
use toml::de::DeValue;

use super::check::Faults;
use super::public_address::is_name;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown, section};
use super::table::Config;
use super::value::{Count, Seconds, parsed, quoted};
use super::warnings::Warning;

section! {
    defaulted
    /// From where clients may come. Judged before TLS and before anything else. Page `defence.md` tells what is asked in which order.
    pub struct Access {
        /// The networks from which alone clients are served, or names such as `office.example.net` whose addresses are looked up every
        /// minute. Left out: all. A listener may narrow it further.
        NewSessions allow: Vec<Place> = [Vec::new()];
        /// The networks from which nobody is served, whatever `allow` says.
        NewSessions deny: Vec<Network> = [Vec::new()];
    }
}

section! {
    defaulted
    /// How guessing is slowed down and ended. Each refused login counts one for its source (an IPv4 address or an IPv6 /64), one for the
    /// name that was tried and one for the client's certificate; what counts is halved every `half_life_s`. Page `defence.md` tells what
    /// an attacker meets, and who never does.
    pub struct Defence {
        /// Networks from which nothing counts and nobody is slowed or banned.
        AtOnce exempt: Vec<Network> = [loopback()];
        /// Refused logins that cost nothing. Beyond them each login waits, one second and then twice as long with each further one.
        AtOnce slow_after: Count<0, 1_000> = [Count(3)];
        /// The longest such wait, and never more than half of `timeouts.login_s`. 0: nobody is slowed.
        AtOnce delay_max_s: Seconds<0, 60> = [Seconds(5)];
        /// Refused logins after which a source is banned, unless somebody is logged in from there or was within `known_s`. 0: nobody is
        /// banned.
        AtOnce ban_after: Count<0, 100_000> = [Count(20)];
        /// How long the first ban lasts. Each further one of the same source lasts twice as long as the one before, until it has behaved
        /// for a day.
        AtOnce ban_s: Seconds<1, 31_536_000> = [Seconds(600)];
        /// The longest ban.
        AtOnce ban_longest_s: Seconds<1, 31_536_000> = [Seconds(86_400)];
        /// The time in which half of what counts is forgotten.
        AtOnce half_life_s: Seconds<1, 86_400> = [Seconds(600)];
        /// How long a source is known from which somebody has logged in: it is slowed and not banned, and does not wait for what others
        /// have tried with the same name.
        AtOnce known_s: Seconds<0, 31_536_000> = [Seconds(604_800)];
    }
}

/// This machine itself.
fn loopback() -> Vec<Network> {
    vec![Network::around(Ipv4Addr::LOCALHOST.into(), 8), Network::around(Ipv6Addr::LOCALHOST.into(), 128)]
}

/// A place that clients may come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A network.
    Network(Network),
    /// Whatever addresses this name stands for at the time.
    Name(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(network) => Ok(Self::Network(network)),
            Err(NotANetwork::Malformed) if is_name(text) => Ok(Self::Name(text.to_ascii_lowercase())),
            Err(NotANetwork::Malformed) if text.starts_with("*.") || text.starts_with('.') => Err(format!(
                "{text:?} is no single name; whose addresses lie beneath a name cannot be looked up, and what an address says of \
                 itself is not believed"
            )),
            Err(NotANetwork::Malformed) => Err(String::new()),
            Err(why) => Err(format!("{text:?} is of no use: {why}")),
        }
    }
}

impl Setting for Place {
    const KIND: Kind = Kind::Text {
        what: "an address, a network or a name",
        example: "192.0.2.0/24",
        pattern: Some("^[0-9A-Za-z:.-]+(/[0-9]+)?$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

impl Setting for Startups {
    const KIND: Kind = Kind::Text {
        what: "three numbers as in sshd's MaxStartups, start:percent:full",
        example: "1000:30:4000",
        pattern: Some("^[0-9]+:[0-9]+:[0-9]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.to_string()))
    }
}

pub(super) fn check(config: &Config, faults: &mut Faults) {
    let Defence { ban_s, ban_longest_s, .. } = &config.defence;
    if ban_s.0 > ban_longest_s.0 {
        faults.add(
            "defence.ban_s",
            format!("the first ban, {} seconds, is longer than the longest, {}", ban_s.0, ban_longest_s.0),
            "raise ban_longest_s, or lower ban_s",
        );
    }
}

pub(super) fn warnings(config: &Config, warnings: &mut Vec<Warning>) {
    let Defence { slow_after, delay_max_s, ban_after, .. } = &config.defence;
    if ban_after.0 == 0 && delay_max_s.0 == 0 {
        warnings.push(Warning(
            "passwords may be guessed as fast as they can be checked: defence.ban_after and defence.delay_max_s are both 0"
                .to_owned(),
        ));
    }
    if (1..=slow_after.0).contains(&ban_after.0) {
        warnings.push(Warning(format!(
            "a source is banned after {} refused logins, before it is slowed ({}): people mistype",
            ban_after.0, slow_after.0
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_networks_or_names() {
        let network = "192.0.2.0/24".parse().unwrap();
        assert_eq!("192.0.2.0/24".parse(), Ok(Place::Network(network)));
        assert_eq!("Office.Example.net".parse(), Ok(Place::Name("office.example.net".to_owned())));
        for wrong in
            ["", "192.0.2.7/24", "192.0.2.300", "*.example.net", ".example.net", "a b", "10.0.0.0/33"]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
