//! How does a program of the operator's put a record into the DNS (DNS-01, RFC 8555 §8.4)?

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};

use super::error::{AcmeError, short};

/// How long one call may take: some providers need minutes until a record is seen.
const HOOK_TIME: Duration = Duration::from_secs(600);

/// How long the end of its complaint is waited for once it has ended: something that it left running may hold the pipe open.
const COMPLAINT_TIME: Duration = Duration::from_secs(1);

/// How much is read of what the program complains about.
const COMPLAINT_BYTES: usize = 4096;

/// The program, with its first arguments.
#[derive(Debug)]
pub(super) struct DnsHook {
    words: Vec<OsString>,
}

impl DnsHook {
    pub(super) fn new(words: Vec<OsString>) -> Self {
        Self { words }
    }

    /// Has the record for `name` added.
    pub(super) async fn present(&self, name: &str, value: &str) -> Result<(), AcmeError> {
        self.call("present", name, value).await
    }

    /// Has it taken away.
    pub(super) async fn cleanup(&self, name: &str, value: &str) -> Result<(), AcmeError> {
        self.call("cleanup", name, value).await
    }

    async fn call(&self, word: &'static str, name: &str, value: &str) -> Result<(), AcmeError> {
        let record = format!("_acme-challenge.{name}");
        let ran = tokio::time::timeout(HOOK_TIME, run(&self.words, [word, &record, value])).await;
        let ran = ran.unwrap_or_else(|_| Err(format!("it did not end within {} s", HOOK_TIME.as_secs())));
        ran.map_err(|why| AcmeError::Hook { word, record, why: short(&why) })
    }
}

async fn run(words: &[OsString], arguments: [&str; 3]) -> Result<(), String> {
    let (program, first) = words.split_first().ok_or("there is none")?;
    // SECURITY: no shell reads the arguments, and the record's name was compared with what was ordered.
    let mut child = Command::new(program)
        .args(first)
        .args(arguments)
        .env_remove("CARRACK_PASSWORD")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut complaint = Complaint { pipe: child.stderr.take(), text: Vec::new() };
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(|error| error.to_string())?,
            () = complaint.read_on() => {}
        }
    };
    if status.success() {
        return Ok(());
    }
    // What it wrote last may still be in the pipe.
    let _ = tokio::time::timeout(COMPLAINT_TIME, complaint.read_to_end()).await;
    let complaint = String::from_utf8_lossy(&complaint.text);
    Err(format!("{status}: {}", complaint.trim()))
}

/// What the program writes to standard error.
struct Complaint {
    /// `None` once it has ended or said enough; what it writes then meets a closed pipe.
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
        if self.text.len() >= COMPLAINT_BYTES {
            self.pipe = None;
        }
    }

    async fn read_to_end(&mut self) {
        while self.pipe.is_some() {
            self.read_on().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> DnsHook {
        DnsHook::new(["/bin/sh", "-c", script, "hook"].map(OsString::from).to_vec())
    }

    #[tokio::test]
    async fn the_program_is_told_word_name_and_value() {
        let dir = tempfile::tempdir().unwrap();
        let told = dir.path().join("told");
        let hook = shell(&format!("printf '%s|' \"$@\" >> '{}'", told.display()));
        hook.present("ftp.example.com", "a value; $(id)").await.unwrap();
        hook.cleanup("ftp.example.com", "v").await.unwrap();
        let expected = "present|_acme-challenge.ftp.example.com|a value; $(id)|cleanup|_acme-challenge.ftp.example.com|v|";
        assert_eq!(std::fs::read_to_string(told).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_failure_is_told_with_what_the_program_said() {
        let error = shell("echo no such zone >&2; exit 3").present("a.example", "v").await.unwrap_err();
        assert!(error.to_string().contains("exit status: 3: no such zone"), "{error}");
        let error = shell("yes nonsense >&2").present("a.example", "v").await.unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
        // Something that it leaves behind holds the pipe open, and nothing up.
        let left =
            shell("tail -f /dev/null & echo $! >&2; exit 4").present("a.example", "v").await.unwrap_err();
        let AcmeError::Hook { why, .. } = left else { panic!("{left}") };
        let process = why.strip_prefix("exit status: 4: ").unwrap().parse().unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(process).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        let absent = DnsHook::new(vec!["/nonexistent/hook".into()]);
        assert!(absent.present("a.example", "v").await.is_err());
    }
}
