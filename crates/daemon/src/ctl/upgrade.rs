//! How does a server start the program that takes its place?

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::protocol::{Answer, Upgraded};

/// How long the new process may take until it serves. Behind that it is ended, and nothing has changed.
const START_TIME: Duration = Duration::from_secs(60);

/// The flag by which a process takes another's place.
const TAKE_OVER: &str = "--take-over";

/// What the service manager has told this process alone (sd_watchdog_enabled(3), sd_listen_fds(3)).
const FOR_THIS_PROCESS: [&str; 4] = ["WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

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

    /// Starts the program that lies there now, to take the place of the server at this control socket.
    fn start(&self, socket: &Path) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(TAKE_OVER).arg(socket).stdin(Stdio::null());
        FOR_THIS_PROCESS.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.spawn()
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
pub(super) async fn upgrade(
    called: Option<&Called>,
    socket: &Path,
    mut taken: watch::Receiver<Option<u32>>,
) -> Answer {
    let Some(called) = called else {
        return Answer::refused(
            "a server without a configuration file is not upgraded: stop it and start the new one",
        );
    };
    let mut child = match called.start(socket) {
        Ok(child) => child,
        Err(error) => {
            return Answer::refused(format!("{} cannot be started: {error}", called.program.display()));
        }
    };
    tokio::select! {
        ended = child.wait() => {
            let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            Answer::refused(format!("the new process did not come up ({status}): the log says why; this one serves on"))
        }
        process = async { taken.wait_for(Option::is_some).await.ok().and_then(|process| *process) } => match process {
            Some(process) => Answer::Upgraded(Upgraded { process }),
            None => Answer::refused("the server has ended"),
        },
        () = tokio::time::sleep(START_TIME) => {
            // Where it has ended meanwhile, there is nobody to end.
            let _ = child.kill().await;
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
        let called = Called { program: "/nowhere/carrack".into(), arguments: Vec::new() };
        let (_keep, taken) = watch::channel(None);
        let Answer::Refused(refusal) = upgrade(Some(&called), Path::new("ctl.sock"), taken).await else {
            panic!("nothing was upgraded");
        };
        assert!(refusal.why.starts_with("/nowhere/carrack cannot be started"), "{}", refusal.why);
    }
}
