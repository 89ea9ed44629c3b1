//! How is a program of the operator's run, and what did it complain about?

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How long the end of its complaint is waited for once it has ended: something that it left running may hold the pipe open.
const COMPLAINT_TIME: Duration = Duration::from_secs(1);

/// How much is kept of what the program complains about: the end, where the reason stands.
const COMPLAINT_BYTES: usize = 4096;

/// How much of that is repeated, in characters, so that the status before it still finds room in the message.
const COMPLAINT_CHARACTERS: usize = 500;

/// Runs a program to its end, with `input` on its standard input. It ends with the future, and what it has started ends with it. Not
/// status 0 is a failure, with the end of what it wrote to standard error.
pub(crate) async fn run(command: &mut Command, input: &[u8]) -> Result<(), String> {
    carry_out(command, input, 0).await.map(drop)
}

/// The same for a program that answers on standard output, at most so many bytes.
pub(crate) async fn ask(command: &mut Command, input: &[u8], most: usize) -> Result<Vec<u8>, String> {
    carry_out(command, input, most).await
}

async fn carry_out(command: &mut Command, input: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let child = command
        .stdin(stdin)
        .stdout(if most == 0 { Stdio::null() } else { Stdio::piped() })
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut family = Family(child);
    let mut complaint = Complaint { pipe: family.0.stderr.take(), text: Vec::new() };
    let mut answer = Answer { pipe: family.0.stdout.take(), bytes: Vec::new(), most };
    let mut feeding = std::pin::pin!(feed(family.0.stdin.take(), input));
    let mut fed = false;
    let status = loop {
        tokio::select! {
            status = family.0.wait() => break status.map_err(|error| error.to_string())?,
            () = &mut feeding, if !fed => fed = true,
            () = complaint.read_on() => {}
            () = answer.read_on() => {}
        }
    };
    if status.success() {
        // What it wrote last may still be in the pipe.
        let _ = tokio::time::timeout(COMPLAINT_TIME, answer.read_to_end()).await;
        return answer.whole();
    }
    // What it wrote last may still be in the pipe.
    let _ = tokio::time::timeout(COMPLAINT_TIME, complaint.read_to_end()).await;
    Err(format!("{status}: {}", complaint.ending()))
}

/// Writes all of it. A program may end without having read it.
async fn feed(pipe: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input).await;
    }
}

/// The program and what it has started, which end with it when it takes too long: a script is only as good as what it waits for.
struct Family(Child);

impl Drop for Family {
    fn drop(&mut self) {
        // `None` once it has ended: its number may be another's by then.
        let leader = self.0.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(leader) = leader {
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// What the program writes to standard output.
struct Answer {
    /// `None` once it has ended.
    pipe: Option<ChildStdout>,
    bytes: Vec<u8>,
    most: usize,
}

impl Answer {
    /// Reads some more; waits for ever where there is no more. Cancellation safe.
    async fn read_on(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let mut piece = [0; 1024];
        match pipe.read(&mut piece).await {
            Ok(count) if count > 0 => {
                // One more than may be tells that there were more.
                let room = self.most.saturating_add(1).saturating_sub(self.bytes.len());
                self.bytes.extend(piece.iter().take(count.min(room)));
            }
            _ => self.pipe = None,
        }
    }

    async fn read_to_end(&mut self) {
        while self.pipe.is_some() {
            self.read_on().await;
        }
    }

    fn whole(self) -> Result<Vec<u8>, String> {
        match self.bytes.len() > self.most {
            true => Err(format!("it answers with more than {} bytes", self.most)),
            false => Ok(self.bytes),
        }
    }
}

/// What the program writes to standard error. It is read to the end, or a long one would end the program.
struct Complaint {
    /// `None` once it has ended.
    pipe: Option<ChildStderr>,
    text: Vec<u8>,
}

impl Complaint {
    /// Reads some more; waits for ever where there is no more. Cancellation safe.
    async fn read_on(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        let mut piece = [0; 1024];
        match pipe.read(&mut piece).await {
            Ok(count) if count > 0 => self.text.extend(piece.iter().take(count)),
            _ => self.pipe = None,
        }
        self.text.drain(..self.text.len().saturating_sub(COMPLAINT_BYTES));
    }

    async fn read_to_end(&mut self) {
        while self.pipe.is_some() {
            self.read_on().await;
        }
    }

    fn ending(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let text = text.trim();
        text.chars().skip(text.chars().count().saturating_sub(COMPLAINT_CHARACTERS)).collect()
    }
}
