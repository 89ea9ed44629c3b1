//! Which flags do all commands share that talk to a server?

use std::path::PathBuf;

use carrack_tls::Sha256Fingerprint;
use clap::{ArgAction, Args, ValueEnum};

use super::values;

// The groups of flags below have no doc comments: clap would take them for what the command is about.

/// What every long help says about URLs, and what the exit status means.
macro_rules! with_notes {
    ($examples:literal) => {
        concat!(
            $examples,
            "

URLs:
  ftpes://[USER@]HOST[:PORT]/PATH   explicit TLS, port 21
  ftps://[USER@]HOST[:PORT]/PATH    implicit TLS, port 990
  ftp://[USER@]HOST[:PORT]/PATH     no protection at all; needs --plaintext
  PATH begins in the folder that the user logs in to, with a second slash (//) at the root.
  %XX stands for any byte in it; ? and # need none.

Exit status:
  0 done, 1 some files failed, 2 wrong usage, 3 no connection, 4 certificate not trusted,
  5 login refused, 6 not found or denied, 7 interrupted"
        )
    };
}
pub(crate) use with_notes;

// How to reach a server, as whom, whom to believe, and how much to say of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    pub(crate) login: Login,
    #[command(flatten)]
    pub(crate) trust: Whom,
    #[command(flatten)]
    pub(crate) protection: Protection,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) mode: Mode,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

// Who logs in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging in")]
pub(crate) struct Login {
    /// The password, on the one line of this file; CARRACK_PASSWORD and ~/.netrc serve too
    ///
    /// Looked for in this order: --password-file, the variable CARRACK_PASSWORD, the entry of ~/.netrc for this host and user, a prompt on the
    /// terminal. Where the URL names no user, ~/.netrc does, and otherwise it is anonymous, who never sends a password of yours.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// A client certificate in PEM, its chain behind it; or a PKCS#12 file (.p12, .pfx) with its key
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key [default: in the file of --cert]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// The password of the key or of the PKCS#12 file, on the one line of this file; CARRACK_KEY_PASSWORD serves too, else it is asked for
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key_password_file: Option<PathBuf>,
}

// Whom to believe.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Trusting the server")]
pub(crate) struct Whom {
    /// Believe the authorities in this PEM file and no others
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pin", "trust_new"])]
    pub(crate) ca: Option<PathBuf>,

    /// Believe exactly the certificate with this SHA-256 fingerprint, in this run
    #[arg(long, value_name = "SHA256", value_parser = values::fingerprint, conflicts_with = "trust_new")]
    pub(crate) pin: Option<Sha256Fingerprint>,

    /// Refuse certificates that this list (PEM or DER) has revoked; give it again for more
    ///
    /// It counts where authorities vouch for a server, those of --ca or the machine's: then a list of the authority that has issued the certificate
    /// must be among them, and in date. A key that is remembered is your own word, which no authority takes back.
    #[arg(long = "crl", value_name = "FILE", conflicts_with = "pin")]
    pub(crate) lists: Vec<PathBuf>,

    /// At the first meeting with a server, remember its key without asking
    ///
    /// Without it, the certificate of an unknown server is shown, and on a terminal you are asked: once, always or no. What is remembered is the
    /// key: a renewed certificate for it is accepted, another key is always refused.
    #[arg(long)]
    pub(crate) trust_new: bool,

    #[command(flatten)]
    pub(crate) state: State,
}

// Where things are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct State {
    /// Where remembered keys and the journal of transfers are kept [default: $XDG_STATE_HOME/carrack]
    #[arg(long = "state", value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

// What is protected.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Protection")]
pub(crate) struct Protection {
    /// Allow ftp:// URLs: password, names and files travel in clear
    #[arg(long)]
    pub(crate) plaintext: bool,

    /// Send listings and files in clear; commands and the password stay protected
    #[arg(long)]
    pub(crate) clear_data: bool,
}

// How a server is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Reach {
    /// Speak this version of TLS and no other
    #[arg(long, value_name = "VERSION")]
    pub(crate) tls: Option<TlsVersion>,

    /// Give up when the server is silent for this long [default: 30 to connect, 60 after that]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=values::LONGEST_TIMEOUT_S))]
    pub(crate) timeout: Option<u64>,
}

// Who connects to whom for data.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Mode {
    /// Let the server connect to this machine for data, for servers that cannot be connected to
    #[arg(long)]
    pub(crate) active: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersion {
    /// TLS 1.2
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3
    #[value(name = "1.3")]
    Tls13,
}

// How much is said on standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Telling {
    /// Show the dialogue with the server on standard error; -vv shows TLS too
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say nothing but results and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

// How results are written.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Results {
    /// Print one JSON object per line, failures too
    #[arg(long)]
    pub(crate) json: bool,
}
