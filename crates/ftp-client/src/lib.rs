//! A client for FTP and FTPS: connections, listings, transfers, and the copying of whole trees.
//!
//! **What it does.** A [`Client`] is one server. It connects, protects the connection, logs in, and then lists, downloads,
//! uploads, renames and removes, one operation at a time and every path absolute; for more at once there are more clients.
//! Downloads and uploads are streams, and have a fast way between the connection and a local file. [`copy`] is the engine on
//! top: trees, several connections, resuming, verifying. [`url`] reads `ftpes://`, `ftps://` and `ftp://`, [`known`] remembers
//! servers' keys.
//!
//! **What it does not.** It asks nobody anything, prints nothing, reads no configuration and keeps no global state: trust,
//! passwords and time limits come with the [`Settings`], and what happens is told to a [`Dialogue`] and a [`Watch`]. It never
//! uses ASCII mode. It knows nothing of servers of its own: it depends on none of the server crates.
//!
//! ```text
//!   Settings ─► Client ──take──► Connection: control connection + machine (ftp-proto) ──┐   owned by one operation,
//!                 ▲                                                                     │   dropped with it
//!                 └──────keep──── only behind a good end ◄── last word ◄── Flow ◄───────┤
//!                                                                           │           ▼
//!                                      File ◄──► Download, Upload, Listing ◄┴──── DataStream (tls)
//! ```
//!
//! What it sees to:
//! - no reply of a server lowers what the settings ask for, and no secret is sent before it is fulfilled;
//! - data connections go where the control connection goes, resume its TLS session, and show its certificate;
//! - a download or listing is whole only with TLS's close_notify *and* the server's word; an upload only with the latter;
//! - whoever waits, waits for a bounded time, and the error says for what ([`Stage`]);
//! - a dropped future or transfer takes its connection with it: nothing that was under way is mistaken for the answer to what
//!   comes next, and nothing is silently repeated. The next operation opens a new connection by itself;
//! - an [`Error`] says what was tried, on what, why, whose fault it is ([`Fault`]) and whether to try again ([`Retry`]).
//!
//! Names are bytes. A byte 255 in a name is sent twice, because the control connection is a Telnet connection (RFC 854, RFC 959
//! §4.1): ProFTPD and Carrack read it so, while vsftpd and Pure-FTPd take both for bytes of the name. UTF-8 has no such byte.
//!
//! A connection, and a folder's contents:
//!
//! ```no_run
//! use std::sync::Arc;
//! use carrack_ftp_client::{Client, DataMode, DataProtection, Error, Listed, Login, Security, Settings, Timeouts};
//! use carrack_tls::{Authorities, ClientSettings, ClientTls, Trust, Versions};
//!
//! async fn connect() -> Result<Client, Box<dyn std::error::Error>> {
//!     let trust = Trust::Authorities(Authorities::Platform);
//!     let tls = ClientTls::new("ftp.example", ClientSettings { trust, versions: Versions::Any, identity: None })?;
//!     let settings = Settings {
//!         host: "ftp.example".to_owned(),
//!         port: 21,
//!         security: Security::Explicit(tls),
//!         data_protection: DataProtection::Private,
//!         login: Login { user: "alice".to_owned(), password: Some("sesame".to_owned().into()) },
//!         data_mode: DataMode::Passive,
//!         timeouts: Timeouts::default(),
//!         dialogue: None,
//!     };
//!     Ok(Client::connect(Arc::new(settings)).await?)
//! }
//!
//! async fn list(client: &mut Client) -> Result<(), Error> {
//!     let folder = client.login_folder().clone();
//!     let mut listing = client.list(&folder).await?;
//!     while let Some(listed) = listing.next().await {
//!         match listed? {
//!             Listed::Entry(entry) => println!("{} {:?}", entry.name.escaped(), entry.size),
//!             Listed::Skipped { why, .. } => eprintln!("{why}"),
//!             Listed::Current(_) => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A file from the server into a local file:
//!
//! ```no_run
//! # use std::{fs::File, sync::Arc};
//! # use carrack_ftp_client::{Client, RemotePath, Unwatched};
//! async fn download(client: &mut Client) -> Result<u64, Box<dyn std::error::Error>> {
//!     let path = RemotePath::parse(b"/reports/2026.csv")?;
//!     let file = File::create("2026.csv")?;
//!     // Until this has returned without error, the file may be a part.
//!     Ok(client.retrieve(&path, 0).await?.save(&file, 0, Arc::new(Unwatched)).await?)
//! }
//! ```
//!
//! A file to the server out of memory:
//!
//! ```no_run
//! # use carrack_ftp_client::{Client, RemotePath, Store};
//! use tokio::io::AsyncWriteExt;
//!
//! async fn upload(client: &mut Client) -> Result<(), Box<dyn std::error::Error>> {
//!     let path = RemotePath::parse(b"/in/hello.txt")?;
//!     let mut upload = client.store(&path, Store::Replace).await?;
//!     upload.write_all(b"hello\n").await?;
//!     // Only now does the server have it.
//!     upload.finish().await?;
//!     Ok(())
//! }
//! ```
//!
//! A new name, and what to make of an error:
//!
//! ```no_run
//! # use carrack_ftp_client::{Client, ErrorKind, RemotePath, Retry};
//! async fn rename(client: &mut Client) -> Result<(), Box<dyn std::error::Error>> {
//!     let (from, to) = (RemotePath::parse(b"/in/hello.txt")?, RemotePath::parse(b"/done/hello.txt")?);
//!     match client.rename(&from, &to).await {
//!         Err(error) if matches!(error.kind(), ErrorKind::NotFoundOrDenied(_)) => eprintln!("{error}"),
//!         Err(error) if error.retry() == Retry::OnNewConnection => client.rename(&from, &to).await?,
//!         renamed => renamed?,
//!     }
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

mod client;
mod connection;
pub mod copy;
mod data;
mod dialogue;
mod download;
mod error;
mod exchange;
mod files;
pub mod filter;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod hasher;
mod journal;
pub mod known;
mod listing;
mod local;
pub mod netrc;
mod relative;
pub mod settings;
mod stat;
mod upload;
pub mod url;
mod watch;

pub use carrack_ftp_proto::client::machine::Store;
pub use carrack_ftp_proto::client::{
    BadName, BadPath, Entry, EntryKind, EntryName, Facts, Features, HashAlgorithm, Listed, Modified,
    Precision, RemotePath, Reply, Skip, escaped,
};
pub use client::{Client, DataHandshakes, SecurityInfo};
pub use dialogue::Dialogue;
pub use download::Download;
pub use error::{Error, ErrorKind, Fault, Operation, Retry, Stage};
pub use hash::Digest;
pub use hasher::Hasher;
pub use listing::Listing;
pub use local::failure::LocalFailure;
pub use settings::{DataMode, DataProtection, Login, Security, Settings, Timeouts};
pub use upload::Upload;
pub use watch::{Pace, Unwatched, Watch};
