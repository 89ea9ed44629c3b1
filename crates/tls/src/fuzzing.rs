//! What can be reached only behind a handshake or a password, opened for the fuzz targets: no part of the interface.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{
    binding::Offers,
    client_certificate::ClientTrust,
    issue::{Bundle, BundleError},
};

/// How many tickets a ClientHello in these records offers, and how long its session id is.
#[must_use]
pub fn offers(records: &[u8]) -> (usize, usize) {
    let offers = Offers::of(records);
    (offers.tickets.len(), offers.session_id.len())
}

/// Judges a client's certificate, alone and in DER, so many seconds after the start of 1970.
///
/// # Errors
/// Why it is not accepted, as the log has it.
pub fn judge_client(trust: &ClientTrust, leaf: &[u8], now_s: u64) -> Result<(), String> {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
    trust.judge(&CertificateDer::from(leaf), &[], now).map(drop).map_err(|refusal| refusal.to_string())
}

/// Reads the inside of a PKCS#12 file, as behind the code that a right password gives.
///
/// # Errors
/// [`BundleError`].
pub fn pkcs12_safe(safe: &[u8], password: &str) -> Result<Bundle, BundleError> {
    Bundle::of_safe(safe, password)
}
