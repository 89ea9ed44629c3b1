//! Which of several identities is for a client that asks for a name and can check certain kinds of signatures?

use std::net::IpAddr;

use rustls::{SignatureAlgorithm, SignatureScheme};

use super::{Identity, shown::Set};

/// Whether a client may ask for `name`: see [`super::Identities::answer_to`].
pub(super) fn answer_to(set: &Set, name: &str) -> bool {
    !tells_names_apart(set) || set.iter().any(|identity| identity.stands_for(name).is_some())
}

/// Whether there are certificates for other names than the default's.
pub(super) fn tells_names_apart(set: &Set) -> bool {
    set.further.iter().flat_map(Identity::names).any(|name| !has(&set.default, name))
}

/// Whether this very name is in a certificate. Names are the same in either case (RFC 4343 §2).
fn has(identity: &Identity, name: &str) -> bool {
    identity.names().iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// How a certificate stands for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// The name itself is in it.
    Exactly,
    /// By a `*` in the place of the first label (RFC 9525 §6.3).
    ByWildcard,
}

/// How a certificate with this name in it stands for the name that is asked for.
pub(crate) fn fit(in_it: &str, asked: &str) -> Option<Fit> {
    if let Ok(address) = asked.parse::<IpAddr>() {
        return (in_it.parse() == Ok(address)).then_some(Fit::Exactly);
    }
    let asked = asked.strip_suffix('.').unwrap_or(asked);
    if in_it.eq_ignore_ascii_case(asked) {
        return Some(Fit::Exactly);
    }
    let beneath = in_it.strip_prefix("*.")?;
    let (label, above) = asked.split_once('.')?;
    (!label.is_empty() && beneath.eq_ignore_ascii_case(above)).then_some(Fit::ByWildcard)
}

/// The identity to show: one that has the name itself before one that has it by a wildcard. Of several for the same name the
/// first whose signatures the client can check, those with short keys and quick signatures (ECDSA, Ed25519) before RSA, as
/// every client takes RSA.
pub(super) fn choose<'s>(set: &'s Set, asked: Option<&str>, schemes: &[SignatureScheme]) -> &'s Identity {
    let named = |wanted| {
        let asked = asked?;
        best(set.iter().filter(|identity| identity.stands_for(asked) == Some(wanted)), schemes)
    };
    named(Fit::Exactly)
        .or_else(|| named(Fit::ByWildcard))
        .or_else(|| best(like_default(set), schemes))
        .unwrap_or(&set.default)
}

/// The default, and those that stand for all of its names: the same server with another kind of key.
fn like_default(set: &Set) -> impl Iterator<Item = &Identity> + Clone {
    let names = set.default.names();
    let as_well = |identity: &&Identity| !names.is_empty() && names.iter().all(|name| has(identity, name));
    std::iter::once(&set.default).chain(set.further.iter().filter(as_well))
}

/// `None` where there is none; where the client can check none of them, the first, and the handshake tells it so.
fn best<'s>(
    candidates: impl Iterator<Item = &'s Identity> + Clone,
    schemes: &[SignatureScheme],
) -> Option<&'s Identity> {
    let suitable = candidates.clone().filter(|identity| identity.suits(schemes));
    // The first of the smallest.
    suitable
        .min_by_key(|identity| identity.algorithm() == SignatureAlgorithm::RSA)
        .or(candidates.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [SignatureScheme; 2] =
        [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];

    fn made(names: &[&str]) -> Identity {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let made = Identity::self_signed(&names).unwrap();
        Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
    }

    fn rsa(names: &[&str]) -> Identity {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let key =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    #[test]
    fn a_wildcard_stands_for_one_label_and_no_more() {
        for (in_it, asked, stands) in [
            ("a.example", "A.Example", Some(Fit::Exactly)),
            ("A.example", "a.example.", Some(Fit::Exactly)),
            ("*.example", "a.example", Some(Fit::ByWildcard)),
            ("*.example", "a.b.example", None),
            ("*.example", "example", None),
            ("*.example", ".example", None),
            ("*.example", "*.example", Some(Fit::Exactly)),
            ("a*.example", "ab.example", None),
            ("b.example", "a.example", None),
            ("192.0.2.7", "192.0.2.7", Some(Fit::Exactly)),
            ("*.0.2.7", "192.0.2.7", None),
            ("2001:db8::7", "2001:DB8:0::7", Some(Fit::Exactly)),
        ] {
            assert_eq!(fit(in_it, asked), stands, "{in_it} {asked}");
        }
    }

    #[test]
    fn the_name_itself_goes_before_a_wildcard_and_who_names_nobody_gets_the_default() {
        let set = Set {
            default: made(&["default.example"]),
            further: vec![made(&["*.example"]), made(&["a.example", "192.0.2.7"])],
        };
        let chosen = |asked| choose(&set, asked, &BOTH).fingerprint();
        assert_eq!(chosen(None), set.default.fingerprint());
        assert_eq!(chosen(Some("default.example")), set.default.fingerprint());
        assert_eq!(chosen(Some("b.example")), set.further[0].fingerprint());
        assert_eq!(chosen(Some("a.example")), set.further[1].fingerprint());
        assert_eq!(chosen(Some("192.0.2.7")), set.further[1].fingerprint());
        assert_eq!(chosen(Some("elsewhere.test")), set.default.fingerprint());
        assert!(answer_to(&set, "b.example") && answer_to(&set, "192.0.2.7"));
        assert!(!answer_to(&set, "elsewhere.test") && !answer_to(&set, "192.0.2.8"));
    }

    #[test]
    fn the_case_of_a_name_makes_no_other_server() {
        let set = Set { default: made(&["a.example"]), further: vec![made(&["A.Example"])] };
        assert!(!tells_names_apart(&set));
        assert_eq!(like_default(&set).count(), 2);
    }

    #[test]
    fn of_two_kinds_of_key_the_client_gets_the_quicker_one_that_it_can_check() {
        let names = ["a.example"];
        let (quick, common) = (made(&names), rsa(&names));
        for (default, further) in [(&quick, &common), (&common, &quick)] {
            let set = Set { default: default.clone(), further: vec![further.clone()] };
            for asked in [None, Some("a.example")] {
                assert_eq!(choose(&set, asked, &BOTH).fingerprint(), quick.fingerprint());
                assert_eq!(choose(&set, asked, &BOTH[..1]).fingerprint(), common.fingerprint());
                assert_eq!(choose(&set, asked, &BOTH[1..]).fingerprint(), quick.fingerprint());
                assert_eq!(choose(&set, asked, &[]).fingerprint(), default.fingerprint());
            }
            // Two kinds of key are one server still: it answers to every name, as with one certificate.
            assert!(answer_to(&set, "elsewhere.test"));
        }
    }
}
