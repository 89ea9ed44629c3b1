//! How are passwords kept and checked? Argon2id (RFC 9106), or PBKDF2 where FIPS 140-3 is asked for, as PHC strings. Hashes that other
//! servers have left as crypt(3) writes them are checked, too.

mod crypt;
mod pbkdf2;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, phc};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crypt::Crypt;
pub use crypt::CryptCost;
use pbkdf2::Pbkdf2;
pub use pbkdf2::SHORTEST_PASSWORD;

/// Longest password that is ever hashed, in bytes. Longer ones are refused unread: hashing time must not grow with
/// what a stranger sends.
pub const MAX_PASSWORD: usize = 1024;

/// Most memory that a stored hash may ask for, in KiB (1 GiB): a slip of the pen in a configuration must not bring
/// the machine down at the first login.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;

/// What proves who somebody is.
#[derive(Clone)]
pub enum Credential {
    /// A password with this hash.
    Password(PasswordHash),
    /// Nothing: any password will do (anonymous).
    Anyone,
    /// No password: a certificate alone can.
    NoPassword,
}

/// A stored hash that was checked to be usable when the configuration was read.
#[derive(Clone)]
pub struct PasswordHash {
    /// Shared: it is cloned into the thread that checks a login.
    hash: Arc<Stored>,
    cost: Cost,
}

enum Stored {
    Argon2id(Box<phc::PasswordHash>),
    Pbkdf2(Pbkdf2),
    Crypt(Crypt),
}

/// Why a stored hash is of no use. An account with such a hash must not come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Not a PHC string.
    #[error("not a password hash; `carrack user hash` makes one that begins with $argon2id$")]
    Malformed,
    /// Another algorithm than Argon2id, version 1.3, PBKDF2 with HMAC-SHA-512, and those of crypt(3) that are worth something.
    #[error("neither an argon2id hash of version 19 nor one of pbkdf2-sha512, bcrypt, SHA-crypt or yescrypt")]
    Algorithm,
    /// Salt or output missing, or parameters outside what RFC 9106 or SP 800-132 allows.
    #[error("the hash is incomplete or its parameters are out of range")]
    Parameters,
}

/// The machine refused to hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Longer than [`MAX_PASSWORD`].
    #[error("the password is longer than {MAX_PASSWORD} bytes")]
    TooLong,
    /// Shorter than [`SHORTEST_PASSWORD`], for PBKDF2.
    #[error("the password is shorter than {SHORTEST_PASSWORD} bytes, the least that FIPS 140-3 allows")]
    TooShort,
    /// No randomness or no memory.
    #[error("the password could not be hashed")]
    Failed,
}

/// How much work one hash is, and by which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Argon2id.
    Argon2id {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// PBKDF2 with HMAC-SHA-512.
    Pbkdf2 {
        /// Rounds of HMAC.
        rounds: u32,
    },
    /// One of crypt(3).
    Crypt(CryptCost),
}

impl Cost {
    /// OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
    pub const RECOMMENDED: Cost = Cost::Argon2id { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// OWASP's recommendation for PBKDF2 with HMAC-SHA-512, the function that FIPS 140-3 approves of.
    pub const APPROVED: Cost = Cost::Pbkdf2 { rounds: 210_000 };

    /// The memory that it takes while it runs, in KiB.
    pub fn memory_kib(self) -> u64 {
        match self {
            Cost::Argon2id { memory_kib, .. } => u64::from(memory_kib),
            Cost::Pbkdf2 { .. } => 0,
            Cost::Crypt(cost) => cost.memory_kib(),
        }
    }

    /// How long it takes beside others, very roughly: to fill a KiB takes Argon2id about as long as a round takes PBKDF2.
    pub fn weight(self) -> u64 {
        match self {
            Cost::Argon2id { memory_kib, passes, .. } => u64::from(memory_kib) * u64::from(passes),
            Cost::Pbkdf2 { rounds } => u64::from(rounds),
            Cost::Crypt(cost) => cost.weight(),
        }
    }
}

fn params(memory_kib: u32, passes: u32, lanes: u32) -> Result<Params, HashingError> {
    Params::new(memory_kib, passes, lanes, None).map_err(|_| HashingError::Failed)
}

/// Hashes a password for a configuration, with a fresh salt and the recommended cost.
///
/// ```
/// use carrack_core::password::{self, PasswordHash};
///
/// let text = password::hash(b"correct horse")?;
/// let hash: PasswordHash = text.parse()?;
/// assert!(hash.verify(b"correct horse"));
/// assert!(!hash.verify(b"battery staple"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn hash(password: &[u8]) -> Result<String, HashingError> {
    hash_with(password, Cost::RECOMMENDED)
}

/// Hashes a password with a fresh salt and this cost.
pub fn hash_with(password: &[u8], cost: Cost) -> Result<String, HashingError> {
    if password.len() > MAX_PASSWORD {
        return Err(HashingError::TooLong);
    }
    let params = match cost {
        Cost::Argon2id { memory_kib, passes, lanes } => params(memory_kib, passes, lanes)?,
        Cost::Pbkdf2 { rounds } => return pbkdf2::hash(password, rounds),
        // They are brought along, and not made.
        Cost::Crypt(_) => return Err(HashingError::Failed),
    };
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: phc::PasswordHash = argon2.hash_password(password).map_err(|_| HashingError::Failed)?;
    Ok(hash.to_string())
}

impl PasswordHash {
    /// Parses a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash` or `$pbkdf2-sha512$i=…,l=…$salt$hash`), or what crypt(3) writes for bcrypt,
    /// SHA-crypt and yescrypt. Weak parameters are accepted: whoever writes the configuration chose them.
    pub fn parse(text: &str) -> Result<PasswordHash, PasswordHashError> {
        if Crypt::claims(text) {
            let hash = Crypt::parse(text)?;
            let cost = Cost::Crypt(hash.cost());
            return Ok(PasswordHash { hash: Arc::new(Stored::Crypt(hash)), cost });
        }
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError::Malformed)?;
        if hash.algorithm.as_str() == pbkdf2::NAME {
            let hash = Pbkdf2::parse(&hash)?;
            let cost = Cost::Pbkdf2 { rounds: hash.rounds() };
            return Ok(PasswordHash { hash: Arc::new(Stored::Pbkdf2(hash)), cost });
        }
        if hash.algorithm.as_str() != Algorithm::Argon2id.as_str() {
            return Err(PasswordHashError::Algorithm);
        }
        if hash.version != Some(u32::from(Version::V0x13)) {
            return Err(PasswordHashError::Algorithm);
        }
        // SECURITY: a hash without salt or output could match anything or nothing; neither is a login.
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordHashError::Parameters);
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordHashError::Parameters)?;
        if params.m_cost() > MAX_MEMORY_KIB {
            return Err(PasswordHashError::Parameters);
        }
        let cost =
            Cost::Argon2id { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
        Ok(PasswordHash { hash: Arc::new(Stored::Argon2id(Box::new(hash))), cost })
    }

    /// Whether this is the password. Takes as long as [`PasswordHash::cost`] says; run it off event threads.
    pub fn verify(&self, password: &[u8]) -> bool {
        self.verify_in(&mut Memory::default(), password)
    }

    /// The same, in memory that is used again.
    pub(crate) fn verify_in(&self, memory: &mut Memory, password: &[u8]) -> bool {
        let hash = match &*self.hash {
            Stored::Argon2id(hash) => hash,
            Stored::Pbkdf2(hash) => return password.len() <= MAX_PASSWORD && hash.verify(password),
            Stored::Crypt(hash) => return password.len() <= MAX_PASSWORD && hash.verify(password),
        };
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return false };
        let Ok(params) = Params::try_from(&**hash) else { return false };
        let mut output = vec![0; expected.len()];
        let hashed = password.len() <= MAX_PASSWORD && memory.hash(params, password, salt, &mut output);
        // SECURITY: outputs are compared in constant time.
        hashed && phc::Output::new(&output).is_ok_and(|output| output == *expected)
    }

    /// How much work checking takes.
    pub fn cost(&self) -> Cost {
        self.cost
    }
}

/// Memory to hash in. Used from one login to the next, so that a flood of them does not tear at the allocator.
#[derive(Default)]
pub(crate) struct Memory {
    blocks: Vec<Block>,
}

/// Memory that is kept from one login to the next, in blocks of one KiB; more goes back to the system at once.
const MEMORY_KEPT: usize = 64 * 1024;

impl Memory {
    /// Gives back what an unusually costly hash has taken.
    pub(crate) fn give_back(&mut self) {
        if self.blocks.capacity() > MEMORY_KEPT {
            self.blocks = Vec::new();
        }
    }

    /// Fills `output`; whether that worked. What the last login left in the memory has no influence: the first pass
    /// overwrites it.
    fn hash(&mut self, params: Params, password: &[u8], salt: &[u8], output: &mut [u8]) -> bool {
        self.blocks.resize(params.block_count(), Block::default());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into_with_memory(password, salt, output, &mut self.blocks).is_ok()
    }
}

/// Does the work of a check, for a user who does not exist.
pub(crate) fn verify_decoy(memory: &mut Memory, password: &[u8], cost: Cost) {
    let (memory_kib, passes, lanes) = match cost {
        Cost::Argon2id { memory_kib, passes, lanes } => (memory_kib, passes, lanes),
        Cost::Pbkdf2 { rounds } => return pbkdf2::do_the_work(rounds),
        Cost::Crypt(cost) => return cost.do_the_work(password),
    };
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    if let Ok(params) = params(memory_kib, passes, lanes) {
        // The outcome means nothing; only the time it took does.
        memory.hash(params, password, b"no such user", &mut output);
    }
    std::hint::black_box(output);
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<PasswordHash, PasswordHashError> {
        PasswordHash::parse(text)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Password(_) => "Password(..)",
            Credential::Anyone => "Anyone",
            Credential::NoPassword => "NoPassword",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_argon2id_hashes_are_accepted() {
        let good = hash_with(b"secret", Cost::Argon2id { memory_kib: 8, passes: 1, lanes: 1 }).unwrap();
        assert!(PasswordHash::parse(&good).unwrap().verify(b"secret"));
        let (without_output, _) = good.rsplit_once('$').unwrap();
        for bad in [
            "",
            "secret",
            "$1$salt$hash",
            "$argon2id$v=19$m=8,t=1,p=1",
            without_output,
            &good.replace("argon2id", "argon2i"),
            &good.replace("v=19", "v=16"),
            &good.replace("m=8", "m=7"),
            &good.replace("m=8", "m=4000000000"),
        ] {
            assert!(PasswordHash::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_that_was_used_changes_nothing() {
        let mut memory = Memory::default();
        for memory_kib in [64, 8, 32] {
            let cost = Cost::Argon2id { memory_kib, passes: 2, lanes: 1 };
            let hash = PasswordHash::parse(&hash_with(b"secret", cost).unwrap()).unwrap();
            for _ in 0..2 {
                assert!(hash.verify_in(&mut memory, b"secret"));
                assert!(!hash.verify_in(&mut memory, b"Secret"));
                verify_decoy(&mut memory, b"secret", cost);
            }
        }
    }

    #[test]
    fn what_a_costly_hash_took_is_given_back() {
        let mut memory = Memory { blocks: Vec::with_capacity(MEMORY_KEPT) };
        memory.give_back();
        assert!(memory.blocks.capacity() >= MEMORY_KEPT);
        memory.blocks.reserve(2 * MEMORY_KEPT);
        memory.give_back();
        assert_eq!(memory.blocks.capacity(), 0);
    }

    #[test]
    fn long_passwords_are_not_hashed() {
        assert_eq!(hash(&[b'x'; MAX_PASSWORD + 1]), Err(HashingError::TooLong));
    }
}
