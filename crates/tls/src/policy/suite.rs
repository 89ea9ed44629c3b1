//! Which cipher suites there are, and by which names they go.

use std::fmt;

use rustls::{
    CipherSuite, SignatureAlgorithm, SupportedCipherSuite, Tls13CipherSuite,
    crypto::aws_lc_rs::cipher_suite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    },
};

#[cfg(test)]
use rustls::{CipherSuiteCommon, Tls12CipherSuite};

use super::{Approval, key_schedule};
use crate::info::Version;

/// A cipher suite: authenticated encryption, and an ephemeral key exchange in front of it. There are no others here.
pub struct Suite {
    /// Its name at IANA.
    pub name: &'static str,
    /// Its name in OpenSSL, which is the same for those of TLS 1.3.
    pub openssl: &'static str,
    /// Whether FIPS 140 approves of it.
    pub approval: Approval,
    pub(super) rustls: SupportedCipherSuite,
}

/// THE TABLE of suites. All are spoken unless a policy says otherwise, in this order: AES-GCM before ChaCha20, since with
/// hardware AES it is several times faster, and a client without offers no AES.
static SUITES: [Suite; 9] = [
    same("TLS_AES_256_GCM_SHA384", Approval::Approved, &key_schedule::AES_256_GCM_SHA384),
    same("TLS_AES_128_GCM_SHA256", Approval::Approved, &key_schedule::AES_128_GCM_SHA256),
    same("TLS_CHACHA20_POLY1305_SHA256", Approval::NotApproved, &key_schedule::CHACHA20_POLY1305_SHA256),
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
        approval: Approval::Approved,
        rustls: TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    },
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
        approval: Approval::Approved,
        rustls: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    },
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
        approval: Approval::NotApproved,
        rustls: TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
        approval: Approval::Approved,
        rustls: TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
        approval: Approval::Approved,
        rustls: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
        approval: Approval::NotApproved,
        rustls: TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    },
];

/// A suite of TLS 1.3, which has one name everywhere.
const fn same(name: &'static str, approval: Approval, rustls: &'static Tls13CipherSuite) -> Suite {
    Suite { name, openssl: name, approval, rustls: SupportedCipherSuite::Tls13(rustls) }
}

impl Suite {
    /// Every suite, in the order in which a server prefers them.
    pub fn all() -> &'static [Suite] {
        &SUITES
    }

    /// The suite with this name, IANA's or OpenSSL's, in letters of either case.
    pub fn named(name: &str) -> Option<&'static Suite> {
        SUITES
            .iter()
            .find(|suite| suite.name.eq_ignore_ascii_case(name) || suite.openssl.eq_ignore_ascii_case(name))
    }

    pub(crate) fn of(suite: CipherSuite) -> Option<&'static Suite> {
        SUITES.iter().find(|row| row.rustls.suite() == suite)
    }

    /// The same suite with keys that are worn out after so many records. It is never given back, and stays known, which is no leak.
    #[cfg(test)]
    pub(crate) fn worn_out_after(&self, records: u64) -> &'static Suite {
        let rustls = match self.rustls {
            SupportedCipherSuite::Tls13(suite) => {
                SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                    common: CipherSuiteCommon { confidentiality_limit: records, ..suite.common },
                    hkdf_provider: suite.hkdf_provider,
                    aead_alg: suite.aead_alg,
                    quic: suite.quic,
                })))
            }
            SupportedCipherSuite::Tls12(suite) => {
                SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                    common: CipherSuiteCommon { confidentiality_limit: records, ..suite.common },
                    prf_provider: suite.prf_provider,
                    kx: suite.kx,
                    sign: suite.sign,
                    aead_alg: suite.aead_alg,
                })))
            }
        };
        let Suite { name, openssl, approval, .. } = *self;
        let suite: &'static Suite = Box::leak(Box::new(Suite { name, openssl, approval, rustls }));
        static GIVEN: std::sync::Mutex<Vec<&'static Suite>> = std::sync::Mutex::new(Vec::new());
        if let Ok(mut given) = GIVEN.lock() {
            given.push(suite);
        }
        suite
    }

    /// The version of TLS that it belongs to.
    pub fn version(&self) -> Version {
        if self.rustls.tls13().is_some() { Version::Tls13 } else { Version::Tls12 }
    }

    /// Whether a server whose key makes such signatures can speak it. In TLS 1.3 every key can.
    pub(super) fn serves(&self, key: SignatureAlgorithm) -> bool {
        self.rustls.usable_for_signature_algorithm(key)
    }
}

impl PartialEq for Suite {
    fn eq(&self, other: &Suite) -> bool {
        self.name == other.name
    }
}

impl Eq for Suite {}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
