//! `carrack cp`: files and folders to a server, from one, and from one to another.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use carrack_ftp_client::copy::{
    Ended, Existing, Plan, Recursion, Resume, Retries, Source, Stop, Target, Times, Verify, copy, copy_across,
};
use carrack_ftp_client::filter::Filter;
use carrack_ftp_client::url::Url;

use super::each;
use super::interrupt::until;
use super::output::{Form, Output};
use super::progress::{Progress, failure};
use super::session::Session;
use crate::arguments;
use crate::arguments::copy::{Copy, Pattern};
use crate::exit::{Failure, Status};
use crate::state::State;

/// Standard input or output.
const STREAM: &str = "-";

/// Something that is copied, or where it goes.
#[derive(Debug)]
enum Place {
    Stream,
    Local(PathBuf),
    Remote(Url),
}

/// Runs `carrack cp …`.
pub(crate) async fn cp(
    arguments: Copy,
    session: &mut Session,
    output: &Arc<Output>,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut places = places(&arguments.places)?;
    let destination = match places.pop() {
        Some(destination) if !places.is_empty() => destination,
        _ => return Err(Failure::usage("where to is missing; it is `carrack cp SRC... DST`")),
    };
    let Servers { first, across } = servers(&places, &destination)?;
    let (url, across) = (first.clone(), across.cloned());
    if output.form() == Form::Json && matches!(destination, Place::Stream) {
        return Err(Failure::usage(
            "standard output cannot hold the file and --json; write the file to a name, or leave --json out",
        ));
    }
    if across.is_some() {
        between_servers(&arguments)?;
    }
    let sources = places.into_iter().map(source).collect();
    let plan = plan(sources, target(destination)?, &arguments)?;
    let client = until(stop, session.connect(&url)).await?;
    let other = match &across {
        Some(across) => Some(until(stop, session.connect(across)).await?),
        None => None,
    };
    let progress = Arc::new(Progress::new(&url, across.as_ref(), output));
    let observer = Arc::clone(&progress) as _;
    let summary = match other {
        Some(other) => copy_across(plan, client, other, observer, stop.clone()).await,
        None => copy(plan, client, observer, stop.clone()).await,
    };
    progress.end();
    let summary = summary.map_err(|error| failure(&error))?;
    if summary.ended == Ended::ReaderGone {
        return Err(Failure::told(Status::Done));
    }
    progress.sum_up(&summary)?;
    match summary.ended {
        Ended::Stopped => Err(Failure::new(Status::Interrupted, interrupted(summary.resumable))),
        Ended::ReaderGone | Ended::Complete => progress.outcome(),
    }
}

fn interrupted(resumable: u64) -> String {
    let goes_on = match resumable {
        0 => String::new(),
        1 => ", and the transfer goes on where it stopped".to_owned(),
        more => format!(", and {more} transfers go on where they stopped"),
    };
    format!("interrupted; run the same command again{goes_on}")
}

fn places(words: &[OsString]) -> Result<Vec<Place>, Failure> {
    words.iter().map(place).collect()
}

fn place(word: &OsString) -> Result<Place, Failure> {
    match word.to_str() {
        Some(STREAM) => Ok(Place::Stream),
        Some(text) if Url::looks_like_url(text) => each::parse_one(text).map(Place::Remote),
        _ => Ok(Place::Local(PathBuf::from(word))),
    }
}

/// Refuses what there is no way to do between two servers.
fn between_servers(arguments: &Copy) -> Result<(), Failure> {
    let refused =
        [(arguments.append, "--append"), (arguments.resume, "--resume"), (arguments.times, "--times")];
    match refused.iter().find(|(is_said, _)| *is_said) {
        Some((_, flag)) => Err(Failure::usage(format!(
            "{flag} is not for copies from one server to another; copy to this machine first and from there on"
        ))),
        None => Ok(()),
    }
}

/// The servers of a copy.
#[derive(Debug)]
struct Servers<'p> {
    /// The one, or the sources'.
    first: &'p Url,
    /// The target's, where the sources are on a server as well.
    across: Option<&'p Url>,
}

fn servers<'p>(sources: &'p [Place], destination: &'p Place) -> Result<Servers<'p>, Failure> {
    let mut urls = sources.iter().filter_map(|place| match place {
        Place::Remote(url) => Some(url),
        Place::Stream | Place::Local(_) => None,
    });
    let (first, across) = match (urls.next(), destination) {
        (Some(first), Place::Remote(across)) => (first, Some(across)),
        (None, Place::Remote(url)) => return Ok(Servers { first: url, across: None }),
        (Some(first), Place::Stream | Place::Local(_)) => (first, None),
        (None, Place::Stream | Place::Local(_)) => {
            return Err(Failure::usage(
                "neither a source nor the target is a URL; local files are copied with `cp`",
            ));
        }
    };
    if let Some(other) = urls.find(|url| url.origin() != first.origin() || url.user != first.user) {
        return Err(Failure::usage(format!(
            "{first} and {other} are not the same server and user; copy from one after the other"
        )));
    }
    match sources.iter().find(|place| !matches!(place, Place::Remote(_))) {
        Some(_) if !matches!(destination, Place::Local(_)) => {
            Err(Failure::usage("sources are all on one server or all on this machine"))
        }
        Some(Place::Local(path)) => Err(Failure::usage(format!(
            "{} is on this machine, and so is the target; copy it with `cp`",
            path.display()
        ))),
        Some(_) => Err(Failure::usage("standard input is copied alone")),
        None => Ok(Servers { first, across }),
    }
}

fn source(place: Place) -> Source {
    match place {
        Place::Stream => Source::Stream(Box::new(tokio::io::stdin())),
        Place::Local(path) => Source::Local(path),
        Place::Remote(url) => Source::Remote(url.path),
    }
}

fn target(place: Place) -> Result<Target, Failure> {
    Ok(match place {
        // Past the buffer that standard output has for lines.
        Place::Stream => Target::File(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        Place::Local(path) => Target::Local(path),
        Place::Remote(url) => Target::Remote(url.path),
    })
}

fn plan(sources: Vec<Source>, target: Target, arguments: &Copy) -> Result<Plan, Failure> {
    let mut filter = Filter::default();
    for pattern in &arguments.patterns.0 {
        match pattern {
            Pattern::Include(pattern) => filter.include(pattern),
            Pattern::Exclude(pattern) => filter.exclude(pattern),
        }
        .map_err(Failure::usage)?;
    }
    let defaults = Plan::new(sources, target);
    Ok(Plan {
        recursion: if arguments.recursive { Recursion::Folders } else { Recursion::FilesOnly },
        existing: if arguments.append { Existing::Append } else { Existing::Replace },
        resume: match (arguments.resume, arguments.no_resume) {
            (true, _) => Resume::BySize,
            (_, true) => Resume::Never,
            _ => Resume::Journal,
        },
        verify: match arguments.verify {
            arguments::copy::Verify::Auto => Verify::Auto,
            arguments::copy::Verify::Size => Verify::Size,
            arguments::copy::Verify::Off => Verify::Off,
        },
        times: if arguments.times { Times::Keep } else { Times::New },
        filter,
        jobs: arguments.jobs,
        rate: arguments.limit_rate.and_then(NonZeroU64::new),
        retries: Retries { attempts: arguments.retries, ..Retries::default() },
        // Where it cannot be made, the copy itself says what that means for it.
        state: state(arguments),
        ..defaults
    })
}

fn state(arguments: &Copy) -> Option<PathBuf> {
    let state = State::new(arguments.connection.trust.state.folder.as_deref());
    state.make().or_else(|_| state.path().map(PathBuf::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Result<String, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (destination, sources) = words.split_last().unwrap();
        let (sources, destination) = (places(sources).unwrap(), place(destination).unwrap());
        match servers(&sources, &destination) {
            Ok(Servers { first, across: None }) => Ok(first.origin()),
            Ok(Servers { first, across: Some(across) }) => {
                Ok(format!("{} {}", first.origin(), across.origin()))
            }
            Err(failure) => {
                assert_eq!(failure.status(), Status::Usage);
                Err(failure.text().to_owned())
            }
        }
    }

    #[test]
    fn one_side_is_one_server() {
        for words in [
            &["a", "ftpes://u@h/"][..],
            &["a", "b", "ftpes://u@h/"],
            &["-", "ftpes://u@h/x"],
            &["ftpes://u@h/a", "."],
            &["ftpes://u@h/a", "FTPES://u@H:21/b", "."],
            &["ftpes://u@h/a", "-"],
            &["./ftpes://x", "ftpes://u@h/"],
        ] {
            assert_eq!(check(words).as_deref(), Ok("ftpes://h:21"), "{words:?}");
        }
        for (words, why) in [
            (&["a", "b"][..], "neither"),
            (&["-", "-"], "neither"),
            (&["a", "ftpes://h/a", "ftpes://i/b"], "all on one server"),
            (&["-", "ftpes://h/a", "ftpes://i/b"], "all on one server"),
            (&["ftpes://h/a", "ftpes://j/a", "ftpes://i/b"], "not the same server"),
            (&["ftpes://h/a", "ftpes://i/b", "."], "not the same server"),
            (&["ftpes://u@h/a", "ftpes://v@h/b", "."], "not the same server and user"),
            (&["ftpes://h/a", "ftps://h/b", "."], "not the same server"),
            (&["ftpes://h/a", "b", "."], "b is on this machine"),
            (&["ftpes://h/a", "-", "."], "standard input is copied alone"),
        ] {
            let said = check(words).unwrap_err();
            assert!(said.contains(why), "{words:?}: {said}");
        }
    }

    #[test]
    fn sources_and_target_may_be_on_two_servers() {
        assert_eq!(check(&["ftpes://h/a", "ftps://i/b"]).as_deref(), Ok("ftpes://h:21 ftps://i:990"));
        assert_eq!(
            check(&["ftpes://h/a", "ftpes://h/b", "ftpes://h/c"]).as_deref(),
            Ok("ftpes://h:21 ftpes://h:21")
        );
    }

    #[test]
    fn what_was_interrupted_says_how_it_goes_on() {
        assert_eq!(interrupted(0), "interrupted; run the same command again");
        assert!(interrupted(1).ends_with("and the transfer goes on where it stopped"));
        assert!(interrupted(3).contains("3 transfers"));
    }
}
