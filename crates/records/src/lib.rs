//! What is remembered: accounts, and the index of unfinished uploads.
//!
//! **What it does.** Implements the traits by which the domain remembers:
//! [`Accounts`](carrack_core::account::Accounts) from a configuration, and
//! [`PartialIndex`](carrack_core::partial::PartialIndex) in a journal that survives crashes.
//!
//! **What it does not.** It reads no configuration file, checks no password, and touches no served file: what has
//! expired it names, and storage removes it.
//!
//! ```text
//!   configuration ──► accounts::ConfiguredAccounts ──► core (who may log in)
//!   storage ──remember, forget, renamed──► partials::PartialJournal ──► state folder
//!                                              └─ expire ──► storage removes
//! ```
//!
//! ```
//! use carrack_core::partial::{PartialIndex, PartialRecord};
//! use carrack_records::partials::PartialJournal;
//! use std::time::{Duration, SystemTime};
//!
//! let state = tempfile::tempdir()?;
//! let journal = PartialJournal::open(state.path())?;
//! let (file, name) = (b"/srv/in/.carrack-5f".to_vec(), b"report.csv".to_vec());
//! let since = SystemTime::now() - Duration::from_secs(3600);
//! journal.remember(&PartialRecord { file, owner: "alice".into(), name, since, boot: String::new(), settled: 0 })?;
//!
//! let expired = journal.expire(SystemTime::now(), Duration::from_secs(60), |_record| Ok(()))?;
//! assert_eq!(expired.removed, 1);
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod accounts;
pub mod partials;
