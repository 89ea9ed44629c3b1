//! TLS 1.3's key schedule (RFC 8446 §7.1), with each of its secrets taken in once.
//!
//! HKDF is HMAC (RFC 5869), and of a short one taking its key in is half. rustls has AWS-LC take a secret in anew for each key that
//! is derived from it, and extract it anew as well.

use aws_lc_rs::hmac;
use rustls::{
    SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        self, CipherSuiteCommon,
        aws_lc_rs::cipher_suite::{
            TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
        },
        tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError},
    },
};
use zeroize::Zeroizing;

/// rustls's suite, with our key schedule.
pub(super) static AES_256_GCM_SHA384: Tls13CipherSuite = ours(&TLS13_AES_256_GCM_SHA384, &SHA384);
/// rustls's suite, with our key schedule.
pub(super) static AES_128_GCM_SHA256: Tls13CipherSuite = ours(&TLS13_AES_128_GCM_SHA256, &SHA256);
/// rustls's suite, with our key schedule.
pub(super) static CHACHA20_POLY1305_SHA256: Tls13CipherSuite = ours(&TLS13_CHACHA20_POLY1305_SHA256, &SHA256);

static SHA256: KeySchedule =
    KeySchedule { hmac: hmac::HMAC_SHA256, rustls: tls13(&TLS13_AES_128_GCM_SHA256).hkdf_provider };
static SHA384: KeySchedule =
    KeySchedule { hmac: hmac::HMAC_SHA384, rustls: tls13(&TLS13_AES_256_GCM_SHA384).hkdf_provider };

const fn ours(suite: &SupportedCipherSuite, schedule: &'static KeySchedule) -> Tls13CipherSuite {
    let Tls13CipherSuite { common, aead_alg, quic, .. } = tls13(suite);
    Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: common.suite,
            hash_provider: common.hash_provider,
            confidentiality_limit: common.confidentiality_limit,
        },
        hkdf_provider: schedule,
        aead_alg: *aead_alg,
        quic: *quic,
    }
}

#[expect(clippy::panic, reason = "in a constant alone, where it stops the compiler")]
const fn tls13(suite: &SupportedCipherSuite) -> &'static Tls13CipherSuite {
    match suite {
        SupportedCipherSuite::Tls13(suite) => suite,
        SupportedCipherSuite::Tls12(_) => panic!("a suite of TLS 1.2"),
    }
}

/// HKDF over one hash function.
struct KeySchedule {
    hmac: hmac::Algorithm,
    /// What a FIPS module approves of: there HKDF is a service of the module, and HMAC by itself another.
    rustls: &'static dyn Hkdf,
}

impl KeySchedule {
    fn key(&self, key: &[u8]) -> hmac::Key {
        hmac::Key::new(self.hmac, key)
    }
}

impl Hkdf for KeySchedule {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let zeros = [0; OkmBlock::MAX_LEN];
        self.extract_from_secret(salt, zeros.get(..self.hmac.tag_len()).unwrap_or(&zeros))
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        if self.fips() {
            return self.rustls.extract_from_secret(salt, secret);
        }
        // HMAC fills a key up with zeros, so none is as good as zeros.
        let extracted = hmac::sign(&self.key(salt.unwrap_or_default()), secret);
        Box::new(Secret(self.key(extracted.as_ref())))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        match self.fips() {
            true => self.rustls.expander_for_okm(okm),
            false => Box::new(Secret(self.key(okm.as_ref()))),
        }
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> crypto::hmac::Tag {
        self.rustls.hmac_sign(key, message)
    }

    fn fips(&self) -> bool {
        self.rustls.fips()
    }
}

/// A secret of the schedule, taken in.
struct Secret(hmac::Key);

impl HkdfExpander for Secret {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        let mut before: Option<hmac::Tag> = None;
        for (n, block) in output.chunks_mut(self.hash_len()).enumerate() {
            let number = u8::try_from(n + 1).map_err(|_| OutputLengthError)?;
            let mut hmac = hmac::Context::with_key(&self.0);
            before.iter().for_each(|before| hmac.update(before.as_ref()));
            info.iter().for_each(|part| hmac.update(part));
            hmac.update(&[number]);
            let tag = hmac.sign();
            block.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
            before = Some(tag);
        }
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        let mut block = Zeroizing::new([0; OkmBlock::MAX_LEN]);
        let block = block.get_mut(..self.hash_len()).unwrap_or_default();
        // One block is never too much.
        let _ = self.expand_slice(info, block);
        OkmBlock::new(block)
    }

    fn hash_len(&self) -> usize {
        self.0.algorithm().tag_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secrets of all kinds: extracted with and without salt, and derived; with and without a key exchange.
    fn derived(hkdf: &dyn Hkdf, length: usize) -> Vec<Vec<u8>> {
        let (salt, secret) = ([7; 48], [3; 32]);
        let okm = OkmBlock::new(&[9; 48]);
        let expanders = [
            hkdf.extract_from_zero_ikm(None),
            hkdf.extract_from_zero_ikm(Some(&salt)),
            hkdf.extract_from_secret(None, &secret),
            hkdf.extract_from_secret(Some(&salt), &secret),
            hkdf.expander_for_okm(&okm),
        ];
        let info: [&[u8]; 3] = [b"label", b"", b"context"];
        expanders
            .iter()
            .flat_map(|expander| {
                let mut output = vec![0; length];
                let fits = expander.expand_slice(&info, &mut output).is_ok();
                [expander.expand_block(&info).as_ref().to_vec(), if fits { output } else { Vec::new() }]
            })
            .chain([hkdf.hmac_sign(&okm, b"message").as_ref().to_vec()])
            .collect()
    }

    #[test]
    fn every_secret_is_rustlss() {
        for schedule in [&SHA256, &SHA384] {
            let block = schedule.hmac.tag_len();
            for length in [0, 1, 12, 32, block, block + 1, 3 * block, 255 * block, 255 * block + 1] {
                assert_eq!(derived(schedule, length), derived(schedule.rustls, length), "{length}");
            }
        }
    }

    #[test]
    fn rfc_5869_appendix_a_1() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let mut output = [0; 42];
        let extracted = SHA256.extract_from_secret(Some(&salt), &[0x0b; 22]);
        extracted.expand_slice(&[&info], &mut output).unwrap();
        let hex: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }
}
