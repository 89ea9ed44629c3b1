//! A small certificate authority in a folder.
//!
//! | file | holds |
//! |---|---|
//! | `ca.pem` | its certificate, the chain above it behind |
//! | `ca-key.pem` | its key, readable by its owner alone |
//! | `index.txt` | what was issued and revoked, and the number of the last revocation list |
//! | `issued/SERIAL.pem` | each certificate that was issued |
//! | `lock` | nothing; whoever writes holds it |

mod index;

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PublicKeyData, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::key::encoded;
use super::{
    AuthorityError, IssueError, KeyType, PrivateKey, Profile, PublicKey, create,
    profile::{self, not_made, now, validity},
    replace, serial,
    subject::common_name,
};
use crate::armour;
use crate::identity::{CertificateDescription, describe};
use index::Index;
pub use index::{Reason, Revocation};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";
const INDEX: &str = "index.txt";
const ISSUED: &str = "issued";
const LOCK: &str = "lock";
const NO_AUTHORITY: &str = "the certificate is not an authority's, and nobody would accept what it signs";
const DAY_S: u64 = 24 * 60 * 60;

/// What a new authority is to be.
#[derive(Debug, Clone)]
pub struct AuthorityProfile {
    /// Its common name.
    pub name: String,
    /// The kind of its key.
    pub key_type: KeyType,
    /// Days that its certificate is good for.
    pub days: u32,
}

/// An authority that is open: its folder is locked until it is dropped.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    chain: String,
    certificate: CertificateDer<'static>,
    description: CertificateDescription,
    issuer: Issuer<'static, KeyPair>,
    index: Index,
    _lock: File,
}

/// A certificate that was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate with its authority's behind it, PEM.
    pub chain_pem: String,
    /// What it says.
    pub description: CertificateDescription,
}

impl Authority {
    /// Makes an authority in a folder, which is made if need be. It may issue certificates for servers and clients and no
    /// further authorities (RFC 5280 §4.2.1.9: a path length of 0). With a password its key rests encrypted.
    ///
    /// # Errors
    /// [`AuthorityError::Exists`] where the folder has an authority, and the other [`AuthorityError`]s.
    pub fn init(
        folder: &Path,
        wanted: &AuthorityProfile,
        password: Option<&str>,
    ) -> Result<CertificateDescription, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&wanted.name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial().map_err(not_made)?);
        validity(&mut params, wanted.days, None)?;
        let key = PrivateKey::generate(wanted.key_type).map_err(not_made)?;
        let certificate = params.self_signed(key.pair()).map_err(not_made)?;
        let key_pem = key.to_pem(password).map_err(not_made)?;

        found(folder, &certificate.pem(), &key_pem)?;
        describe(certificate.der()).map_err(|error| not_made(error).into())
    }

    /// Makes an authority in a folder of a certificate and a key that are there already. An encrypted key stays so. Whatever
    /// else the texts hold, such as the key beside its certificate, is left out.
    ///
    /// # Errors
    /// [`AuthorityError::Unfit`] where the certificate is no authority's or not of that key, and as [`Authority::init`].
    pub fn adopt(
        folder: &Path,
        chain_pem: &str,
        key_pem: &str,
        key: &PrivateKey,
    ) -> Result<CertificateDescription, AuthorityError> {
        let certificate = CertificateDer::from_pem_slice(chain_pem.as_bytes())
            .map_err(|error| not_made(armour::pem_fault(&error)))?;
        let description = describe(&certificate).map_err(not_made)?;
        if !is_authority(&certificate) {
            return Err(AuthorityError::Unfit(NO_AUTHORITY));
        }
        if key.spki_fingerprint() != description.spki_fingerprint {
            return Err(AuthorityError::Unfit("it is not the certificate of that key"));
        }
        found(folder, &certificates_of(chain_pem)?, &key_of(key_pem)?)?;
        Ok(description)
    }

    /// Opens an authority, and waits while another program has it open.
    ///
    /// # Errors
    /// [`AuthorityError::Absent`] where the folder has none; [`AuthorityError::Key`] with [`super::KeyError::PasswordNeeded`] where its
    /// key is encrypted and no password is given; and the other [`AuthorityError`]s.
    pub fn open(folder: &Path, password: Option<&str>) -> Result<Authority, AuthorityError> {
        let file = folder.join(CERTIFICATE);
        if !file.exists() {
            return Err(AuthorityError::Absent(folder.to_owned()));
        }
        let lock = locked(folder)?;
        let chain = read(&file)?;
        let unusable = |why: &dyn std::fmt::Display| AuthorityError::Certificate {
            file: file.clone(),
            why: why.to_string(),
        };
        let chain = certificates_of(&chain).map_err(|error| unusable(&error))?;
        let certificate = CertificateDer::from_pem_slice(chain.as_bytes())
            .map_err(|error| unusable(&armour::pem_fault(&error)))?;
        let description = describe(&certificate).map_err(|error| unusable(&error))?;
        if !is_authority(&certificate) {
            return Err(unusable(
                &"the certificate is not an authority's, and nobody would accept what it signs",
            ));
        }
        let file = folder.join(KEY);
        let pem = Zeroizing::new(fs::read(&file).map_err(|error| unreadable(&file, error))?);
        let key = PrivateKey::from_pem(&pem, password)
            .map_err(|error| AuthorityError::Key { file: file.clone(), error })?;
        if key.spki_fingerprint() != description.spki_fingerprint {
            return Err(unusable(&format!("it is not the certificate of the key in {}", file.display())));
        }
        let file = folder.join(INDEX);
        let index = Index::parse(&read(&file)?).map_err(|(line, expected)| AuthorityError::Index {
            file,
            line,
            expected,
        })?;
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key.into_pair()).map_err(|error| unusable(&error))?;
        let folder = folder.to_owned();
        Ok(Authority { folder, chain, certificate, description, issuer, index, _lock: lock })
    }

    /// What its own certificate says.
    pub fn description(&self) -> &CertificateDescription {
        &self.description
    }

    /// Issues a certificate for a key. It is in the index before it is given away, so that it can be revoked.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`] for what cannot be issued, [`AuthorityError::File`] where the folder cannot be written.
    pub fn issue(&mut self, key: &PublicKey, wanted: &Profile) -> Result<Issued, AuthorityError> {
        let end = self.description.not_after;
        let params = wanted.params(key.kind_of_usage(), profile::Issuer::Authority(end))?;
        let certificate = params.signed_by(&key.0, &self.issuer).map_err(not_made)?;
        let description = describe(certificate.der()).map_err(not_made)?;
        let path = self.folder.join(ISSUED).join(format!("{}.pem", plain(&description.serial)));
        create(&path, 0o644, certificate.pem().as_bytes()).map_err(|error| unwritable(&path, error))?;
        self.index.issue(&description);
        self.save()?;
        Ok(Issued { chain_pem: format!("{}{}", certificate.pem(), self.chain), description })
    }

    /// What a certificate of this authority says, to be said again by its successor.
    ///
    /// # Errors
    /// [`AuthorityError::NotOurs`], [`AuthorityError::AlreadyRevoked`], and [`AuthorityError::Issue`].
    pub fn profile_of(
        &self,
        certificate: &CertificateDer<'_>,
        days: Option<u32>,
    ) -> Result<Profile, AuthorityError> {
        let description = describe(certificate).map_err(not_made)?;
        // SECURITY: as for revoking; and what was taken back is not given again.
        if !signed_by(certificate, &self.certificate) {
            return Err(AuthorityError::NotOurs);
        }
        if self.index.is_revoked(&plain(&description.serial)) {
            return Err(AuthorityError::AlreadyRevoked(description.serial));
        }
        Ok(Profile::of_certificate(certificate, days)?)
    }

    /// Revokes a certificate of this authority. Clients learn of it by the next [`Authority::crl`].
    ///
    /// # Errors
    /// [`AuthorityError::NotOurs`], [`AuthorityError::AlreadyRevoked`], and [`AuthorityError::File`].
    pub fn revoke(
        &mut self,
        certificate: &CertificateDer<'_>,
        reason: Reason,
    ) -> Result<CertificateDescription, AuthorityError> {
        let description = describe(certificate).map_err(not_made)?;
        // SECURITY: by its signature, not by its names, which anybody can write.
        if !signed_by(certificate, &self.certificate) {
            return Err(AuthorityError::NotOurs);
        }
        let when = Revocation { at_unix_s: now().as_secs(), reason };
        if !self.index.revoke(&plain(&description.serial), when) {
            return Err(AuthorityError::AlreadyRevoked(description.serial));
        }
        self.save()?;
        Ok(description)
    }

    /// The list of what is revoked (RFC 5280 §5), good for so many days, PEM. Each has a number above the last one's.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`] for impossible days, [`AuthorityError::File`].
    pub fn crl(&mut self, days: u32) -> Result<String, AuthorityError> {
        if !(1..=super::LONGEST_DAYS).contains(&days) {
            return Err(IssueError::Days { days, longest: super::LONGEST_DAYS }.into());
        }
        let epoch = date_time_ymd(1970, 1, 1);
        let seconds = |s| epoch + std::time::Duration::from_secs(s);
        let number = self.index.next_crl_number();
        // Before it is given away: two lists with one number would contradict each other (RFC 5280 §5.2.3).
        self.save()?;
        let revoked_certs = self
            .index
            .revoked()
            .map(|(serial, when)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: seconds(when.at_unix_s),
                reason_code: when.reason.code(),
                invalidity_date: None,
            })
            .collect();
        let list = CertificateRevocationListParams {
            this_update: seconds(now().as_secs()),
            next_update: seconds(now().as_secs() + DAY_S * u64::from(days)),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::PreSpecified(key_identifier(&self.certificate, &self.issuer)),
        };
        let list = list.signed_by(&self.issuer).map_err(not_made)?;
        Ok(list.pem().map_err(not_made)?)
    }

    /// How many certificates were issued, and how many of them or others are revoked.
    pub fn counts(&self) -> (usize, usize) {
        (self.index.issued(), self.index.revoked().count())
    }

    fn save(&self) -> Result<(), AuthorityError> {
        let path = self.folder.join(INDEX);
        replace(&path, 0o600, self.index.to_text().as_bytes()).map_err(|error| unwritable(&path, error))
    }
}

/// The certificates of a PEM text and nothing else of it.
// SECURITY: this text is given to everybody, and people keep the key in one file with its certificate.
fn certificates_of(text: &str) -> Result<String, AuthorityError> {
    let sections = armour::sections(text.as_bytes()).map_err(not_made)?;
    Ok(sections.iter().filter(|section| section.tag() == "CERTIFICATE").map(encoded).collect())
}

/// The first key of a PEM text and nothing else of it.
fn key_of(text: &str) -> Result<Zeroizing<String>, AuthorityError> {
    let sections = armour::sections(text.as_bytes()).map_err(not_made)?;
    let key = sections.iter().find(|section| section.tag().ends_with("PRIVATE KEY"));
    key.map(|key| Zeroizing::new(encoded(key))).ok_or(AuthorityError::Unfit("it has no key"))
}

/// Writes the files of a new authority.
fn found(folder: &Path, chain_pem: &str, key_pem: &str) -> Result<(), AuthorityError> {
    let folders = [folder.to_owned(), folder.join(ISSUED)];
    for folder in &folders {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unwritable(folder, error))?;
    }
    let _lock = locked(folder)?;
    if [CERTIFICATE, KEY, INDEX].iter().any(|name| folder.join(name).exists()) {
        return Err(AuthorityError::Exists(folder.to_owned()));
    }
    // The certificate comes last: without it there is no authority, and a second attempt finds out what is in its way.
    for (name, mode, text) in [
        (KEY, 0o600, key_pem.as_bytes()),
        (INDEX, 0o600, Index::default().to_text().as_bytes()),
        (CERTIFICATE, 0o644, chain_pem.as_bytes()),
    ] {
        let path = folder.join(name);
        create(&path, mode, text).map_err(|error| unwritable(&path, error))?;
    }
    Ok(())
}

/// The identifier by which the authority's certificates name its key (RFC 5280 §4.2.1.2).
fn key_identifier(certificate: &CertificateDer<'_>, issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
    let parsed = X509Certificate::from_der(certificate).ok();
    let stated = parsed.and_then(|(_, parsed)| {
        parsed.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(identifier) => {
                Some(identifier.0.to_vec())
            }
            _ => None,
        })
    });
    stated.unwrap_or_else(|| {
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &issuer.key().subject_public_key_info());
        digest.as_ref().iter().take(20).copied().collect()
    })
}

fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| {
        let signs = match parsed.key_usage() {
            Ok(Some(usage)) => usage.value.key_cert_sign() && usage.value.crl_sign(),
            Ok(None) => true,
            Err(_) => false,
        };
        signs && parsed.is_ca()
    })
}

fn signed_by(certificate: &CertificateDer<'_>, authority: &CertificateDer<'_>) -> bool {
    let parsed = X509Certificate::from_der(certificate);
    let (Ok((_, certificate)), Ok((_, authority))) = (parsed, X509Certificate::from_der(authority)) else {
        return false;
    };
    certificate.issuer() == authority.subject()
        && certificate.verify_signature(Some(authority.public_key())).is_ok()
}

/// A serial number without its colons.
fn plain(serial: &str) -> String {
    serial.replace(':', "").to_lowercase()
}

fn locked(folder: &Path) -> Result<File, AuthorityError> {
    let path = folder.join(LOCK);
    let lock = || -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        file.lock().map(|()| file)
    };
    lock().map_err(|error| unwritable(&path, error))
}

fn read(file: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(file).map_err(|error| unreadable(file, error))
}

fn unreadable(file: &Path, error: io::Error) -> AuthorityError {
    AuthorityError::File { file: file.to_owned(), tried: "read", error }
}

fn unwritable(file: &Path, error: io::Error) -> AuthorityError {
    AuthorityError::File { file: file.to_owned(), tried: "written", error }
}
