//! How are files of certificates read and written, and what is said of it?

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use carrack_tls::identity::Problem;
use carrack_tls::issue;
use carrack_tls::{CertificateDer, CertificateDescription, IdentityError, describe, pem_fault};
use rustls_pki_types::pem::{self, PemObject};
use zeroize::Zeroizing;

use crate::exit::{Failure, Status};

/// Bytes of a file that is read: more than any has that holds keys, chains or revocation lists of use here.
const LONGEST: u64 = 64 << 20;
/// Who may read a key.
const SECRET: u32 = 0o600;
/// Who may read a certificate.
const PUBLIC: u32 = 0o644;

/// The bytes of a file.
pub(super) fn bytes(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(file).and_then(|open| open.take(LONGEST + 1).read_to_end(&mut bytes));
    let shown = file.display();
    match read {
        Ok(length) if length as u64 > LONGEST => {
            Err(Failure::failed(format!("{shown} is too long to hold certificates or keys")))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound => Failure::new(Status::Missing, format!("{shown} is not there")),
            io::ErrorKind::PermissionDenied => {
                Failure::new(Status::Missing, format!("{shown} may not be read by you"))
            }
            _ => Failure::failed(format!("{shown} cannot be read: {error}")),
        }),
    }
}

/// Whether it begins with the tag of a SEQUENCE, as DER of every kind does here, and no line of text.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

/// All certificates of a PEM file; at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let shown = file.display();
    let chain = CertificateDer::pem_slice_iter(&bytes(file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| in_file(file)(&broken(&error)))?;
    if chain.is_empty() {
        return Err(Failure::failed(format!(
            "{shown} holds no certificate; it must be PEM with \"BEGIN CERTIFICATE\""
        )));
    }
    Ok(chain)
}

/// Whether a PEM file holds something beside certificates, such as the key.
pub(super) fn holds_more_than_certificates(file: &Path) -> Result<bool, Failure> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let bytes = bytes(file)?;
    let mut sections = bytes.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN);
    Ok(sections.any(|(at, _)| {
        bytes.get(at + BEGIN.len()..).is_some_and(|tag| !tag.starts_with(b"CERTIFICATE-----"))
    }))
}

/// What is wrong with PEM text, and the mend.
pub(super) fn broken(error: &pem::Error) -> String {
    format!("is not valid PEM: {}; copy the file again as it was issued", pem_fault(error))
}

/// What a certificate in a file says.
pub(super) fn described(file: &Path, der: &[u8]) -> Result<CertificateDescription, Failure> {
    describe(der).map_err(|error| in_file(file)(&format!("{error}; copy the file again as it was issued")))
}

/// A failure in the contents of a file.
pub(super) fn in_file(file: &Path) -> impl Fn(&dyn std::fmt::Display) -> Failure {
    let shown = file.display().to_string();
    move |error| Failure::failed(format!("{shown}: {error}"))
}

/// A file that a flag names and that cannot be used for it: the command was given wrongly.
pub(crate) fn unusable(error: &IdentityError) -> Failure {
    let missing = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
    match error.problem() {
        Problem::Unreadable(why) if missing.contains(&why.kind()) => Failure::new(Status::Missing, error),
        _ => Failure::usage(error),
    }
}

/// What becomes of a new file.
pub(super) struct New<'n> {
    /// Its name in the folder.
    pub(super) name: &'static str,
    /// Its contents.
    pub(super) text: &'n str,
    /// Who may read it.
    pub(super) reader: Reader,
}

/// Who may read a file.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    /// Its owner alone.
    Owner,
    /// Everybody.
    Everybody,
}

/// Writes files of which none is there yet, the key first: what comes after it can be made again.
pub(super) fn write_new(folder: &Path, files: &[New<'_>]) -> Result<(), Failure> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(file.name)).collect();
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        return Err(is_there(path));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))?;
    for (file, path) in files.iter().zip(&paths) {
        let (mode, label, note) = match file.reader {
            Reader::Owner => (SECRET, "key", " (keep it to yourself)"),
            Reader::Everybody if file.name == REQUEST => (PUBLIC, "request", ""),
            Reader::Everybody => (PUBLIC, "certificate", ""),
        };
        issue::create(path, mode, file.text.as_bytes()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => is_there(path),
            _ => unwritable(path, &error),
        })?;
        say!("{label:<12} {}{note}", path.display());
    }
    Ok(())
}

/// The name of a request's file.
pub(super) const REQUEST: &str = "request.pem";

/// Puts a public file in the place of what is there.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    issue::replace(&path, PUBLIC, text.as_bytes()).map_err(|error| unwritable(&path, &error))
}

/// SECURITY: nothing is written over what is there, which may be the only key.
pub(super) fn is_there(path: &Path) -> Failure {
    Failure::failed(format!("{} is there already; choose another --out, or move it away", path.display()))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}
