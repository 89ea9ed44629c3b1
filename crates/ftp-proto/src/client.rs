//! The client's half of the language: what is to be said to a server, and what do its words mean?
//!
//! A [`Machine`] is one control connection seen from the client's side; it owns the order of things, from the greeting to
//! `PROT P` and through each operation. Around it stand readers for all that servers say in forms of their own: replies,
//! features, addresses, times, and listings.
//!
//! ```text
//!   control connection ──► Reply ──┬── 211 FEAT ──► Features        what the server can do
//!                                  ├── 213, 250 ──► size, moment, facts_line
//!                                  ├── 227, 229 ──► pasv_port, epsv_port
//!                                  └── 257 ───────► pathname ──► RemotePath
//!
//!   data connection ─────► ListingReader ─ one line at a time ──┬──► Entry { EntryName, kind, size, time … }
//!    (MLSD, LIST, NLST)                                         └──► Skipped, with the reason
//! ```
//!
//! What it sees to:
//! - a listing's name is exactly one component of a path, or there is no [`EntryName`]: nothing a server lists can lead out of
//!   a folder, and neither a name nor a [`RemotePath`] can end a command line;
//! - every byte sequence is input: nothing panics, recurses, or takes more than linear time;
//! - memory does not grow with what a server sends: a listing of a million entries needs one line, and everything else has a
//!   limit with a name ([`limits`](crate::limits));
//! - what is not known is not made up: a size that cannot be read is `None`, a kind that is not told
//!   [`EntryKind::Unknown`], a time says how exact it is ([`Precision`]), a line that cannot be read is handed out as
//!   [`Listed::Skipped`];
//! - names are bytes, expected to be UTF-8 (RFC 2640 §3.1) and kept when they are not; what people see of them goes through
//!   [`escaped`].
//!
//! What it does not do: sockets, TLS, the clock. It does not dial the address of a 227, follow links, guess at file names in
//! other character sets, or find out the time zone of LIST. Of LIST it knows the forms of Unix and of DOS, which every server
//! that is still in service can print; those of VMS, MVS, OS/2 and NetWare are skipped. It believes a server that calls a
//! FIFO a file: ProFTPD and pyftpdlib do so in MLSD.
//!
//! ```
//! use carrack_ftp_proto::client::{EntryKind, Features, Format, Listed, ListingReader, Precision};
//!
//! let features = Features::parse([" REST STREAM", " SIZE", " MDTM", " UTF8"]);
//! let format = if features.mlst.is_some() { Format::Facts } else { Format::Long };
//!
//! // 2026-11-22 16:30 UTC: LIST leaves the year out of dates of the last months.
//! let mut reader = ListingReader::new(format, 1_795_365_000);
//! reader.feed(b"-rw-r--r--    1 ftp      ftp        1234 Nov 22 15:41 two words\r\n");
//! reader.feed(b"drwxr-xr-x    2 ftp      ftp        4096 Sep 09  2001 ../../.ssh\r\n");
//! reader.finish();
//!
//! let Some(Listed::Entry(entry)) = reader.next() else { panic!("a file") };
//! assert_eq!((entry.name.as_bytes(), entry.kind, entry.size), (&b"two words"[..], EntryKind::File, Some(1234)));
//! assert_eq!(entry.modified.unwrap().precision, Precision::Minute);
//!
//! let Some(Listed::Skipped { why, .. }) = reader.next() else { panic!("no name") };
//! assert_eq!(why.to_string(), "the server lists a path where a name belongs");
//! assert_eq!(reader.next(), None);
//! ```

mod address;
mod entry;
mod facts;
mod features;
mod listing;
pub mod machine;
mod moment;
mod path;
mod reply;

pub use crate::hash::HashAlgorithm;
pub use address::{epsv_port, pasv_port, pathname};
pub use entry::{BadName, Entry, EntryKind, EntryName, Escaped, escaped};
pub use facts::{FactLine, Facts, Role, facts_line};
pub use features::{Auth, Features, OfferedFact};
pub use listing::{Format, Listed, ListingReader, Skip};
pub use machine::{Machine, Violation};
pub use moment::{Modified, Precision, moment, size, time_value};
pub use path::{BadPath, RemotePath};
pub use reply::{BadReply, Reply};

pub(crate) use reply::ReplyReader;
