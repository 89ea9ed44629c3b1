//! Certificates of every kind that a client meets: good, doubtful and wrong, made afresh for each test.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use carrack_tls::CertificateDescription;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is right or wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signed by the authority, for the server's names, in time.
    Good,
    /// Signed by its own key.
    SelfSigned,
    /// Good until yesterday.
    Expired,
    /// Good from tomorrow on.
    NotYetValid,
    /// Good, for another host.
    WrongHost,
    /// Good, but by an authority of the same name with another key.
    UnknownAuthority,
    /// Good, but for clients.
    ForClients,
    /// Good, and says that it comes with an OCSP answer (RFC 7633).
    MustStaple,
    /// Good, and certified to sign OCSP answers for the authority.
    Responder,
}

/// A small certificate authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

impl Authority {
    /// A new one. All have the same name and each its own key.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named("Carrack test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, -30, 30);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its own key and certificate.
    pub fn identity(&self) -> Identity {
        Identity { certificate_pem: self.pem(), key_pem: self.0.key().serialize_pem(), staple: Vec::new() }
    }

    /// Its certificate in a file of that folder.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("authority.pem");
        fs::write(&path, self.pem()).unwrap();
        path
    }

    /// A new key and a certificate of that kind for a server of these names.
    pub fn issue(&self, kind: Kind, names: &[&str]) -> Identity {
        self.certify(kind, names, KeyPair::generate().unwrap())
    }

    /// Another certificate for the key of an identity.
    pub fn renew(&self, earlier: &Identity, kind: Kind, names: &[&str]) -> Identity {
        self.certify(kind, names, KeyPair::from_pem(&earlier.key_pem).unwrap())
    }

    /// A client's key and certificate.
    pub fn issue_client(&self, name: &str) -> Identity {
        self.certify(Kind::ForClients, &[name], KeyPair::generate().unwrap())
    }

    fn certify(&self, kind: Kind, names: &[&str], key: KeyPair) -> Identity {
        let names = if kind == Kind::WrongHost { &["elsewhere.example"] } else { names };
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name = named(&names[0]);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match kind {
            Kind::ForClients => ExtendedKeyUsagePurpose::ClientAuth,
            Kind::Responder => ExtendedKeyUsagePurpose::OcspSigning,
            _ => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        match kind {
            Kind::Expired => valid(&mut params, -10, -1),
            Kind::NotYetValid => valid(&mut params, 1, 10),
            _ => valid(&mut params, -1, 10),
        }
        if kind == Kind::MustStaple {
            let (oid, status_request) = ([1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5]);
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, status_request));
        }
        let certificate = match kind {
            Kind::SelfSigned => params.self_signed(&key),
            Kind::UnknownAuthority => params.signed_by(&key, &Authority::new().0),
            _ => params.signed_by(&key, &self.0),
        };
        Identity {
            certificate_pem: certificate.unwrap().pem(),
            key_pem: key.serialize_pem(),
            staple: Vec::new(),
        }
    }
}

pub(crate) fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Sets the validity, in days from now.
pub(crate) fn valid(params: &mut CertificateParams, first: i64, last: i64) {
    let epoch = date_time_ymd(1970, 1, 1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let day = |days: i64| {
        let shift = DAY * u32::try_from(days.unsigned_abs()).unwrap();
        epoch + if days < 0 { now - shift } else { now + shift }
    };
    (params.not_before, params.not_after) = (day(first), day(last));
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate alone, without the authority's.
    pub certificate_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: String,
    /// The OCSP answer that is stapled to it; empty for none.
    pub staple: Vec<u8>,
}

impl Identity {
    /// The certificate, DER.
    pub fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).unwrap()
    }

    /// The private key, DER.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap()
    }

    /// What the certificate says, with its fingerprints.
    pub fn description(&self) -> CertificateDescription {
        carrack_tls::describe(&self.certificate()).unwrap()
    }

    /// Both in files of that folder.
    pub fn files(&self, folder: &Path) -> Files {
        let files = Files {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
            both: folder.join("both.pem"),
        };
        let (certificate, key) = (&self.certificate_pem, &self.key_pem);
        for (path, text) in [
            (&files.certificate, certificate),
            (&files.key, key),
            (&files.both, &format!("{key}{certificate}")),
        ] {
            fs::write(path, text).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        }
        files
    }
}

/// Where an identity lies on the disk.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// The key and the certificate behind it.
    pub both: PathBuf,
}
