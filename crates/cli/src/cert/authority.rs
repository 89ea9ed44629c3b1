//! `carrack cert ca`, `issue`, `revoke` and `crl`: what an authority of one's own does.

use std::path::Path;

use carrack_ftp_client::escaped;
use carrack_tls::CertificateDescription;
use carrack_tls::issue::{
    self, Authority, AuthorityError, AuthorityProfile, KeyError, Profile, Purpose, Request, Subject,
};
use zeroize::Zeroizing;

use super::files::{self, New, Reader, in_file, write_new};
use super::{key, make, show};
use crate::arguments::cert::{CaAdopt, CaInit, Crl, Issue, Revoke};
use crate::exit::{Failure, Status};

/// Runs `carrack cert ca init`.
pub(super) fn init(arguments: &CaInit) -> Result<(), Failure> {
    let password = key::wanted_password(&arguments.key)?;
    let wanted = AuthorityProfile {
        name: arguments.name.clone(),
        key_type: arguments.key.key_type,
        days: arguments.days,
    };
    let made = Authority::init(&arguments.dir, &wanted, password.as_deref().map(String::as_str));
    tell(&arguments.dir, &made.map_err(failure)?)
}

/// Runs `carrack cert ca adopt`.
pub(super) fn adopt(arguments: &CaAdopt) -> Result<(), Failure> {
    let text = |file: &Path| {
        let bytes = files::bytes(file)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| in_file(file)(&"is no PEM text"))?;
        Ok::<_, Failure>(Zeroizing::new(text.to_owned()))
    };
    files::certificates(&arguments.certificate)?;
    let key = key::read(&arguments.key, arguments.key_password_file.as_deref())?;
    let (chain_text, key_text) = (text(&arguments.certificate)?, text(&arguments.key)?);
    let adopted = Authority::adopt(&arguments.dir, &chain_text, &key_text, &key);
    let about = adopted.map_err(|error| match error {
        AuthorityError::Unfit(_) => in_file(&arguments.certificate)(&error),
        other => failure(other),
    })?;
    tell(&arguments.dir, &about)
}

fn tell(folder: &Path, about: &CertificateDescription) -> Result<(), Failure> {
    let file = |name: &str| folder.join(name).display().to_string();
    say!("certificate  {} (give it to all who are to believe)", file("ca.pem"));
    say!("key          {} (keep it to yourself)", file("ca-key.pem"));
    say_text!(show::fingerprints(about));
    Ok(())
}

/// Runs `carrack cert issue`.
pub(super) fn issue(arguments: Issue) -> Result<(), Failure> {
    let (purpose, days) = (arguments.purpose.said(), arguments.days.days);
    let ca = &arguments.ca;
    if let Some(file) = &arguments.request {
        let request = Request::from_pem(&files::bytes(file)?).map_err(|error| in_file(file)(&error))?;
        let mut profile = Profile::of_request(&request, purpose, days);
        if !arguments.who.names.is_empty() {
            profile.names = arguments.who.names;
        }
        profile.subject = arguments.who.subject.map(Subject::from).or(profile.subject);
        refuse_existing(&arguments.out.folder, &["cert.pem"])?;
        let mut authority = open(&ca.folder, ca.password_file.as_deref())?;
        let issued = authority.issue(request.key(), &profile).map_err(failure)?;
        let file = New { name: "cert.pem", text: &issued.chain_pem, reader: Reader::Everybody };
        write_new(&arguments.out.folder, &[file])?;
        say_text!(show::described(&issued.description));
        return Ok(());
    }
    let profile = Profile {
        subject: arguments.who.subject.map(Subject::from),
        names: arguments.who.names,
        purpose: purpose.unwrap_or(Purpose::Server),
        days,
    };
    refuse_existing(&arguments.out.folder, &["cert.pem", "key.pem"])?;
    let (made, key_text) = key::make(&arguments.key)?;
    let public = made.public_key().map_err(Failure::failed)?;
    let mut authority = open(&ca.folder, ca.password_file.as_deref())?;
    let issued = authority.issue(&public, &profile).map_err(failure)?;
    write_new(&arguments.out.folder, &make::pair(&key_text, &issued.chain_pem))?;
    say_text!(show::fingerprints(&issued.description));
    Ok(())
}

/// Runs `carrack cert revoke`.
pub(super) fn revoke(arguments: &Revoke) -> Result<(), Failure> {
    let chain = files::certificates(&arguments.certificate)?;
    let own = chain.first().ok_or_else(|| Failure::failed("there is no certificate"))?;
    let mut authority = open(&arguments.ca.folder, arguments.ca.password_file.as_deref())?;
    let about =
        authority.revoke(own, arguments.reason).map_err(|error| in_file(&arguments.certificate)(&error))?;
    say!("revoked      {} of {}", about.serial, escaped(about.subject.as_bytes()));
    say!("Others learn of it by the next `carrack cert crl`.");
    Ok(())
}

/// Runs `carrack cert crl`.
pub(super) fn crl(arguments: &Crl) -> Result<(), Failure> {
    let mut authority = open(&arguments.ca.folder, arguments.ca.password_file.as_deref())?;
    let list = authority.crl(arguments.days).map_err(failure)?;
    files::replace(&arguments.out, &list)?;
    let (_, revoked) = authority.counts();
    say!("list         {} ({revoked} revoked, good for {} days)", arguments.out.display(), arguments.days);
    Ok(())
}

/// Opens an authority; a password is asked for only where its key has one.
pub(super) fn open(folder: &Path, password_file: Option<&Path>) -> Result<Authority, Failure> {
    match Authority::open(folder, None) {
        Err(AuthorityError::Key { file, error: KeyError::PasswordNeeded }) => {
            let password = key::known_password(password_file, &file, "--ca-password-file")?;
            Authority::open(folder, Some(&password)).map_err(failure)
        }
        other => other.map_err(failure),
    }
}

/// Before anything is issued: what cannot be written need not be in the index.
pub(super) fn refuse_existing(folder: &Path, names: &[&str]) -> Result<(), Failure> {
    match names.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
        Some(path) => Err(files::is_there(&path)),
        None => Ok(()),
    }
}

/// An authority's failure, with its exit status.
pub(super) fn failure(error: AuthorityError) -> Failure {
    use issue::AuthorityError::{Absent, File};
    let missing = [std::io::ErrorKind::NotFound, std::io::ErrorKind::PermissionDenied];
    match &error {
        Absent(_) => Failure::new(Status::Missing, error),
        File { error: why, .. } if missing.contains(&why.kind()) => Failure::new(Status::Missing, error),
        _ => Failure::failed(error),
    }
}
