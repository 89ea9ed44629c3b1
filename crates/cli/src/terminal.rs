//! How is somebody asked who sits at a terminal?
//!
//! `/dev/tty` is the terminal that this program was started from, whatever standard input and output are: those may carry
//! data. A program that was started by cron, a service or a pipeline of a build server has none.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::client::screen::harmless;
use crate::exit::{Failure, Status};

const TERMINAL: &str = "/dev/tty";

/// Shows a text, asks, and gives the answer; `None` where there is no terminal.
pub(crate) async fn ask(text: String) -> Option<io::Result<String>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL).ok()?;
    // On a thread of its own, so that Ctrl-C is heard while nobody answers.
    let answer = tokio::task::spawn_blocking(move || {
        terminal.write_all(harmless(&text).as_bytes())?;
        let mut answer = String::new();
        BufReader::new(terminal).read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    });
    Some(answer.await.unwrap_or_else(|error| Err(io::Error::other(error))))
}

/// Asks for a password, which is not shown; `None` where there is no terminal.
///
/// It takes the thread until there is an answer: the terminal is in another mode meanwhile, which must end before the program
/// does. Ctrl-C is an answer too.
pub(crate) fn ask_password(prompt: &str) -> Option<Result<Zeroizing<String>, Failure>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL).ok()?;
    let answer = (|| {
        // SECURITY: before the prompt is there: who pastes has typed the first letters before anybody reads them.
        let _unseen = Unseen::begin(terminal.try_clone()?)?;
        terminal.write_all(harmless(prompt).as_bytes())?;
        rpassword::read_password()
    })();
    Some(match answer {
        Ok(password) => Ok(Zeroizing::new(password)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Err(Failure::new(Status::Interrupted, "interrupted at the password"))
        }
        Err(error) => Err(Failure::failed(format!("the password cannot be read: {error}"))),
    })
}

/// What is typed is not shown until this is dropped, and every key is an answer by itself, Ctrl-C too: the mode in which
/// rpassword reads, which it begins only behind its prompt.
struct Unseen {
    terminal: File,
    before: Termios,
}

impl Unseen {
    fn begin(terminal: File) -> io::Result<Unseen> {
        let before = tcgetattr(&terminal)?;
        let mut unseen = before.clone();
        unseen
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        unseen.special_codes[SpecialCodeIndex::VMIN] = 1;
        unseen.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &unseen)?;
        Ok(Unseen { terminal, before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
