//! How are the values of flags read: rates, lengths, times, fingerprints?

use carrack_tls::Sha256Fingerprint;
use carrack_tls::issue::Reason;

/// The longest `--timeout`, in seconds: a day. Nobody waits longer for a server that says nothing.
pub(crate) const LONGEST_TIMEOUT_S: u64 = 86_400;

/// A SHA-256 fingerprint as people copy it: digits of either case, with colons or without, with `SHA256:` before it or not.
pub(super) fn fingerprint(text: &str) -> Result<Sha256Fingerprint, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Why a certificate is revoked.
pub(super) fn reason(text: &str) -> Result<Reason, String> {
    let words = || Reason::ALL.map(Reason::word).join(", ");
    let found = Reason::ALL.into_iter().find(|reason| reason.word() == text);
    found.ok_or_else(|| format!("a reason is one of {}", words()))
}

/// Bytes per second as curl has them: a number, with a fraction if need be, and k, M or G for powers of 1024.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    match bytes(text) {
        Ok(0) => Err("a rate of nothing moves nothing; leave the flag out for full speed".to_owned()),
        Ok(rate) => Ok(rate),
        Err(Amiss::NoNumber) => {
            Err("a rate is a number of bytes per second, such as 500k, 1.5M or 2G (powers of 1024)"
                .to_owned())
        }
        Err(Amiss::TooMuch) => Err("that is faster than any line".to_owned()),
    }
}

/// A span of time in seconds: a number with s, m, h or d behind it.
pub(super) fn span(text: &str) -> Result<u64, String> {
    let wrong = || "a time is a number with s, m, h or d behind it, such as 90m or 7d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// The length of a file, in bytes, written as a rate is.
pub(super) fn size(text: &str) -> Result<u64, String> {
    match bytes(text) {
        Ok(0) => Err("there is nothing to move in an empty file".to_owned()),
        Ok(size) => Ok(size),
        Err(Amiss::NoNumber) => {
            Err("a length is a number of bytes, such as 500k, 1.5M or 2G (powers of 1024)".to_owned())
        }
        Err(Amiss::TooMuch) => Err("no file is as long as that".to_owned()),
    }
}

/// What is wrong with a number of bytes.
enum Amiss {
    NoNumber,
    TooMuch,
}

fn bytes(text: &str) -> Result<u64, Amiss> {
    let (number, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (text.get(..text.len() - 1), 1 << 10),
        Some(b'm' | b'M') => (text.get(..text.len() - 1), 1 << 20),
        Some(b'g' | b'G') => (text.get(..text.len() - 1), 1 << 30),
        _ => (Some(text), 1_u64),
    };
    let number = number.ok_or(Amiss::NoNumber)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return Err(Amiss::NoNumber);
    }
    let whole: u64 = whole.parse().map_err(|_| Amiss::TooMuch)?;
    let scale = u32::try_from(fraction.len()).map_or(1, |places| 10_u64.pow(places));
    let fraction: u64 = fraction.parse().map_err(|_| Amiss::NoNumber)?;
    let rest = u128::from(fraction) * u128::from(factor) / u128::from(scale);
    let rest = u64::try_from(rest).map_err(|_| Amiss::TooMuch)?;
    whole.checked_mul(factor).and_then(|bytes| bytes.checked_add(rest)).ok_or(Amiss::TooMuch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_curl_reads_them() {
        for (text, bytes) in [
            ("1", 1),
            ("1000", 1000),
            ("500k", 512_000),
            ("500K", 512_000),
            ("2M", 2_097_152),
            ("1.5m", 1_572_864),
            ("0.5k", 512),
            ("1G", 1_073_741_824),
        ] {
            assert_eq!((rate(text), size(text)), (Ok(bytes), Ok(bytes)), "{text}");
        }
        for wrong in [
            "",
            "k",
            "fast",
            "-1",
            "+1",
            "1T",
            "1kk",
            "1.k",
            ".5k",
            "1e3",
            "0",
            "0.0001",
            "99999999999999999999",
            "18446744073709551615G",
            "1 M",
            "1é",
        ] {
            assert!(rate(wrong).is_err() && size(wrong).is_err(), "{wrong}");
        }
    }
}
