//! Which flags do the certificate tools have?

use std::path::PathBuf;

use carrack_tls::issue::{KeyType, LONGEST_DAYS, Purpose, Reason, SubjectName};
use clap::{ArgGroup, Args, Subcommand};

use super::connection::{Reach, Results, Telling};
use super::values;

/// `carrack cert`
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a key and a self-signed certificate: DIR/cert.pem and DIR/key.pem
    #[command(after_help = "\
Examples:
  carrack cert self-signed --name ftp.example --out identity
  carrack cert self-signed --name ftp.example --name 192.0.2.7 --key-type rsa-3072 --out identity")]
    SelfSigned(SelfSigned),
    /// Make a certificate authority of your own
    #[command(subcommand, arg_required_else_help = true)]
    Ca(Ca),
    /// Issue a certificate by your own authority: DIR/cert.pem with the authority's behind it, and DIR/key.pem
    ///
    /// With --request the key stays where the request was made, and only DIR/cert.pem is written. The request says names and purpose; look at it with
    /// `carrack cert show` first. --name takes the place of its names, --server, --client and --both that of its purpose.
    #[command(after_help = "\
Examples:
  carrack cert issue --ca CA --name ftp.example --out server
  carrack cert issue --ca CA --name alice@example.org --client --out alice
  carrack cert issue --ca CA --request request.pem --out server")]
    Issue(Issue),
    /// Make a key and a request for a certificate, for an authority elsewhere: DIR/request.pem and DIR/key.pem
    Request(Request),
    /// Take back a certificate that your authority has issued; `carrack cert crl` tells others
    Revoke(Revoke),
    /// Write the list of what your authority has revoked
    Crl(Crl),
    /// Make a certificate anew that says the same, with the same key and a new validity
    ///
    /// Without --out it takes the place of CERT. A self-signed one needs its key; one of your own authority needs --ca.
    #[command(after_help = "\
Examples:
  carrack cert renew identity/cert.pem --key identity/key.pem
  carrack cert renew server/cert.pem --ca CA
  carrack cert renew server/cert.pem --ca CA --new-key --out server-2")]
    Renew(Renew),
    /// Take key and certificates out of a PKCS#12 file (.p12, .pfx): DIR/cert.pem and DIR/key.pem
    Import(Import),
    /// Put a key and its certificates into a PKCS#12 file, as browsers and Windows want them
    Export(Export),
    /// Show what a certificate, a request or a revocation list says
    ///
    /// Of a server it is shown what was agreed, what it has stapled, whether this machine's authorities vouch for it, and the whole chain as it sends
    /// it, whether it is to be trusted or not. Nothing but the handshake takes place.
    #[command(after_help = "\
Examples:
  carrack cert show cert.pem
  carrack cert show request.pem
  carrack cert show crl.pem
  carrack cert show ftpes://ftp.example")]
    Show(Shown),
    /// Print the SHA-256 fingerprints of a certificate and of its public key
    #[command(after_help = "\
Examples:
  carrack cert fingerprint cert.pem
  carrack cert fingerprint ftpes://ftp.example")]
    Fingerprint(Shown),
    /// Find out whether others would accept a certificate, and if not, why
    #[command(after_help = "\
Examples:
  carrack cert verify --ca-file CA/ca.pem --name ftp.example server/cert.pem
  carrack cert verify --ca-file CA/ca.pem --client --crl crl.pem alice/cert.pem

Exit status:
  0 accepted, 2 wrong usage, 4 not accepted, 6 a file is not there or may not be read, 1 anything else")]
    Verify(Verify),
}

/// `carrack cert self-signed`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["names", "subject"]).required(true).multiple(true))]
pub(crate) struct SelfSigned {
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) purpose: For,
    #[command(flatten)]
    pub(crate) days: Days,
    #[command(flatten)]
    pub(crate) key: NewKey,
    #[command(flatten)]
    pub(crate) out: Out,
}

/// `carrack cert ca`
#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Make an authority: its certificate CA/ca.pem, its key CA/ca-key.pem, and the index of what it issues
    ///
    /// Whoever is given ca.pem as an authority believes what this one issues. The key and the index belong to the authority alone.
    Init(CaInit),
    /// Go on with an authority that you have, such as one of OpenSSL: its certificate and key are copied into CA
    ///
    /// What it has issued before is not in the index, and can be revoked all the same.
    Adopt(CaAdopt),
}

/// `carrack cert ca adopt`
#[derive(Debug, Args)]
pub(crate) struct CaAdopt {
    /// The authority's new folder; it is made if need be, and nothing in it is replaced
    #[arg(long, value_name = "CA")]
    pub(crate) dir: PathBuf,
    /// Its certificate in PEM, the ones above it behind
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: PathBuf,
    /// Its private key; an encrypted one stays so
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The password of the key, where it is encrypted, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) key_password_file: Option<PathBuf>,
}

/// `carrack cert ca init`
#[derive(Debug, Args)]
pub(crate) struct CaInit {
    /// The authority's folder; it is made if need be, and nothing in it is replaced
    #[arg(long, value_name = "CA")]
    pub(crate) dir: PathBuf,
    /// The authority's name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Days that its certificate is good for
    #[arg(long, value_name = "DAYS", default_value_t = 3652, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_DAYS)))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) key: NewKey,
}

/// `carrack cert issue`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["names", "subject", "request"]).required(true).multiple(true))]
pub(crate) struct Issue {
    #[command(flatten)]
    pub(crate) ca: OwnAuthority,
    /// A request for a certificate, in PEM
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_type", "encrypt_key", "key_password_file"])]
    pub(crate) request: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) purpose: For,
    #[command(flatten)]
    pub(crate) days: Days,
    #[command(flatten)]
    pub(crate) key: NewKey,
    #[command(flatten)]
    pub(crate) out: Out,
}

/// `carrack cert request`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["names", "subject"]).required(true).multiple(true))]
pub(crate) struct Request {
    #[command(flatten)]
    pub(crate) who: Who,
    #[command(flatten)]
    pub(crate) purpose: For,
    #[command(flatten)]
    pub(crate) key: NewKey,
    #[command(flatten)]
    pub(crate) out: Out,
}

/// `carrack cert revoke`
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) ca: OwnAuthority,
    /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation or privilege-withdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = values::reason)]
    pub(crate) reason: Reason,
    /// The certificate; CA/issued has a copy of each
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
}

/// `carrack cert crl`
#[derive(Debug, Args)]
pub(crate) struct Crl {
    #[command(flatten)]
    pub(crate) ca: OwnAuthority,
    /// Days after which it is too old to be believed
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_DAYS)))]
    pub(crate) days: u32,
    /// Where to write it, in PEM; an older list there is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `carrack cert renew`
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// The certificate to renew, in PEM
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
    /// Its private key, where it is self-signed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ca", "new_key"])]
    pub(crate) key: Option<PathBuf>,
    /// The folder of the authority that has issued it
    #[arg(long, value_name = "CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The password of the authority's key, on the one line of this file
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub(crate) ca_password_file: Option<PathBuf>,
    /// Make a new key, too; clients that remember the old one will ask
    #[arg(long, requires = "out")]
    pub(crate) new_key: bool,
    #[command(flatten)]
    pub(crate) made: NewKey,
    #[command(flatten)]
    pub(crate) days: Days,
    /// The folder to write to, where CERT is to stay; it is made if need be, and nothing in it is replaced
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `carrack cert import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The PKCS#12 file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Its password, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Write the key encrypted
    #[arg(long)]
    pub(crate) encrypt_key: bool,
    /// The password for the key, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE", requires = "encrypt_key")]
    pub(crate) key_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) out: Out,
}

/// `carrack cert export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The certificate in PEM, its chain behind it
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The password of the key, where it is encrypted, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) key_password_file: Option<PathBuf>,
    /// The password for the PKCS#12 file, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The PKCS#12 file to write; none is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// `carrack cert verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The authorities to believe, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: PathBuf,
    /// A host name, address or e-mail address that it has to stand for
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) purpose: For,
    /// A list of what an authority has revoked, in PEM; give it again for more
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) lists: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) results: Results,
    /// The certificate in PEM, the ones between it and the authority behind it
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
}

/// Which certificate is shown.
#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// A file, PEM or DER, or the URL of a server
    #[arg(value_name = "FILE|URL")]
    pub(crate) place: PathBuf,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) telling: Telling,
    #[command(flatten)]
    pub(crate) results: Results,
}

// The groups of flags below have no doc comments: clap would take them for what the command is about.

// For whom a certificate stands.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// A host name, address or e-mail address that it stands for; give it again for more
    #[arg(long = "name", value_name = "NAME")]
    pub(crate) names: Vec<SubjectName>,
    /// The common name, as of a person [default: the first --name]
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
}

// What a certificate is good for.
#[derive(Debug, Args)]
pub(crate) struct For {
    /// It is for a server (the default where one is made)
    #[arg(long, group = "purpose")]
    pub(crate) server: bool,
    /// It is for a client
    #[arg(long, group = "purpose")]
    pub(crate) client: bool,
    /// It is for both
    #[arg(long, group = "purpose")]
    pub(crate) both: bool,
}

impl For {
    /// What was said, if anything.
    pub(crate) fn said(&self) -> Option<Purpose> {
        match (self.server, self.client, self.both) {
            (true, ..) => Some(Purpose::Server),
            (_, true, _) => Some(Purpose::Client),
            (.., true) => Some(Purpose::Both),
            _ => None,
        }
    }
}

// For how long.
#[derive(Debug, Args)]
pub(crate) struct Days {
    /// Days that it is good for [default: 397, and no longer than its authority]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_DAYS)))]
    pub(crate) days: Option<u32>,
}

// Which key is made, and how it rests.
#[derive(Debug, Args)]
#[command(next_help_heading = "The key")]
pub(crate) struct NewKey {
    /// ecdsa-p256, ecdsa-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p256")]
    pub(crate) key_type: KeyType,
    /// Write the key encrypted
    #[arg(long)]
    pub(crate) encrypt_key: bool,
    /// The password of the key, on the one line of this file; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) key_password_file: Option<PathBuf>,
}

// Who issues.
#[derive(Debug, Args)]
pub(crate) struct OwnAuthority {
    /// The folder of your authority
    #[arg(id = "ca", long, value_name = "CA")]
    pub(crate) folder: PathBuf,
    /// The password of its key, where that is encrypted, on the one line of this file; else it is asked for
    #[arg(id = "ca_password_file", long = "ca-password-file", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

// Where to.
#[derive(Debug, Args)]
pub(crate) struct Out {
    /// The folder to write to; it is made if need be, and nothing in it is replaced
    #[arg(id = "out", long, value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
