//! How does a server start the program that takes its place?

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::protocol::{Answer, Upgraded};
use crate::sandbox::Program;

/// How long the new process may take until it serves. Behind that it is ended, and nothing has changed.
const START_TIME: Duration = Duration::from_secs(60);

/// The flag by which a process takes another's place.
const TAKE_OVER: &str = "--take-over";

/// How this process was called, so that another is called in the same way.
#[derive(Debug, Clone)]
pub struct Called {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Called {
    /// Call it at the start: where the file of a program is replaced, a later look finds the one that is gone.
    ///
    /// # Errors
    /// The system does not say which program this is.
    pub fn of_this_process() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().map(PathBuf::from).unwrap_or_default();
        // As it was written, where that is a path: a link may lead to another version by then.
        let program = match name.components().count() {
            0 | 1 => std::env::current_exe()?,
            _ => std::path::absolute(name)?,
        };
        Ok(Self { program, arguments: without_take_over(arguments) })
    }

    /// The words by which the program that lies there then is called, to take the place of the server at this control socket.
    pub(crate) fn words(&self, socket: &Path) -> Vec<OsString> {
        let program = std::iter::once(self.program.clone().into());
        let last = [TAKE_OVER.into(), socket.into()];
        program.chain(self.arguments.iter().cloned()).chain(last).collect()
    }
}

/// A process that has taken a place may give it on.
fn without_take_over(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if argument == OsStr::new(TAKE_OVER) {
            arguments.next();
        } else if !text.starts_with(&format!("{TAKE_OVER}=")) {
            kept.push(argument);
        }
    }
    kept
}

/// Starts the next process, and waits until it has this one's place (`taken` names it) or has failed.
pub(super) async fn upgrade(next: Option<Program>, mut taken: watch::Receiver<Option<u32>>) -> Answer {
    let Some(next) = next else {
        return Answer::refused(
            "a server without a configuration file is not upgraded: stop it and start the new one",
        );
    };
    let mut running = match next.start(Vec::new(), Vec::new(), false, &[]).await {
        Ok(running) => running,
        Err(error) => return Answer::refused(format!("{} cannot be started: {error}", next.name())),
    };
    let ended = tokio::select! {
        ended = running.wait() => Some(ended),
        process = async { taken.wait_for(Option::is_some).await.ok().and_then(|process| *process) } => {
            return match process {
                Some(process) => Answer::Upgraded(Upgraded { process }),
                None => Answer::refused("the server has ended"),
            };
        }
        () = tokio::time::sleep(START_TIME) => None,
    };
    match ended {
        Some(ended) => {
            let status = ended.err().unwrap_or_else(|| "exit status: 0".to_owned());
            Answer::refused(format!(
                "the new process did not come up ({status}): the log says why; this one serves on"
            ))
        }
        None => {
            running.kill();
            Answer::refused(format!(
                "the new process did not serve within {} seconds and was ended; this one serves on",
                START_TIME.as_secs()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_a_place_gives_it_on_without_the_old_socket() {
        let given = |words: &[&str]| without_take_over(words.iter().map(OsString::from));
        let plain = ["serve", "--config", "carrack.toml"].map(OsString::from).to_vec();
        assert_eq!(given(&["serve", "--config", "carrack.toml"]), plain);
        assert_eq!(given(&["serve", "--take-over", "a/ctl.sock", "--config", "carrack.toml"]), plain);
        assert_eq!(given(&["serve", "--config", "carrack.toml", "--take-over=a/ctl.sock"]), plain);
        assert_eq!(given(&["serve", "--take-over"]), [OsString::from("serve")]);
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_started_is_named() {
        use crate::sandbox::{Listed, Programs, Purpose};
        let called = Called { program: "/nowhere/carrack".into(), arguments: vec!["serve".into()] };
        let words = called.words(Path::new("ctl.sock"));
        assert_eq!(words, ["/nowhere/carrack", "serve", "--take-over", "ctl.sock"]);
        let programs = Programs::in_this_process(vec![Listed { purpose: Purpose::Successor, words }]);
        let (_keep, taken) = watch::channel(None);
        let Answer::Refused(refusal) = upgrade(programs.successor(), taken).await else {
            panic!("nothing was upgraded");
        };
        assert!(refusal.why.contains("did not come up (No such file"), "{}", refusal.why);
    }
}
