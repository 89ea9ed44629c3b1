//! `carrack cert import` and `export`: PKCS#12.

use std::io;

use carrack_tls::issue::{self, Bundle};

use super::authority::refuse_existing;
use super::files::{self, in_file, write_new};
use super::{key, make, show};
use crate::arguments::cert::{Export, Import};
use crate::exit::Failure;

/// Runs `carrack cert import`.
pub(super) fn import(arguments: &Import) -> Result<(), Failure> {
    let file = &arguments.file;
    let bytes = files::bytes(file)?;
    refuse_existing(&arguments.out.folder, &["cert.pem", "key.pem"])?;
    let password = key::known_password(arguments.password_file.as_deref(), file, "--password-file")?;
    let bundle = Bundle::from_pkcs12(&bytes, &password).map_err(|error| in_file(file)(&error))?;
    let key_password = match arguments.encrypt_key {
        true => Some(key::new_password(arguments.key_password_file.as_deref(), "--key-password-file")?),
        false => None,
    };
    let key_text = bundle.key.to_pem(key_password.as_deref().map(String::as_str)).map_err(Failure::failed)?;
    let chain = bundle.chain_pem();
    write_new(&arguments.out.folder, &make::pair(&key_text, &chain))?;
    show::print_fingerprints(chain.as_bytes())
}

/// Runs `carrack cert export`.
pub(super) fn export(arguments: &Export) -> Result<(), Failure> {
    let chain = files::certificates(&arguments.certificate)?;
    let own = chain.first().ok_or_else(|| Failure::failed("there is no certificate"))?;
    let about = files::described(&arguments.certificate, own)?;
    let key = key::read(&arguments.key, arguments.key_password_file.as_deref())?;
    if key.spki_fingerprint() != about.spki_fingerprint {
        let whose = arguments.certificate.display();
        return Err(in_file(&arguments.key)(&format!("it is not the key of {whose}; give that one")));
    }
    let out = &arguments.out;
    if out.exists() {
        return Err(files::is_there(out));
    }
    let password = key::new_password(arguments.password_file.as_deref(), "--password-file")?;
    let name = about.names.first().unwrap_or(&about.subject).clone();
    let bytes = Bundle { chain, key }.to_pkcs12(&name, &password).map_err(Failure::failed)?;
    issue::create(out, 0o600, &bytes).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => files::is_there(out),
        _ => files::unwritable(out, &error),
    })?;
    say!("PKCS#12      {} (keep it to yourself)", out.display());
    Ok(())
}
