//! Certificates of clients, good and bad, and the lists that revoke them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use rustls::crypto::aws_lc_rs;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::certificates::{Identity, named, valid};
use crate::programs::{Program, Tls};
use crate::server::program;
use crate::setup::{EVERYTHING, Setup};
use crate::tls_client::TlsClient;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An authority that signs for clients.
#[derive(Debug)]
pub struct ClientAuthority(CertifiedIssuer<'static, KeyPair>);

impl ClientAuthority {
    /// One of that name, with a key of its own.
    pub fn named(name: &str) -> ClientAuthority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, -30, 30);
        ClientAuthority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for clients named `name`, otherwise as `change` has it.
    pub fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.certify(name, &KeyPair::generate().unwrap(), change)
    }

    /// The same with a serial number, by which it can be revoked.
    pub fn issue_numbered(&self, name: &str, serial: u8) -> Identity {
        self.issue(name, |params| params.serial_number = Some(SerialNumber::from(vec![serial])))
    }

    fn certify(&self, name: &str, key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = for_clients(name);
        change(&mut params);
        let certificate = params.signed_by(key, &self.0).unwrap();
        Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), staple: Vec::new() }
    }

    /// A list of what it has revoked, by serial numbers, good until so many days from now (or ago).
    pub fn list(&self, revoked: &[u8], until_days: i64) -> String {
        // Moments come from a certificate's validity, which knows how to make them.
        let mut moments = CertificateParams::new(Vec::new()).unwrap();
        valid(&mut moments, -20, until_days);
        let list = CertificateRevocationListParams {
            this_update: moments.not_before,
            next_update: moments.not_after,
            crl_number: SerialNumber::from(vec![1]),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(vec![*serial]),
                    revocation_time: moments.not_before + DAY,
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

/// A client that shows this certificate to whoever asks.
pub fn showing(version: Tls, identity: &Identity) -> TlsClient {
    let chain = vec![identity.certificate()];
    let certified = CertifiedKey::from_der(chain, identity.key(), &aws_lc_rs::default_provider()).unwrap();
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    TlsClient::with(version, |config| config.client_auth_cert_resolver = resolver)
}

/// A certificate for clients that nobody but its holder vouches for.
pub fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = for_clients(name);
    change(&mut params);
    Identity {
        certificate_pem: params.self_signed(&key).unwrap().pem(),
        key_pem: key.serialize_pem(),
        staple: Vec::new(),
    }
}

/// Its validity, in days from now.
pub fn valid_days(params: &mut CertificateParams, first: i64, last: i64) {
    valid(params, first, last);
}

fn for_clients(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    valid(&mut params, -1, 10);
    params
}

/// `[[user]]` with a home of its own and these lines, and no password unless they have one.
pub fn user(setup: Setup, name: &str, lines: &str) -> Setup {
    let home = setup.home(name);
    fs::create_dir_all(&home).unwrap();
    setup.table(&format!("\n[[user]]\nname = {name:?}\nhome = {home:?}\n{EVERYTHING}\n{lines}"))
}

/// A server's identity and the authority of its clients, in `[tls]`.
pub fn with_authority(setup: Setup, authority: &ClientAuthority) -> Setup {
    let folder = setup.scratch();
    let make = ["cert", "self-signed", "--name", "localhost", "--name", "127.0.0.1", "--out"];
    Program::new(program()).args(make).arg(folder.join("server")).run().ok();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    setup
        .option("tls", "certificate", &format!("{:?}", folder.join("server/cert.pem")))
        .option("tls", "key", &format!("{:?}", folder.join("server/key.pem")))
        .option("tls", "client_ca", &format!("{:?}", folder.join("ca.pem")))
}
