//! How does another process ask a server?

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::protocol::{Answer, Request};
use super::socket::{of_state, short};

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// None runs there, or not for us.
    #[error("no server answers at {socket}: {}", why(source))]
    NotThere {
        /// Where it was looked for.
        socket: String,
        /// What the system said.
        source: io::Error,
    },
    /// It went away.
    #[error("the server went away before it answered: {0}")]
    Lost(io::Error),
    /// It said what this program does not understand.
    #[error("the server's answer is not understood: {0}\n  mend: use the `carrack` of the version that runs")]
    NotUnderstood(serde_json::Error),
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "none runs on that state folder\n  mend: name the server's with --config FILE or --state DIR"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "it is another user's\n  mend: ask as root, or as the user that the server runs as".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Asks the server that runs on this state folder, and waits for its answer.
///
/// # Errors
/// None answers, or none that is understood.
pub fn ask(state: &Path, request: &Request) -> Result<Answer, AskError> {
    let socket = of_state(state);
    let not_there = |source| AskError::NotThere { socket: socket.display().to_string(), source };
    let (address, _held) = short(&socket).map_err(not_there)?;
    let mut stream = UnixStream::connect(address).map_err(not_there)?;
    let mut line = serde_json::to_vec(request).map_err(AskError::NotUnderstood)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(AskError::Lost)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(AskError::Lost)?;
    if answer.is_empty() {
        return Err(AskError::Lost(io::ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_str(&answer).map_err(AskError::NotUnderstood)
}
