//! Which flags do the server's commands have: `serve`, `user`, `config`?

use std::net::SocketAddr;
use std::path::PathBuf;

use carrack_daemon::config::{LogFormat, Plaintext, PortRange, UserName, Word, listen_address};
use carrack_daemon::quick;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

/// What `carrack serve` is told.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The folder to serve
    #[arg(value_name = "DIR", required_unless_present = "config", conflicts_with = "config")]
    pub(crate) folder: Option<PathBuf>,

    /// Run what this file says, instead of DIR and the flags below
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "explicit", "implicit", "passive_ports", "user", "password_file", "state", "read_only", "plaintext",
    ])]
    pub(crate) config: Option<PathBuf>,

    /// Where explicit FTPS is served; 0.0.0.0:2121 lets other machines in
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address, default_value_t = quick::EXPLICIT)]
    pub(crate) explicit: SocketAddr,

    /// Where implicit FTPS is served
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address, default_value_t = quick::IMPLICIT)]
    pub(crate) implicit: SocketAddr,

    /// Ports for data connections, such as 50000-50999
    #[arg(long, value_name = "A-B|N", default_value_t = PortRange::STANDARD)]
    pub(crate) passive_ports: PortRange,

    /// Who may log in
    #[arg(long, value_name = "NAME", default_value = quick::USER)]
    pub(crate) user: UserName,

    /// The password, on the one line of this file; CARRACK_PASSWORD serves too
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// Where certificate, key and password are kept [default: $XDG_STATE_HOME/carrack]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Let nobody change anything
    #[arg(long)]
    pub(crate) read_only: bool,

    /// What a client gets that does not ask for TLS; limit lets anonymous list and read, and no more with TLS
    #[arg(long, value_name = "WHAT", default_value = "refuse", value_parser = words::<Plaintext>(Plaintext::WORDS))]
    pub(crate) plaintext: Plaintext,

    /// Take the place of the server that runs, whose control socket this is (`ctl.sock` in its state folder), without refusing anybody
    #[arg(long, value_name = "SOCKET", requires = "config")]
    pub(crate) take_over: Option<PathBuf>,

    /// How log lines on standard error are written [default: text, or what the file says]
    #[arg(long, value_name = "FORMAT", value_parser = words::<LogFormat>(LogFormat::WORDS))]
    pub(crate) log_format: Option<LogFormat>,
}

/// The words of the configuration file as the values of a flag, each with its help.
fn words<T>(words: &'static [Word]) -> impl TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    let values = words.iter().map(|word| PossibleValue::new(word.word).help(word.help.trim()));
    PossibleValuesParser::new(values).try_map(|word| word.parse::<T>())
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Print the hash of a password, for `password` in the configuration file
    ///
    /// The password comes from --password-file, from CARRACK_PASSWORD or from a prompt; never from the command line, where everybody on the machine
    /// could read it.
    Hash {
        /// The password, on the one line of this file
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Print the users of another server, for the configuration file or a users file
    ///
    /// What could not be taken over is said on standard error and in comments; a user whose password cannot be checked here stands there commented out,
    /// and the exit status is 1 then. Passwords that stand in the file in clear are hashed.
    Import(Import),
}

/// What `carrack user import` is told.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Whose users they are
    #[arg(long, value_name = "SERVER")]
    pub(crate) from: Origin,

    /// ProFTPD's AuthUserFile, Pure-FTPd's pureftpd.passwd, or the names and passwords of vsftpd's virtual users
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The home of users that have none in the file, such as /srv/ftp/%u; %u is the name
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<String>,

    /// Take --home for all users, whatever the file says
    #[arg(long, requires = "home")]
    pub(crate) replace_homes: bool,

    /// vsftpd's user_config_dir, which has a file for each user
    #[arg(long, value_name = "DIR")]
    pub(crate) user_config_dir: Option<PathBuf>,
}

/// The servers whose users can be taken over.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Origin {
    Vsftpd,
    Proftpd,
    PureFtpd,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Tell everything that is wrong with a file
    Check(File),
    /// Print the values in force, defaults included
    Show(File),
    /// Print the JSON Schema of the file, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct File {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, as `serve` takes it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl File {
    pub(crate) fn path(self) -> PathBuf {
        self.file.or(self.config).unwrap_or_default()
    }
}
