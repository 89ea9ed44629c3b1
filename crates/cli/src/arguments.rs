//! Which commands are there, and how are all of them called?
//!
//! One file a subject: [`server`], [`ctl`] and [`cert`] for whoever runs a server; [`files`], [`copy`], [`trust`] and [`bench`] for
//! whoever talks to one, with the flags they share in [`connection`].

pub(crate) mod bench;
pub(crate) mod cert;
pub(crate) mod connection;
pub(crate) mod copy;
pub(crate) mod ctl;
pub(crate) mod files;
pub(crate) mod server;
pub(crate) mod trust;
pub(crate) mod values;

#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use bench::Bench;
use cert::Cert;
use copy::Copy;
use ctl::Ctl;
use files::{Cat, Hash, List, MakeFolder, Move, Remove, RemoveFolder, Stat, Tree};
use server::{Config, Serve, User};
use trust::Trust;

/// Files over FTPS: a client, a server, and the certificate tools both need.
#[derive(Debug, Parser)]
#[command(name = "carrack", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
To share a folder right away:  carrack serve DIR
To look into a server:         carrack ls ftpes://USER@HOST/
To fetch a folder:             carrack cp -r ftpes://USER@HOST/FOLDER .")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Do cryptography by the FIPS 140-3 validated module alone, and nothing without it
    #[arg(long, global = true, help_heading = "FIPS 140-3")]
    pub(crate) fips: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Talk(Talk),

    /// List, add and remove the servers whose keys are remembered
    #[command(subcommand, arg_required_else_help = true)]
    Trust(Trust),

    /// Serve a folder over FTPS, or what a configuration file says
    ///
    /// With only DIR: explicit FTPS on 127.0.0.1:2121 and implicit FTPS on 127.0.0.1:2990, one user with a generated password, and a self-signed
    /// certificate; both are made once and kept in the state folder. Once it listens it prints commands to paste that list, upload and download.
    ///
    /// Stop it with Ctrl-C or SIGTERM: idle clients are told, running transfers finish. A second one stops it at once. The exit status is 0, or 1
    /// where transfers had to be cut. SIGHUP reads the configuration
    /// again, for new sessions.
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
    Ctl(Ctl),
    /// Make and show certificates
    #[command(subcommand, arg_required_else_help = true)]
    Cert(Cert),

    /// Print the version, and which cryptography is in this program
    ///
    /// With --fips it is an error where the validated module is not in it.
    Version {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print what a shell needs to complete commands and flags
    ///
    /// The shell reads it from a file, or at its start.
    #[command(after_help = "\
Examples:
  carrack completions bash > ~/.local/share/bash-completion/completions/carrack
  carrack completions zsh > \"${fpath[1]}/_carrack\"
  carrack completions fish > ~/.config/fish/completions/carrack.fish")]
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Write the manual pages, one for each command
    #[command(after_help = "\
Examples:
  carrack manual ~/.local/share/man/man1
  man carrack-cp")]
    Manual {
        /// The folder for them; it is made if need be, and pages in it are replaced
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// The commands that talk to a server about files. What each is about stands at its flags.
#[derive(Debug, Subcommand)]
pub(crate) enum Talk {
    Ls(List),
    Tree(Tree),
    Cat(Cat),
    Cp(Box<Copy>),
    Mv(Move),
    Rm(Remove),
    Rmdir(RemoveFolder),
    Mkdir(MakeFolder),
    Stat(Stat),
    Hash(Hash),
    Bench(Bench),
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}
