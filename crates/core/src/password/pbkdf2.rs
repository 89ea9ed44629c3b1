//! How is a password kept where only approved functions count? PBKDF2 with HMAC-SHA-512 (RFC 8018 §5.2, NIST SP 800-132).
//!
//! The text is a PHC string, `$pbkdf2-sha512$i=210000,l=64$salt$hash`: rounds, length of the hash, and both in base64 without padding.

use std::num::NonZeroU32;

use argon2::password_hash::phc;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA512};
use zeroize::Zeroizing;

use super::{HashingError, PasswordHashError};

/// The algorithm as the string names it.
pub(super) const NAME: &str = "pbkdf2-sha512";

/// Shortest password, in bytes: SP 800-132 wants 112 bits, and for less the module does not count the derivation as approved.
pub const SHORTEST_PASSWORD: usize = 14;
/// Fewest rounds of a stored hash (SP 800-132 §5.2).
const FEWEST_ROUNDS: u32 = 1_000;
/// Most rounds of a stored hash, some seconds of work: a slip of the pen in a configuration must not keep a processor busy for
/// minutes with every login.
const MOST_ROUNDS: u32 = 10_000_000;
/// Bytes of a new salt, and the least of a stored one (SP 800-132 §5.1).
const SALT: usize = 16;
/// Bytes of a new hash: what one block of SHA-512 gives. More would cost us twice the work and an attacker nothing.
const LENGTH: usize = 64;
/// The least of a stored one: 112 bits again.
const SHORTEST_HASH: usize = 14;

/// A stored hash that was checked to be usable.
pub(super) struct Pbkdf2 {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn parse(hash: &phc::PasswordHash) -> Result<Pbkdf2, PasswordHashError> {
        let bad = PasswordHashError::Parameters;
        if hash.version.is_some() || hash.params.iter().any(|(name, _)| !["i", "l"].contains(&name.as_str()))
        {
            return Err(bad);
        }
        let rounds = hash.params.get_decimal("i").filter(|i| (FEWEST_ROUNDS..=MOST_ROUNDS).contains(i));
        let rounds = rounds.and_then(NonZeroU32::new).ok_or(bad)?;
        // SECURITY: a hash without salt or output, or with a short one, could match anything; none is a login.
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(bad) };
        let (salt, expected): (&[u8], _) = (salt.as_ref(), expected.as_bytes());
        let length = u32::try_from(expected.len()).map_err(|_| bad)?;
        let is_cut = hash.params.get("l").is_some_and(|l| l.decimal() != Ok(length));
        if salt.len() < SALT || expected.len() < SHORTEST_HASH || is_cut {
            return Err(bad);
        }
        Ok(Pbkdf2 { rounds, salt: salt.to_vec(), expected: expected.to_vec() })
    }

    pub(super) fn rounds(&self) -> u32 {
        self.rounds.get()
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        // SECURITY: a short one takes as long as another, so that where hashes differ in kind it tells no more of who is there.
        if password.len() < SHORTEST_PASSWORD {
            do_the_work(self.rounds());
            return false;
        }
        // SECURITY: outputs are compared in constant time, by the module.
        pbkdf2::verify(PBKDF2_HMAC_SHA512, self.rounds, &self.salt, password, &self.expected).is_ok()
    }
}

/// Makes the text of a new hash.
pub(super) fn hash(password: &[u8], rounds: u32) -> Result<String, HashingError> {
    if password.len() < SHORTEST_PASSWORD {
        return Err(HashingError::TooShort);
    }
    let failed = |_| HashingError::Failed;
    let mut salt = [0; SALT];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| HashingError::Failed)?;
    let output = derived(password, &salt, rounds).ok_or(HashingError::Failed)?;
    let text = |bytes: &[u8]| phc::Output::new(bytes).map(|output| output.to_string()).map_err(failed);
    Ok(format!("${NAME}$i={rounds},l={LENGTH}${}${}", text(&salt)?, text(&*output)?))
}

/// Does the work of a check of which the outcome is known: how long it takes does not depend on the password.
pub(super) fn do_the_work(rounds: u32) {
    std::hint::black_box(derived(&[0; SHORTEST_PASSWORD], &[0; SALT], rounds));
}

fn derived(password: &[u8], salt: &[u8], rounds: u32) -> Option<Zeroizing<[u8; LENGTH]>> {
    let mut output = Zeroizing::new([0; LENGTH]);
    pbkdf2::derive(PBKDF2_HMAC_SHA512, NonZeroU32::new(rounds)?, salt, password, &mut *output);
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::super::{Cost, PasswordHash, hash_with};
    use super::*;

    const PASSWORD: &[u8] = b"correct horse!";

    /// Made by Python's `hashlib.pbkdf2_hmac("sha512", b"correct horse!", bytes(range(16)), 1000)`.
    const BY_PYTHON: &str = "$pbkdf2-sha512$i=1000,l=64$AAECAwQFBgcICQoLDA0ODw$904ZfjmgG+XC/ceTm+RBzbT5YSMJIICIGbW1HWSRMZDS7aYcqZ2DeKFo7O26SAvgANrm2viHGoUaUvynmUPYKA";

    #[test]
    fn a_hash_matches_its_password_alone() {
        let text = hash_with(PASSWORD, Cost::Pbkdf2 { rounds: 1_000 }).unwrap();
        assert!(text.starts_with("$pbkdf2-sha512$i=1000,l=64$"), "{text}");
        assert_ne!(text, hash_with(PASSWORD, Cost::Pbkdf2 { rounds: 1_000 }).unwrap(), "one salt for two");
        for text in [&text, BY_PYTHON] {
            let hash = PasswordHash::parse(text).unwrap();
            assert_eq!(hash.cost(), Cost::Pbkdf2 { rounds: 1_000 });
            assert!(hash.verify(PASSWORD));
            for wrong in [b"correct horse?".as_slice(), b"correct horse", b"", b"correct horse!!"] {
                assert!(!hash.verify(wrong), "{wrong:?}");
            }
        }
    }

    #[test]
    fn only_complete_hashes_with_sane_parameters_are_accepted() {
        let (start, output) = BY_PYTHON.rsplit_once('$').unwrap();
        for bad in [
            start,
            &format!("{start}$"),
            &format!("{start}$AAAAAAAAAAAAAAAA"),
            &BY_PYTHON.replace("i=1000,", ""),
            &BY_PYTHON.replace("i=1000,", "i=0,"),
            &BY_PYTHON.replace("i=1000,", "i=999,"),
            &BY_PYTHON.replace("i=1000,", "i=10000001,"),
            &BY_PYTHON.replace("l=64", "l=32"),
            &BY_PYTHON.replace("l=64", "l=64,p=1"),
            &BY_PYTHON.replace("$i=", "$v=1$i="),
            &BY_PYTHON.replace("sha512", "sha256"),
            &format!("$pbkdf2-sha512$i=1000,l=64$AAECAwQFBgc${output}"),
        ] {
            assert!(PasswordHash::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_that_are_too_short_are_not_hashed() {
        let thirteen = &PASSWORD[..13];
        assert_eq!(hash_with(thirteen, Cost::APPROVED), Err(HashingError::TooShort));
    }
}
