//! Which flags do the certificate tools have?

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::connection::{Reach, Telling};

/// `carrack cert`
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a key and a self-signed certificate: DIR/cert.pem and DIR/key.pem
    SelfSigned {
        /// A host name or address that it stands for; give it again for more
        #[arg(long = "name", value_name = "NAME", required = true)]
        names: Vec<String>,
        /// The folder for both files; it is made if need be, and nothing in it is replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Show what a certificate says
    ///
    /// Of a server the whole chain is shown, as it sends it, whether it is to be trusted or not. Nothing but the handshake takes place.
    #[command(after_help = "\
Examples:
  carrack cert show cert.pem
  carrack cert show ftpes://ftp.example")]
    Show(Shown),
    /// Print the SHA-256 fingerprints of a certificate and of its public key
    #[command(after_help = "\
Examples:
  carrack cert fingerprint cert.pem
  carrack cert fingerprint ftpes://ftp.example")]
    Fingerprint(Shown),
}

/// Which certificate is shown.
#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// A PEM file, or the URL of a server
    #[arg(value_name = "FILE|URL")]
    pub(crate) place: PathBuf,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) telling: Telling,
}
