//! Which flags has the command that talks to a running server of this machine?

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values;

/// Ask a running server of this machine, or tell it something
///
/// It is found by its state folder, where the control socket `ctl.sock` lies. Only root and the user that the server runs as may ask.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carrack ctl --config /etc/carrack/carrack.toml status
  carrack ctl --config /etc/carrack/carrack.toml kick user alice
  carrack ctl --config /etc/carrack/carrack.toml ban 192.0.2.0/24 --for 12h

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
    #[command(
        override_usage = "carrack ctl kick <SESSION>\n       carrack ctl kick user <NAME> [--virtual-server <SERVER>]"
    )]
    Kick(Kick),
    /// Who is banned, until when, by whom and why
    Bans,
    /// Let nobody in from an address or a network, and end the sessions that are there from it
    Ban(Ban),
    /// Let a network in again
    Unban {
        /// As `bans` shows it
        network: String,
    },
    /// Read the configuration again, for new sessions; one that is wrong is refused whole, and its problems printed
    Reload,
    /// Start the program that lies in the server's place now, which takes over without refusing anybody
    Upgrade,
    /// Go down in order, as on SIGTERM: nobody new comes in, transfers finish
    Drain,
}

/// `carrack ctl ban`
#[derive(Debug, Args)]
pub(crate) struct Ban {
    /// An address, or a network such as 192.0.2.0/24
    pub(crate) network: String,
    /// How long: a number with s, m, h or d, such as 90m [default: until it is lifted]
    #[arg(long = "for", value_name = "TIME", value_parser = values::span)]
    pub(crate) for_s: Option<u64>,
    /// Why, for the log and the list
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
}

/// `carrack ctl kick`
#[derive(Debug, Args)]
pub(crate) struct Kick {
    /// The number of a session, or the word user and a name
    #[arg(value_name = "WHOM", required = true, num_args = 1..=2)]
    pub(crate) whom: Vec<String>,
    /// The virtual server of that user, by the first of its names [default: the one that clients need not name]
    #[arg(long, value_name = "SERVER")]
    pub(crate) virtual_server: Option<String>,
}
