//! How is a program of the operator's run, and what did it complain about?

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::sandbox::Program;

/// How long the end of its complaint is waited for once it has ended: something that it left running may hold the pipe open.
const COMPLAINT_TIME: Duration = Duration::from_secs(1);

/// How much is kept of what the program complains about: the end, where the reason stands.
const COMPLAINT_BYTES: usize = 4096;

/// How much of that is repeated, in characters, so that the status before it still finds room in the message.
const COMPLAINT_CHARACTERS: usize = 500;

/// What a program is told beside its standard input.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Behind the words that the configuration has.
    pub(crate) arguments: Vec<String>,
    /// Variables.
    pub(crate) environment: Vec<(String, String)>,
}

/// Runs a program to its end, with `input` on its standard input. It ends with the future, and what it has started ends with it. Not
/// status 0 is a failure, with the end of what it wrote to standard error.
pub(crate) async fn run(program: &Program, beside: Beside, input: &[u8]) -> Result<(), String> {
    carry_out(program, beside, input, 0).await.map(drop)
}

/// The same for a program that answers on standard output, at most so many bytes.
pub(crate) async fn ask(program: &Program, input: &[u8], most: usize) -> Result<Vec<u8>, String> {
    carry_out(program, Beside::default(), input, most).await
}

async fn carry_out(program: &Program, beside: Beside, input: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let text = |error: io::Error| error.to_string();
    let (theirs, stdin) = io::pipe().map_err(text)?;
    let (stderr, complaining) = io::pipe().map_err(text)?;
    let mut pipes = vec![OwnedFd::from(theirs), complaining.into()];
    let mut answer = Answer { pipe: None, bytes: Vec::new(), most };
    if most > 0 {
        let (stdout, answering) = io::pipe().map_err(text)?;
        answer.pipe = Some(receiver(stdout).map_err(text)?);
        pipes.push(answering.into());
    }
    let stdin = Sender::from_owned_fd(stdin.into()).map_err(text)?;
    let mut complaint = Complaint { pipe: Some(receiver(stderr).map_err(text)?), text: Vec::new() };
    let Beside { arguments, environment } = beside;
    let mut running = program.start(arguments, environment, most > 0, &pipes).await.map_err(text)?;
    // The program alone holds them now, so they end with it.
    drop(pipes);
    let mut feeding = std::pin::pin!(feed(stdin, input));
    let mut fed = false;
    let mut ending = std::pin::pin!(running.wait());
    let ended = loop {
        tokio::select! {
            ended = &mut ending => break ended,
            () = &mut feeding, if !fed => fed = true,
            () = complaint.read_on() => {}
            () = answer.read_on() => {}
        }
    };
    let Err(how) = ended else {
        // What it wrote last may still be in the pipe.
        let _ = tokio::time::timeout(COMPLAINT_TIME, answer.read_to_end()).await;
        return answer.whole();
    };
    // What it wrote last may still be in the pipe.
    let _ = tokio::time::timeout(COMPLAINT_TIME, complaint.read_to_end()).await;
    match complaint.ending() {
        ending if ending.is_empty() => Err(how),
        ending => Err(format!("{how}: {ending}")),
    }
}

fn receiver(pipe: PipeReader) -> io::Result<Receiver> {
    Receiver::from_owned_fd(pipe.into())
}

/// Writes all of it. A program may end without having read it.
async fn feed(mut pipe: Sender, input: &[u8]) {
    let _ = pipe.write_all(input).await;
}

/// What the program writes to standard output.
struct Answer {
    /// `None` once it has ended.
    pipe: Option<Receiver>,
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
    pipe: Option<Receiver>,
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
