//! `carrack cert renew`: the same once more, with a new validity.

use carrack_tls::CertificateDer;
use carrack_tls::CertificateDescription;
use carrack_tls::issue::{Profile, PublicKey};
use zeroize::Zeroizing;

use super::authority::{failure, open, refuse_existing};
use super::files::{self, New, Reader, in_file, write_new};
use super::{key, make, show};
use crate::arguments::cert::Renew;
use crate::exit::Failure;

/// Runs `carrack cert renew`.
pub(super) fn renew(arguments: &Renew) -> Result<(), Failure> {
    let file = &arguments.certificate;
    let chain = files::certificates(file)?;
    let own = chain.first().ok_or_else(|| Failure::failed("there is no certificate"))?;
    let about = files::described(file, own)?;
    if let Some(out) = &arguments.out {
        refuse_existing(out, &["cert.pem", "key.pem"])?;
    } else if files::holds_more_than_certificates(file)? {
        // SECURITY: it would be written over, and may be the only key.
        return Err(in_file(file)(&"holds more than certificates, which would be lost; give --out DIR"));
    }
    let (certificate, new_key) = match &arguments.ca {
        Some(_) => by_authority(arguments, own)?,
        None => by_itself(arguments, own, &about)?,
    };
    match (&arguments.out, &new_key) {
        (Some(out), Some(key)) => write_new(out, &make::pair(key, &certificate))?,
        (Some(out), None) => {
            let file = New { name: "cert.pem", text: &certificate, reader: Reader::Everybody };
            write_new(out, &[file])?;
        }
        (None, _) => {
            files::replace(file, &certificate)?;
            say!("certificate  {} (in the place of the old one)", file.display());
        }
    }
    show::print_fingerprints(certificate.as_bytes())
}

/// A certificate, and the text of a new key where there is one.
type Renewed = (String, Option<Zeroizing<String>>);

fn by_authority(arguments: &Renew, own: &CertificateDer<'_>) -> Result<Renewed, Failure> {
    let wrong = in_file(&arguments.certificate);
    let new = if arguments.new_key { Some(key::make(&arguments.made)?) } else { None };
    let public = match &new {
        Some((key, _)) => key.public_key().map_err(Failure::failed)?,
        None => PublicKey::of_certificate(own).map_err(|error| wrong(&error))?,
    };
    let folder = arguments.ca.as_deref().unwrap_or(&arguments.certificate);
    let mut authority = open(folder, arguments.ca_password_file.as_deref())?;
    let profile = authority.profile_of(own, arguments.days.days).map_err(|error| wrong(&error))?;
    let issued = authority.issue(&public, &profile).map_err(failure)?;
    Ok((issued.chain_pem, new.map(|(_, text)| text)))
}

fn by_itself(
    arguments: &Renew,
    own: &CertificateDer<'_>,
    about: &CertificateDescription,
) -> Result<Renewed, Failure> {
    let wrong = in_file(&arguments.certificate);
    if about.subject != about.issuer {
        return Err(wrong(
            &"it is not self-signed; give the folder of its authority as --ca, or ask that one for a new one",
        ));
    }
    let profile = Profile::of_certificate(own, arguments.days.days).map_err(|error| wrong(&error))?;
    let (key, text) = match &arguments.key {
        Some(file) => {
            let key = key::read(file, arguments.made.key_password_file.as_deref())?;
            if key.spki_fingerprint() != about.spki_fingerprint {
                let whose = arguments.certificate.display();
                return Err(in_file(file)(&format!("it is not the key of {whose}; give that one")));
            }
            (key, None)
        }
        None if !arguments.new_key => {
            return Err(Failure::usage(
                "give its key as --key, as it is self-signed, or --new-key and --out",
            ));
        }
        None => {
            let (key, text) = key::make(&arguments.made)?;
            (key, Some(text))
        }
    };
    Ok((profile.self_signed(&key).map_err(Failure::failed)?, text))
}
