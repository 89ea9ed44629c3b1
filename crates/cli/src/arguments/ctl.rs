//! Which flags has the command that talks to a running server of this machine?

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Ask a running server of this machine, or tell it something
///
/// It is found by its state folder, where the control socket `ctl.sock` lies. Only root and the user that the server runs as may ask.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carrack ctl --config /etc/carrack/carrack.toml status
  carrack ctl --config /etc/carrack/carrack.toml kick user alice

Exit status:
  0 done, 1 refused, or no server answers, 2 wrong usage")]
pub(crate) struct Ctl {
    /// The server's configuration file
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "state")]
    pub(crate) config: Option<PathBuf>,
    /// The server's state folder [default: $XDG_STATE_HOME/carrack]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state: Option<PathBuf>,
    /// Print the server's answer as one line of JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) order: Order,
}

/// What is wanted.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// How the server is: version, listeners, who is there, certificates
    Status,
    /// Who is there, from where, and what they do
    Sessions,
    /// End a session, or all those of a user: what they transfer is cut, and they are told 421
    #[command(override_usage = "carrack ctl kick <SESSION>\n       carrack ctl kick user <NAME>")]
    Kick(Kick),
    /// Read the configuration again, for new sessions; one that is wrong is refused whole, and its problems printed
    Reload,
    /// Go down in order, as on SIGTERM: nobody new comes in, transfers finish
    Drain,
}

/// `carrack ctl kick`
#[derive(Debug, Args)]
pub(crate) struct Kick {
    /// The number of a session, or the word user and a name
    #[arg(value_name = "WHOM", required = true, num_args = 1..=2)]
    pub(crate) whom: Vec<String>,
}
