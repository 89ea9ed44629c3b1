//! The broker at work. It believes the server as little as it must: the server is what faces the world.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitCode, Stdio};

use rustix::process::{DumpableBehavior, Pid, Signal, kill_process_group, set_dumpable_behavior};
use tokio::io::Interest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::wire::{Received, receive};
use super::{Ended, Listed, NAME, Purpose, Said, Start};
use crate::packets::polled;
use crate::sandbox::refusals;

/// What has the next server killed.
pub(super) const KILL: &[u8] = b"k";

/// Programs that may be listed: hooks, and a few others.
const MOST_LISTED: usize = 64;

/// Programs that may run at a time: more than `users.at_a_time` and all hooks together.
const MOST_RUNNING: usize = 1_100;

/// The longest argument or variable: a path of the system's longest, and some words.
const LONGEST_WORD: usize = 16 * 1024;

/// What a hook may be told beside its standard input.
const HOOK_VARIABLES: &str = "CARRACK_";

/// A password in the environment is the server's own business.
const SECRET: &str = "CARRACK_PASSWORD";

/// Serves as the broker where this process was called as one, and says with which status it ends.
pub fn run_if_called() -> Option<ExitCode> {
    let is_called =
        std::env::args_os().next().is_some_and(|name| name == NAME) && std::env::args_os().len() == 1;
    if !is_called {
        return None;
    }
    // Both are for whoever looks at processes; nothing depends on them.
    let _ = rustix::thread::set_name(c"carrack-broker");
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return Some(ExitCode::FAILURE) };
    // What the programs are given as standard input is not this.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    Some(serve(socket))
}

/// Serves until the server has ended.
pub(super) fn serve(socket: OwnedFd) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    match runtime.block_on(Broker::default().serve(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[derive(Debug, Default)]
struct Broker {
    listed: Vec<Listed>,
    is_whole: bool,
    watches: bool,
}

impl Broker {
    async fn serve(mut self, socket: OwnedFd) -> io::Result<()> {
        // They are for the server, and reach the whole group. This process ends with it.
        let _kept = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
            SignalKind::user_defined1(),
        ]
        .map(signal);
        let socket = polled(socket)?;
        let mut running = JoinSet::new();
        loop {
            let received = tokio::select! {
                received = socket.async_io(Interest::READABLE, || receive::<Said>(&socket)) => received,
                Some(_) = running.join_next(), if !running.is_empty() => continue,
            };
            let (said, mut fds) = match received {
                Ok(Received::Message(said, fds)) => (said, fds.into_iter()),
                // What runs goes with `running`.
                Ok(Received::End) => return Ok(()),
                // SECURITY: what is no message of ours has no effect.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(error) => return Err(error),
            };
            match said {
                Said::Listed(one) if !self.is_whole && self.listed.len() < MOST_LISTED => {
                    self.listed.push(one)
                }
                Said::Whole => self.is_whole = true,
                Said::Refusals if !self.watches => {
                    let Some(listener) = fds.next() else { continue };
                    self.watches = true;
                    refusals::watch(listener, socket.as_fd().try_clone_to_owned()?);
                }
                Said::Start(start) if self.is_whole => {
                    let Some(life) = fds.next().and_then(|life| polled(life).ok()) else { continue };
                    let is_room = running.len() < MOST_RUNNING;
                    let command = self.command(&start, fds.collect(), is_room);
                    running.spawn(attend(command, life));
                }
                // SECURITY: the list is closed, and there is one who watches.
                Said::Listed(_) | Said::Refusals | Said::Start(_) => {}
            }
        }
    }

    /// What is to be started, where that may be.
    fn command(&self, start: &Start, fds: Vec<OwnedFd>, is_room: bool) -> Result<(Command, Purpose), String> {
        let Listed { purpose, words } = self.listed.get(start.which).ok_or("there is no such program")?;
        let (program, first) = words.split_first().ok_or("there is no program")?;
        if !is_room {
            return Err(format!("{MOST_RUNNING} programs run already"));
        }
        may_be_told(*purpose, start)?;
        let mut command = Command::new(program);
        command.args(first).args(&start.arguments).stdin(Stdio::null()).stdout(Stdio::null());
        if *purpose == Purpose::Successor {
            command.stdout(Stdio::inherit());
            return Ok((command, Purpose::Successor));
        }
        let mut fds = fds.into_iter().map(Stdio::from);
        let (Some(input), Some(error)) = (fds.next(), fds.next()) else {
            return Err("its pipes are missing".to_owned());
        };
        command.stdin(input).stderr(error).process_group(0).kill_on_drop(true);
        if start.answers {
            command.stdout(fds.next().ok_or("its pipe is missing")?);
        }
        // SECURITY: no shell reads anything, and of this process's environment only who has to find its own files gets something.
        match purpose {
            Purpose::Hook | Purpose::Users => command.env_clear().current_dir("/"),
            Purpose::Dns | Purpose::Successor => command.env_remove(SECRET),
        };
        command.envs(start.environment.iter().map(|(name, value)| (name, value)));
        Ok((command, *purpose))
    }
}

/// SECURITY: what the server may add to the words of the list, so that who has broken in there starts nothing else by it.
fn may_be_told(purpose: Purpose, start: &Start) -> Result<(), String> {
    let Start { arguments, environment, .. } = start;
    let is_word = |word: &str| word.len() <= LONGEST_WORD && !word.contains('\0');
    let is_variable = |name: &str| {
        name.starts_with(HOOK_VARIABLES) && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
    };
    let well = arguments.iter().all(|word| is_word(word))
        && environment.iter().all(|(name, value)| is_variable(name) && is_word(value))
        && match purpose {
            Purpose::Hook => arguments.is_empty(),
            Purpose::Users | Purpose::Successor => arguments.is_empty() && environment.is_empty(),
            Purpose::Dns => {
                let record = |name: &str| name.starts_with("_acme-challenge.");
                let word = |word: &str| matches!(word, "present" | "cleanup");
                environment.is_empty()
                    && matches!(&arguments[..], [first, name, _] if word(first) && record(name))
            }
        };
    if well { Ok(()) } else { Err("it may not be told that".to_owned()) }
}

/// Runs a program to its end, or to that of whoever wants it.
async fn attend(command: Result<(Command, Purpose), String>, mut life: UnixStream) {
    let spawned = command.and_then(|(mut command, purpose)| {
        let child = command.spawn().map_err(|error| error.to_string())?;
        Ok((child, purpose))
    });
    let ended = match spawned {
        Ok((mut child, Purpose::Successor)) => next_server(&mut child, &mut life).await,
        Ok((child, _)) => {
            let mut family = Family(child);
            tokio::select! {
                status = family.0.wait() => Some(status),
                () = gone(&mut life) => None,
            }
        }
        Err(why) => return tell(&mut life, Ended::NotStarted(why)).await,
    };
    match ended {
        Some(Ok(status)) if status.success() => tell(&mut life, Ended::Well).await,
        Some(Ok(status)) => tell(&mut life, Ended::Badly(status.to_string())).await,
        Some(Err(error)) => tell(&mut life, Ended::Badly(error.to_string())).await,
        None => {}
    }
}

/// The next server lives on where nobody waits for its end any more.
async fn next_server(
    child: &mut Child,
    life: &mut UnixStream,
) -> Option<io::Result<std::process::ExitStatus>> {
    let mut word = [0; 1];
    let word = tokio::select! {
        status = child.wait() => return Some(status),
        word = life.read(&mut word) => word,
    };
    if matches!(word, Ok(1)) {
        let _ = child.start_kill();
    }
    // It is waited for, so that it leaves nothing behind while the broker lives.
    Some(child.wait().await)
}

/// Waits until the other side has closed.
async fn gone(life: &mut UnixStream) {
    let mut word = [0; 16];
    while !matches!(life.read(&mut word).await, Ok(0) | Err(_)) {}
}

async fn tell(life: &mut UnixStream, ended: Ended) {
    if let Ok(bytes) = serde_json::to_vec(&ended) {
        // Who has gone wants no answer.
        let _ = life.write_all(&bytes).await;
    }
}

/// The program and what it has started, which end with it when it takes too long: a script is only as good as what it waits for.
struct Family(Child);

impl Drop for Family {
    fn drop(&mut self) {
        // `None` once it has ended: its number may be another's by then.
        let leader = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(leader) = leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}
