//! Which flags has `carrack trust`?

use std::path::PathBuf;

use carrack_tls::Sha256Fingerprint;
use clap::{Args, Subcommand};

use super::connection::{Reach, Results, State, Telling};
use super::values;

/// `carrack trust`
#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// List the servers whose keys are remembered
    List(TrustList),
    /// Remember the key of a server
    ///
    /// With --key or --certificate nothing is connected to. Without, the server is asked for its certificate, which is shown, and on a terminal you
    /// are asked. Compare the fingerprints with what the server's administrator gave you: whoever sits on the way can show a certificate of his own.
    #[command(after_help = "\
Examples:
  carrack trust add ftp.example:21
  carrack trust add ftps://ftp.example --certificate cert.pem
  carrack trust add ftp.example:2121 --key SHA256:9F:86:D0:…")]
    Add(TrustAdd),
    /// Forget the key of a server
    #[command(after_help = "Example: carrack trust remove ftp.example:21")]
    Remove(TrustRemove),
}

/// `carrack trust list`
#[derive(Debug, Args)]
pub(crate) struct TrustList {
    #[command(flatten)]
    pub(crate) results: Results,
    #[command(flatten)]
    pub(crate) state: State,
}

/// `carrack trust add`
#[derive(Debug, Args)]
pub(crate) struct TrustAdd {
    /// HOST[:PORT], or a URL; a host alone is port 21
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// The SHA-256 fingerprint of its public key (SPKI)
    #[arg(long, value_name = "SHA256", value_parser = values::fingerprint, conflicts_with = "certificate")]
    pub(crate) key: Option<Sha256Fingerprint>,
    /// Its certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Remember what the server shows without asking
    #[arg(short, long, conflicts_with_all = ["key", "certificate"])]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) state: State,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

/// `carrack trust remove`
#[derive(Debug, Args)]
pub(crate) struct TrustRemove {
    /// HOST[:PORT], or a URL; the port may be left out where one server of that name is remembered
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) state: State,
    #[command(flatten)]
    pub(crate) telling: Telling,
}
