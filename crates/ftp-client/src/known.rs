//! Which servers' keys were agreed on, and since when?
//!
//! The file has one JSON object a line, one line a server; lines that begin with `#` and empty ones are passed over:
//!
//! ```text
//! {"host":"ftp.example","port":21,"key_sha256":"AA:BB:…","certificate_sha256":"CC:DD:…","subject":"CN=ftp.example","first_met_unix_s":1700000000}
//! ```
//!
//! `certificate_sha256` and `subject` are missing where only the key is known, `renewed_unix_s` until another certificate
//! for the same key was seen. Anything else is an error that names the line: what is trusted is never guessed.

pub(crate) mod file;
mod line;

use std::io;
use std::path::{Path, PathBuf};

use carrack_tls::Sha256Fingerprint;
use thiserror::Error;

use crate::url::host_port;

/// A server whose key was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name in lower case, or its address without brackets: as it is written in URLs.
    pub host: String,
    /// The port of its control connections.
    pub port: u16,
    /// SHA-256 of its public key (SubjectPublicKeyInfo): this is what was agreed on.
    pub key: Sha256Fingerprint,
    /// SHA-256 of the certificate last seen with that key; `None` until one was.
    pub certificate: Option<Sha256Fingerprint>,
    /// The subject of that certificate.
    pub subject: Option<String>,
    /// When the key was remembered, in seconds since the epoch.
    pub first_met_unix_s: i64,
    /// When another certificate for the key was seen last, in seconds since the epoch.
    pub renewed_unix_s: Option<i64>,
}

/// A certificate that was seen with a remembered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of its public key.
    pub key: Sha256Fingerprint,
    /// SHA-256 of the certificate.
    pub certificate: Sha256Fingerprint,
    /// Its subject.
    pub subject: String,
    /// When, in seconds since the epoch.
    pub at_unix_s: i64,
}

/// The servers of one file. Each change reads the file again under a lock and replaces it whole, so that programs that run
/// side by side lose nothing of one another's.
#[derive(Debug)]
pub struct KnownServers {
    path: PathBuf,
    servers: Vec<Known>,
}

/// Why remembered keys cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KnownError {
    /// The system said no.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that is not understood.
    #[error("{}, line {line}: {why}; mend the line or take it out", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else could have written into it.
    #[error("{} {why}, who could put keys of his own into it; check what it says, then {mend}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How.
        why: &'static str,
        /// What to do.
        mend: String,
    },
    /// Another key is remembered for this server.
    #[error(
        "another key is remembered for {}: SHA-256 {}; forget that one first, if the server's administrator confirms the new one",
        host_port(&.0.host, .0.port),
        .0.key
    )]
    AnotherKey(Box<Known>),
}

impl KnownServers {
    /// Reads the file; where there is none, no server is known.
    ///
    /// # Errors
    /// It cannot be read, others than its owner may write it, or it holds something that is not understood.
    pub fn open(path: &Path) -> Result<KnownServers, KnownError> {
        Ok(KnownServers { path: path.to_owned(), servers: file::read(path)? })
    }

    /// What is remembered of a server.
    pub fn find(&self, host: &str, port: u16) -> Option<&Known> {
        self.servers.iter().find(|known| known.is(host, port))
    }

    /// All servers, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.servers.iter()
    }

    /// Remembers a server. One that is known with the same key keeps the date of its first meeting.
    ///
    /// # Errors
    /// [`KnownError::AnotherKey`] where another key is remembered for it, and what [`KnownServers::open`] has. SECURITY: a
    /// key is never replaced, only forgotten by [`KnownServers::forget`], which nothing calls but a person.
    pub fn remember(&mut self, server: Known) -> Result<(), KnownError> {
        self.change(|servers| match servers.iter_mut().find(|known| known.is(&server.host, server.port)) {
            Some(known) if known.key != server.key => Err(KnownError::AnotherKey(Box::new(known.clone()))),
            Some(known) => {
                let first_met_unix_s = known.first_met_unix_s;
                *known = Known { first_met_unix_s, ..server };
                Ok(())
            }
            None => {
                servers.push(server);
                Ok(())
            }
        })
    }

    /// Notes the certificate that a known server has shown with its key. A server that is not known, or known with another
    /// key, stays as it is.
    ///
    /// # Errors
    /// As [`KnownServers::open`].
    pub fn note(&mut self, host: &str, port: u16, seen: &Seen) -> Result<(), KnownError> {
        self.change(|servers| {
            let known = servers.iter_mut().find(|known| known.is(host, port) && known.key == seen.key);
            if let Some(known) = known.filter(|known| known.certificate != Some(seen.certificate)) {
                known.renewed_unix_s = known.certificate.map(|_| seen.at_unix_s);
                known.certificate = Some(seen.certificate);
                known.subject = Some(seen.subject.clone());
            }
            Ok(())
        })
    }

    /// Forgets a server; gives what was remembered of it.
    ///
    /// # Errors
    /// As [`KnownServers::open`].
    pub fn forget(&mut self, host: &str, port: u16) -> Result<Option<Known>, KnownError> {
        self.change(|servers| {
            let at = servers.iter().position(|known| known.is(host, port));
            Ok(at.map(|at| servers.remove(at)))
        })
    }

    /// Reads, changes and writes under the lock.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Vec<Known>) -> Result<T, KnownError>,
    ) -> Result<T, KnownError> {
        let _lock = file::lock(&self.path)?;
        let before = file::read(&self.path)?;
        let mut servers = before.clone();
        let outcome = change(&mut servers)?;
        if servers != before {
            file::write(&self.path, &servers)?;
        }
        self.servers = servers;
        Ok(outcome)
    }
}

impl Known {
    fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.eq_ignore_ascii_case(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn fingerprint(text: &str) -> Sha256Fingerprint {
        Sha256Fingerprint::of(text.as_bytes())
    }

    fn known(host: &str, port: u16, key: &str) -> Known {
        Known {
            host: host.to_owned(),
            port,
            key: fingerprint(key),
            certificate: Some(fingerprint("first certificate")),
            subject: Some("CN=\"ä\"\u{1b}[2J".to_owned()),
            first_met_unix_s: 1_700_000_000,
            renewed_unix_s: None,
        }
    }

    #[test]
    fn what_is_remembered_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_servers");
        let mut servers = KnownServers::open(&path).unwrap();
        assert_eq!(servers.iter().count(), 0);
        let all = [
            known("ftp.example", 21, "a"),
            known("ftp.example", 990, "b"),
            Known { certificate: None, subject: None, ..known("2001:db8::1", 21, "c") },
        ];
        for server in &all {
            servers.remember(server.clone()).unwrap();
        }
        let again = KnownServers::open(&path).unwrap();
        assert!(again.iter().eq(&all));
        assert_eq!(again.find("FTP.example", 990), Some(&all[1]));
        assert_eq!(again.find("ftp.example", 2121), None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains('\u{1b}'), "a subject cannot write to the terminal of who looks at the file");
    }

    #[test]
    fn another_key_is_never_put_in_place_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_servers");
        let (mut one, mut other) = (KnownServers::open(&path).unwrap(), KnownServers::open(&path).unwrap());
        one.remember(known("h", 21, "a")).unwrap();
        // The other program has read the file before this key was there.
        let error = other.remember(known("h", 21, "b")).unwrap_err();
        assert!(matches!(&error, KnownError::AnotherKey(old) if old.key == fingerprint("a")), "{error}");
        assert!(error.to_string().contains("h:21"), "{error}");
        let seen = Seen {
            key: fingerprint("b"),
            certificate: fingerprint("evil"),
            subject: "CN=h".to_owned(),
            at_unix_s: 1,
        };
        other.note("h", 21, &seen).unwrap();
        assert_eq!(KnownServers::open(&path).unwrap().find("h", 21), Some(&known("h", 21, "a")));
        assert_eq!(other.forget("h", 21).unwrap(), Some(known("h", 21, "a")));
        assert_eq!(other.forget("h", 21).unwrap(), None);
        other.remember(known("h", 21, "b")).unwrap();
        assert_eq!(KnownServers::open(&path).unwrap().find("h", 21), Some(&known("h", 21, "b")));
    }

    #[test]
    fn a_renewed_certificate_is_noted_with_its_date() {
        let dir = tempfile::tempdir().unwrap();
        let mut servers = KnownServers::open(&dir.path().join("known_servers")).unwrap();
        servers.remember(known("h", 21, "a")).unwrap();
        servers.remember(Known { certificate: None, subject: None, ..known("h", 990, "a") }).unwrap();
        let seen = Seen {
            key: fingerprint("a"),
            certificate: fingerprint("second certificate"),
            subject: "CN=h".to_owned(),
            at_unix_s: 1_800_000_000,
        };
        servers.note("h", 21, &seen).unwrap();
        let renewed = servers.find("h", 21).unwrap();
        assert_eq!(renewed.certificate, Some(seen.certificate));
        assert_eq!((renewed.first_met_unix_s, renewed.renewed_unix_s), (1_700_000_000, Some(1_800_000_000)));
        // The first certificate of a key that came without one renews nothing.
        servers.note("h", 990, &seen).unwrap();
        let met = servers.find("h", 990).unwrap();
        assert_eq!((met.certificate, met.renewed_unix_s), (Some(seen.certificate), None));
    }

    #[test]
    fn remembering_again_keeps_the_first_meeting() {
        let dir = tempfile::tempdir().unwrap();
        let mut servers = KnownServers::open(&dir.path().join("known_servers")).unwrap();
        servers.remember(known("h", 21, "a")).unwrap();
        servers.remember(Known { first_met_unix_s: 1_900_000_000, ..known("h", 21, "a") }).unwrap();
        assert_eq!(servers.find("h", 21), Some(&known("h", 21, "a")));
        assert_eq!(servers.iter().count(), 1);
    }

    #[test]
    fn lines_that_are_not_understood_are_errors_with_their_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_servers");
        KnownServers::open(&path).unwrap().remember(known("h", 21, "a")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().last().unwrap();
        for (added, words) in [
            ("nonsense", "expected"),
            (line, "twice"),
            (&*line.replace("21", "0"), "port"),
            (&*line.replace("\"port\"", "\"haven\""), "haven"),
            (&*line.replace("key_sha256\":\"", "key_sha256\":\"x"), "64 hexadecimal digits"),
        ] {
            fs::write(&path, format!("# a comment\n\n{line}\n{added}\n")).unwrap();
            let error = KnownServers::open(&path).unwrap_err();
            assert!(matches!(error, KnownError::Line { line: 4, .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        fs::write(&path, format!("# a comment\n\n{line}\n")).unwrap();
        assert_eq!(KnownServers::open(&path).unwrap().iter().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_write_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_servers");
        KnownServers::open(&path).unwrap().remember(known("h", 21, "a")).unwrap();
        for mode in [0o660, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KnownServers::open(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        KnownServers::open(&path).unwrap();
    }

    #[test]
    fn what_stands_in_the_way_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (path, outside) = (dir.path().join("known_servers"), dir.path().join("outside"));
        fs::write(&outside, "theirs").unwrap();
        symlink(&outside, dir.path().join("known_servers.new")).unwrap();
        KnownServers::open(&path).unwrap().remember(known("h", 21, "a")).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
        assert!(KnownServers::open(&path).unwrap().find("h", 21).is_some());
        assert!(!dir.path().join("known_servers.new").exists());
    }

    #[test]
    fn programs_side_by_side_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_servers");
        std::thread::scope(|scope| {
            for first in [0, 100] {
                let path = &path;
                scope.spawn(move || {
                    let mut servers = KnownServers::open(path).unwrap();
                    for port in first + 1..=first + 20 {
                        servers.remember(known("h", port, "a")).unwrap();
                    }
                });
            }
        });
        assert_eq!(KnownServers::open(&path).unwrap().iter().count(), 40);
    }
}
