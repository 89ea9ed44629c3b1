//! How does a receiver know that an event is ours? The symmetric scheme of Standard Webhooks 1.0.0.

use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// What a secret begins with, so that it is known for what it is.
const PREFIX: &str = "whsec_";

/// How many bytes a secret has, at least and at most.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that signs.
#[derive(Debug)]
pub(crate) struct Secret(hmac::Key);

impl Secret {
    /// Reads it from its file: `whsec_` and base64.
    ///
    /// # Errors
    /// A sentence about what is wrong with the file.
    pub(crate) fn load(file: &Path) -> Result<Self, String> {
        let read = || {
            let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| error.to_string())?);
            let key = text.trim().strip_prefix(PREFIX).ok_or("it does not begin with whsec_")?;
            // SECURITY: the decoder's own error would repeat a byte of the secret.
            let key = Zeroizing::new(BASE64_STANDARD.decode(key).map_err(|_| "it is not base64")?);
            if !BYTES.contains(&key.len()) {
                let (least, most) = BYTES.into_inner();
                return Err(format!("it has {} bytes, and {least} to {most} are right", key.len()));
            }
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
        };
        read().map_err(|why: String| format!("{} holds no secret: {why}", file.display()))
    }

    /// The headers of an attempt at `timestamp`, in seconds since 1970: identifier and time are signed with the body.
    pub(crate) fn headers(&self, id: &str, timestamp: u64, body: &[u8]) -> [(&'static str, String); 3] {
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", self.sign(id, timestamp, body)),
        ]
    }

    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut signing = hmac::Context::with_key(&self.0);
        signing.update(format!("{id}.{timestamp}.").as_bytes());
        signing.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(signing.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, text).unwrap();
        Secret::load(&file)
    }

    #[test]
    fn the_signature_is_the_one_that_the_libraries_of_the_scheme_compute() {
        // The vector that the scheme's own libraries are tested with.
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_never_shown() {
        for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!!!"] {
            let why = secret(text).unwrap_err();
            assert!(why.contains("holds no secret") && (text.is_empty() || !why.contains(text)), "{why}");
        }
    }
}
