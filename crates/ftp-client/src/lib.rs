//! A client for FTP and FTPS: connections, listings, transfers, and the copying of whole trees.
#![forbid(unsafe_code)]

mod client;
mod connection;
pub mod copy;
mod data;
mod dialogue;
mod download;
mod error;
mod files;
pub mod filter;
mod hash;
mod hasher;
mod journal;
pub mod known;
mod listing;
mod local;
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
pub use client::{Client, SecurityInfo};
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
