//! `carrack cert`: self-signed certificates, and what a certificate says.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use carrack_tls::{CertificateDescription, Identity, describe};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::Failure;
use crate::arguments::Cert;

/// Runs `carrack cert …`.
pub(crate) fn cert(command: Cert) -> Result<(), Failure> {
    match command {
        Cert::SelfSigned { names, out } => self_signed(&names, &out),
        Cert::Show { file } => {
            let chain = read(&file)?;
            for (index, certificate) in chain.iter().enumerate() {
                if index > 0 {
                    println!();
                }
                print(certificate);
            }
            Ok(())
        }
        Cert::Fingerprint { file } => {
            if let Some(certificate) = read(&file)?.first() {
                print_fingerprints(certificate);
            }
            Ok(())
        }
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
    print_fingerprints(identity.description());
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
fn read(file: &Path) -> Result<Vec<CertificateDescription>, Failure> {
    let shown = file.display();
    if file.to_string_lossy().contains("://") {
        return Err(Failure::usage(format!(
            "{shown} is a URL; this version reads files only. `openssl s_client -starttls ftp -connect HOST:PORT` shows a server's certificate"
        )));
    }
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

fn print(certificate: &CertificateDescription) {
    println!("subject      {}", certificate.subject);
    let self_signed = if certificate.issuer == certificate.subject { " (itself)" } else { "" };
    println!("issuer       {}{self_signed}", certificate.issuer);
    println!(
        "names        {}",
        if certificate.names.is_empty() { "none".to_owned() } else { certificate.names.join(", ") }
    );
    println!("valid        {} to {}", certificate.not_before, certificate.not_after);
    println!("key          {}", certificate.key);
    println!("serial       {}", certificate.serial);
    print_fingerprints(certificate);
}

/// Both fingerprints, labelled. Each has 95 characters and a line of its own.
fn print_fingerprints(certificate: &CertificateDescription) {
    println!("SHA-256 of the certificate\n  {}", certificate.fingerprint);
    println!("SHA-256 of the public key (SPKI)\n  {}", certificate.spki_fingerprint);
}
