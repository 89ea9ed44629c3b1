//! How does a program of the operator's put a record into the DNS (DNS-01, RFC 8555 §8.4)?

use std::time::Duration;

use super::error::{AcmeError, short};
use crate::program::{self, Beside};
use crate::sandbox::Program;

/// How long one call may take: some providers need minutes until a record is seen.
pub(super) const HOOK_TIME: Duration = Duration::from_secs(600);

/// The program, with its first arguments.
#[derive(Debug)]
pub(super) struct DnsHook {
    program: Program,
}

impl DnsHook {
    pub(super) fn new(program: Program) -> Self {
        Self { program }
    }

    /// One that a thread of this process starts.
    #[cfg(test)]
    pub(super) fn of_words(words: &[&str]) -> Self {
        use crate::sandbox::{Listed, Programs, Purpose};
        let words: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
        let programs =
            Programs::in_this_process(vec![Listed { purpose: Purpose::Dns, words: words.clone() }]);
        Self::new(programs.find(Purpose::Dns, &words).unwrap())
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
        let ran = tokio::time::timeout(HOOK_TIME, run(&self.program, [word, &record, value])).await;
        let ran = ran.unwrap_or_else(|_| Err(format!("it did not end within {} s", HOOK_TIME.as_secs())));
        ran.map_err(|why| AcmeError::Hook { word, record, why: short(&why) })
    }
}

async fn run(program: &Program, arguments: [&str; 3]) -> Result<(), String> {
    // SECURITY: no shell reads the arguments, and the record's name was compared with what was ordered.
    let arguments = arguments.map(str::to_owned).into();
    program::run(program, Beside { arguments, ..Beside::default() }, &[]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> DnsHook {
        DnsHook::of_words(&["/bin/sh", "-c", script, "hook"])
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
        let absent = DnsHook::of_words(&["/nonexistent/hook"]);
        assert!(absent.present("a.example", "v").await.is_err());
    }

    #[tokio::test]
    async fn a_program_that_says_much_is_heard_to_the_end() {
        let much = "yes nonsense | head -c 300000 >&2";
        shell(much).present("a.example", "v").await.unwrap();
        let error = shell(&format!("{much}; echo no such zone >&2; exit 3"))
            .present("a.example", "v")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3: ") && text.ends_with("no such zone"), "{text}");
        assert!(text.len() < 1000, "{text}");
    }

    #[tokio::test]
    async fn what_a_program_waits_for_ends_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        // Both hold the pipe open; it ends when neither does.
        let script = format!("exec 3> '{}'; echo here >&3; tail -f /dev/null; true", pipe.display());
        let hook = shell(&script);
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(pipe).unwrap());
        let (mut file, mut word) = (None, [0; 5]);
        tokio::select! {
            ended = hook.present("a.example", "v") => panic!("{ended:?}"),
            () = async {
                let mut opened = opened.await.unwrap();
                let read = move || {
                    std::io::Read::read_exact(&mut opened, &mut word).unwrap();
                    opened
                };
                file = Some(tokio::task::spawn_blocking(read).await.unwrap());
            } => {}
        }
        let rest = tokio::task::spawn_blocking(move || std::io::read_to_string(file.unwrap()).unwrap());
        assert_eq!(rest.await.unwrap(), "");
    }
}
