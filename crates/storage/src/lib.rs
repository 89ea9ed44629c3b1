//! Where bytes rest: the local disk beneath a root handle, and memory with seeded faults.
//!
//! **What it does.** Implements [`Backend`](carrack_core::backend::Backend): resolves paths beneath a root that
//! nothing leaves, publishes uploads whole, syncs what is acknowledged, keeps what can be resumed, streams listings.
//!
//! **What it does not.** It decides nothing about users: it is handed
//! [`Located`](carrack_core::backend::Located) values, and whoever has one was authorised. It starts no threads and
//! holds no locks between calls but those of open uploads.
//!
//! ```text
//!                       Located<A>
//!                           │
//!        ┌──────────────────┴───────────────────┐
//!   local::LocalStore                    memory::MemoryStore
//!     resolve   openat2 beneath the root   faults   the nth operation fails
//!     stat list read                       write    the same rules
//!     write     partial ─► rename ─► sync
//!     partial   who holds it, what is kept
//!     tree      folders and names
//!     attributes times, modes, room
//!     expire    what the index says is old
//!     recover   what a crash left behind complete files
//!     sys       the one system call rustix lacks
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use carrack_core::backend::{Backend, Capability};
//! use carrack_core::partial::NoIndex;
//! use carrack_storage::local::{LocalSettings, LocalStore};
//!
//! let folder = tempfile::tempdir()?;
//! let store = LocalStore::open(folder.path(), LocalSettings::new(Arc::new(NoIndex)))?;
//! assert!(store.capabilities().has(Capability::Resume));
//! # Ok::<(), std::io::Error>(())
//! ```
#![deny(unsafe_code)]

pub mod local;
pub mod memory;
