//! A folder in which `carrack cert` and `openssl` work side by side.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::programs::{Program, Run, needs};
use crate::server::program;

/// A folder in which both programs work.
#[derive(Debug)]
pub struct Desk(TempDir);

impl Desk {
    /// A new one, where OpenSSL is there to be the other side.
    pub fn new() -> Option<Desk> {
        needs(&["openssl"]).then(|| Desk(tempfile::tempdir().unwrap()))
    }

    /// Runs a program with these words.
    pub fn run(&self, program: impl AsRef<Path>, line: &str) -> Run {
        Program::new(program.as_ref()).args(words(line)).folder(self.0.path()).run()
    }

    /// Runs `carrack cert` with these words to a good end.
    pub fn cert(&self, line: &str) -> String {
        self.run(program(), &format!("cert {line}")).ok().stdout
    }

    /// A refusal: its exit status and what is said.
    pub fn refused(&self, status: i32, line: &str) -> String {
        let run = self.run(program(), &format!("cert {line}"));
        assert_eq!(run.status.code(), Some(status), "{}", run.report());
        format!("{}{}", run.stdout, run.stderr)
    }

    /// Runs `openssl` with these words to a good end: all that it says.
    pub fn openssl(&self, line: &str) -> String {
        let run = self.run("openssl", line).ok();
        format!("{}{}", run.stdout, run.stderr)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.0.path().join(name)).unwrap()).into_owned()
    }

    /// Who may read and write a file.
    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.0.path().join(name)).unwrap().permissions().mode() & 0o777
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes an authority in `CA`.
    pub fn authority(&self) {
        self.cert("ca init --dir CA --name Example_CA");
    }
}

/// The words of a line; `_` within one stands for a space where it has no other meaning here.
pub fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace("Example_", "Example ")).collect()
}
