//! What can be reached only behind a handshake or a password, opened for the fuzz targets: no part of the interface.

use crate::{
    binding::Offers,
    issue::{Bundle, BundleError},
};

/// How many tickets a ClientHello in these records offers, and how long its session id is.
#[must_use]
pub fn offers(records: &[u8]) -> (usize, usize) {
    let offers = Offers::of(records);
    (offers.tickets.len(), offers.session_id.len())
}

/// Reads the inside of a PKCS#12 file, as behind the code that a right password gives.
///
/// # Errors
/// [`BundleError`].
pub fn pkcs12_safe(safe: &[u8], password: &str) -> Result<Bundle, BundleError> {
    Bundle::of_safe(safe, password)
}
