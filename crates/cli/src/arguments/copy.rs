//! Which flags has `carrack cp`?

use std::ffi::OsString;

use carrack_ftp_client::copy::{JOBS, JOBS_MOST, Retries};
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::connection::{Connection, Results, with_notes};
use super::values;

/// Copy files and folders to a server, from one, or from one to another
///
/// Into DST where it is a folder, else to the name DST. With -r a folder is copied with all that is in it; a slash behind SRC means its content.
/// Several sources need a folder as DST. `-` is standard input or output. `*`, `?` and `[…]` in the names of sources are patterns on both sides;
/// in a URL %2A, %3F and %5B stand for the signs themselves.
///
/// A file appears at the target whole or not at all, and replaces one that is there. A transfer that was interrupted goes on where it stopped
/// when the same command is run again, as long as the source is the same; --resume goes on with whatever is there, --no-resume begins anew. After
/// each file its size is compared, and its hash where the server has one.
///
/// Where SRC and DST are both URLs, the two servers exchange each file directly if they will (FXP), one has to be the TLS client for that (SSCN or
/// CPSV); if they will not, or with --limit-rate, the files pass through this machine without resting on it. One file is copied at a time, and
/// each from its beginning.
///
/// A local name that looks like a URL is written with ./ before it.
#[derive(Debug, Args)]
#[command(override_usage = "carrack cp [OPTIONS] <SRC>... <DST>")]
#[command(after_help = "\
Examples:
  carrack cp report.csv ftpes://alice@ftp.example/in/
  carrack cp -r ftpes://alice@ftp.example/photos .", after_long_help = with_notes!("\
Examples:
  carrack cp report.csv ftpes://alice@ftp.example/in/
  carrack cp 'ftpes://alice@ftp.example/out/*.csv' .
  carrack cp -r ftpes://alice@ftp.example/photos .         the folder: ./photos/…
  carrack cp -r ftpes://alice@ftp.example/photos/ pics     its content: pics/…
  carrack cp -r --include '*.rs' --exclude target src ftpes://alice@ftp.example/
  carrack cp -r ftpes://alice@a.example/photos ftpes://bob@b.example/
  tar cz docs | carrack cp - ftpes://alice@ftp.example/docs.tar.gz"))]
pub(crate) struct Copy {
    /// What is copied, and last where it goes: URLs, local names, or -
    // One list: clap would not take flags between two.
    #[arg(value_name = "SRC DST", required = true)]
    pub(crate) places: Vec<OsString>,

    /// Copy folders with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// Add to the end of the target instead of replacing it
    #[arg(long, conflicts_with_all = ["resume", "no_resume", "recursive"])]
    pub(crate) append: bool,

    /// Go on with whatever is at the target, by its size alone
    #[arg(long, conflicts_with = "no_resume")]
    pub(crate) resume: bool,

    /// Begin anew, also where a transfer was interrupted
    #[arg(long)]
    pub(crate) no_resume: bool,

    #[command(flatten)]
    pub(crate) patterns: Patterns,

    /// Move at most so many bytes a second, all files together: 500k, 1.5M (powers of 1024)
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) limit_rate: Option<u64>,

    /// Copy so many files at a time, each over a connection of its own
    #[arg(short, long, value_name = "N", default_value_t = JOBS, value_parser = jobs)]
    pub(crate) jobs: usize,

    /// Give copies the times of their sources
    #[arg(long)]
    pub(crate) times: bool,

    /// Try so many times more where a transfer fails for a reason that may pass
    #[arg(long, value_name = "N", default_value_t = Retries::default().attempts, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) retries: u32,

    /// What is compared after each file
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(crate) verify: Verify,

    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(flatten)]
    pub(crate) results: Results,
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=JOBS_MOST) => Ok(jobs),
        _ => Err(format!("it is a number from 1 to {JOBS_MOST}")),
    }
}

/// What is compared after a file was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verify {
    /// Hashes where the server has them, else sizes
    Auto,
    /// Sizes
    Size,
    /// Nothing
    Off,
}

/// What `--include` and `--exclude` say, in the order in which they were said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patterns(pub(crate) Vec<Pattern>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    Include(String),
    Exclude(String),
}

const INCLUDE: &str = "include";
const EXCLUDE: &str = "exclude";

impl Args for Patterns {
    fn augment_args(command: Command) -> Command {
        let pattern = |name, help, long_help: &'static str| {
            let arg = clap::Arg::new(name).long(name).value_name("PATTERN").help(help).long_help(long_help);
            arg.action(ArgAction::Append)
        };
        command
            .arg(pattern(
                INCLUDE,
                "Copy what matches; may be given again, and the first pattern that matches decides",
                "Copy what matches. It may be given again, mixed with --exclude; the first pattern that matches decides.\n\n\
                 *.log is a name at any depth, logs/*.gz the end of a path, /logs/*.gz a path from the source on, cache/ a folder, ** any number of \
                 folders. With --include alone, only what matches is copied.",
            ))
            .arg(pattern(
                EXCLUDE,
                "Leave out what matches, as for --include",
                "Leave out what matches, as for --include. A folder that is left out is not looked into.",
            ))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Patterns {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let said = |name: &str, pattern: fn(String) -> Pattern| {
            let values = matches.get_many::<String>(name).into_iter().flatten().cloned();
            let places = matches.indices_of(name).into_iter().flatten();
            places.zip(values.map(pattern)).collect::<Vec<_>>()
        };
        let mut all = said(INCLUDE, Pattern::Include);
        all.extend(said(EXCLUDE, Pattern::Exclude));
        all.sort_by_key(|(place, _)| *place);
        Ok(Self(all.into_iter().map(|(_, pattern)| pattern).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
