//! What does an entry of the journal say?

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use carrack_ftp_proto::client::{Modified, Precision, RemotePath};
use serde::{Deserialize, Serialize};

/// The layout of the entries. Entries of another one are begun anew.
const LAYOUT: u32 = 1;
/// Bytes of an entry: two paths of 4 KiB, every byte escaped, and little else.
const RECORD_BYTES: u64 = 64 * 1024;

/// Which transfer it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    direction: &'static str,
    /// Protocol, user, host and port.
    server: String,
    remote: Vec<u8>,
    /// Absolute.
    local: PathBuf,
}

/// How a transfer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Transfer {
    /// From the server.
    Download {
        /// What the file on the server was.
        source: Version,
        /// The name of the unfinished file, beside the target.
        partial: String,
    },
    /// To the server.
    Upload {
        /// What the file here was.
        source: Version,
        /// What stood at the target before the first byte of it was sent; absent where nothing did.
        before: Option<Version>,
        /// Whether the target is ours since.
        begun: Begun,
    },
}

/// Whether a server has begun to write the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Begun {
    /// Not that we know: what stands there is somebody else's.
    No,
    /// It accepted the transfer, and bytes went out.
    Yes,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    /// Bytes.
    pub(crate) size: u64,
    /// When it was modified; `None` where nobody tells it to the second.
    pub(crate) modified: Option<Moment>,
}

/// A time of modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moment {
    /// Seconds since the epoch, UTC.
    pub(crate) unix_s: i64,
    /// Nanoseconds behind them.
    pub(crate) nanos: u32,
}

impl Version {
    /// Whether both are certainly the same content. Without both times nothing is certain.
    pub(crate) fn is_certainly(&self, other: &Version) -> bool {
        let times = self.modified.zip(other.modified);
        self.size == other.size && times.is_some_and(|(mine, others)| mine.may_be(others))
    }

    /// Whether both may be the same content, for all that is known.
    pub(crate) fn may_be(&self, other: &Version) -> bool {
        let times = self.modified.zip(other.modified);
        self.size == other.size && times.is_none_or(|(mine, others)| mine.may_be(others))
    }
}

impl Moment {
    /// What a server says, if it says it to the second.
    pub(crate) fn told(modified: Modified) -> Option<Moment> {
        match modified.precision {
            Precision::Subsecond | Precision::Second => {
                Some(Moment { unix_s: modified.unix_s, nanos: modified.nanos })
            }
            Precision::Minute | Precision::Day => None,
        }
    }

    /// A server may tell fractions by one command and none by another.
    fn may_be(self, other: Moment) -> bool {
        self.unix_s == other.unix_s && (self.nanos == other.nanos || self.nanos == 0 || other.nanos == 0)
    }
}

impl Key {
    /// A file from the server to this machine. `local` is absolute.
    pub(crate) fn download(server: &str, remote: &RemotePath, local: &Path) -> Key {
        Key::new("download", server, remote, local)
    }

    /// A file from this machine to the server. `local` is absolute.
    pub(crate) fn upload(server: &str, local: &Path, remote: &RemotePath) -> Key {
        Key::new("upload", server, remote, local)
    }

    fn new(direction: &'static str, server: &str, remote: &RemotePath, local: &Path) -> Key {
        let (server, remote, local) = (server.to_owned(), remote.as_bytes().to_vec(), local.to_owned());
        Key { direction, server, remote, local }
    }

    pub(super) fn parts(&self) -> [&[u8]; 4] {
        [self.direction.as_bytes(), self.server.as_bytes(), &self.remote, self.local.as_os_str().as_bytes()]
    }

    pub(super) fn local_path(&self) -> PathBuf {
        self.local.clone()
    }
}

/// An entry as it stands on the disk. The names are there for whoever reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    layout: u32,
    server: String,
    /// Bytes that are no UTF-8, control characters and `%` as `%XX`.
    remote: String,
    /// The same.
    local: String,
    pub(super) transfer: Transfer,
}

impl Record {
    pub(super) fn new(key: &Key, transfer: Transfer) -> Record {
        let (remote, local) = (to_text(&key.remote), to_text(key.local.as_os_str().as_bytes()));
        Record { layout: LAYOUT, server: key.server.clone(), remote, local, transfer }
    }

    /// Reads an entry; `None` for an empty one and for one that is not readable, which is as good as none.
    pub(super) fn read(file: &mut File) -> io::Result<Option<Record>> {
        let mut text = Vec::new();
        file.take(RECORD_BYTES).read_to_end(&mut text)?;
        Ok(Record::parse(&text))
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Record> {
        let record = serde_json::from_slice::<Record>(text).ok();
        record.filter(|record| record.layout == LAYOUT)
    }

    pub(crate) fn to_json(&self) -> io::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(io::Error::from)
    }

    pub(super) fn is_of(&self, key: &Key) -> bool {
        let direction = match self.transfer {
            Transfer::Download { .. } => "download",
            Transfer::Upload { .. } => "upload",
        };
        direction == key.direction
            && self.server == key.server
            && self.remote == to_text(&key.remote)
            && self.local == to_text(key.local.as_os_str().as_bytes())
    }

    /// The folder and the name of the unfinished file it tells of.
    pub(crate) fn partial(&self) -> Option<(PathBuf, Vec<u8>)> {
        let Transfer::Download { partial, .. } = &self.transfer else { return None };
        let local = PathBuf::from(OsString::from_vec(from_text(&self.local)?));
        Some((local.parent()?.to_owned(), from_text(partial)?))
    }
}

/// Bytes as text that gives them back: bytes that are no UTF-8, control characters and `%` as `%XX`.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let escape = |text: &mut String, byte: u8| text.push_str(&format!("%{byte:02X}"));
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(character) {
                Ok(byte) if byte == b'%' || byte.is_ascii_control() => escape(&mut text, byte),
                _ => text.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(&mut text, *byte));
    }
    text
}

/// The bytes again; `None` for what [`to_text`] never writes.
fn from_text(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_comes_back_from_its_text() {
        for (bytes, text) in [
            (&b"/srv/letter"[..], "/srv/letter"),
            ("/Übung".as_bytes(), "/Übung"),
            (b"/caf\xe9", "/caf%E9"),
            (b"100%\n\x7f", "100%25%0A%7F"),
        ] {
            assert_eq!(to_text(bytes), text);
            assert_eq!(from_text(text).unwrap(), bytes);
        }
        assert_eq!(from_text("50%"), None);
        assert_eq!(from_text("%zz"), None);
    }

    #[test]
    fn what_is_not_known_is_never_certain() {
        let version = |size, second: Option<i64>, nanos| Version {
            size,
            modified: second.map(|unix_s| Moment { unix_s, nanos }),
        };
        for (one, other, certainly, may_be) in [
            (version(5, Some(1), 0), version(5, Some(1), 0), true, true),
            (version(5, Some(1), 7), version(5, Some(1), 0), true, true),
            (version(5, Some(1), 7), version(5, Some(1), 8), false, false),
            (version(5, Some(1), 0), version(5, Some(2), 0), false, false),
            (version(5, Some(1), 0), version(6, Some(1), 0), false, false),
            (version(5, None, 0), version(5, Some(1), 0), false, true),
            (version(5, None, 0), version(5, None, 0), false, true),
            (version(5, None, 0), version(6, None, 0), false, false),
        ] {
            assert_eq!(
                (one.is_certainly(&other), one.may_be(&other)),
                (certainly, may_be),
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn a_time_of_list_is_no_time_to_the_second() {
        let told = |precision| Moment::told(Modified { unix_s: 60, nanos: 0, precision });
        assert_eq!(told(Precision::Second), Some(Moment { unix_s: 60, nanos: 0 }));
        assert_eq!(told(Precision::Minute), None);
        assert_eq!(told(Precision::Day), None);
    }
}
