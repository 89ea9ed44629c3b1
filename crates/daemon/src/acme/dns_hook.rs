//! How does a program of the operator's put a record into the DNS (DNS-01, RFC 8555 §8.4)?

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::error::{AcmeError, short};

/// How long one call may take: some providers need minutes until a record is seen.
const HOOK_TIME: Duration = Duration::from_secs(600);

/// How much is read of what the program complains about.
const COMPLAINT_BYTES: u64 = 4096;

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
    let mut complaint = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // To the end of its bound and no further; what it says beyond that meets a closed pipe.
        let _ = stderr.take(COMPLAINT_BYTES).read_to_end(&mut complaint).await;
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(format!("{status}: {}", complaint.trim()))
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
        let absent = DnsHook::new(vec!["/nonexistent/hook".into()]);
        assert!(absent.present("a.example", "v").await.is_err());
    }
}
