//! `carrack cert`: self-signed certificates, and what a certificate says.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use carrack_ftp_client::escaped;
use carrack_ftp_client::url::Url;
use carrack_tls::{CertificateDescription, Identity, describe};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::arguments::cert::{Cert, Shown};
use crate::client::screen::Screen;
use crate::client::{self, chain};
use crate::exit::Failure;

/// Runs `carrack cert …`.
pub(crate) fn cert(command: Cert) -> Result<(), Failure> {
    match command {
        Cert::SelfSigned { names, out } => self_signed(&names, &out),
        Cert::Show(shown) => {
            let texts: Vec<String> = chain(&shown)?.iter().map(described).collect();
            print!("{}", texts.join("\n"));
            Ok(())
        }
        Cert::Fingerprint(shown) => {
            if let Some(certificate) = chain(&shown)?.first() {
                print!("{}", fingerprints(certificate));
            }
            Ok(())
        }
    }
}

/// The certificates of a file or of a server; at least one.
fn chain(shown: &Shown) -> Result<Vec<CertificateDescription>, Failure> {
    match shown.place.to_str() {
        Some(text) if Url::looks_like_url(text) => {
            let url = chain::server(text)?;
            let screen = Arc::new(Screen::new());
            client::run(chain::of(&url, &shown.reach, &shown.telling, &screen))
        }
        _ => read(&shown.place),
    }
}

fn self_signed(names: &[String], out: &Path) -> Result<(), Failure> {
    let made = Identity::self_signed(names).map_err(Failure::failed)?;
    fs::create_dir_all(out)
        .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", out.display())))?;
    let (certificate, key) = (out.join("cert.pem"), out.join("key.pem"));
    for path in [&certificate, &key] {
        if path.exists() {
            return Err(Failure::failed(format!(
                "{} is there already; choose another --out, or move it away",
                path.display()
            )));
        }
    }
    write_new(&key, 0o600, made.key_pem.as_bytes())?;
    write_new(&certificate, 0o644, made.certificate_pem.as_bytes())?;
    println!("certificate  {}", certificate.display());
    println!("key          {} (keep it to yourself)", key.display());
    let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes())
        .map_err(Failure::failed)?;
    print!("{}", fingerprints(identity.description()));
    Ok(())
}

/// Writes a file that is not there yet. SECURITY: never over a key that may be the only one.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))
}

/// All certificates of a PEM file; at least one.
pub(crate) fn read(file: &Path) -> Result<Vec<CertificateDescription>, Failure> {
    let shown = file.display();
    let pem = fs::read(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::failed(format!("{shown} is not there")),
        _ => Failure::failed(format!("{shown} cannot be read: {error}")),
    })?;
    let mut chain = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|error| Failure::failed(format!("{shown} is not valid PEM: {error}")))?;
        chain.push(describe(&der).map_err(|error| Failure::failed(format!("{shown}: {error}")))?);
    }
    if chain.is_empty() {
        return Err(Failure::failed(format!(
            "{shown} holds no certificate; it must be PEM with \"BEGIN CERTIFICATE\""
        )));
    }
    Ok(chain)
}

/// What a certificate says, a line each. A server's can say anything: nothing of it drives the terminal.
pub(crate) fn described(certificate: &CertificateDescription) -> String {
    let self_signed = if certificate.issuer == certificate.subject { " (itself)" } else { "" };
    let names = match certificate.names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let mut text = String::new();
    for (label, value) in [
        ("subject", certificate.subject.clone()),
        ("issuer", format!("{}{self_signed}", certificate.issuer)),
        ("names", names),
        ("valid", format!("{} to {}", certificate.not_before, certificate.not_after)),
        ("key", certificate.key.clone()),
        ("serial", certificate.serial.clone()),
    ] {
        text.push_str(&format!("{label:<12} {}\n", escaped(value.as_bytes())));
    }
    text + &fingerprints(certificate)
}

/// Both fingerprints, labelled. Each has 95 characters and a line of its own.
fn fingerprints(certificate: &CertificateDescription) -> String {
    format!(
        "SHA-256 of the certificate\n  {}\nSHA-256 of the public key (SPKI)\n  {}\n",
        certificate.fingerprint, certificate.spki_fingerprint
    )
}
