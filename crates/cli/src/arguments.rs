//! Which commands and flags are there?

use std::net::SocketAddr;
use std::path::PathBuf;

use carrack_daemon::config::{LogFormat, Plaintext, PortRange, UserName, Word, listen_address};
use carrack_daemon::quick;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

/// Files over FTPS: a server, and the certificate tools it needs.
#[derive(Debug, Parser)]
#[command(name = "carrack", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "To share a folder right away: carrack serve DIR")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a folder over FTPS, or what a configuration file says
    ///
    /// With only DIR: explicit FTPS on 127.0.0.1:2121 and implicit FTPS on 127.0.0.1:2990, one user with a generated password, and a self-signed
    /// certificate; both are made once and kept in the state folder. Once it listens it prints commands to paste that list, upload and download.
    ///
    /// Stop it with Ctrl-C or SIGTERM: idle clients are told, running transfers finish. A second one stops it at once. The exit status is 0, or 1
    /// where transfers had to be cut. SIGHUP reads certificate and key again.
    #[command(
        override_usage = "carrack serve [OPTIONS] <DIR>\n       carrack serve [--log-format <FORMAT>] --config <FILE>"
    )]
    Serve(Box<Serve>),
    /// Make password hashes for the configuration file
    #[command(subcommand, arg_required_else_help = true)]
    User(User),
    /// Check and explain configuration files
    #[command(subcommand, arg_required_else_help = true)]
    Config(Config),
    /// Make and show certificates
    #[command(subcommand, arg_required_else_help = true)]
    Cert(Cert),
}

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
    #[arg(long, value_name = "A-B", default_value_t = PortRange::STANDARD)]
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
    Show {
        /// A PEM file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the SHA-256 fingerprints of a certificate and of its public key
    Fingerprint {
        /// A PEM file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_folder_or_a_file() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        for right in ["carrack serve .", "carrack serve --config c.toml", "carrack serve . --plaintext limit"]
        {
            parse(right).unwrap();
        }
        for wrong in [
            "carrack serve",
            "carrack serve . --config c.toml",
            "carrack serve --config c.toml --read-only",
            "carrack serve . --passive-ports 50000",
            "carrack serve . --password secret",
            "carrack serve . --explicit localhost:2121",
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }
}
