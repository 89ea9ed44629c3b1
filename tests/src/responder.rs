//! What does an authority answer about a certificate? OCSP answers, made by the `openssl` program.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::certificates::Identity;
use crate::programs::Program;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is not revoked.
    Good,
    /// It was revoked on 2 January 2024, as its key is known to others.
    Revoked,
    /// There is no such certificate.
    Unknown,
}

/// An answer about `certificate`, which `authority` has issued, signed by `signer`; good for a day.
pub fn answer(said: Said, certificate: &Identity, authority: &Identity, signer: &Identity) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    for (name, text) in [
        ("leaf.pem", &certificate.certificate_pem),
        ("ca.pem", &authority.certificate_pem),
        ("signer.pem", &signer.certificate_pem),
        ("signer-key.pem", &signer.key_pem),
    ] {
        fs::write(at.join(name), text).unwrap();
    }
    let serial = certificate.description().serial.replace(':', "").to_uppercase();
    let serial = serial.strip_prefix("00").unwrap_or(&serial);
    let line = match said {
        Said::Good => format!("V\t391231235959Z\t\t{serial}\tunknown\t/CN=x\n"),
        Said::Revoked => {
            format!("R\t391231235959Z\t240102030405Z,keyCompromise\t{serial}\tunknown\t/CN=x\n")
        }
        Said::Unknown => String::new(),
    };
    fs::write(at.join("index.txt"), line).unwrap();
    openssl(at, "ocsp -issuer ca.pem -cert leaf.pem -no_nonce -reqout request.der");
    openssl(
        at,
        "ocsp -index index.txt -CA ca.pem -rsigner signer.pem -rkey signer-key.pem -reqin request.der -respout answer.der -ndays 1",
    );
    fs::read(at.join("answer.der")).unwrap()
}

fn openssl(at: &Path, line: &str) {
    Program::new("openssl").args(line.split(' ')).folder(at).run().ok();
}
