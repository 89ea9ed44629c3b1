//! Which certificate does a client show, and with which key?

use std::path::Path;
use std::time::SystemTime;

use carrack_tls::issue::{Bundle, BundleError, KeyError, PrivateKey};
use carrack_tls::{CertificateDer, Identity, describe};
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::files;
use crate::arguments::connection::Login;
use crate::exit::Failure;
use crate::password::{self, KEY_VARIABLE};
use crate::terminal;

/// The certificate of `--cert` with its key, where there is one. A password is asked for only where one is needed and none
/// was given.
pub(crate) fn identity(flags: &Login) -> Result<Option<Identity>, Failure> {
    let Some(certificate) = &flags.cert else { return Ok(None) };
    let passwords = Passwords { file: flags.key_password_file.as_deref() };
    let bytes = files::bytes(certificate)?;
    let bundle = match (files::is_der(&bytes), &flags.key) {
        (true, None) => pkcs12(certificate, &bytes, &passwords)?,
        (true, Some(_)) => {
            return Err(wrong(
                certificate,
                &"is no PEM text; give a certificate in PEM beside --key, or a PKCS#12 file without --key",
            ));
        }
        (false, key) => pem(certificate, &bytes, key.as_deref().unwrap_or(certificate), &passwords)?,
    };
    let key = bundle.key.to_pem(None).map_err(|error| wrong(certificate, &error))?;
    let identity = Identity::from_pem(bundle.chain_pem().as_bytes(), key.as_bytes());
    identity.map(Some).map_err(|error| wrong(certificate, error.problem()))
}

/// What a server will probably not like about a certificate.
pub(crate) fn warnings(identity: &Identity) -> Vec<String> {
    let about = identity.description();
    let now = SystemTime::now();
    let mut warnings = Vec::new();
    if now > SystemTime::from(about.not_after) {
        warnings.push(format!("warning: the client certificate ended at {}; renew it", about.not_after));
    }
    if now < SystemTime::from(about.not_before) {
        warnings.push(format!("warning: the client certificate is good only from {} on", about.not_before));
    }
    if !about.purposes.is_empty()
        && !about.purposes.iter().any(|word| word == "clients" || word == "anything")
    {
        warnings.push(format!(
            "warning: the client certificate is not for clients but for {}; issue one with --client",
            about.purposes.join(", ")
        ));
    }
    warnings
}

fn pkcs12(file: &Path, bytes: &[u8], passwords: &Passwords<'_>) -> Result<Bundle, Failure> {
    let password = match passwords.given()? {
        Some(password) => password,
        None => match Bundle::from_pkcs12(bytes, "") {
            Err(BundleError::WrongPassword) => passwords.asked(file)?,
            without => return without.map_err(|error| wrong(file, &error)),
        },
    };
    Bundle::from_pkcs12(bytes, &password).map_err(|error| wrong(file, &error))
}

fn pem(file: &Path, bytes: &[u8], key_file: &Path, passwords: &Passwords<'_>) -> Result<Bundle, Failure> {
    let chain = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(file, &format!("is not valid PEM: {error}")))?;
    let Some(own) = chain.first() else {
        return Err(wrong(
            file,
            &"holds no certificate; it must be PEM with \"BEGIN CERTIFICATE\", or a PKCS#12 file",
        ));
    };
    let about = describe(own).map_err(|error| wrong(file, &error))?;
    let text = files::bytes(key_file)?;
    let key = match PrivateKey::from_pem(&text, None) {
        Err(KeyError::PasswordNeeded) => {
            let password = match passwords.given()? {
                Some(password) => password,
                None => passwords.asked(key_file)?,
            };
            PrivateKey::from_pem(&text, Some(&password))
        }
        other => other,
    };
    let key = key.map_err(|error| match error {
        KeyError::Absent if key_file == file => {
            wrong(file, &"holds a certificate and no private key; give the file of its key as --key")
        }
        other => wrong(key_file, &other),
    })?;
    if key.spki_fingerprint() != about.spki_fingerprint {
        let whose = file.display();
        return Err(wrong(key_file, &format!("is not the key of the certificate in {whose}; give that one")));
    }
    Ok(Bundle { chain, key })
}

/// Where the password of a key comes from. It never stands on the command line.
struct Passwords<'p> {
    file: Option<&'p Path>,
}

impl Passwords<'_> {
    /// The one that was given; the file wins.
    fn given(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        match self.file {
            Some(file) => password::from_file(file).map(|(password, _)| Some(password)),
            None => password::from_variable(KEY_VARIABLE),
        }
    }

    fn asked(&self, of: &Path) -> Result<Zeroizing<String>, Failure> {
        let of = of.display();
        terminal::ask_password(&format!("Password of {of}: ")).unwrap_or_else(|| {
            Err(Failure::usage(format!(
                "{of} is encrypted, and there is no terminal to ask for its password; give it with --key-password-file FILE or {KEY_VARIABLE}"
            )))
        })
    }
}

/// What a flag names cannot be used for it.
fn wrong(file: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", file.display()))
}
