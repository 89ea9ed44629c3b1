//! Which cryptographic module is in this program, and may it promise FIPS 140-3?
//!
//! Nothing here is chosen when the program is compiled: the module is asked. A program that was linked without one says so, and one
//! that was linked with a module no certificate is known for does, too.

use rustls::Error;
use thiserror::Error as ThisError;

use crate::policy;

/// The generation of AWS-LC's FIPS module that has a certificate, and its number. It is the static build's, which is how the
/// program is linked.
const CERTIFIED: (u32, &str) = (3, "#5314");

/// How the program with the module is made.
const MEND: &str = "build the one with it by `scripts/fips release`, and run fips/target/release/carrack";

/// A FIPS 140-3 cryptographic module, linked and in force: it has tested itself before `main` began, and ends the process when
/// that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Its generation, as AWS-LC counts them.
    pub generation: u32,
    /// The release of AWS-LC that it came with.
    pub release: &'static str,
    /// The number of its CMVP certificate; none where none is known.
    pub certificate: Option<&'static str>,
}

impl Module {
    /// Its name.
    pub const NAME: &'static str = "AWS-LC Cryptographic Module (static)";

    fn new(generation: u32, release: &'static str) -> Module {
        let certificate = (generation == CERTIFIED.0).then_some(CERTIFIED.1);
        Module { generation, release, certificate }
    }
}

/// The module in this program; none in the ordinary build.
pub fn module() -> Option<Module> {
    // Loads the library where nothing has yet, and asks whether it is the module.
    aws_lc_rs::try_fips_mode().ok()?;
    Some(Module::new(aws_lc_rs::fips_version().unwrap_or_default(), aws_lc_rs::awslc_version()))
}

/// The release of AWS-LC that does the cryptography, with or without a module in it.
pub fn library_release() -> &'static str {
    aws_lc_rs::awslc_version()
}

/// Shows that a certified module is in force and that TLS is done by it alone. Whoever promises FIPS 140-3 asks for one first.
#[derive(Debug, Clone, Copy)]
pub struct Approved(Module);

/// Why FIPS 140-3 cannot be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum NotApproved {
    /// There is no module.
    #[error("this program was built without a FIPS 140-3 module\n  mend: {MEND}")]
    Absent,
    /// There is one that no certificate is known for.
    #[error(
        "this program was built with generation {generation} of the FIPS module, for which no certificate is known; generation {} has one\n  mend: {MEND}",
        CERTIFIED.0
    )]
    Uncertified {
        /// Which.
        generation: u32,
    },
    /// The module is there, and something else would do a part of TLS.
    #[error(
        "this program has a FIPS 140-3 module, and its TLS is not done by it alone; this is a fault of the build\n  mend: {MEND}"
    )]
    NotInForce,
}

impl Approved {
    /// Asks the module.
    ///
    /// # Errors
    /// Every [`NotApproved`]; then nothing may be served or sent that was to be under FIPS 140-3.
    pub fn demand() -> Result<Approved, NotApproved> {
        judge(module(), policy::provider().fips())
    }

    /// The module that is in force.
    pub fn module(&self) -> Module {
        self.0
    }
}

fn judge(module: Option<Module>, tls: bool) -> Result<Approved, NotApproved> {
    let module = module.ok_or(NotApproved::Absent)?;
    if module.certificate.is_none() {
        return Err(NotApproved::Uncertified { generation: module.generation });
    }
    if tls { Ok(Approved(module)) } else { Err(NotApproved::NotInForce) }
}

/// SECURITY: a program with the module speaks no TLS that the module does not do alone, whether the mode is on or not. What
/// `fips()` of every rustls configuration says comes by here before its first connection.
pub(crate) fn admit(is_fips: bool) -> Result<(), Error> {
    admit_beside(module(), is_fips)
}

fn admit_beside(module: Option<Module>, is_fips: bool) -> Result<(), Error> {
    if module.is_none() || is_fips {
        return Ok(());
    }
    Err(Error::General(
        "this program has a FIPS 140-3 module, and versions, suites or key exchanges are asked for that it does not approve"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certified_module_that_does_all_of_tls_is_approved() {
        let certified = Module::new(3, "3.6.0");
        assert_eq!(judge(Some(certified), true).unwrap().module().certificate, Some("#5314"));
        for (module, tls, why) in [
            (None, true, NotApproved::Absent),
            (None, false, NotApproved::Absent),
            (Some(Module::new(2, "2.0.0")), true, NotApproved::Uncertified { generation: 2 }),
            (Some(Module::new(4, "5.1.0")), true, NotApproved::Uncertified { generation: 4 }),
            (Some(certified), false, NotApproved::NotInForce),
        ] {
            let refusal = judge(module, tls).unwrap_err();
            assert_eq!(refusal, why);
            assert!(refusal.to_string().contains("scripts/fips release"), "{refusal}");
        }
    }

    #[test]
    fn beside_a_module_no_other_tls_is_configured() {
        let module = Some(Module::new(3, "3.6.0"));
        assert!(admit_beside(module, true).is_ok());
        assert!(admit_beside(module, false).is_err());
        assert!(admit_beside(None, false).is_ok());
    }

    #[test]
    fn what_is_linked_says_what_it_is() {
        assert_eq!(module().is_some(), policy::provider().fips());
        assert_eq!(Approved::demand().is_ok(), module().is_some_and(|module| module.certificate.is_some()));
        assert!(library_release().starts_with(|c: char| c.is_ascii_digit()), "{}", library_release());
    }
}
