//! Which flags have the commands that look at files of a server and change them?

use clap::{Args, ValueEnum};

use super::connection::{Connection, Results, with_notes};

/// List folders
///
/// Names stand one on a line, sorted, folders with a slash behind them. Names that begin with a dot are listed like all others, as far as the
/// server tells them. On a terminal, control characters and bytes that are no UTF-8 are shown as \xNN; in a pipe names are as the server has them.
///
/// The time of -l is in the local time zone and no more exact than the server told it. Where the server has no MLSD it is as LIST shows it, in
/// the server's time zone.
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack ls -l ftpes://alice@ftp.example/in", after_long_help = with_notes!("\
Examples:
  carrack ls ftpes://alice@ftp.example/
  carrack ls -l ftpes://alice@ftp.example/in ftpes://alice@ftp.example/out
  carrack ls --json ftps://alice@ftp.example//srv | jq -r .name"))]
pub(crate) struct List {
    /// Folders and files
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// Show kind, size and time too
    #[arg(short, long)]
    pub(crate) long: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Show a folder with all that is below it
///
/// Links are shown, not followed.
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack tree --depth 2 ftpes://alice@ftp.example/", after_long_help = with_notes!("\
Examples:
  carrack tree ftpes://alice@ftp.example/
  carrack tree --depth 2 ftpes://alice@ftp.example//srv"))]
pub(crate) struct Tree {
    /// The folder
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Look into so many levels of folders and no deeper
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) depth: Option<u16>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Print files
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack cat ftpes://alice@ftp.example/letter.txt", after_long_help = with_notes!("\
Examples:
  carrack cat ftpes://alice@ftp.example/letter.txt
  carrack cat ftpes://alice@ftp.example/backup.tar.gz | tar tz"))]
pub(crate) struct Cat {
    /// Files, printed one after the other
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Remove files, and with -r folders
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack rm ftpes://alice@ftp.example/in/a.csv", after_long_help = with_notes!("\
Examples:
  carrack rm ftpes://alice@ftp.example/in/a.csv ftpes://alice@ftp.example/in/b.csv
  carrack rm -r ftpes://alice@ftp.example/old"))]
pub(crate) struct Remove {
    /// Files, and with -r folders
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// Remove folders with all that is in them; links are removed, not followed
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Remove empty folders
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack rmdir ftpes://alice@ftp.example/old", after_long_help = with_notes!("\
Example:
  carrack rmdir ftpes://alice@ftp.example/old"))]
pub(crate) struct RemoveFolder {
    /// Empty folders
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Rename or move files and folders of one server
///
/// Into DST where it is a folder, else to the name DST. What happens to a file that has the name already is the server's rule: most replace it.
/// Nothing is copied, so all URLs must name the same server and user; between two servers it is `carrack cp` and then `carrack rm`.
#[derive(Debug, Args)]
#[command(override_usage = "carrack mv [OPTIONS] <SRC>... <DST>")]
#[command(after_help = "Example: carrack mv ftpes://alice@ftp.example/in/a.csv ftpes://alice@ftp.example/done/", after_long_help = with_notes!("\
Examples:
  carrack mv ftpes://alice@ftp.example/draft.txt ftpes://alice@ftp.example/letter.txt
  carrack mv ftpes://alice@ftp.example/in/a.csv ftpes://alice@ftp.example/in/b.csv ftpes://alice@ftp.example/done/"))]
pub(crate) struct Move {
    /// What is moved, and last where it goes
    // One list: clap would not take flags between two.
    #[arg(value_name = "SRC DST", required = true)]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Make folders
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack mkdir -p ftpes://alice@ftp.example/in/2026/11", after_long_help = with_notes!("\
Examples:
  carrack mkdir ftpes://alice@ftp.example/in
  carrack mkdir -p ftpes://alice@ftp.example/in/2026/11"))]
pub(crate) struct MakeFolder {
    /// The new folders
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// Make the folders above them too, and be content with folders that are there already
    #[arg(short, long)]
    pub(crate) parents: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Tell what is known of files and folders
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack stat ftpes://alice@ftp.example/letter.txt", after_long_help = with_notes!("\
Examples:
  carrack stat ftpes://alice@ftp.example/letter.txt
  carrack stat --json ftpes://alice@ftp.example/letter.txt | jq .size"))]
pub(crate) struct Stat {
    /// Files and folders
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Print hashes of files, as sha256sum does
///
/// The server computes them (HASH, XSHA256 and their like), so nothing is transferred. Where it cannot, --download fetches each file and computes
/// its hash here; nothing is written to the disk. The path behind the hash is the URL's, so that `sha256sum --check` finds local copies of the
/// same names.
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack hash ftpes://alice@ftp.example/letter.txt", after_long_help = with_notes!("\
Examples:
  carrack hash ftpes://alice@ftp.example/letter.txt
  carrack hash --download ftpes://alice@ftp.example/backup.tar.gz | sha256sum --check"))]
pub(crate) struct Hash {
    /// Files
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// Which hash
    #[arg(long, value_name = "NAME", default_value = "sha256")]
    pub(crate) algorithm: Algorithm,
    /// Fetch the files and compute the hashes here where the server cannot
    #[arg(long)]
    pub(crate) download: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// A hash that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
    /// SHA-1; finds accidents, not forgeries
    Sha1,
    /// MD5; finds accidents, not forgeries
    Md5,
    /// CRC-32; finds accidents, not forgeries
    Crc32,
}
