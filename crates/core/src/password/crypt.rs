//! Hashes as crypt(3) writes them: brought along from other servers, checked, and never made here.
//!
//! Taken are those that are still worth something: `$2y$` (bcrypt, also as `$2a$` and `$2b$`), `$5$` and `$6$` (SHA-crypt) and `$y$` (yescrypt).
//! DES, MD5 and plain digests are not: whoever has such a file has the passwords.

use password_hash::PasswordVerifier;
use sha_crypt::ShaCrypt;
use yescrypt::Yescrypt;

use super::{MAX_MEMORY_KIB, PasswordHashError};

/// Most rounds of SHA-crypt that a stored hash may ask for: some seconds, as with PBKDF2.
const MAX_ROUNDS: u32 = 10_000_000;

/// Most that bcrypt may be told to do, as a power of two: some seconds.
const MAX_BCRYPT_COST: u32 = 16;

/// How much more a step of bcrypt is than a round of the others, very roughly.
const BCRYPT_STEP: u64 = 110;

/// The rounds of SHA-crypt where the hash does not say.
const STANDARD_ROUNDS: u32 = 5_000;

/// A hash that can be checked.
pub(super) struct Crypt {
    text: String,
    cost: CryptCost,
}

/// How much work such a hash is, and by which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptCost(Function);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Bcrypt { cost: u32 },
    Sha256 { rounds: u32 },
    Sha512 { rounds: u32 },
    Yescrypt(yescrypt::Params),
}

impl Crypt {
    /// Whether a text means to be such a hash.
    pub(super) fn claims(text: &str) -> bool {
        ["$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$"].iter().any(|start| text.starts_with(start))
    }

    /// Parses one. SECURITY: every part must be there in full, or it could match anything.
    pub(super) fn parse(text: &str) -> Result<Crypt, PasswordHashError> {
        let function = function(text).ok_or(PasswordHashError::Parameters)?;
        Ok(Crypt { text: text.to_owned(), cost: CryptCost(function) })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        // SECURITY: crypt(3) ends a password at a NUL, so nobody has set one with it.
        if password.contains(&0) {
            return false;
        }
        match self.cost.0 {
            Function::Bcrypt { .. } => bcrypt::verify(password, &self.text).unwrap_or(false),
            Function::Sha256 { .. } | Function::Sha512 { .. } => {
                ShaCrypt::default().verify_password(password, self.text.as_str()).is_ok()
            }
            Function::Yescrypt(_) => {
                Yescrypt::default().verify_password(password, self.text.as_str()).is_ok()
            }
        }
    }

    pub(super) fn cost(&self) -> CryptCost {
        self.cost
    }
}

impl CryptCost {
    pub(super) fn memory_kib(self) -> u64 {
        match self.0 {
            Function::Yescrypt(params) => yescrypt_kib(&params),
            Function::Bcrypt { .. } | Function::Sha256 { .. } | Function::Sha512 { .. } => 0,
        }
    }

    pub(super) fn weight(self) -> u64 {
        match self.0 {
            Function::Bcrypt { cost } => BCRYPT_STEP << cost.min(MAX_BCRYPT_COST),
            Function::Sha256 { rounds } | Function::Sha512 { rounds } => u64::from(rounds),
            Function::Yescrypt(params) => yescrypt_kib(&params).saturating_mul(2),
        }
    }

    /// Does the work of a check. The outcome means nothing.
    pub(super) fn do_the_work(self, password: &[u8]) {
        let decoy = match self.0 {
            Function::Bcrypt { cost } => format!("$2y${cost:02}${}", ".".repeat(53)),
            Function::Sha256 { rounds } => format!("$5$rounds={rounds}$nosuchuser${}", ".".repeat(43)),
            Function::Sha512 { rounds } => format!("$6$rounds={rounds}$nosuchuser${}", ".".repeat(86)),
            Function::Yescrypt(params) => {
                let mut output = [0; 32];
                let _ = yescrypt::yescrypt(password, b"no such user", &params, &mut output);
                std::hint::black_box(output);
                return;
            }
        };
        std::hint::black_box(Crypt { text: decoy, cost: self }.verify(password));
    }
}

fn function(text: &str) -> Option<Function> {
    let mut parts = text.strip_prefix('$')?.split('$');
    let function = match parts.next()? {
        "2a" | "2b" | "2y" => {
            let (cost, rest) = (parts.next()?, parts.next()?);
            let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
            let cost = cost.parse().ok().filter(|cost| digits && (4..=MAX_BCRYPT_COST).contains(cost))?;
            is_output(rest, 53).then_some(Function::Bcrypt { cost })?
        }
        kind @ ("5" | "6") => {
            let mut salt = parts.next()?;
            let mut rounds = STANDARD_ROUNDS;
            if let Some(said) = salt.strip_prefix("rounds=") {
                rounds = said.parse().ok().filter(|rounds| (1_000..=MAX_ROUNDS).contains(rounds))?;
                salt = parts.next()?;
            }
            let (length, function) = match kind {
                "5" => (43, Function::Sha256 { rounds }),
                _ => (86, Function::Sha512 { rounds }),
            };
            (!salt.is_empty() && is_output(parts.next()?, length)).then_some(function)?
        }
        "y" => {
            let params: yescrypt::Params = parts.next()?.parse().ok()?;
            let salt = parts.next()?;
            let is_sane = !salt.is_empty() && yescrypt_kib(&params) <= u64::from(MAX_MEMORY_KIB);
            (is_sane && is_output(parts.next()?, 43)).then_some(Function::Yescrypt(params))?
        }
        _ => return None,
    };
    parts.next().is_none().then_some(function)
}

/// Whether it is so many characters of crypt(3)'s alphabet.
fn is_output(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
}

fn yescrypt_kib(params: &yescrypt::Params) -> u64 {
    params.n().saturating_mul(u64::from(params.r())) / 8
}

#[cfg(test)]
mod tests {
    use super::super::{Cost, Memory, PasswordHash, verify_decoy};

    const PASSWORD: &[u8] = b"correct horse";

    /// By `mkpasswd` of Debian's whois, and `htpasswd -B`.
    const MADE: &[&str] = &[
        "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
        "$6$rounds=1000$.Lk8Wy03oPK0YjZX$auFffRy14kFaqa7FbAEIbf5VGtA1g1ksZ97RmLQk1dsSVsJqCY2o6tGOATasB3VLXpdOlZADlm6rQYO6iKjPM0",
        "$5$aMNnJ8F4UI66ZKnm$GBFzxah/4sKFjyuNMZJ4PvvXSUorN6wlPuMUDmIB9h.",
        "$y$j75$2LHq6/F/1/rDMw/AKpd8O0$Qh18hmD.9B2sf/16EMytKK9vROiwjrLV6zkDjvr.hC/",
        "$y$j9T$kNiUQHCu1lK67DZG29TFq1$.Kmo3BVydDvz2ibSTTMTFyjTRHXn/YcTIFKaYctexD/",
        "$2b$05$Ol3GM4KYLS44ObOgCXHya.BUu7NsaJUmwvi77qT5A/jc3O5dUZ1nm",
        "$2y$04$STRThobqsycsrgPod.ZYJ.4hfW3aOquh8SIhC57qeecJ2VHuJJ7E6",
    ];

    #[test]
    fn hashes_of_other_programs_match_their_password_alone() {
        for text in MADE {
            let hash = PasswordHash::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(hash.verify(PASSWORD), "{text}");
            for wrong in [b"correct horse?".as_slice(), b"correct hors", b"", b"correct horse\0"] {
                assert!(!hash.verify(wrong), "{text}: {wrong:?}");
            }
            verify_decoy(&mut Memory::default(), PASSWORD, hash.cost());
            assert!(matches!(hash.cost(), Cost::Crypt(_)));
        }
    }

    #[test]
    fn only_complete_hashes_with_sane_parameters_are_accepted() {
        for text in MADE {
            let (start, output) = text.rsplit_once('$').unwrap();
            for bad in [
                start.to_owned(),
                format!("{start}$"),
                format!("{start}${}", &output[1..]),
                format!("{text}$"),
                format!("{text}$x"),
                format!("{start}$!{}", &output[1..]),
            ] {
                assert!(PasswordHash::parse(&bad).is_err(), "{bad}");
            }
        }
        let sixty = ".".repeat(86);
        for bad in [
            format!("$6$rounds=999$salt${sixty}"),
            format!("$6$rounds=10000001$salt${sixty}"),
            format!("$6$rounds=x$salt${sixty}"),
            format!("$2y$17${}", ".".repeat(53)),
            format!("$2y$4${}", ".".repeat(53)),
            format!("$2x$04${}", ".".repeat(53)),
            format!("$y$jUU$abcdefgh${}", ".".repeat(43)),
            "$1$saltsalt$qjXMvbEw8oaL.CzflDugX/".to_owned(),
            "$apr1$saltsalt$qjXMvbEw8oaL.CzflDugX/".to_owned(),
            "abJnggxhB/yWI".to_owned(),
        ] {
            assert!(PasswordHash::parse(&bad).is_err(), "{bad}");
        }
    }
}
