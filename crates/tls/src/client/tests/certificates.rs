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

    pub(super) fn trusted(&self) -> Trust {
        trusted([self.certificate()])
    }

    /// A server's certificate with a chain up to this authority.
    pub(super) fn issue(&self, params: CertificateParams) -> Identity {
        self.issue_pem(params).identity()
    }

    pub(super) fn issue_pem(&self, params: CertificateParams) -> Pem {
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem() + &self.issuer.pem();
        Pem { chain, key: key.serialize_pem() }
    }
}

/// A certificate chain and its key as text.
pub(super) struct Pem {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Pem {
    pub(super) fn identity(&self) -> Identity {
        Identity::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

pub(super) fn trusted<const N: usize>(certificates: [CertificateDer<'static>; N]) -> Trust {
    Trust::Authorities(Authorities::These(certificates.into()))
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

/// `params` with a change.
pub(super) fn but(
    mut params: CertificateParams,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    change(&mut params);
    params
}

pub(super) fn expired() -> CertificateParams {
    but(good(), |params| params.not_after = date_time_ymd(2021, 2, 3))
}

pub(super) fn of_the_future() -> CertificateParams {
    but(good(), |params| params.not_before = date_time_ymd(2119, 2, 3))
}

pub(super) fn for_clients() -> CertificateParams {
    but(good(), |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
}

/// As `openssl req -x509` makes them: an authority's.
pub(super) fn marked_as_authority(params: CertificateParams) -> CertificateParams {
    but(params, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages.clear();
    })
}

pub(super) fn self_signed(params: &CertificateParams) -> Identity {
    self_signed_pem(params, &KeyPair::generate().unwrap()).identity()
}

pub(super) fn self_signed_pem(params: &CertificateParams, key: &KeyPair) -> Pem {
    Pem { chain: params.self_signed(key).unwrap().pem(), key: key.serialize_pem() }
}

pub(super) fn der(identity: &Identity) -> CertificateDer<'static> {
    identity.certified_key().cert[0].clone()
}
