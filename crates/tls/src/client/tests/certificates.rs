//! Certificates for the tests: authorities, and servers that they vouch for in right and in wrong ways.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::{Authorities, CertificateDer, Identity, Trust};

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    /// An authority that this one vouches for.
    pub(super) fn below(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Authority { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap() }
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(super) fn trusted(&self) -> Trust {
        trusted([self.certificate()])
    }

    /// A server's certificate with a chain up to this authority.
    pub(super) fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem() + &self.pem();
        identity(&chain, &key)
    }
}

pub(super) fn trusted<const N: usize>(certificates: [CertificateDer<'static>; N]) -> Trust {
    Trust::Authorities(Authorities::These(certificates.into()))
}

pub(super) fn identity(chain: &str, key: &KeyPair) -> Identity {
    Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

pub(super) fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// What a server at `localhost` has.
pub(super) fn good() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

pub(super) fn expired() -> CertificateParams {
    CertificateParams { not_after: date_time_ymd(2021, 2, 3), ..good() }
}

pub(super) fn of_the_future() -> CertificateParams {
    CertificateParams { not_before: date_time_ymd(2119, 2, 3), ..good() }
}

pub(super) fn for_clients() -> CertificateParams {
    CertificateParams { extended_key_usages: vec![ExtendedKeyUsagePurpose::ClientAuth], ..good() }
}

/// As `openssl req -x509` makes them: an authority's.
pub(super) fn marked_as_authority(params: CertificateParams) -> CertificateParams {
    CertificateParams { is_ca: IsCa::Ca(BasicConstraints::Unconstrained), extended_key_usages: Vec::new(), ..params }
}

pub(super) fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    identity(&params.self_signed(&key).unwrap().pem(), &key)
}

pub(super) fn der(identity: &Identity) -> CertificateDer<'static> {
    identity.certified_key().cert[0].clone()
}
