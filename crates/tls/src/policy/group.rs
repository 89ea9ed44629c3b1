//! Which groups of the key exchange there are, and by which names they go.

use std::fmt;

use rustls::{
    NamedGroup,
    crypto::{
        SupportedKxGroup,
        aws_lc_rs::kx_group::{SECP256R1, SECP256R1MLKEM768, SECP384R1, X25519, X25519MLKEM768},
    },
};

use super::Approval;
use crate::info::Version;

/// A group of the key exchange.
pub struct Group {
    /// Its name at IANA, but for the capital of `X25519`, with which everybody writes it.
    pub name: &'static str,
    /// Other names that it goes by, OpenSSL's first.
    pub aliases: &'static [&'static str],
    /// Whether FIPS 140 approves of it.
    pub approval: Approval,
    /// Whether it is there unless a policy says otherwise.
    pub standing: Standing,
    pub(super) rustls: &'static dyn SupportedKxGroup,
}

/// When a group is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Unless a policy leaves it out.
    ByDefault,
    /// Where a policy names it.
    ByName,
}

/// THE TABLE of groups, those with post-quantum security first. Hybrids belong to TLS 1.3 alone.
static GROUPS: [Group; 5] = [
    Group {
        name: "X25519MLKEM768",
        aliases: &[],
        // SP 800-56C allows a hybrid whose one part is approved; here that is ML-KEM.
        approval: Approval::Approved,
        standing: Standing::ByDefault,
        rustls: X25519MLKEM768,
    },
    Group {
        name: "SecP256r1MLKEM768",
        aliases: &[],
        approval: Approval::Approved,
        // Slower than the other hybrid, and next to no client offers it.
        standing: Standing::ByName,
        rustls: SECP256R1MLKEM768,
    },
    Group {
        name: "X25519",
        aliases: &[],
        approval: Approval::NotApproved,
        standing: Standing::ByDefault,
        rustls: X25519,
    },
    Group {
        name: "secp256r1",
        aliases: &["P-256", "prime256v1"],
        approval: Approval::Approved,
        standing: Standing::ByDefault,
        rustls: SECP256R1,
    },
    Group {
        name: "secp384r1",
        aliases: &["P-384"],
        approval: Approval::Approved,
        standing: Standing::ByDefault,
        rustls: SECP384R1,
    },
];

impl Group {
    /// Every group.
    pub fn all() -> &'static [Group] {
        &GROUPS
    }

    /// The group with this name, IANA's or another, in letters of either case.
    pub fn named(name: &str) -> Option<&'static Group> {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        GROUPS.iter().find(|group| is(group.name) || group.aliases.iter().any(|alias| is(alias)))
    }

    pub(crate) fn of(group: NamedGroup) -> Option<&'static Group> {
        GROUPS.iter().find(|row| row.rustls.name() == group)
    }

    /// Whether this version of TLS knows it.
    pub fn is_of(&self, version: Version) -> bool {
        self.rustls.usable_for_version(version.into())
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        self.name == other.name
    }
}

impl Eq for Group {}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
