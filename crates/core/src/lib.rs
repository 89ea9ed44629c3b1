//! The transfer domain: accounts, policy, sessions, uploads, events. Knows no protocol and no back end.
//!
//! **What it does.** Decides who may do what to which path, and holds the rules of uploads that every protocol
//! shares: nothing is refused after something was touched, a file appears whole or not at all, an interrupted upload
//! goes on where it stopped, and everything that happens is told once.
//!
//! **What it does not.** It speaks no protocol and never asks which one is calling, opens no file itself, and keeps no
//! time but for the length of transfers. Its calls block, except [`Core::login`](session::Core::login).
//!
//! ```text
//!   front end ──► Session::open_write(path, mode)
//!                    │  policy   may this user?          VirtualPath → Permit<Write>
//!                    │  mounts   which store, where?     Permit<Write> → Located<Write>
//!                    ▼
//!                 Backend::create(Located<Write>)        storage: accepts nothing else
//!                    │
//!   bytes ──────► Upload::write … commit | abort ──► exactly one TransferFinished to every Subscriber
//! ```
//!
//! [`Permit`](policy::Permit) and [`Located`](mounts::Located) cannot be made elsewhere, so no front end can forget
//! authorisation and no back end can be called without it.
//!
//! ```
//! use carrack_core::path::{PathError, VirtualPath};
//!
//! let home = VirtualPath::root();
//! let report = home.join(b"in/./2024/../report.csv")?;
//! assert_eq!(report.as_bytes(), b"/in/report.csv");
//! assert_eq!(report.join(b"../../../../etc/passwd")?.as_bytes(), b"/etc/passwd"); // beneath the home, still
//! assert_eq!(home.join(b"two\r\nlines"), Err(PathError::ForbiddenByte));
//! # Ok::<(), PathError>(())
//! ```
#![forbid(unsafe_code)]

pub mod account;
pub mod backend;
pub mod certificate;
pub mod digest;
pub mod download;
pub mod error;
pub mod event;
pub mod limits;
pub mod live;
pub mod login;
pub mod mounts;
pub mod pace;
pub mod partial;
pub mod password;
pub mod path;
pub mod permission;
pub mod policy;
pub mod session;
pub mod takeover;
pub mod upload;

pub use error::{Error, ErrorKind, Result};
pub use session::{Core, Session};
