//! Has an authority taken a server's certificate back? By lists that the user gives, and by the answer that the server staples.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, anchor_from_trusted_cert};

use super::Distrust;
use crate::{
    identity::{CertificateDescription, IdentityError, Problem, Source, describe},
    ocsp::{self, Answer, OcspError, Status},
    revocation::{List, Lists, Question, Way, read_lists},
};

/// Lists of what authorities have revoked (RFC 5280 §5). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RevocationLists(Arc<Lists>);

impl RevocationLists {
    /// Reads lists from files: PEM with any number of them, or DER with one, as authorities publish them. Of several by one
    /// authority the newest counts, wherever it stands.
    ///
    /// # Errors
    /// An [`IdentityError`] that names the file, what is wrong with it and the mend.
    pub fn load(paths: &[PathBuf]) -> Result<RevocationLists, IdentityError> {
        let mut lists = Vec::new();
        for path in paths {
            let list = |der: &[u8]| List::from_der(der).map_err(Problem::BadRevocationList);
            let read = read_lists(path).and_then(|found| found.iter().map(|der| list(der)).collect());
            let read: Vec<List> = read.map_err(|problem| problem.in_source(&Source::File(path.clone())))?;
            lists.extend(read);
        }
        Ok(RevocationLists(Arc::new(Lists::newest_of(lists))))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the server has stapled to its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stapled {
    /// Nothing.
    Absent,
    /// Something that nobody looked at: the certificate is trusted for its fingerprint or its key, or nobody is known who has
    /// issued it.
    Unchecked,
    /// An answer that can be believed.
    Checked(Answer),
    /// Something that says nothing, and why.
    Unusable(OcspError),
}

impl Stapled {
    /// What nobody looks at.
    pub(super) fn unchecked(response: &[u8]) -> Stapled {
        if response.is_empty() { Stapled::Absent } else { Stapled::Unchecked }
    }

    pub(super) fn read(
        response: &[u8],
        leaf: &CertificateDer<'_>,
        issuer: Option<&CertificateDer<'_>>,
        now: UnixTime,
    ) -> Stapled {
        let (false, Some(issuer)) = (response.is_empty(), issuer) else {
            return Stapled::unchecked(response);
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        match ocsp::check(response, leaf, issuer, now) {
            Ok(answer) => Stapled::Checked(answer),
            Err(error) => Stapled::Unusable(error),
        }
    }

    /// What it means for a certificate that an authority vouches for.
    ///
    /// One that cannot be used is passed over: whoever has the key of a revoked certificate sends none at all, so a refusal
    /// would stop nobody but a server whose staple has grown old. A certificate that says itself that it comes with one is
    /// refused without (RFC 7633).
    pub(super) fn judge(&self, leaf: &CertificateDer<'_>, issuer: &str) -> Result<(), Distrust> {
        let by = || issuer.to_owned();
        match self {
            Stapled::Checked(Answer { status: Status::Good, .. }) => Ok(()),
            Stapled::Checked(Answer { status: Status::Revoked { at, reason }, .. }) => {
                Err(Distrust::Revoked { by: by(), since: Some(*at), reason: *reason })
            }
            Stapled::Checked(Answer { status: Status::Unknown, .. }) => {
                Err(Distrust::UnknownToIssuer { by: by() })
            }
            _ if !ocsp::is_demanded_by(leaf) => Ok(()),
            Stapled::Unusable(error) => Err(Distrust::StapleUnusable(error.clone())),
            Stapled::Absent | Stapled::Unchecked => Err(Distrust::StapleMissing),
        }
    }
}

/// Who has issued the certificate. SECURITY: on the very way that leads to an authority; somebody of the same name among
/// what the server sends does not speak for it.
pub(super) fn issuer(
    way: &Way<'_>,
    authorities: &[CertificateDer<'static>],
) -> Option<CertificateDer<'static>> {
    let leaf = EndEntityCert::try_from(way.leaf).ok()?;
    let (all, anchors) = (way.algorithms.all, way.anchors);
    let found =
        leaf.verify_for_usage(all, anchors, way.intermediates, way.now, way.usage, None, None).ok()?;
    if let Some(above) = found.intermediate_certificates().next() {
        return Some(above.der().into_owned());
    }
    let is_it = |authority: &&CertificateDer<'static>| {
        anchor_from_trusted_cert(authority).is_ok_and(|anchor| anchor == *found.anchor())
    };
    authorities.iter().find(is_it).cloned()
}

/// Judges by the lists. The certificate's own authority must have one that is in date among those given; authorities above
/// it may.
pub(super) fn judge(way: &Way<'_>, lists: &RevocationLists) -> Result<(), Distrust> {
    let RevocationLists(lists) = lists;
    if lists.is_empty() {
        return Ok(());
    }
    let about = describe(way.leaf).map_err(|error| Distrust::Other(error.to_string()))?;
    way.verify(lists, Question::Itself).map_err(|error| reason(error, &about, lists))?;
    way.verify(lists, Question::Above).map_err(|error| match error {
        webpki::Error::CertRevoked => Distrust::AuthorityRevoked,
        other => reason(other, &about, lists),
    })
}

/// webpki's verdict in our words.
fn reason(error: webpki::Error, about: &CertificateDescription, lists: &Lists) -> Distrust {
    use webpki::Error;
    let by = about.issuer.clone();
    match error {
        Error::CertRevoked => {
            let revoked =
                lists.by(&by).flat_map(|list| &list.revoked).find(|entry| entry.serial == about.serial);
            let (since, reason) = revoked.map_or((None, None), |entry| (Some(entry.at), entry.reason));
            Distrust::Revoked { by, since, reason }
        }
        Error::CrlExpired { .. } => {
            let next_update = lists.by(&by).filter_map(|list| list.next_update).max();
            Distrust::RevocationsStale { by, next_update }
        }
        Error::UnknownRevocationStatus => Distrust::RevocationsMissing { by },
        Error::InvalidCrlSignatureForPublicKey
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | Error::IssuerNotCrlSigner => Distrust::RevocationsForged { by },
        other => Distrust::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustls::RootCertStore;
    use rustls_pki_types::pem::PemObject;
    use tempfile::TempDir;
    use webpki::KeyUsage;

    use super::*;
    use crate::issue::{Authority, AuthorityProfile, KeyType, PrivateKey, Profile, Purpose, Reason};

    /// An authority, and a server's certificate that it has issued.
    struct World {
        folder: TempDir,
        authority: Authority,
        roots: RootCertStore,
        leaf: CertificateDer<'static>,
    }

    impl World {
        fn new() -> World {
            let folder = tempfile::tempdir().unwrap();
            let ca = folder.path().join("CA");
            let wanted = AuthorityProfile { name: "Root".into(), key_type: KeyType::EcdsaP256, days: 100 };
            Authority::init(&ca, &wanted, None).unwrap();
            let mut authority = Authority::open(&ca, None).unwrap();
            let key = PrivateKey::generate(KeyType::EcdsaP256).unwrap().public_key().unwrap();
            let names = vec!["ftp.example".parse().unwrap()];
            let profile = Profile { subject: None, names, purpose: Purpose::Server, days: Some(90) };
            let issued = authority.issue(&key, &profile).unwrap().chain_pem;
            let leaf = CertificateDer::from_pem_slice(issued.as_bytes()).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(ca.join("ca.pem")).unwrap()).unwrap();
            World { folder, authority, roots, leaf }
        }

        /// What the lists in this text say of the certificate in so many days.
        fn judged(&self, text: &str, days: u64) -> Result<(), Distrust> {
            let file = self.folder.path().join("lists.pem");
            fs::write(&file, text).unwrap();
            let lists = RevocationLists::load(&[file]).unwrap();
            let algorithms = crate::policy::provider().signature_verification_algorithms;
            let now = UnixTime::now().as_secs() + days * 86_400;
            let way = Way {
                leaf: &self.leaf,
                intermediates: &[],
                anchors: &self.roots.roots,
                algorithms,
                usage: KeyUsage::server_auth(),
                now: UnixTime::since_unix_epoch(Duration::from_secs(now)),
            };
            judge(&way, &lists)
        }
    }

    #[test]
    fn a_list_counts_in_its_time() {
        let mut world = World::new();
        let list = world.authority.crl(10).unwrap();
        assert_eq!(world.judged(&list, 9), Ok(()));
        let late = world.judged(&list, 11);
        assert!(matches!(late, Err(Distrust::RevocationsStale { next_update: Some(_), .. })));
    }

    #[test]
    fn a_new_list_behind_the_old_one_counts() {
        let mut world = World::new();
        let old = world.authority.crl(10).unwrap();
        world.authority.revoke(&world.leaf, Reason::KeyCompromise).unwrap();
        let new = world.authority.crl(10).unwrap();
        for both in [format!("{old}{new}"), format!("{new}{old}")] {
            assert!(matches!(world.judged(&both, 0), Err(Distrust::Revoked { since: Some(_), .. })));
        }
    }
}
